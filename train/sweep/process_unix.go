//go:build unix

package sweep

import (
	"os"
	"os/exec"
	"syscall"
)

// apart puts a run's process into a group of its own: Ctrl-C on a terminal reaches this
// program alone, which passes it on once. Twice would end the run without saving.
func apart(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// stop asks a run to save and end.
func stop(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
