package main

import (
	"runtime"
	"runtime/debug"
	"strings"

	"example.com/finetune/simd"
)

type versionCommand struct{}

func (versionCommand) Help() string {
	return "For example:\n\n    finetune version\n"
}

// Run prints three lines for bug reports.
func (versionCommand) Run(u *ui) error {
	return u.printf("finetune %s\n%s %s/%s\nkernels %s\n",
		version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, simd.Kernels())
}

// version is the module's version, or the commit a development build is from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	v := "devel"
	if r := set["vcs.revision"]; r != "" {
		v += "-" + r[:min(12, len(r))]
	}
	if set["vcs.modified"] == "true" {
		v += "+changes"
	}
	return v
}

// kernels names the instruction set as people write it.
func kernels() string {
	if k := simd.Kernels(); k != "go" {
		return strings.ToUpper(k)
	}
	return "plain Go"
}
