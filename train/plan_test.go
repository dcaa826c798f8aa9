package train

import (
	"math"
	"testing"
	"time"

	"example.com/finetune/model"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// A run may be planned that nobody lives to see the end of.
func TestTimeLeftOfALongRun(t *testing.T) {
	p := Plan{Steps: math.MaxInt32, StepsPerEpoch: 10, Tokens: 4000, Computed: 4000, EvalEvery: 1, EvalComputed: 300}
	pace := Pace{Training: 1, Evaluation: 1}
	if left, share := p.Left(0, pace), p.EvalShare(pace); left < 24*365*time.Hour || !(share >= 0 && share <= 1) {
		t.Errorf("%v, of which %g are evaluations", left, share)
	}
}

func TestTimeLeft(t *testing.T) {
	p := Plan{Steps: 25, StepsPerEpoch: 10, Tokens: 4000, Computed: 2000, EvalEvery: 10, EvalStart: true, EvalComputed: 300, InitTokens: 50, InitPasses: 2}
	both := Pace{Training: 100, Evaluation: 300}
	for _, c := range []struct {
		step int
		pace Pace
		want time.Duration
	}{
		{0, both, 25*2*time.Second + 3*time.Second}, // evaluations at 10, 20 and 25
		{1, both, 24*2*time.Second + 3*time.Second},
		{20, both, 5*2*time.Second + time.Second},
		{25, both, time.Second},                    // its evaluation
		{0, Pace{Training: 100}, 50 * time.Second}, // nothing was evaluated yet
		{0, Pace{}, 0},
	} {
		if got := p.Left(c.step, c.pace); got != c.want {
			t.Errorf("after step %d at %+v: %v, want %v", c.step, c.pace, got, c.want)
		}
	}
	if got := p.Start(both); got != 3*time.Second {
		t.Errorf("to the first step: %v, want 3s", got)
	}
	if got, want := p.EvalShare(both), 5.0/(50+5+1); math.Abs(got-want) > 1e-9 {
		t.Errorf("evaluations take %v of the time, want %v", got, want)
	}
	if got := p.TokensPerSecond(both); got != 200 {
		t.Errorf("%v tokens a second of the rows, want 200", got)
	}
	p.EvalStart = false
	if got := p.Start(both); got != 2*time.Second {
		t.Errorf("to the first step, where the start is the base: %v, want 2s", got)
	}
	p.EvalEvery = 0
	if got := p.Left(0, both); got != 50*time.Second {
		t.Errorf("without evaluations: %v", got)
	}
}

// Samples at every evaluation, and the answers of base and adapter at the end, are counted:
// at their own pace, and at a quarter of that of reading where there is none.
func TestTimeOfTexts(t *testing.T) {
	p := Plan{
		Steps: 20, StepsPerEpoch: 10, Tokens: 1000, Computed: 1000, EvalEvery: 10, EvalComputed: 300,
		Samples: Texts{Count: 2, Read: 600, Written: 50}, Scored: Texts{Count: 10, Read: 3000, Written: 500},
	}
	for _, c := range []struct {
		writing float64
		want    time.Duration
	}{
		{50, (20 + 2*(1+2+1) + 2*(10+10)) * time.Second},
		{0, 20*time.Second + 2*time.Second*300/100 + (2*50+2*500)*time.Second*4/300 + 2*10*time.Second},
	} {
		if got := p.Left(0, Pace{Training: 100, Evaluation: 300, Writing: c.writing}); (got - c.want).Abs() > time.Microsecond {
			t.Errorf("writing %v tokens a second: %v, want %v", c.writing, got, c.want)
		}
	}
	if got := p.Start(Pace{Training: 100, Evaluation: 300, Writing: 50}); got != 4*time.Second {
		t.Errorf("to the first step: %v, want 4s", got)
	}
}

// The time of prompts is taken off that of texts.
func TestStopwatchOfTexts(t *testing.T) {
	w := stopwatch{evaluated: 300, evaluation: time.Second}
	if w.wrote(600, 40, 4*time.Second); w.pace().Writing != 20 {
		t.Errorf("%+v", w.pace())
	}
	if w.wrote(1_000_000, 20, 4*time.Second); w.pace().Writing != 20 {
		t.Errorf("more than all of it for the prompts: %+v", w.pace())
	}
}

func TestTrialMeasuresAndWritesNothing(t *testing.T) {
	o := newOffice(t)
	c := o.config(t.TempDir() + "/out")
	s := o.session(t, c)
	pace, err := s.Trial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if pace.Training <= 0 || s.Plan.Left(0, pace) <= 0 {
		t.Errorf("%+v", pace)
	}
	if folder, err := rundir.Look(c.OutputDir); err != nil || folder.Kind != rundir.Empty {
		t.Errorf("the trial left %+v, %v", folder, err)
	}
}

func TestPlanFitsIntoMemory(t *testing.T) {
	o := newOffice(t)
	c := o.config(t.TempDir() + "/out")
	s := o.session(t, c)
	fastest := s.Plan
	c.Memory = recipe.Size(fastest.AllocatedBytes) - 1
	smaller, err := NewPlan(resolved(t, c), s.Model.Config, s.Data.Train, s.Data.Valid, 0)
	if err != nil {
		t.Fatal(err)
	}
	if smaller.AllocatedBytes >= fastest.AllocatedBytes || smaller.Layout == fastest.Layout {
		t.Errorf("a smaller budget: %+v, without one %+v", smaller, fastest)
	}
	held, err := NewPlan(resolved(t, c), s.Model.Config, s.Data.Train, s.Data.Valid, 1000)
	if err != nil || held.AllocatedBytes-1000 >= smaller.AllocatedBytes && held.Layout == smaller.Layout && held.AllocatedBytes > int64(c.Memory) {
		t.Errorf("with 1,000 bytes held: %+v, %v", held, err)
	}
	c.Memory = 1000
	_, err = NewPlan(resolved(t, c), s.Model.Config, s.Data.Train, s.Data.Valid, 0)
	expect(t, "a budget for nothing", err, "memory is 1.0 kB, and this run takes ", "a lower max_length cuts long rows; fewer target_modules or a lower lora_r makes the adapters smaller")
}

// Under a budget less of the initial gradient is materialised at a time, before steps get
// slower.
func TestPlanMaterialisesLessUnderABudget(t *testing.T) {
	o := newOffice(t)
	c := o.config(t.TempDir() + "/out")
	c.TargetModules = recipe.Names{"all-linear"}
	s := o.session(t, c)
	m := *s.Model.Config
	m.HiddenSize, m.IntermediateSize, m.NumHiddenLayers = 576, 1536, 30
	m.NumAttentionHeads, m.NumKeyValueHeads, m.HeadDim = 9, 3, 64
	plan := func() Plan {
		p, err := NewPlan(resolved(t, c), &m, s.Data.Train, s.Data.Valid, 0)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	free := plan() // 106 million weights: 425 MB of gradients
	if free.MaterialisedBytes != 512<<20 {
		t.Errorf("without a budget %d bytes are materialised at a time", free.MaterialisedBytes)
	}
	c.Memory = recipe.Size(free.AllocatedBytes) - 1
	got := plan()
	if got.MaterialisedBytes != 256<<20 || free.InitPasses != 1 || got.InitPasses != 2 || got.Layout != free.Layout || got.AllocatedBytes > int64(c.Memory) {
		t.Errorf("under a budget: %+v, without one %+v", got, free)
	}
}

// A profile of a run: its parts are those of the steps, and the evaluations between
// them are not in it.
func TestProfiledRun(t *testing.T) {
	o := newOffice(t)
	c := o.config(t.TempDir() + "/out")
	c.Profile = true
	s := o.session(t, c)
	var got *Profiled
	s.Report = func(e any) {
		if p, ok := e.(Profiled); ok {
			got = &p
		}
	}
	if _, err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got == nil || got.Steps != 14 {
		t.Fatalf("%+v", got)
	}
	for _, part := range []model.Part{model.QKV, model.Attention, model.Output, model.MLP, model.Head, model.Adapters, model.Elementwise, model.Optimizer} {
		if got.Profile.Spent(part).Time <= 0 {
			t.Errorf("no time for %v", part)
		}
	}
	m := s.Model.Config
	head := float64(2 * 2 * m.HiddenSize * m.VocabSize) // forward and backward, of one target
	var targets float64
	for step := range 14 {
		b := newBatches(&c.Recipe, s.Data.Train.Len())
		for _, i := range b.batch(step) {
			q, err := s.Data.Train.Sequence(i)
			if err != nil {
				t.Fatal(err)
			}
			targets += float64(q.Targets())
		}
	}
	if ops := got.Profile.Spent(model.Head).Ops; ops != head*targets {
		t.Errorf("the head's operations: %g, want %g", ops, head*targets)
	}
}
