package sweep

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// A schema is the part of JSON Schema that the published definitions of a Job are written
// in (scripts/job_schema.py).
type schema struct {
	Ref         string             `json:"$ref"`
	Definitions map[string]*schema `json:"definitions"`
	Type        any                `json:"type"` // a text, or a list of them
	Enum        []any              `json:"enum"`
	Items       *schema            `json:"items"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Additional  json.RawMessage    `json:"additionalProperties"` // false, or the schema of all values
}

func readSchema(t *testing.T) *schema {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "job.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := new(schema)
	if err := json.Unmarshal(text, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// check lists what is wrong with a value, which is found at path; all holds the definitions.
func (s *schema) check(all map[string]*schema, path string, v any) (faults []string) {
	if s.Ref != "" {
		to := all[strings.TrimPrefix(s.Ref, "#/definitions/")]
		if to == nil {
			return []string{path + ": no definition " + s.Ref}
		}
		return to.check(all, path, v)
	}
	types, _ := s.Type.([]any)
	if len(types) == 0 {
		types = []any{s.Type}
	}
	if got := typeOf(v); !slices.Contains(types, any(got)) && !(got == "integer" && slices.Contains(types, any("number"))) {
		return []string{fmt.Sprintf("%s: %s, want %v", path, got, s.Type)}
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		return []string{fmt.Sprintf("%s: %v, want one of %v", path, v, s.Enum)}
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			faults = append(faults, s.Items.check(all, fmt.Sprintf("%s[%d]", path, i), item)...)
		}
	case map[string]any:
		for _, key := range s.Required {
			if _, ok := v[key]; !ok {
				faults = append(faults, fmt.Sprintf("%s.%s: missing", path, key))
			}
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			of := s.Properties[key]
			if of == nil && json.Unmarshal(s.Additional, &of) != nil { // false is no schema
				faults = append(faults, fmt.Sprintf("%s.%s: unknown", path, key))
				continue
			}
			faults = append(faults, of.check(all, path+"."+key, v[key])...)
		}
	}
	return faults
}

// typeOf names the JSON type of a value that was read from YAML.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case int, int64, uint64:
		return "integer"
	case float64:
		return "number"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", v)
}

// manifestFaults lists what an API server would refuse in a manifest.
func manifestFaults(s *schema, text string) []string {
	var job any
	if err := yaml.Unmarshal([]byte(text), &job); err != nil {
		return []string{err.Error()}
	}
	if faults := s.check(s.Definitions, "job", job); len(faults) > 0 {
		return faults
	}
	return ruleFaults(job.(map[string]any))
}

// ruleFaults holds a Job to the rules between its parts, of which a schema knows nothing
// (pkg/apis/batch/validation of Kubernetes).
func ruleFaults(job map[string]any) (faults []string) {
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	get := func(m any, keys ...string) any {
		for _, key := range keys {
			at, _ := m.(map[string]any)
			m = at[key]
		}
		return m
	}
	text := func(v any) string { s, _ := v.(string); return s }
	count := func(v any) int { n, _ := v.(uint64); return int(n) }
	list := func(v any) []any { l, _ := v.([]any); return l }

	spec, pod := job["spec"], get(job, "spec", "template", "spec")
	n := count(get(spec, "completions"))
	host := fmt.Sprintf("%s-%d", text(get(job, "metadata", "name")), n-1)
	expect(n > 0 && count(get(spec, "maxFailedIndexes")) <= n, "completions and maxFailedIndexes")
	expect(len(host) <= 63 && regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`).MatchString(host), "the last pod's name is %s", host)
	expect(get(spec, "podFailurePolicy") == nil || text(get(pod, "restartPolicy")) == "Never", "restartPolicy, want Never with podFailurePolicy")
	var volumes, containers []string
	for _, v := range list(get(pod, "volumes")) {
		volumes = append(volumes, text(get(v, "name")))
	}
	for _, c := range list(get(pod, "containers")) {
		containers = append(containers, text(get(c, "name")))
		for _, m := range list(get(c, "volumeMounts")) {
			expect(slices.Contains(volumes, text(get(m, "name"))), "a mount of no volume: %v", get(m, "name"))
		}
		for _, kind := range []string{"requests", "limits"} {
			amounts, _ := get(c, "resources", kind).(map[string]any)
			for name, amount := range amounts {
				expect(regexp.MustCompile(`^[0-9.]+([mkKMGTPE]i?)?$`).MatchString(fmt.Sprint(amount)), "%s: no quantity %v", name, amount)
			}
		}
	}
	for _, r := range list(get(spec, "podFailurePolicy", "rules")) {
		name := get(r, "onExitCodes", "containerName")
		expect(name == nil || slices.Contains(containers, text(name)), "a rule of no container: %v", name)
	}
	return faults
}

// TestManifestsAgainstTheSchema checks manifests of all settings as an API server would, and
// that the check sees mistakes.
func TestManifestsAgainstTheSchema(t *testing.T) {
	s := readSchema(t)
	tasks := []Task{
		{Program: "/finetune", File: "sweep.yaml", Runs: []int{0}, Of: 1},
		{Program: "/finetune", File: `dir/it's "1": #\x.yaml`, Runs: []int{0, 3, 4}, Of: 9, Jobs: 2, Bytes: 1 << 33},
		{Program: "/finetune", File: strings.Repeat("Ärger-", 30) + ".yaml", Runs: slices.Collect(func(yield func(int) bool) {
			for i := 0; i < 10_000 && yield(i); i++ {
			}
		}), Of: 10_000},
	}
	all := &Kubernetes{Image: "registry.example:5000/a/finetune@sha256:00", Claim: "1", MountPath: "/a: b", Namespace: "on", Queue: "1e3", CPU: "1500m", Memory: "2Gi"}
	var manifest string
	for _, k := range []*Kubernetes{{Image: "finetune", Claim: "work"}, all} {
		for _, task := range tasks {
			var err error
			if manifest, err = k.Manifest(task); err != nil {
				t.Fatal(err)
			}
			for _, fault := range manifestFaults(s, manifest) {
				t.Errorf("%.20s: %s", task.File, fault)
			}
		}
	}
	for _, c := range [][3]string{
		{"backoffLimitPerIndex", "backofLimitPerIndex", "job.spec.backofLimitPerIndex: unknown"},
		{"completionMode: Indexed", "completionMode: Indexd", "job.spec.completionMode: Indexd, want one of"},
		{"restartPolicy: Never", "restartPolicy: OnFailure", "restartPolicy, want Never"},
		{"completions: 10000", `completions: "10000"`, "job.spec.completions: string, want integer"},
		{"apiVersion: batch/v1", "apiVersion: batch/v2", "job.apiVersion: batch/v2"},
		{"- name: work", "- title: work", "volumes[0].name: missing"},
		{"{name: work,", "{name: home,", "a mount of no volume: home"},
		{"containerName: finetune", "containerName: other", "a rule of no container: other"},
		{`"2Gi"`, `"2 GB"`, "memory: no quantity 2 GB"},
		{"name: finetune-", "name: Finetune-", "the last pod's name"},
		{"containers:", "container:", "containers: missing"},
		{"values: [2]", "values: [two]", "values[0]: string, want integer"},
	} {
		wrong := strings.Replace(manifest, c[0], c[1], 1)
		if got := strings.Join(manifestFaults(s, wrong), "\n"); wrong == manifest || !strings.Contains(got, c[2]) {
			t.Errorf("%s: %q, want %q", c[1], got, c[2])
		}
	}
}
