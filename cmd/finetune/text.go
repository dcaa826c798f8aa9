package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"example.com/finetune/train/report"
)

// This file writes numbers and commands as people read and type them.

// count and many write numbers as the reports do.
func count(n int) string             { return report.Count(n) }
func many(n int, noun string) string { return report.Many(n, noun) }

// bytesText writes a size in powers of ten, as disks and networks do.
func bytesText(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	x, i := float64(n), 0
	for x >= 999.5 && i < len(units)-1 {
		x /= 1000
		i++
	}
	if i == 0 || x >= 99.95 {
		return fmt.Sprintf("%.0f %s", x, units[i])
	}
	return fmt.Sprintf("%.1f %s", x, units[i])
}

// duration writes a time with its two largest units.
func duration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// perplexityText writes the perplexity of a loss.
func perplexityText(loss float64) string {
	if p := math.Exp(loss); p < 1e6 {
		return fmt.Sprintf("%.4g", p)
	}
	return fmt.Sprintf("%.2e", math.Exp(loss))
}

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
