package sweep

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/recipe"
)

// Kubernetes are the file's settings for that engine.
type Kubernetes struct {
	Image     string // with the program in it
	Claim     string // of the volume with model, data and the sweep's file
	MountPath string // of the volume; "": /work
	Namespace string
	Queue     string // of Kueue
	CPU       string // of a run; "": 1
	Memory    string // of a run; "": from the plan
	Retries   int    // of a run that fails
}

func (k *Kubernetes) read(r *reader, e recipe.Entry) {
	k.Retries = 2
	for _, s := range r.mapping(e, "image, claim, mount_path, namespace, queue, cpu, memory and retries") {
		fields := map[string]*string{
			"image": &k.Image, "claim": &k.Claim, "mount_path": &k.MountPath, "namespace": &k.Namespace,
			"queue": &k.Queue, "cpu": &k.CPU, "memory": &k.Memory,
		}
		switch field, ok := fields[s.Key]; {
		case ok:
			*field = r.text(s)
		case s.Key == "retries":
			k.Retries = r.whole(s, 0)
		default:
			r.fault(s.Line, "", "kubernetes: unknown key %.40q, want image, claim, mount_path, namespace, queue, cpu, memory or retries", s.Key)
		}
	}
	if k.CPU != "" {
		if _, err := cores(k.CPU); err != nil {
			r.fault(e.Line, "", "kubernetes: cpu is %.40q, want a number such as 4", k.CPU)
		}
	}
}

// cores is how many threads a quantity of CPU allows: 2 of 1500m.
func cores(quantity string) (int, error) {
	number, milli := strings.CutSuffix(quantity, "m")
	x, err := strconv.ParseFloat(number, 64)
	if milli {
		x /= 1000
	}
	if err != nil || !(x > 0 && x <= 1024) {
		return 0, errors.New("no quantity of CPU")
	}
	n := int(x)
	if float64(n) < x {
		n++
	}
	return n, nil
}

// Manifest returns the Indexed Job of some runs, to be given to kubectl create. Pod i runs
// the i-th of them; a pod that is evicted saves, and counts for nothing.
func (k *Kubernetes) Manifest(t Task) (string, error) {
	if k.Image == "" || k.Claim == "" {
		return "", hint.New(hint.Usagef("kubernetes: image and claim must be set: the program, and a volume with model, data and the sweep's file"),
			"kubernetes: {image: registry/finetune:1, claim: work}")
	}
	threads, err := cores(or(k.CPU, "1"))
	if err != nil {
		return "", hint.Usagef("kubernetes: cpu: %w", err)
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# %d of the %d runs of %s.", len(t.Runs), t.Of, t.File)
	line("apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: %s", k.jobName(t))
	if k.Namespace != "" {
		line("  namespace: %s", quoted(k.Namespace))
	}
	line("  labels:\n    app.kubernetes.io/name: finetune")
	if k.Queue != "" {
		line("    kueue.x-k8s.io/queue-name: %s", quoted(k.Queue))
	}
	parallel := len(t.Runs)
	if t.Jobs > 0 {
		parallel = min(parallel, t.Jobs)
	}
	line("spec:\n  completions: %d\n  parallelism: %d", len(t.Runs), parallel)
	line("  completionMode: Indexed\n  backoffLimitPerIndex: %d\n  maxFailedIndexes: %d", k.Retries, len(t.Runs))
	line("%s", podRules)
	line("          image: %s\n          workingDir: %s", quoted(k.Image), quoted(k.mount()))
	line("          command: [%s, sweep, %s, --index, $(JOB_COMPLETION_INDEX), --of, %q, --threads, \"%d\"%s]",
		quoted(t.Program), quoted(t.File), strings.Join(texts(t.Runs), ","), threads, t.yes(", --yes"))
	memory := quoted(or(k.Memory, megabytes(t.Bytes)+"M"))
	line("          resources:\n            requests: {cpu: %s, memory: %s}\n            limits: {memory: %[2]s}", quoted(or(k.CPU, "1")), memory)
	line("          volumeMounts:\n            - {name: work, mountPath: %s}", quoted(k.mount()))
	line("      volumes:\n        - name: work\n          persistentVolumeClaim: {claimName: %s}", quoted(k.Claim))
	return b.String(), nil
}

// podRules: wrong usage is not tried again, and what is evicted does not count.
const podRules = `  podFailurePolicy:
    rules:
      - action: FailIndex
        onExitCodes: {containerName: finetune, operator: In, values: [2]}
      - action: Ignore
        onPodConditions: [{type: DisruptionTarget}]
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 120
      containers:
        - name: finetune`

func (k *Kubernetes) mount() string { return or(k.MountPath, "/work") }

// jobName is that of the sweep's file and of the runs that are missing: another set of runs
// is another job.
func (k *Kubernetes) jobName(t Task) string {
	base := strings.TrimSuffix(filepath.Base(t.File), filepath.Ext(t.File))
	base = strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(base)), "-")
	sum := sha256.Sum256([]byte(strings.Join(texts(t.Runs), ",")))
	return fmt.Sprintf("finetune-%s-%s", base[:min(len(base), 40)], hex.EncodeToString(sum[:4]))
}

// quoted writes a text for YAML, in quotes: a JSON string is one of YAML.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil { // of a string there is none
		panic(err)
	}
	return string(b)
}
