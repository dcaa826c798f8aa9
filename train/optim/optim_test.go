package optim

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"example.com/finetune/loraone"
	"example.com/finetune/simd"
)

// A witness is a rule that writes down what it is called for.
type witness struct {
	mu    sync.Mutex
	calls []string
	fails bool
}

func (w *witness) call(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, name)
}

func (w *witness) Begin(int, float64) { w.call("begin") }

func (w *witness) Prepare(int) error {
	w.call("prepare")
	if w.fails {
		return errors.New("not finite")
	}
	return nil
}

func (w *witness) Update(int)              { w.call("update") }
func (w *witness) State() []*loraone.Param { return nil }

// What all modules share is computed once a step, and no module changes before all are
// prepared.
func TestAStepBeginsOnceForAllModules(t *testing.T) {
	p := simd.NewPool(2)
	defer p.Close()
	modules := []loraone.Module{still{}, still{}, still{}}
	w := new(witness)
	o := &Optimizer{modules, p, w}
	if err := o.Step(0, 1); err != nil {
		t.Fatal(err)
	}
	want := []string{"begin", "prepare", "prepare", "prepare", "update", "update", "update"}
	if !slices.Equal(w.calls, want) {
		t.Errorf("called %v, want %v", w.calls, want)
	}
	w.calls, w.fails = nil, true
	if err := o.Step(1, 1); err == nil || slices.Contains(w.calls, "update") {
		t.Errorf("a step that cannot be prepared: %v, called %v", err, w.calls)
	}
}

// still is a module that has nothing to bring up to date.
type still struct{ loraone.Module }

func (still) Sync() {}
