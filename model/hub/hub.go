package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// validID matches the ids the Hub gives: an optional organisation and a name. The
// cache writes the slash as two hyphens, so that no id holds them.
var validID = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9._-]{0,95}/)?[A-Za-z0-9_][A-Za-z0-9._-]{0,95}$`)

// IsID reports whether s could be a model's id on the Hub.
func IsID(s string) bool {
	return validID.MatchString(s) && !strings.Contains(s, "--") && !strings.Contains(s, "..")
}

// Resolve returns the folder that a user's word for a model stands for, and the
// model's id on the Hub where that is known ("" otherwise).
func Resolve(arg string) (dir, id string, err error) {
	if arg == "" {
		return "", "", errors.New("no model given: want a folder or a Hub id such as HuggingFaceTB/SmolLM2-135M")
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && !info.IsDir():
		return "", "", hint.New(fmt.Errorf("model %s: a file, want a folder", arg), "give the folder that holds config.json and the weights")
	case err == nil:
		return arg, ID(arg), nil
	case !IsID(arg):
		return "", "", fmt.Errorf("model %s: no such folder", arg)
	}
	cache, err := CacheDir()
	if err != nil {
		return "", "", err
	}
	dir, err = snapshot(filepath.Join(cache, repoFolder(arg)))
	if err != nil {
		return "", "", hint.New(
			fmt.Errorf("model %s: neither a folder here nor in the Hub cache %s: %w", arg, cache, err),
			"fetch it first, for example with: hf download "+arg,
		)
	}
	return dir, arg, nil
}

// CacheDir returns the Hub cache as huggingface_hub finds it.
func CacheDir() (string, error) {
	for _, key := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		if dir := os.Getenv(key); dir != "" {
			return home(dir)
		}
	}
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return home(filepath.Join(dir, "hub"))
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return home(filepath.Join(dir, "huggingface", "hub"))
	}
	return home(filepath.Join("~", ".cache", "huggingface", "hub"))
}

// home replaces a leading ~.
func home(path string) (string, error) {
	if path != "~" && !strings.HasPrefix(path, "~"+string(filepath.Separator)) {
		return path, nil
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding the Hub cache: %w", err)
	}
	return filepath.Join(dir, path[1:]), nil
}

func repoFolder(id string) string { return "models--" + strings.ReplaceAll(id, "/", "--") }

// snapshot returns the folder of the commit that refs/main names.
func snapshot(repo string) (string, error) {
	ref := filepath.Join(repo, "refs", "main")
	data, err := files.Read(ref, 1024)
	if err != nil {
		return "", err
	}
	commit := strings.TrimSpace(string(data))
	if commit == "" || commit == "." || commit == ".." || strings.ContainsAny(commit, "/\\:\x00\n") || len(commit) > 255 {
		return "", fmt.Errorf("%s holds %.60q, want a commit", ref, commit)
	}
	dir := filepath.Join(repo, "snapshots", commit)
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s: not a folder", dir)
	}
	return dir, nil
}

// ID returns the Hub id of a snapshot folder in a Hub cache, "" for any other.
func ID(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil || filepath.Base(filepath.Dir(abs)) != "snapshots" {
		return ""
	}
	name, ok := strings.CutPrefix(filepath.Base(filepath.Dir(filepath.Dir(abs))), "models--")
	id := strings.Replace(name, "--", "/", 1)
	if !ok || !IsID(id) {
		return ""
	}
	return id
}
