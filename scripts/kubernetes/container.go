package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	fault "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/fieldpath"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// cannotStart is the exit code of a container whose process does not begin.
const cannotStart = 128

// A pod is one that runs, or has ended: its one container is a process.
type pod struct {
	command *exec.Cmd
	root    string
	asked   time.Time // to stop; zero before
	ended   atomic.Bool
}

// prepare lays out a pod's root and the command in it, as the pod's specification says.
func (n *node) prepare(ctx context.Context, of *core.Pod) (*pod, error) {
	if len(of.Spec.Containers) != 1 || len(of.Spec.InitContainers) > 0 {
		return nil, errors.New("more than one container")
	}
	c := of.Spec.Containers[0]
	p := &pod{root: filepath.Join(n.dir, "roots", of.Name)}
	if err := os.CopyFS(p.root, os.DirFS(n.image)); err != nil {
		return nil, err
	}
	args := []string{enter, p.root, c.WorkingDir}
	for _, m := range c.VolumeMounts {
		from, err := n.volume(ctx, of, m.Name)
		if err != nil {
			return nil, err
		}
		args = append(args, from, m.MountPath)
	}
	env, err := environment(of, &c)
	if err != nil {
		return nil, err
	}
	args = append(args, "--")
	for _, word := range append(c.Command, c.Args...) {
		args = append(args, fmt.Sprint(expansion.Expand(word, expansion.MappingFuncFor(env))))
	}
	p.command = exec.Command("/proc/self/exe", args...)
	p.command.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "HOSTNAME=" + of.Spec.Hostname}
	for name, value := range env {
		p.command.Env = append(p.command.Env, name+"="+value)
	}
	file, err := os.Create(filepath.Join(n.dir, of.Name+".log"))
	p.command.Stdout, p.command.Stderr = file, file
	// Its process is the first of its own list, and sees no mounts but its own. It ends with the node.
	p.command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	return p, err
}

// volume returns the folder of this machine that a pod's volume is.
func (n *node) volume(ctx context.Context, of *core.Pod, name string) (string, error) {
	for _, v := range of.Spec.Volumes {
		if v.Name != name || v.PersistentVolumeClaim == nil {
			continue
		}
		claim, err := n.CoreV1().PersistentVolumeClaims(of.Namespace).Get(ctx, v.PersistentVolumeClaim.ClaimName, meta.GetOptions{})
		if err != nil {
			return "", err
		}
		volume, err := n.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, meta.GetOptions{})
		if err != nil {
			return "", err
		}
		if volume.Spec.HostPath != nil {
			return volume.Spec.HostPath.Path, nil
		}
	}
	return "", fmt.Errorf("volume %s is no folder of this node", name)
}

// environment returns the variables that a container is given.
func environment(of *core.Pod, c *core.Container) (map[string]string, error) {
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
		if e.ValueFrom == nil {
			continue
		}
		if e.ValueFrom.FieldRef == nil {
			return nil, fmt.Errorf("%s comes from no field of the pod", e.Name)
		}
		value, err := fieldpath.ExtractFieldPathAsString(of, e.ValueFrom.FieldRef.FieldPath)
		if err != nil {
			return nil, err
		}
		env[e.Name] = value
	}
	return env, nil
}

// run starts the process, says so or why not, and returns its exit code.
func (p *pod) run(started chan<- error) int {
	runtime.LockOSThread() // Pdeathsig is the death of the thread that started the process
	defer runtime.UnlockOSThread()
	err := p.command.Start()
	started <- err
	if err != nil {
		log.Print(err)
		return cannotStart
	}
	err = p.command.Wait()
	if e := os.RemoveAll(p.root); e != nil { // the mounts in it were the process's own
		log.Print(e)
	}
	if state, ok := p.command.ProcessState.Sys().(syscall.WaitStatus); ok && state.Signaled() {
		return 128 + int(state.Signal())
	}
	if err != nil && p.command.ProcessState.ExitCode() < 0 {
		log.Print(err)
	}
	return p.command.ProcessState.ExitCode()
}

// stop asks the process to end, and kills it after its time of grace.
func (p *pod) stop(grace time.Duration) {
	signal := syscall.SIGTERM
	switch {
	case p.asked.IsZero():
		p.asked = time.Now()
	case time.Since(p.asked) > grace:
		signal = syscall.SIGKILL
	default:
		return
	}
	if err := p.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		log.Print(err)
	}
}

// enter is the first argument of the program when it becomes a container's.
const enter = "enter"

// contain becomes a container: enter ROOT DIR [FROM AT]... -- COMMAND. It is already the
// first process of its own and has its own mounts.
func contain(args []string) error {
	root, dir, args := args[0], args[1], args[2:]
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("own mounts: %w", err)
	}
	for ; args[0] != "--"; args = args[2:] {
		if err := mount(args[0], filepath.Join(root, args[1]), "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	if err := mount("proc", filepath.Join(root, "proc"), "proc", 0); err != nil {
		return err
	}
	if err := mount("/dev", filepath.Join(root, "dev"), "", syscall.MS_BIND); err != nil {
		return err
	}
	if err := syscall.Chroot(root); err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", args[1], syscall.Exec(args[1], args[1:], os.Environ()))
}

func mount(from, at, kind string, flags uintptr) error {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(from, at, kind, flags, ""); err != nil {
		return fmt.Errorf("%s at %s: %w", from, at, err)
	}
	return nil
}

// ignoreGone is nil for a pod that is no longer there.
func ignoreGone(err error) error {
	if fault.IsNotFound(err) || fault.IsConflict(err) {
		return nil
	}
	return err
}
