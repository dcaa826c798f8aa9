package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"example.com/finetune/internal/files"
)

// A repository is a model's folder in the cache.
type repository struct{ cache, id string }

func (r repository) name() string { return "models--" + strings.ReplaceAll(r.id, "/", "--") }
func (r repository) dir() string  { return filepath.Join(r.cache, r.name()) }

func (r repository) blob(etag string) string { return filepath.Join(r.dir(), "blobs", etag) }
func (r repository) lock(etag string) string {
	return filepath.Join(r.cache, ".locks", r.name(), etag+".lock")
}

func (r repository) snapshot(commit string) string {
	return filepath.Join(r.dir(), "snapshots", commit)
}

func (r repository) tree(commit string) string {
	return filepath.Join(r.dir(), "trees", commit+".json")
}

func (r repository) ref(revision string) string {
	return filepath.Join(r.dir(), "refs", filepath.FromSlash(revision))
}

// isCommit matches a whole commit hash, which needs no reference.
var isCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// commit returns what a revision was when it was last fetched.
func (r repository) commit(revision string) (string, error) {
	if isCommit.MatchString(revision) {
		return revision, nil
	}
	data, err := files.Read(r.ref(revision), 1024)
	if err != nil {
		return "", err
	}
	commit := strings.TrimSpace(string(data))
	if commit == "" || commit == "." || commit == ".." || strings.ContainsAny(commit, "/\\:\x00\n") || len(commit) > 255 {
		return "", fmt.Errorf("%s holds %.60q, want a commit", r.ref(revision), commit)
	}
	return commit, nil
}

// errPart is that of a snapshot which lacks files that a run needs.
var errPart = errors.New("the Hub cache has only a part of it")

// cached returns the snapshot of a revision. Where the list of the commit's files is
// there, each that a run reads must be as well: a download may have ended early.
func (r repository) cached(revision string) (string, error) {
	commit, err := r.commit(revision)
	if err != nil {
		return "", err
	}
	dir := r.snapshot(commit)
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s: not a folder", dir)
	}
	tree, err := readTree(r.tree(commit))
	if err != nil {
		return dir, nil // there is none where transformers fetched file by file
	}
	needed, err := needs(tree)
	if err != nil {
		return dir, nil // the model's reader says what is wrong with it
	}
	for _, name := range needed {
		if slices.Contains(carried, name) {
			continue
		}
		f, err := files.Open(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return "", fmt.Errorf("%w: %w", errPart, err)
		}
		f.Close()
	}
	return dir, nil
}

// writeRef records what commit a revision is. Where that is known nothing is written:
// the cache may be somebody else's.
func (r repository) writeRef(revision, commit string) error {
	if revision == commit {
		return nil
	}
	path := r.ref(revision)
	if data, err := files.Read(path, 1024); err == nil && string(data) == commit {
		return nil
	}
	if err := files.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	return files.Write(path, []byte(commit))
}

// tagText is what huggingface_hub writes into CACHEDIR.TAG, so that backups leave the
// cache out (https://bford.info/cachedir).
const tagText = "Signature: 8a477f597d28d172789f06886806bc55\n" +
	"# This file is a cache directory tag created by huggingface_hub.\n" +
	"# For information about cache directory tags, see:\n" +
	"#\thttps://bford.info/cachedir/\n"

// prepare makes the folders that a file of a snapshot goes into.
func (r repository) prepare(pointer string) error {
	for _, dir := range []string{filepath.Dir(r.blob("x")), filepath.Dir(pointer), filepath.Dir(r.lock("x"))} {
		if err := files.MkdirAll(dir); err != nil {
			return err
		}
	}
	tag := filepath.Join(r.cache, "CACHEDIR.TAG")
	if _, err := os.Lstat(tag); errors.Is(err, fs.ErrNotExist) {
		_ = files.Write(tag, []byte(tagText)) // a cache without it is as good
	}
	return nil
}

// link makes a snapshot's file lead to its blob. Where there are no links the blob is
// moved if it is ours alone, which fresh says, and copied otherwise.
func (c *Client) link(blob, pointer string, fresh bool) error {
	target, err := filepath.Rel(filepath.Dir(pointer), blob)
	if err != nil {
		return err
	}
	if there, err := os.Readlink(pointer); err == nil && there == target {
		return nil
	}
	if err := os.Remove(pointer); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if c.links {
		err := os.Symlink(target, pointer)
		if there, e := os.Readlink(pointer); err == nil || e == nil && there == target { // else somebody was faster
			return nil
		}
	}
	if fresh {
		return os.Rename(blob, pointer)
	}
	return copyFile(blob, pointer)
}

func copyFile(from, to string) error {
	src, err := files.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := files.Create(to)
	if err != nil {
		return err
	}
	defer dst.Abort()
	if _, err := dst.ReadFrom(src); err != nil {
		return err
	}
	return dst.Commit()
}

// whole reports whether a file is there with this size, through whatever links.
func whole(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// A treeFile is what the Hub says of a file of a commit.
type treeFile struct {
	Size      int64  `json:"size"`
	BlobID    string `json:"blob_id"`              // git's sha1
	LFSSHA256 string `json:"lfs_sha256,omitempty"` // of a large file
	LFSSize   int64  `json:"lfs_size,omitempty"`
	XetHash   string `json:"xet_hash,omitempty"` // its name in the shared store
}

// etag names the content of a file.
func (f treeFile) etag() string {
	if f.LFSSHA256 != "" {
		return f.LFSSHA256
	}
	return f.BlobID
}

// A treeCache is the content of trees/COMMIT.json.
type treeCache struct {
	FormatVersion int                 `json:"format_version"`
	Files         map[string]treeFile `json:"files"`
}

const treeVersion = 1

func readTree(path string) (map[string]treeFile, error) {
	data, err := files.Read(path, maxAnswer)
	if err != nil {
		return nil, err
	}
	var t treeCache
	if err := json.Unmarshal(data, &t); err != nil || t.FormatVersion != treeVersion {
		return nil, fmt.Errorf("%s: not a list of files of version %d", path, treeVersion)
	}
	return t.Files, nil
}

// writeTree writes the list as huggingface_hub does, which spares its calls.
func writeTree(path string, tree map[string]treeFile) error {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(treeCache{treeVersion, tree}); err != nil {
		return err
	}
	if err := files.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	return files.Write(path, []byte(strings.TrimSuffix(b.String(), "\n")))
}
