package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every linked module has a licence, and the list is the same each time.
func TestThirdParty(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	one, err := thirdParty()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"github.com/alecthomas/kong v", "The Go standard library", "stories260K", "golang.org/x/sys v", "Permission is hereby granted", "Redistribution and use in source"} {
		if !strings.Contains(string(one), want) {
			t.Errorf("%q is not in it", want)
		}
	}
	for _, never := range []string{"go-cmp", "rapid", "go-internal", os.TempDir() + "/"} { // tests' alone
		if strings.Contains(string(one), never) {
			t.Errorf("%q is in it", never)
		}
	}
	if two, err := thirdParty(); err != nil || !bytes.Equal(one, two) {
		t.Errorf("two lists differ, %v", err)
	}
}

// A module without a licence is not packed in silence.
func TestNoLicence(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"README.md", "licenser.go"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := licences(dir); err == nil || !strings.Contains(err.Error(), "no licence") {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"LICENCE.md", "COPYING", "LICENSE-MIT", "NOTICE", "UNLICENSE", "License.txt"} {
		if !licenceName.MatchString(name) {
			t.Errorf("%s is taken for no licence", name)
		}
	}
}

// Archives of the same files are the same bytes.
func TestArchives(t *testing.T) {
	list := []file{{"finetune", []byte("program"), 0o755}, {"LICENSE", []byte("text"), 0o644}}
	at := time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)
	here, there := build{time: at}, build{time: at, dir: "elsewhere"}
	for what, pack := range map[string]func(*build) ([]byte, error){
		"tar": func(b *build) ([]byte, error) { return b.tar("x", list) },
		"zip": func(b *build) ([]byte, error) { return b.zip("x", list) },
	} {
		one, err := pack(&here)
		if err != nil {
			t.Fatal(err)
		}
		if two, err := pack(&there); err != nil || !bytes.Equal(one, two) || len(one) < 100 {
			t.Errorf("%s: %d and %d bytes, %v", what, len(one), len(two), err)
		}
	}
}
