package report

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/train/sweep"
)

// A golden is what pandas and scipy make of testdata/sweep, see scripts/golden_report.py.
type golden struct {
	Baseline       string
	Configurations map[string]struct {
		Mean, SD, Seconds, Pace float64
		BestStep                float64 `json:"best_step"`
		Bytes                   int64
		Seeds, Rows             []float64
	}
	Answers map[string]struct {
		Mean, SD    float64
		Seeds, Rows []float64
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Configurations) != 3 {
		t.Fatalf("%d configurations, want 3", len(g.Configurations))
	}
	return g
}

// readSweep reads testdata/sweep, of some seeds alone.
func readSweep(t *testing.T, seeds ...uint64) *Runs {
	t.Helper()
	runs, err := ReadRuns([]string{filepath.Join("testdata", "sweep")})
	if err != nil {
		t.Fatal(err)
	}
	var list []*Run
	for _, r := range runs.List {
		for _, seed := range seeds {
			if r.Recipe.Seed == seed {
				list = append(list, r)
			}
		}
	}
	runs.List = list
	return runs
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))) {
		t.Errorf("%s is %.15g, want %.15g", what, got, want)
	}
}

func TestNumbersAreThoseOfScipy(t *testing.T) {
	want := readGolden(t)
	c := Compare(readSweep(t, 1, 2, 3))
	if c.Baseline.Label != want.Baseline {
		t.Errorf("the baseline is %s, want %s", c.Baseline.Label, want.Baseline)
	}
	for _, g := range c.Configurations {
		w, ok := want.Configurations[g.Label]
		if !ok {
			t.Fatalf("%s is not among them", g.Label)
		}
		near(t, g.Label+": mean", g.Mean, w.Mean)
		near(t, g.Label+": sd", g.SD, w.SD)
		near(t, g.Label+": best step", g.BestStep, w.BestStep)
		near(t, g.Label+": seconds", g.Seconds, w.Seconds)
		near(t, g.Label+": tokens/s", g.Pace, w.Pace)
		near(t, g.Label+": bytes", float64(g.Bytes), float64(w.Bytes))
		differs(t, g.Label, g.Against, g == c.Baseline, w.Seeds, false, 3)
	}
}

func TestOneSeedIsPairedByRows(t *testing.T) {
	want := readGolden(t)
	c := Compare(readSweep(t, 1))
	for _, g := range c.Configurations {
		differs(t, g.Label, g.Against, g == c.Baseline, want.Configurations[g.Label].Rows, true, 32)
	}
	if !strings.Contains(c.Text(), "over rows") || !strings.Contains(c.Text(), "how much another seed would change is not known") {
		t.Errorf("the page says\n%s", c.Text())
	}
}

func differs(t *testing.T, label string, d *Difference, baseline bool, want []float64, byRows bool, pairs int) {
	t.Helper()
	if baseline {
		if d != nil {
			t.Errorf("the baseline differs from itself by %+v", d)
		}
		return
	}
	if d == nil || d.ByRows != byRows || d.Pairs != pairs || len(want) != 3 {
		t.Fatalf("%s: %+v, want %v of %d pairs", label, d, want, pairs)
	}
	near(t, label+": difference", d.Mean, want[0])
	near(t, label+": low", d.Low, want[1])
	near(t, label+": high", d.High, want[2])
}

// A run with other rows has no pairs: its difference stands without an interval.
func TestOtherRowsHaveNoInterval(t *testing.T) {
	runs := readSweep(t, 1)
	runs.List[0].HeldOut[3].Line++
	c := Compare(runs)
	for _, g := range c.Configurations {
		if g.Label == runs.List[0].Configuration && g.Against.Known() {
			t.Errorf("%s: %+v", g.Label, g.Against)
		}
	}
}

func TestWhatIsConcluded(t *testing.T) {
	c := Compare(readSweep(t, 1, 2, 3))
	said := strings.Join(c.Findings, "\n") + "\n" + strings.Join(c.Limits, "\n")
	for _, want := range []string{
		"loraone,lora_r=8 has the lowest validation loss",
		"Against the baseline, lora, its loss is",
		"The best lora_r, 8, is the largest that was tried: a larger one may be better.",
		"the best step was the last",
		"measure it once more with finetune eval on test rows",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("not said: %s\nbut\n%s", want, said)
		}
	}
	if strings.Contains(said, "seed (") {
		t.Errorf("three seeds are few:\n%s", said)
	}
	runs := readSweep(t, 1, 2)
	runs.List[0].Provenance.Data.Sequences = "a b"
	runs.List[1].Provenance, runs.List[1].Status.State = nil, "failed"
	c = Compare(runs)
	said = strings.Join(c.Limits, "\n")
	for _, want := range []string{"Not all runs were judged by the same rows", "1 run missing: 1 failed", "One seed (loraone,lora_r=4)"} {
		if !strings.Contains(said, want) {
			t.Errorf("not said: %s\nbut\n%s", want, said)
		}
	}
}

func TestNothingFinished(t *testing.T) {
	runs := readSweep(t, 1)
	for _, r := range runs.List {
		r.Provenance = nil
	}
	c := Compare(runs)
	page, err := c.HTML()
	if err != nil || !strings.Contains(string(page), "No run is finished") || !strings.Contains(c.Text(), "No run is finished") {
		t.Errorf("%v\n%s", err, c.Text())
	}
}

// A baseline that failed, or was stopped, takes no result away.
func TestABaselineThatIsNotFinished(t *testing.T) {
	runs := readSweep(t, 1, 2, 3)
	for _, r := range runs.List[6:] {
		r.Provenance, r.Status.State = nil, sweep.Stopped
	}
	c := Compare(runs)
	if _, err := c.HTML(); err != nil {
		t.Error(err)
	}
	if _, err := c.CSV(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"loraone,lora_r=8 has the lowest validation loss", "The next best, loraone,lora_r=4, is", "No run of the baseline is finished: nothing is compared to it.", "3 runs stopped"} {
		if !strings.Contains(c.Text(), want) {
			t.Errorf("it lacks %q:\n%s", want, c.Text())
		}
	}
	if strings.Contains(c.Text(), "No run is finished") || strings.Contains(c.Text(), "no seed in common") {
		t.Errorf("it says\n%s", c.Text())
	}
}

// Runs without a sweep are told apart by what differs.
func TestLooseRuns(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join("testdata", "sweep", "lora*"))
	if err != nil || len(dirs) != 9 {
		t.Fatalf("%v, %v", dirs, err)
	}
	runs, err := ReadRuns(dirs)
	if err != nil {
		t.Fatal(err)
	}
	c := Compare(runs)
	if len(c.Configurations) != 3 || !strings.Contains(c.Configurations[0].Label, "lora_r=8,") || strings.Contains(c.Configurations[0].Label, "seed") {
		t.Errorf("%d configurations, the best %s", len(c.Configurations), c.Configurations[0].Label)
	}
	for _, a := range c.Axes {
		if a.Key == "adam_beta1" {
			t.Error("β₁ follows from the optimizer and is an axis all the same")
		}
	}
	if _, err := ReadRuns([]string{t.TempDir()}); err == nil {
		t.Error("an empty folder is compared")
	}
}

// A run that cannot be read is left out, named with its file, and the others are compared.
func TestDamagedRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sweep")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "sweep"))); err != nil {
		t.Fatal(err)
	}
	folders, err := filepath.Glob(filepath.Join(dir, "lora*"))
	if err != nil || len(folders) != 9 {
		t.Fatalf("%v, %v", folders, err)
	}
	damaged := filepath.Join(folders[4], "finetune.json")
	if err := os.WriteFile(damaged, []byte(`{"version":`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dirs := range [][]string{{dir}, folders, {filepath.Dir(dir)}} {
		runs, err := ReadRuns(dirs)
		if err != nil {
			t.Fatal(err)
		}
		c := Compare(runs)
		if len(runs.List) != 8 || !strings.Contains(c.Text(), "1 run cannot be read and left out: "+damaged) {
			t.Errorf("%d runs\n%s", len(runs.List), c.Text())
		}
		err = runs.Damage()
		want := "1 of 9 runs cannot be read\n" + damaged + ": unexpected end of JSON input"
		if err == nil || err.Error() != want || !strings.Contains(hint.Of(err), "makes it again") {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := ReadRuns(folders[4:5]); err == nil || !strings.Contains(err.Error(), "1 of 1 run cannot be read\n"+damaged) {
		t.Errorf("of one alone: %v", err)
	}
	if runs, err := ReadRuns(folders[:2]); err != nil || runs.Damage() != nil {
		t.Errorf("whole ones: %v", err)
	}
}

func TestForms(t *testing.T) {
	c := Compare(readSweep(t, 1, 2, 3))
	text, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil || len(lines) != 9 || line["lora_r"] != 4.0 || line["seed"] != 1.0 || line["loss"] == nil {
		t.Errorf("%d lines, the first %v, %v", len(lines), line, err)
	}
	page, err := c.HTML()
	if err != nil || strings.Contains(string(page), "ZgotmplZ") {
		t.Fatalf("the page: %v", err)
	}
	for _, want := range []string{"<polygon", "Validation loss", "Training loss", "The loss against each setting", `class="c0"`, `class="c2 base"`} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(string(page), "http://") && strings.Count(string(page), "http://") != strings.Count(string(page), `xmlns="http://www.w3.org/2000/svg"`) {
		t.Error("the page asks for something from elsewhere")
	}
}

// The mark of a configuration is at its mean, between the ends of its deviation.
func TestMarksAreAtTheMeans(t *testing.T) {
	c := Compare(readSweep(t, 1, 2, 3))
	for _, p := range c.settingPlots() {
		found := regexp.MustCompile(`y1="([0-9.]+)" y2="([0-9.]+)"/><circle class="mark" cx="[0-9.]+" cy="([0-9.]+)"`).FindAllStringSubmatch(string(p.SVG), -1)
		if len(found) != 3 {
			t.Fatalf("%s: %d marks", p.Title, len(found))
		}
		for _, m := range found {
			var y [3]float64
			for i := range y {
				y[i], _ = strconv.ParseFloat(m[i+1], 64) // digits and points
			}
			if math.Abs((y[0]+y[1])/2-y[2]) > 0.11 {
				t.Errorf("%s: a mark at %g between %g and %g", p.Title, y[2], y[0], y[1])
			}
		}
	}
}

func TestRowsThatMoved(t *testing.T) {
	runs := readSweep(t, 1, 2, 3)
	m := Compare(runs).moved()
	if m == nil || m.Best != "loraone,lora_r=8" || m.Baseline != "lora" || m.Seed != 1 || len(m.Gained) != mostMoved {
		t.Fatalf("%+v", m)
	}
	best, least := runs.List[3].HeldOut, 0.0
	for i, row := range runs.List[6].HeldOut {
		least = min(least, (best[i].Nats-row.Nats)/float64(row.Tokens))
	}
	if m.Gained[0].Change != least {
		t.Errorf("the row that gained most gained %g, want %g", m.Gained[0].Change, least)
	}
	data := filepath.Join(t.TempDir(), "valid.jsonl")
	if err := os.WriteFile(data, []byte(strings.Repeat("first \xff\n", 40)), 0o644); err != nil {
		t.Fatal(err)
	}
	for i := range runs.List[3].Provenance.Data.Files {
		runs.List[3].Provenance.Data.Files[i].Path = data
	}
	if m := Compare(runs).moved(); m.Gained[0].Text != "" {
		t.Errorf("of a file that has changed since: %q", m.Gained[0].Text)
	}
	sum, err := files.SHA256(data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range runs.List[3].Provenance.Data.Files {
		runs.List[3].Provenance.Data.Files[i].SHA256 = sum
	}
	if m := Compare(runs).moved(); m.Gained[0].Text != "first " {
		t.Errorf("its text is %q", m.Gained[0].Text)
	}
}

// readAll reads folders of runs.
func readAll(t *testing.T, dirs ...string) *Runs {
	t.Helper()
	runs, err := ReadRuns(dirs)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// A run counts once, however often it is named, and a copy of it is no other seed.
func TestARunCountsOnce(t *testing.T) {
	folder := filepath.Join("testdata", "sweep")
	want := Compare(readAll(t, folder)).Text()
	link := filepath.Join(t.TempDir(), "link")
	abs, err := filepath.Abs(folder)
	if err == nil {
		err = os.Symlink(abs, link)
	}
	if err != nil {
		t.Skip(err)
	}
	one := filepath.Join(folder, "lora,seed=1-5f332aae")
	for _, dirs := range [][]string{{folder, folder}, {folder, link}, {folder, abs + string(filepath.Separator)}} {
		if got := Compare(readAll(t, dirs...)).Text(); got != want {
			t.Errorf("%v:\n%s", dirs, got)
		}
	}
	if got := len(readAll(t, folder, one, one).List); got != 9 {
		t.Errorf("%d runs", got)
	}
	again := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(again, os.DirFS(one)); err != nil {
		t.Fatal(err)
	}
	c := Compare(readAll(t, one, again))
	if g := c.Configurations[0]; len(c.Configurations) != 1 || len(g.Done) != 1 || !strings.Contains(c.Text(), "1 run left out: another has the same settings, files and seed.") {
		t.Errorf("a copy:\n%s", c.Text())
	}
}

// Runs of other rows or another base are other configurations, though their settings are
// alike, and that is said.
func TestRunsOfOtherFiles(t *testing.T) {
	folder := t.TempDir()
	for i, name := range []string{"lora,seed=1-5f332aae", "lora,seed=2-a09371a5", "lora,seed=3-4637748e"} {
		if err := os.CopyFS(filepath.Join(folder, strconv.Itoa(i)), os.DirFS(filepath.Join("testdata", "sweep", name))); err != nil {
			t.Fatal(err)
		}
	}
	runs := readAll(t, folder)
	runs.List[1].Provenance.Data.Files[0].SHA256 = "0123456789"
	runs.List[2].Provenance.Base.Files[0].SHA256 = "abcdefghij"
	runs.label()
	c := Compare(runs)
	if len(c.Configurations) != 3 {
		t.Errorf("%d configurations\n%s", len(c.Configurations), c.Text())
	}
	for _, want := range []string{"data=", "@01234567", "model=", "@abcdefgh", "Not all runs were trained on the same file of rows", "Not all runs have the same base model"} {
		if !strings.Contains(c.Text(), want) {
			t.Errorf("it lacks %s:\n%s", want, c.Text())
		}
	}
}

// A validation loss is not compared to a training loss.
func TestRunsWithoutValidationRows(t *testing.T) {
	runs := readSweep(t, 1)
	for _, r := range runs.List[1:] {
		r.Provenance.Validated = false
	}
	c := Compare(runs)
	for _, g := range c.Configurations {
		if want := g.Done[0].Provenance.TrainLoss; g.Mean != want {
			t.Errorf("%s: %g, want the training loss, %g", g.Label, g.Mean, want)
		}
		if g.Against.Known() {
			t.Errorf("%s: an interval of held-out rows, %+v", g.Label, g.Against)
		}
	}
}

// Sweeps, runs, and folders of both have a page together.
func TestReportOfAMixture(t *testing.T) {
	folder := t.TempDir()
	for to, from := range map[string]string{
		"one":   filepath.Join("testdata", "sweep"),
		"two":   filepath.Join("testdata", "answers"),
		"three": filepath.Join("testdata", "sweep", "lora,seed=2-a09371a5"),
	} {
		if err := os.CopyFS(filepath.Join(folder, to), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(folder, "one", "loraone,lora_r=8,seed=1-04139bbf")); err != nil { // one that waits
		t.Fatal(err)
	}
	runs := readAll(t, folder)
	if sweeps := len(readAll(t, filepath.Join(folder, "one"), filepath.Join(folder, "two")).List); len(runs.List) != sweeps+1 {
		t.Errorf("%d runs, want those of two sweeps, %d, and one", len(runs.List), sweeps)
	}
	if _, err := Compare(runs).HTML(); err != nil {
		t.Error(err)
	}
}
