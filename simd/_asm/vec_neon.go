package main

func vecARM64() *file { return newFile("vec_arm64", "arm64") }
