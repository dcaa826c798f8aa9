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
	Time               string // of a task, as sbatch reads it; "": from the plan
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
			if s.Time = r.text(s1); timeLimit(s.Time) == 0 {
				r.fault(s1.Line, "", "slurm: time is %.40q, want minutes, hours:minutes:seconds or days-hours:minutes", s.Time)
			}
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
	Yes     bool   // what was answered with --yes when it was submitted
	Bytes   int64  // that a run takes, mapped weights included
	Seconds float64
}

// yes is text where the task has to be told so too.
func (t *Task) yes(text string) string {
	if t.Yes {
		return text
	}
	return ""
}

// stopBefore is how long before its limit of time Slurm warns a task: enough for a step, and
// for saving, but a third of a short limit, as a task that is warned at its start would be
// requeued for ever. Slurm may warn a minute early.
func stopBefore(limit time.Duration) time.Duration {
	return min(2*time.Minute, limit/3)
}

// timeLimit reads a limit of time as sbatch does: [days-]hours[:minutes[:seconds]] with days,
// else minutes, minutes:seconds or hours:minutes:seconds. It is 0 where there is none.
func timeLimit(text string) time.Duration {
	days, rest, withDays := strings.Cut(text, "-")
	if !withDays {
		days, rest = "0", text
	}
	units := []time.Duration{time.Minute, time.Second}
	parts := strings.Split(rest, ":")
	if withDays || len(parts) == 3 {
		units = []time.Duration{time.Hour, time.Minute, time.Second}
	}
	d, err := strconv.ParseUint(days, 10, 12)
	limit := time.Duration(d) * 24 * time.Hour
	for i, part := range parts {
		n, e := strconv.ParseUint(part, 10, 20)
		if err != nil || e != nil || i == len(units) {
			return 0
		}
		limit += time.Duration(n) * units[i]
	}
	return limit
}

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
	line("  %s sweep %s --index \"$i\" --threads \"$SLURM_CPUS_PER_TASK\"%s &", shell(t.Program), shell(t.File), t.yes(" --yes"))
	line("  pid=$!\n  wait \"$pid\" || worst=$?\ndone\nexit $worst")
	return b.String()
}

// options writes what Slurm is told of the job.
func (s *Slurm) options(line func(format string, args ...any), t Task, array, logs string) {
	if !path.IsAbs(logs) {
		logs = path.Join(t.Dir, logs)
	}
	long := or(s.Time, limit(t.Seconds*float64(max(1, t.PerTask))))
	for _, o := range [][2]string{
		{"job-name", "finetune-sweep"},
		{"array", array},
		{"partition", s.Partition},
		{"account", s.Account},
		{"cpus-per-task", strconv.Itoa(max(1, s.CPUs))},
		{"mem", or(s.Memory, megabytes(t.Bytes)+"M")},
		{"time", long},
		{"open-mode", "append"},
		{"signal", fmt.Sprintf("B:USR1@%d", int(stopBefore(timeLimit(long)).Seconds()))},
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
