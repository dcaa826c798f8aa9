package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/finetune/model/hub/hubtest"
)

// A console is a terminal with the program on it.
type console struct {
	*os.File
	mu  sync.Mutex
	out bytes.Buffer
	cmd *exec.Cmd
}

// newConsole starts the program on a terminal.
func newConsole(t *testing.T, env []string, args ...string) *console {
	t.Helper()
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Fatal(err)
	}
	end, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	program, err := exec.LookPath("finetune")
	if err != nil {
		t.Fatal(err)
	}
	c := &console{File: f, cmd: exec.Command(program, args...)}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = end, end, end
	c.cmd.Env = append(append(os.Environ(), "TERM=xterm"), env...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.cmd.Process.Kill(); f.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			c.mu.Lock()
			c.out.Write(buf[:n])
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return c
}

// types sends keys, waits until the terminal shows one of some texts, and returns it.
func (c *console) types(t *testing.T, keys string, want ...string) string {
	t.Helper()
	c.mu.Lock()
	from := c.out.Len()
	c.mu.Unlock()
	if _, err := c.WriteString(keys); err != nil {
		t.Fatal(err)
	}
	return c.shows(t, from, want...)
}

func (c *console) shows(t *testing.T, from int, want ...string) string {
	t.Helper()
	shown := ""
	for range 400 {
		c.mu.Lock()
		shown = c.out.String()[from:]
		c.mu.Unlock()
		for _, w := range want {
			if strings.Contains(shown, w) {
				return w
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("the terminal shows %q, want one of %q", shown, want)
	return ""
}

// On a terminal: a paste of two lines is one message, what was typed is recalled, Ctrl-C
// gives up a line and stops an answer, and Ctrl-D ends with the terminal as it was.
func TestChatOnTerminal(t *testing.T) {
	demo, err := filepath.Abs(filepath.Join("demo", "model"))
	if err != nil {
		t.Fatal(err)
	}
	c := newConsole(t, nil, "chat", "--model", demo, "--max-tokens", "4")
	c.shows(t, 0, ">>> ")
	before, err := unix.IoctlGetTermios(int(c.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	c.types(t, pasteBegin+"Once upon\na time\n"+pasteEnd, "Once upon⏎a time")
	c.types(t, "\r", "[4 tokens, ")
	c.types(t, "\x1b[A", "Once upon⏎a time")
	c.types(t, "\x03", "Ctrl-D ends")
	c.types(t, "/system x\r", "a system message needs a chat template")
	c.types(t, "/help\r", "/save FILE")
	c.types(t, "\x04", "\n")
	if err := c.cmd.Wait(); err != nil {
		t.Error(err)
	}
	after, err := unix.IoctlGetTermios(int(c.Fd()), unix.TCGETS)
	if err != nil {
		t.Skip("the terminal is gone with its program")
	}
	if after.Lflag&unix.ECHO == 0 || after.Lflag&unix.ICANON == 0 {
		t.Errorf("the terminal is left with flags %x, at the prompt they were %x", after.Lflag, before.Lflag)
	}
}

// Ctrl-C stops an answer, which stays, and a signal ends the program.
func TestChatStops(t *testing.T) {
	demo, err := filepath.Abs(filepath.Join("demo", "model"))
	if err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "saved.jsonl")
	c := newConsole(t, nil, "chat", "--model", demo, "--temperature", "5", "--max-tokens", "100000", "--threads", "1")
	c.shows(t, 0, ">>> ")
	stopped := false
	for i := 0; i < 50 && !stopped; i++ { // the model may end a text before Ctrl-C comes
		c.types(t, "The dog\r", "\n")
		if stopped = c.types(t, "\x03", "stopped]", "Ctrl-D ends") == "stopped]"; !stopped {
			c.types(t, "/reset\r", ">>> ")
		}
	}
	if !stopped {
		t.Fatal("no answer was stopped")
	}
	c.types(t, "/save "+saved+"\r", "saved in")
	if text, err := os.ReadFile(saved); err != nil || !strings.HasPrefix(string(text), `{"text":"The dog`) || len(text) < 20 {
		t.Errorf("%s, %v", text, err)
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait()
	if code := c.cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
}

// A model that is not in the cache is fetched once the user says so, and the answer is
// all that is taken from the keyboard.
func TestAsksBeforeFetching(t *testing.T) {
	demo, err := filepath.Abs(filepath.Join("demo", "model"))
	if err != nil {
		t.Fatal(err)
	}
	server := hubtest.New(t)
	if err := putModels(server, demo); err != nil {
		t.Fatal(err)
	}
	env := []string{"HF_ENDPOINT=" + server.URL, "HF_HOME=" + t.TempDir(), "HF_HUB_CACHE=", "HF_HUB_OFFLINE=", "HF_TOKEN="}
	c := newConsole(t, env, "chat", "--model", "org/tiny", "--max-tokens", "4")
	c.shows(t, 0, "org/tiny is not in the Hub cache. Fetch 1.")
	c.types(t, "\r", "hint: fetch it with: finetune download org/tiny")
	if err := c.cmd.Wait(); err == nil || server.Count("/resolve/") != 0 {
		t.Errorf("%v, %d files fetched", err, server.Count("/resolve/"))
	}
	c = newConsole(t, env, "chat", "--model", "org/tiny", "--max-tokens", "4")
	c.shows(t, 0, "[y/N] ")
	c.types(t, "y\rOnce upon\r", "[4 tokens, ")
}
