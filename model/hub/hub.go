package hub

import (
	"cmp"
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

// validRevision matches names of branches and tags, refs/pr/N and commits. They become
// names of files below refs.
var validRevision = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]*(/[A-Za-z0-9_][A-Za-z0-9._+-]*)*$`)

// mainRevision is the branch that is meant where none is named.
const mainRevision = "main"

// ParseID splits ORG/NAME[@revision], where the revision is a branch, a tag or a
// commit, and "main" where none is named.
func ParseID(arg string) (id, revision string, err error) {
	id, revision, named := strings.Cut(arg, "@")
	if !named {
		revision = mainRevision
	}
	if !IsID(id) {
		return "", "", hint.New(fmt.Errorf("%q is not the id of a model on the Hub", id), "an id is ORG/NAME, such as HuggingFaceTB/SmolLM2-135M")
	}
	if len(revision) > 200 || !validRevision.MatchString(revision) || strings.Contains(revision, "..") {
		return "", "", hint.New(fmt.Errorf("%q is not a revision", revision), "after @ stands a branch, a tag or a commit")
	}
	return id, revision, nil
}

// A Ref is a model that was found. What it is called is decided here and nowhere else.
type Ref struct {
	Arg string // what it was asked for by: a folder, or ORG/NAME[@revision]
	Dir string // where it lies
	ID  string // on the Hub; "" where that is not known
}

// Folder returns the reference to a folder.
func Folder(dir string) Ref { return Ref{Arg: dir, Dir: dir, ID: ID(dir)} }

// Name returns what others may call the model: its id on the Hub, else the name of its
// folder, which says enough and hides where it lies.
func (r Ref) Name() string {
	if r.ID != "" || r.Dir == "" {
		return r.ID
	}
	if abs, err := filepath.Abs(r.Dir); err == nil { // ".": the folder has a name
		return filepath.Base(abs)
	}
	return filepath.Base(r.Dir)
}

// Label returns what its user calls the model: its id on the Hub, else the folder.
func (r Ref) Label() string { return cmp.Or(r.ID, r.Dir) }

// Absolute returns what finds the model from any folder.
func (r Ref) Absolute() (string, error) {
	if r.Arg != r.Dir {
		return r.Arg, nil
	}
	return filepath.Abs(r.Dir)
}

// Resolve finds the model that a user's word stands for: a folder, or
// ORG/NAME[@revision] in the Hub cache. An error for a model that is not in the cache,
// or only a part of it, has the command as a hint.
func Resolve(arg string) (Ref, error) {
	if arg == "" {
		return Ref{}, errors.New("no model given: want a folder or a Hub id such as HuggingFaceTB/SmolLM2-135M")
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && !info.IsDir():
		return Ref{}, hint.New(fmt.Errorf("model %s: a file, want a folder", arg), "give the folder that holds config.json and the weights")
	case err == nil:
		return Folder(arg), nil
	}
	if _, e := os.Lstat(arg); e == nil { // a link: what is the matter with it?
		if _, err := files.Open(arg); err != nil {
			return Ref{}, hint.New(fmt.Errorf("model %w", err), hint.Of(err))
		}
	}
	id, revision, err := ParseID(arg)
	if err != nil {
		return Ref{}, fmt.Errorf("model %s: no such folder", arg)
	}
	cache, err := CacheDir()
	if err != nil {
		return Ref{}, err
	}
	dir, err := repository{cache, id}.cached(revision)
	if err != nil {
		return Ref{}, &MissingError{Arg: arg, ID: id, Revision: revision, cache: cache, err: err}
	}
	return Ref{Arg: arg, Dir: dir, ID: id}, nil
}

// MissingError is that of a word which may be a model on the Hub, but is neither a
// folder here nor a whole model in the cache.
type MissingError struct {
	Arg          string // ORG/NAME[@revision]
	ID, Revision string

	cache string
	err   error
}

func (e *MissingError) Error() string {
	if errors.Is(e.err, errPart) {
		return fmt.Sprintf("model %s: %v", e.Arg, e.err)
	}
	return fmt.Sprintf("model %s: neither a folder here nor in the Hub cache %s: %v", e.Arg, e.cache, e.err)
}

func (e *MissingError) Unwrap() error { return e.err }

// Hint returns the command that fetches the model.
func (e *MissingError) Hint() string {
	if errors.Is(e.err, errPart) {
		return "fetch the rest with: finetune download " + e.Arg
	}
	return "fetch it with: finetune download " + e.Arg
}

// digestName matches the SHA-256 of a file that the Hub keeps outside git.
var digestName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Digest returns the SHA-256 of a file in a Hub cache, which names the blob that it
// links to; "" for any other file.
func Digest(path string) string {
	target, err := os.Readlink(path)
	if err != nil || !digestName.MatchString(filepath.Base(target)) {
		return ""
	}
	return filepath.Base(target)
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
