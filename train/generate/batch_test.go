package generate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// texts returns prompts that share beginnings, nested ones, some prompts twice, some the
// beginning of others.
func texts(t *testing.T, g *Generator, rng *rand.Rand, n int) (list []Prompt) {
	t.Helper()
	words := strings.Fields("Once upon a time there was a little girl who had a big red ball and a cat named Tom")
	begins := []string{"", "Once upon a time", "Once upon a time there was a little dog. He", "The"}
	for range n {
		text := begins[rng.IntN(len(begins))]
		for range rng.IntN(5) {
			text += " " + words[rng.IntN(len(words))]
		}
		if rng.IntN(9) == 0 {
			text += strings.Repeat(" and then he ran", 20+rng.IntN(20)) // several pages
		}
		p := story(t, g, text)
		if rng.IntN(2) == 0 { // some answers end early
			p.Ends = append(p.Ends, story(t, g, "so. and the a was,").IDs...)
		}
		list = append(list, p)
	}
	return list
}

// Answers of a batch are those that each prompt has alone, for any bound of memory and
// number of threads, greedy or drawn.
func TestBatchIsOneByOne(t *testing.T) {
	e, tok := opened(t)
	rng := rand.New(rand.NewPCG(3, 4))
	for round, memory := range []int64{0, 1, 3 * e.Model().Config.TextBytes(256)} {
		pool := simd.NewPool(1 + round)
		defer pool.Close()
		g := New(model.NewEngine(e.Model(), pool), tok)
		prompts := texts(t, g, rng, 20)
		o := Options{Limit: 5 + 11*round, Memory: memory, Sampler: &model.Sampler{Temperature: 0.7 * float64(round), Seed: 5}}
		got := make([]Answer, len(prompts))
		err := g.WriteAll(t.Context(), prompts, o, func(i int, a Answer) error { got[i] = a; return nil })
		if err != nil {
			t.Fatal(err)
		}
		ended := 0
		for i, p := range prompts {
			sampler := *o.Sampler
			want, r := text(t, New(e, tok), p, Options{Limit: o.Limit, Sampler: &sampler})
			if got[i].Text != want || got[i].Tokens != r.Tokens || got[i].Ended != r.Ended {
				t.Errorf("memory %d, prompt %d: %+v, want %q, %+v", memory, i, got[i], want, r)
			}
			if r.Ended {
				ended++
			}
		}
		if ended == 0 || ended == len(prompts) {
			t.Errorf("%d of %d ended: not both ways were seen", ended, len(prompts))
		}
	}
}

// What prompts share is computed once, nested beginnings too.
func TestBatchSharesPrompts(t *testing.T) {
	e, tok := opened(t)
	g := New(e, tok)
	rng := rand.New(rand.NewPCG(5, 6))
	prompts := texts(t, g, rng, 40)
	computed, nodes := 0, map[string]bool{} // of the tree of prompts
	for _, p := range prompts {
		for n := range p.IDs {
			nodes[fmt.Sprint(p.IDs[:n+1])] = true
		}
	}
	ends := map[string]bool{} // the last token of a prompt is computed for each
	twice := 0
	slices.SortFunc(prompts, func(a, b Prompt) int { return slices.Compare(a.IDs, b.IDs) })
	for _, p := range prompts {
		if key := fmt.Sprint(p.IDs); ends[key] {
			twice++
		} else {
			ends[key] = true
		}
	}
	err := g.WriteAll(t.Context(), prompts, Options{Limit: 2}, func(i int, a Answer) error {
		computed += len(prompts[i].IDs) - a.Reused
		return nil
	})
	if err != nil || computed != len(nodes)+twice {
		t.Errorf("%d tokens computed, want %d (%v)", computed, len(nodes)+twice, err)
	}
}

// A batch ends with the context or with who takes its answers, and a prompt that is too
// long is an error before anything is written.
func TestBatchStops(t *testing.T) {
	e, tok := opened(t)
	g := New(e, tok)
	prompts := texts(t, g, rand.New(rand.NewPCG(7, 8)), 8)
	ctx, cancel := context.WithCancel(t.Context())
	answers := 0
	err := g.WriteAll(ctx, prompts, Options{Limit: 4}, func(int, Answer) error { answers++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || answers == len(prompts) {
		t.Errorf("%v after %d answers", err, answers)
	}
	full := errors.New("full")
	if err := g.WriteAll(t.Context(), prompts, Options{Limit: 4}, func(int, Answer) error { return full }); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	long := append(slices.Clone(prompts), Prompt{IDs: make([]int32, e.Model().Config.MaxPositionEmbeddings)})
	err = g.WriteAll(t.Context(), long, Options{}, func(int, Answer) error { t.Error("an answer"); return nil })
	if err == nil || !strings.Contains(err.Error(), "prompt 9: the prompt has") {
		t.Errorf("%v", err)
	}
}
