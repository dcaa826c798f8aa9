package loraone

import (
	"math/rand/v2"
	"os"
	"testing"

	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// benchmark runs f on the model folder named in FINETUNE_MODEL, with q and v
// adapters of rank 8 and sequences of random tokens, all of them targets.
func benchmark(b *testing.B, sequences, length int, f func(e *model.Engine, c Config, seqs []model.Sequence)) {
	dir := os.Getenv("FINETUNE_MODEL")
	if dir == "" {
		b.Skip("FINETUNE_MODEL names no model folder")
	}
	cfg, err := model.ReadConfig(dir)
	if err != nil {
		b.Fatal(err)
	}
	m, err := model.Load(dir, cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	p := simd.NewPool(0)
	defer p.Close()
	e, c := model.NewEngine(m, p), Config{Method: LoRA, R: 8, Alpha: 16, TargetModules: []string{"q_proj", "v_proj"}}
	a, _, err := Start(b.Context(), e, c, nil, StartOptions{Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	a.Attach(e)
	rng := rand.New(rand.NewPCG(1, 2))
	seqs := make([]model.Sequence, sequences)
	for i := range seqs {
		for range length {
			seqs[i].IDs = append(seqs[i].IDs, int32(rng.IntN(cfg.VocabSize)))
			seqs[i].Mask = append(seqs[i].Mask, true)
		}
	}
	for b.Loop() {
		f(e, c, seqs)
	}
	b.ReportMetric(float64(sequences*length)*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

// BenchmarkStep is forward and backward of 512 tokens.
func BenchmarkStep(b *testing.B) {
	benchmark(b, 1, 512, func(e *model.Engine, _ Config, seqs []model.Sequence) { e.LossBackward(seqs, nil) })
}

// BenchmarkStart is the spectral start from 8 sequences of 128 tokens.
func BenchmarkStart(b *testing.B) {
	benchmark(b, 8, 128, func(e *model.Engine, c Config, seqs []model.Sequence) {
		c.Method = LoRAOne
		if _, _, err := Start(b.Context(), e, c, seqs, StartOptions{Gamma: 128}); err != nil {
			b.Fatal(err)
		}
	})
}
