package main

func vecAMD64() *file { return newFile("vec_amd64", "amd64") }
