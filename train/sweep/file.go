package sweep

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/recipe"
)

// A Setting is a key of the recipe with a value, as [recipe.Config.Set] takes it.
type Setting struct {
	Key  string `json:"key"`
	Text string `json:"value"`

	Implied bool `json:"implied,omitempty"` // by the variant's name, which has no other
}

// A File is what a sweep's file says.
type File struct {
	Path      string
	OutputDir string
	Base      recipe.Config
	Seeds     []uint64
	Stop      *Halving // nil: every run goes to its end
	Slurm     Slurm
	Kubernetes

	grid     []axis
	variants []variant
	random   drawn
	baseline []Setting // variant and settings of the runs that others are compared to; nil: the first configuration
}

// An axis is a setting with its values.
type axis struct {
	key   string
	texts []string
}

// A variant is a named set of settings, some of which may have several values.
type variant struct {
	name string
	axes []axis
}

// A reader collects the mistakes of a file.
type reader struct {
	path  string
	found []error
}

func (r *reader) fault(line int, advice, format string, args ...any) {
	err := hint.Usagef("%s:%d: %w", r.path, line, fmt.Errorf(format, args...))
	r.found = append(r.found, hint.New(err, advice))
}

// keys are those of the file.
var keys = []string{"base", "output_dir", "grid", "variants", "random", "seeds", "baseline", "stop", "slurm", "kubernetes"}

// Read reads a sweep's file. All mistakes in it are reported together, as mistakes of
// usage. Paths in it are taken from the current folder, as those of every file of settings.
func Read(path string) (*File, error) {
	entries, err := recipe.ReadEntries(path)
	if err != nil {
		return nil, err
	}
	r := &reader{path: path}
	f := &File{Path: path, OutputDir: "runs", Base: recipe.Default()}
	for _, e := range entries {
		f.entry(r, e)
	}
	f.check(r)
	return f, recipe.Together(r.found)
}

func (f *File) entry(r *reader, e recipe.Entry) {
	switch e.Key {
	case "base":
		f.base(r, e)
	case "output_dir":
		f.OutputDir = r.text(e)
	case "grid":
		f.grid = r.axes(e, "grid", true)
	case "variants":
		f.readVariants(r, e)
	case "random":
		f.random = r.random(e)
	case "seeds":
		f.readSeeds(r, e)
	case "baseline":
		f.readBaseline(r, e)
	case "stop":
		f.Stop = r.halving(e)
	case "slurm":
		f.Slurm.read(r, e)
	case "kubernetes":
		f.Kubernetes.read(r, e)
	default:
		advice := "the keys of a sweep are " + strings.Join(keys, ", ")
		if near := recipe.Nearest(e.Key, keys); near != "" {
			advice = "did you mean " + near + "?"
		} else if recipe.Known(e.Key) == nil {
			advice = "a setting belongs under base, where it is the same for all runs, or under grid or variants"
		}
		r.fault(e.Line, advice, "unknown key %.60q", e.Key)
	}
}

// base reads the settings that all runs have: those of a file, or those that stand here.
func (f *File) base(r *reader, e recipe.Entry) {
	if path, ok := e.Value.Text(); ok {
		if err := f.Base.ReadYAML(path); err != nil {
			r.found = append(r.found, err)
		}
		return
	}
	entries := r.mapping(e, "a file of settings, or settings")
	for _, s := range entries {
		if recipe.Name(s.Key) == "output_dir" { // of a file it is that of another run
			r.fault(s.Line, "write it beside base: it holds a folder for each run", "base: %s is the sweep's, and no setting of its runs", s.Key)
		}
	}
	if err := f.Base.SetEntries(r.path, entries); err != nil {
		r.found = append(r.found, err)
	}
}

// text is a plain value.
func (r *reader) text(e recipe.Entry) string {
	text, ok := e.Value.Text()
	if !ok || text == "" {
		r.fault(e.Line, "", "%s: want one value", e.Key)
	}
	return text
}

// number is a plain value that is a number of at least least.
func (r *reader) number(e recipe.Entry, least float64) float64 {
	text, _ := e.Value.Text()
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= least) || math.IsInf(x, 0) {
		r.fault(e.Line, "", "%s is %.60q, want a number of at least %g", e.Key, text, least)
	}
	return x
}

// whole is a number without a fraction.
func (r *reader) whole(e recipe.Entry, least int) int {
	text, _ := e.Value.Text()
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		r.fault(e.Line, "", "%s is %.60q, want a whole number of at least %d", e.Key, text, least)
	}
	return n
}

func (r *reader) mapping(e recipe.Entry, want string) []recipe.Entry {
	if e.Value.Empty() {
		return nil
	}
	entries, ok, err := e.Value.Entries()
	switch {
	case err != nil:
		r.found = append(r.found, hint.Usagef("%s:%w", r.path, err))
	case !ok:
		r.fault(e.Line, "", "%s: want %s", e.Key, want)
	}
	return entries
}

// axes reads settings that vary, each with its values. Where lists says so a single value
// is a mistake.
func (r *reader) axes(e recipe.Entry, where string, lists bool) []axis {
	var list []axis
	for _, s := range r.mapping(e, "settings with lists of values, such as lora_r: [8, 16]") {
		key, ok := r.key(s, where)
		if !ok {
			continue
		}
		nodes, listed := s.Value.List()
		switch {
		case listed && len(nodes) == 0:
			r.fault(s.Line, "", "%s: %s has no values", where, key)
			continue
		case !listed && lists:
			r.fault(s.Line, "", "%s: %s: want a list of values, such as [8, 16]", where, key)
			continue
		case !listed:
			nodes = []recipe.Node{s.Value}
		}
		if slices.ContainsFunc(list, func(a axis) bool { return a.key == key }) {
			r.fault(s.Line, "", "%s: duplicate key %s, here as %s", where, key, s.Key)
			continue
		}
		if texts := r.values(s, key, where, nodes); len(texts) == len(nodes) {
			list = append(list, axis{key, texts})
		}
	}
	return list
}

// key returns the name of a setting that may vary.
func (r *reader) key(e recipe.Entry, where string) (key string, ok bool) {
	key = recipe.Name(e.Key)
	if err := recipe.Known(e.Key); err != nil {
		r.fault(e.Line, hint.Of(err), "%s: %v", where, err)
		return "", false
	}
	switch {
	case key == "seed":
		r.fault(e.Line, "seeds: [1, 2, 3] gives every configuration the same ones", "%s: seed is no setting to vary", where)
	case !recipe.Decides(key):
		r.fault(e.Line, "write it under base", "%s: %s is the same for all runs", where, e.Key)
	default:
		return key, true
	}
	return "", false
}

// values returns the texts of some nodes as the setting writes them.
func (r *reader) values(e recipe.Entry, key, where string, nodes []recipe.Node) (texts []string) {
	for _, n := range nodes {
		c := recipe.Default()
		if err := c.SetNode(key, n); err != nil {
			r.fault(e.Line, hint.Of(err), "%s: %v", where, err)
			return nil
		}
		text := c.Text(key)
		if slices.Contains(texts, text) {
			r.fault(e.Line, "", "%s: %s has %s twice", where, key, text)
			return nil
		}
		texts = append(texts, text)
	}
	return texts
}

func (f *File) readVariants(r *reader, e recipe.Entry) {
	for _, v := range r.mapping(e, "names, each with its settings") {
		f.variants = append(f.variants, variant{v.Key, r.axes(v, "variants: "+v.Key, false)})
	}
	if len(f.variants) == 0 {
		r.fault(e.Line, "", "variants: none is named")
	}
}

func (f *File) readSeeds(r *reader, e recipe.Entry) {
	nodes, ok := e.Value.List()
	if !ok || len(nodes) == 0 {
		r.fault(e.Line, "", "seeds: want a list, such as [1, 2, 3]")
		return
	}
	for _, text := range r.values(e, "seed", "seeds", nodes) {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil { // values has parsed it
			panic(err)
		}
		f.Seeds = append(f.Seeds, seed)
	}
}

// readBaseline reads which runs the others are compared to.
func (f *File) readBaseline(r *reader, e recipe.Entry) {
	for _, s := range r.mapping(e, "{variant: NAME}, or settings") {
		if s.Key == "variant" {
			f.baseline = append(f.baseline, Setting{Key: "variant", Text: r.text(s)})
			continue
		}
		if key, ok := r.key(s, "baseline"); ok {
			for _, text := range r.values(s, key, "baseline", []recipe.Node{s.Value}) {
				f.baseline = append(f.baseline, Setting{Key: key, Text: text})
			}
		}
	}
	if len(f.baseline) == 0 && len(r.found) == 0 {
		r.fault(e.Line, "", "baseline: want {variant: NAME}, or settings")
	}
}

// check looks for settings that vary in two places.
func (f *File) check(r *reader) {
	where := map[string]string{}
	for _, a := range f.grid {
		where[a.key] = "grid"
	}
	twice := func(key, here string) {
		if there, ok := where[key]; ok {
			r.found = append(r.found, hint.Usagef("%s: %s varies in %s and in %s: which of them counts?", r.path, key, there, here))
		}
	}
	for _, a := range f.random.axes {
		twice(a.key, "random")
		where[a.key] = "random"
	}
	for _, v := range f.variants {
		for _, a := range v.axes {
			twice(a.key, "variants: "+v.name)
		}
	}
	f.noteRate()
	if len(f.Seeds) == 0 {
		f.Seeds = []uint64{f.Base.Seed}
	}
	if len(r.found) == 0 && (f.Base.Model == "" || f.Base.Data == "") {
		r.found = append(r.found, hint.New(hint.Usagef("%s: base names no %s", r.path, map[bool]string{true: "model", false: "data"}[f.Base.Model == ""]),
			"base: {model: folder, data: rows.jsonl}, or base: run.yaml"))
	}
	if f.Base.Overwrite || f.Base.Resuming() {
		r.found = append(r.found, hint.Usagef("%s: base: resume and overwrite are not for a sweep, whose runs are always resumed", r.path))
	}
}

// noteRate remarks that a base with a rate of its own, as the run.yaml of any run has it,
// gives it to every optimizer.
func (f *File) noteRate() {
	varies := func(key string, axes []axis) bool {
		return slices.ContainsFunc(axes, func(a axis) bool { return a.key == key })
	}
	var drawn []axis
	for _, a := range f.random.axes {
		drawn = append(drawn, axis{key: a.key})
	}
	for _, v := range f.named() {
		all := slices.Concat(v.axes, f.grid, drawn)
		if f.Base.LearningRate != 0 && varies("optimizer", all) && !varies("learning_rate", all) {
			f.Base.Notes = append(f.Base.Notes, fmt.Sprintf("learning_rate %g of the base counts for every optimizer: 0 there gives each its own", f.Base.LearningRate))
			return
		}
	}
}
