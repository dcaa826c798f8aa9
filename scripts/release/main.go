// Command release builds the program for every system, and packs it with its licences.
// What it writes depends on the source, its flags and the Go version alone. It is run by
// scripts/release.sh, which knows the commit.
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// targets are the systems and processors, and program what is built for them.
var targets = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

const program = "./cmd/finetune"

// A build is one release.
type build struct {
	version, commit string
	time            time.Time // of the commit; every packed file has it
	dir             string
}

// A file is one of an archive.
type file struct {
	name string
	data []byte
	mode os.FileMode
}

func main() {
	log.SetFlags(0)
	var b build
	at := flag.String("time", "", "time of the commit, as RFC 3339 has it")
	flag.StringVar(&b.version, "version", "", "version, such as 1.2.0")
	flag.StringVar(&b.commit, "commit", "", "whole hash of the commit")
	flag.StringVar(&b.dir, "o", "dist", "folder for the archives")
	flag.Parse()
	var err error
	if b.time, err = time.Parse(time.RFC3339, *at); err == nil {
		err = b.run()
	}
	if err != nil {
		log.Fatalf("release: %v", err)
	}
}

// run writes all archives and their checksums.
func (b *build) run() error {
	third, err := thirdParty()
	if err != nil {
		return err
	}
	common := []file{{"THIRD_PARTY.txt", third, 0o644}}
	for _, name := range []string{"LICENSE", "README.md"} {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		common = append(common, file{name, data, 0o644})
	}
	var sums bytes.Buffer
	for _, target := range targets {
		name, archive, err := b.pack(target, common)
		if err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		if err := os.WriteFile(filepath.Join(b.dir, name), archive, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(archive), name)
	}
	return os.WriteFile(filepath.Join(b.dir, "SHA256SUMS"), sums.Bytes(), 0o644)
}

// pack builds for one target and returns its archive.
func (b *build) pack(target string, common []file) (name string, archive []byte, err error) {
	system, processor, _ := strings.Cut(target, "/")
	binary := "finetune"
	if system == "windows" {
		binary += ".exe"
	}
	path := filepath.Join(b.dir, binary)
	defer os.Remove(path)
	flags := fmt.Sprintf("-s -w -buildid= -X main.released=%s -X main.commit=%s -X main.built=%s", b.version, b.commit, b.time.Format(time.RFC3339))
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags="+flags, "-o", path, program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+processor, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-mod=readonly", "GOEXPERIMENT=")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", nil, err
	}
	base := fmt.Sprintf("finetune_%s_%s_%s", b.version, system, processor)
	list := append([]file{{binary, data, 0o755}}, common...)
	if system == "windows" {
		archive, err = b.zip(base, list)
		return base + ".zip", archive, err
	}
	archive, err = b.tar(base, list)
	return base + ".tar.gz", archive, err
}

func (b *build) tar(folder string, list []file) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	for _, f := range list {
		header := &tar.Header{Name: folder + "/" + f.name, Mode: int64(f.mode), Size: int64(len(f.data)), ModTime: b.time, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.data); err != nil {
			return nil, err
		}
	}
	err = errors.Join(t.Close(), z.Close())
	return out.Bytes(), err
}

func (b *build) zip(folder string, list []file) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range list {
		header := &zip.FileHeader{Name: folder + "/" + f.name, Method: zip.Deflate, Modified: b.time}
		header.SetMode(f.mode)
		w, err := z.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

// thirdParty returns the licences of what any target links: Go itself, the modules, and
// the model that the demo carries.
func thirdParty() ([]byte, error) {
	modules := map[string]string{}
	for _, target := range targets {
		system, processor, _ := strings.Cut(target, "/")
		cmd := exec.Command("go", "list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{"\t"}}{{.Dir}}{{end}}{{end}}`, program)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+processor)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			if name, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				modules[name] = dir
			}
		}
	}
	if len(modules) < 5 {
		return nil, fmt.Errorf("go list names %d modules", len(modules))
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	modules["The Go standard library and runtime"] = strings.TrimSpace(string(root))
	modules["The model of finetune demo, stories260K"] = filepath.Join("cmd", "finetune", "demo", "model")
	var all bytes.Buffer
	all.WriteString("What is linked into finetune, with its licences.\n")
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		texts, err := licences(modules[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(&all, "\n%s\n%s\n\n%s", strings.Repeat("=", 100), name, texts)
	}
	return all.Bytes(), nil
}

// licenceName matches the files that hold licences and what they ask to be passed on.
var licenceName = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|notice|patents)([-.].*)?$`)

// licences returns the texts of a folder; none is an error.
func licences(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, e := range entries {
		if e.IsDir() || !licenceName.MatchString(e.Name()) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		text := strings.ReplaceAll(string(data), "\r\n", "\n")
		b.WriteString(strings.TrimRight(text, "\n") + "\n")
	}
	if b.Len() == 0 {
		return "", errors.New("no licence in its folder")
	}
	return b.String(), nil
}
