package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// program is how this program was started, for commands that are to be typed.
func program() string {
	exe, err := os.Executable()
	if err == nil && strings.Contains(filepath.ToSlash(exe), "/go-build") { // go run builds there
		if _, err := os.Stat(filepath.Join("cmd", "finetune", "main.go")); err == nil {
			return "go run ./cmd/finetune"
		}
		return "go run ."
	}
	return quote(os.Args[0])
}

// bare are the words that no shell changes.
var bare = regexp.MustCompile(`^[A-Za-z0-9_./:=,+@%~-]+$`)

// quote writes a word so that a shell takes it as one.
func quote(word string) string {
	switch {
	case bare.MatchString(word):
		return word
	case runtime.GOOS == "windows":
		return `"` + word + `"`
	case strings.ContainsAny(word, "\"$`\\!"):
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return `"` + word + `"`
}
