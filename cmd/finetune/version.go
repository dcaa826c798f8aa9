package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"example.com/finetune/simd"
)

type versionCommand struct{}

func (versionCommand) Help() string {
	return "For example:\n\n    finetune version\n"
}

// What scripts/release.sh writes into a release: version, whole commit, and the commit's
// time.
var released, commit, built string

// Run prints lines for bug reports.
func (versionCommand) Run(u *ui) error {
	from := ""
	if hash, day := source(); hash != "" {
		from = fmt.Sprintf("commit %.12s, %s\n", hash, day)
	}
	return u.printf("finetune %s\n%s%s %s/%s\nkernels %s\n",
		version(), from, runtime.Version(), runtime.GOOS, runtime.GOARCH, simd.Kernels())
}

// version is the release's, the module's, or the commit a development build is from.
func version() string {
	if released != "" {
		return released
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	v := "devel"
	if hash, _ := source(); hash != "" {
		v += "-" + hash[:min(12, len(hash))]
	}
	if buildSetting("vcs.modified") == "true" {
		v += "+changes"
	}
	return v
}

// source returns the commit and its date, "" where they are not known.
func source() (hash, day string) {
	hash, at := commit, built
	if hash == "" {
		hash, at = buildSetting("vcs.revision"), buildSetting("vcs.time")
	}
	day, _, _ = strings.Cut(at, "T")
	return hash, day
}

// buildSetting returns what the go command wrote into the program.
func buildSetting(key string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// kernels names the instruction set as people write it.
func kernels() string {
	if k := simd.Kernels(); k != "go" {
		return strings.ToUpper(k)
	}
	return "plain Go"
}
