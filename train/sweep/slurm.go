package sweep

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/finetune/train/recipe"
)

// Slurm are the file's settings for that engine.
type Slurm struct {
	Partition, Account string
	CPUs               int    // of a task; 0: one
	Memory             string // of a task; "": from the plan
	Time               string // of a task; "": from the plan
	Options            []string
}

func (s *Slurm) read(r *reader, e recipe.Entry) {
	for _, s1 := range r.mapping(e, "partition, account, cpus, memory, time and options") {
		switch s1.Key {
		case "partition":
			s.Partition = r.text(s1)
		case "account":
			s.Account = r.text(s1)
		case "cpus":
			s.CPUs = r.whole(s1, 1)
		case "memory":
			s.Memory = r.text(s1)
		case "time":
			s.Time = r.text(s1)
		case "options":
			s.Options = r.texts(s1)
		default:
			r.fault(s1.Line, "", "slurm: unknown key %.40q, want partition, account, cpus, memory, time or options", s1.Key)
		}
	}
}

// texts is a list of plain values.
func (r *reader) texts(e recipe.Entry) (list []string) {
	nodes, ok := e.Value.List()
	for _, n := range nodes {
		text, plain := n.Text()
		ok = ok && plain
		list = append(list, text)
	}
	if !ok {
		r.fault(e.Line, "", "%s: want a list of texts", e.Key)
	}
	return list
}

// A Task is what an engine is asked to run.
type Task struct {
	Program string // of this program, as the machines of the engine see it
	File    string // the sweep's
	Dir     string // where both are looked for; the sweep's paths start there
	Runs    []int  // what is not finished, by index
	Of      int    // all of the sweep's
	Jobs    int    // at most at once; 0: no limit
	PerTask int    // runs of a task, one after the other
	Bytes   int64  // that a run takes, mapped weights included
	Seconds float64
}

// stopBefore is how long before the limit of time Slurm warns: enough for a step, and for
// saving.
const stopBefore = 120

// Script returns the array job of some runs. A task goes on from where the one before it
// was stopped, as often as it takes.
func (s *Slurm) Script(t Task, logs string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	per := max(1, t.PerTask)
	chunks := slices.Collect(slices.Chunk(t.Runs, per))
	array, runs := ranges(t.Runs), `"$SLURM_ARRAY_TASK_ID"`
	if per > 1 {
		array, runs = fmt.Sprintf("0-%d", len(chunks)-1), "${runs[$SLURM_ARRAY_TASK_ID]}"
	}
	if t.Jobs > 0 {
		array += "%" + strconv.Itoa(t.Jobs)
	}
	line("#!/bin/bash\n# %d of the %d runs of %s.", len(t.Runs), t.Of, t.File)
	s.options(line, t, array, logs)
	if per > 1 {
		line("\nruns=(")
		for _, chunk := range chunks {
			line("  %q", strings.Join(texts(chunk), " "))
		}
		line(")")
	}
	line("\ncd %s || exit 2", shell(t.Dir))
	line("%s", requeue)
	line("worst=0\nfor i in %s; do", runs)
	line("  %s sweep %s --index \"$i\" --threads \"$SLURM_CPUS_PER_TASK\" &", shell(t.Program), shell(t.File))
	line("  pid=$!\n  wait \"$pid\" || worst=$?\ndone\nexit $worst")
	return b.String()
}

// options writes what Slurm is told of the job.
func (s *Slurm) options(line func(format string, args ...any), t Task, array, logs string) {
	if !path.IsAbs(logs) {
		logs = path.Join(t.Dir, logs)
	}
	for _, o := range [][2]string{
		{"job-name", "finetune-sweep"},
		{"array", array},
		{"partition", s.Partition},
		{"account", s.Account},
		{"cpus-per-task", strconv.Itoa(max(1, s.CPUs))},
		{"mem", or(s.Memory, megabytes(t.Bytes)+"M")},
		{"time", or(s.Time, limit(t.Seconds*float64(max(1, t.PerTask))))},
		{"open-mode", "append"},
		{"signal", fmt.Sprintf("B:USR1@%d", stopBefore)},
		{"output", path.Join(logs, "slurm-%A_%a.log")},
	} {
		if o[1] != "" {
			line("#SBATCH --%s=%s", o[0], shell(o[1]))
		}
	}
	line("#SBATCH --%s", "requeue") // a switch
	for _, text := range s.Options {
		line("#SBATCH %s", text)
	}
}

// requeue is what a task does when its time is nearly up. The program is asked to stop,
// saves, and the task stands in the queue again.
const requeue = `
again() {
  kill -TERM "$pid" && wait "$pid"
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
  exit 0
}
trap again USR1
`

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// megabytes is a quarter more than a run takes, and 200 MB for the program.
func megabytes(bytes int64) string {
	return strconv.FormatInt((bytes+bytes/4)/1_000_000+200, 10)
}

// limit is twice the time that a run takes, in whole minutes, and at least ten: a task that
// does not get done goes on when it is requeued.
func limit(seconds float64) string {
	d := max(10*time.Minute, (2 * time.Duration(seconds) * time.Second).Round(time.Minute))
	return fmt.Sprintf("%02d:%02d:00", int(d.Hours()), int(d.Minutes())%60)
}

// ranges writes rising numbers as 0-3,7.
func ranges(list []int) string {
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if j > i {
			parts = append(parts, fmt.Sprintf("%d-%d", list[i], list[j]))
		} else {
			parts = append(parts, strconv.Itoa(list[i]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

func texts(list []int) []string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return words
}

// shell quotes a word for a shell where it needs that.
func shell(word string) string {
	plain := func(r rune) bool {
		return r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("_./=,+@%:-", r))
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
