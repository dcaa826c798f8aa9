package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// lockFile is locked by the run that writes into its folder. The lock is the
// system's own: it ends with the process, however that ends.
const lockFile = ".lock"

// lockTries and lockPause give a process that was just killed the time to be gone.
const (
	lockTries = 10
	lockPause = 100 * time.Millisecond
)

// lockedByte lies far behind the content of a lock file, which others may then read on
// Windows too.
const lockedByte = 1 << 62

// A holder is the content of a lock file: who holds it.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// A lock keeps other runs out of an output folder.
type lock struct{ f *os.File }

// lockFolder locks dir, which must be there. An error that another run holds it
// says which. The lock may be nil with files.ErrNoLocks.
func lockFolder(dir string) (*lock, error) {
	for try := 1; ; try++ {
		l, err := lockOnce(filepath.Join(dir, lockFile))
		if err == nil || !errors.Is(err, files.ErrHeld) || try == lockTries {
			return l, err
		}
		time.Sleep(lockPause)
	}
}

func lockOnce(path string) (*lock, error) {
	if err := removeUnlessFile(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if err := files.TryLock(f, lockedByte); err != nil {
		defer f.Close()
		return nil, inUse(f, err)
	}
	// A holder removes the file before it lets go: then this one is nobody's.
	if mine, err := f.Stat(); err == nil {
		if there, err := os.Lstat(path); err != nil || !os.SameFile(mine, there) {
			f.Close()
			return lockOnce(path)
		}
	}
	host, _ := os.Hostname() // "" is said as well
	text, err := json.Marshal(holder{os.Getpid(), host, time.Now().Truncate(time.Second)})
	if err == nil && f.Truncate(0) == nil {
		_, _ = f.WriteAt(append(text, '\n'), 0) // a full disk: the lock holds without a name
	}
	return &lock{f}, nil
}

// Busy returns an error if another run is at work in dir. It changes nothing.
func Busy(dir string) error {
	path := filepath.Join(dir, lockFile)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil // no run of ours could have it either
	}
	defer f.Close() // and with it the lock
	if err := files.TryLock(f, lockedByte); errors.Is(err, files.ErrHeld) {
		return inUse(f, err)
	}
	return nil
}

// inUse says who holds the lock of f, where err is that it is held.
func inUse(f *os.File, err error) error {
	if !errors.Is(err, files.ErrHeld) {
		return err
	}
	by := "another process"
	var h holder
	if text, e := io.ReadAll(io.NewSectionReader(f, 0, 4096)); e == nil && json.Unmarshal(text, &h) == nil && h.PID > 0 {
		by = fmt.Sprintf("process %d on %s since %s", h.PID, h.Host, h.Since.Format(time.DateTime))
	}
	return hint.New(fmt.Errorf("%s is in use by %s: %w", filepath.Dir(f.Name()), by, err), "wait for that run to end, or name another folder with --output-dir")
}

// release removes the file and lets go of it.
func (l *lock) release() {
	if l == nil {
		return
	}
	_ = os.Remove(l.f.Name()) // where an open file cannot be removed it stays, and harms nobody
	_ = l.f.Close()
}

// removeUnlessFile removes what is no ordinary file, so that nothing is written
// through a link.
func removeUnlessFile(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}
