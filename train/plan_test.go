package train

import (
	"testing"
	"time"

	"example.com/finetune/model"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

func TestTimeLeft(t *testing.T) {
	p := Plan{Steps: 25, StepsPerEpoch: 10, Tokens: 2000, EvalEvery: 10, EvalTokens: 300, InitTokens: 50, InitPasses: 2}
	for _, c := range []struct {
		step int
		pace Pace
		want time.Duration
	}{
		{0, Pace{100, 300}, 25*2*time.Second + 3*time.Second}, // evaluations at 10, 20 and 25
		{1, Pace{100, 300}, 24*2*time.Second + 3*time.Second},
		{20, Pace{100, 300}, 5*2*time.Second + time.Second},
		{25, Pace{100, 300}, time.Second},   // its evaluation
		{0, Pace{100, 0}, 50 * time.Second}, // nothing was evaluated yet
		{0, Pace{}, 0},
	} {
		if got := p.Left(c.step, c.pace); got != c.want {
			t.Errorf("after step %d at %+v: %v, want %v", c.step, c.pace, got, c.want)
		}
	}
	if got := p.Start(Pace{100, 300}); got != 3*time.Second {
		t.Errorf("to the first step: %v, want 3s", got)
	}
	p.EvalEvery = 0
	if got := p.Left(0, Pace{100, 300}); got != 50*time.Second {
		t.Errorf("without evaluations: %v", got)
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
