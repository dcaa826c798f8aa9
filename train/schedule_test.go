package train

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"example.com/finetune/internal/random"
	"example.com/finetune/train/recipe"
)

func TestEpochsAreDifferentPermutations(t *testing.T) {
	seen := map[string]bool{}
	for _, seed := range []uint64{1, 2} {
		for epoch := 1; epoch <= 3; epoch++ {
			order := epochOrder(seed, epoch, 50)
			if seen[fmt.Sprint(order)] {
				t.Errorf("seed %d, epoch %d: an order seen before", seed, epoch)
			}
			seen[fmt.Sprint(order)] = true
			sorted := slices.Sorted(slices.Values(order))
			for i, v := range sorted {
				if i != v {
					t.Fatalf("seed %d, epoch %d: not a permutation: %v", seed, epoch, order)
				}
			}
		}
	}
}

// TestOrderIsPinned holds the order of a seed: a change of it changes every run.
func TestOrderIsPinned(t *testing.T) {
	if got, want := epochOrder(42, 1, 10), []int{0, 1, 8, 6, 4, 5, 3, 9, 7, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPermutationsAreFair(t *testing.T) {
	var first [4]int
	for step := range 4000 {
		first[random.ForStep(7, "test", step).Permutation(4)[0]]++
	}
	for i, n := range first { // 1000 expected, 27 the standard deviation
		if n < 870 || n > 1130 {
			t.Errorf("%d comes first %d times in 4000", i, n)
		}
	}
}

func TestBatchesCoverEachEpochOnce(t *testing.T) {
	c := recipe.Recipe{BatchSize: 2, GradientAccumulationSteps: 2, NumTrainEpochs: 2, Seed: 5}
	b := newBatches(&c, 10)
	if b.perEpoch != 3 || b.total != 6 {
		t.Fatalf("%d steps an epoch, %d in all, want 3 and 6", b.perEpoch, b.total)
	}
	for epoch := range 2 {
		var all []int
		for i, want := range []int{4, 4, 2} {
			batch := b.batch(3*epoch + i)
			if len(batch) != want {
				t.Errorf("epoch %d, batch %d: %d sequences, want %d", epoch, i, len(batch), want)
			}
			all = append(all, batch...)
		}
		if !slices.Equal(all, epochOrder(5, epoch+1, 10)) {
			t.Errorf("epoch %d: %v is not its order", epoch, all)
		}
	}
	if got := []float64{b.passed(0), b.passed(1), b.passed(2), b.passed(3), b.passed(5)}; !slices.Equal(got, []float64{0, 0.4, 0.8, 1, 1.8}) {
		t.Errorf("epochs passed: %v", got)
	}
	if !slices.Equal(b.initial(3), epochOrder(5, 1, 10)[:3]) {
		t.Error("the initial gradient is not of the first sequences of epoch 1")
	}
}

func TestStepsAreCounted(t *testing.T) {
	for _, c := range []struct {
		epochs float64
		steps  int
		n      int
		want   int
	}{{1, 0, 16, 2}, {1, 0, 17, 3}, {0.5, 0, 32, 2}, {2.5, 0, 16, 5}, {1, 7, 16, 7}, {1, 0, 1, 1}} {
		b := newBatches(&recipe.Recipe{BatchSize: 8, GradientAccumulationSteps: 1, NumTrainEpochs: c.epochs, MaxSteps: c.steps}, c.n)
		if b.total != c.want {
			t.Errorf("%v epochs or %d steps of %d rows: %d steps, want %d", c.epochs, c.steps, c.n, b.total, c.want)
		}
	}
}

func TestScheduleFollowsItsFormula(t *testing.T) {
	for _, c := range []struct {
		kind   recipe.Scheduler
		warmup float64
		total  int
		want   []float64 // of rate 1
	}{
		{"linear", 0, 4, []float64{1, 0.75, 0.5, 0.25}},
		{"linear", 2, 6, []float64{0.5, 1, 1, 0.75, 0.5, 0.25}},
		{"linear", 0.5, 4, []float64{0.5, 1, 1, 0.5}},
		{"linear", 0.3, 4, []float64{0.5, 1, 1, 0.5}}, // 1.2 steps are 2
		{"linear", 9, 3, []float64{1. / 3, 2. / 3, 1}},
		{"constant", 2, 4, []float64{0.5, 1, 1, 1}},
		{"cosine", 1, 5, []float64{1, 1, 0.5 * (1 + math.Sqrt2/2), 0.5, 0.5 * (1 - math.Sqrt2/2)}},
	} {
		s := newSchedule(&recipe.Recipe{LRSchedulerType: c.kind, WarmupSteps: c.warmup, LearningRate: 1}, c.total)
		for i, want := range c.want {
			if got := s.at(i); math.Abs(got-want) > 1e-15 {
				t.Errorf("%s, warm-up %v of %d: step %d: %v, want %v", c.kind, c.warmup, c.total, i, got, want)
			}
		}
	}
}

func TestCosPiIsTheCosine(t *testing.T) {
	for i := range 1001 {
		x := float64(i) / 1000
		if got, want := cosPi(x), math.Cos(math.Pi*x); math.Abs(got-want) > 1e-15 {
			t.Fatalf("cosPi(%v) = %v, want %v", x, got, want)
		}
	}
}
