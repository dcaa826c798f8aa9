package loraone

import (
	"math/rand/v2"
	"os"
	"testing"

	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// BenchmarkStep is forward and backward of 512 tokens through the model folder
// named in FINETUNE_MODEL with q and v adapters of rank 8.
func BenchmarkStep(b *testing.B) {
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
	a, err := Attach(m, Config{R: 8, Alpha: 16, TargetModules: []string{"q_proj", "v_proj"}})
	if err != nil {
		b.Fatal(err)
	}
	a.StartLoRA(1)
	rng := rand.New(rand.NewPCG(1, 2))
	const T = 512
	s := model.Sequence{IDs: make([]int32, T), Learn: make([]bool, T)}
	for i := range s.IDs {
		s.IDs[i], s.Learn[i] = int32(rng.IntN(cfg.VocabSize)), true
	}
	e := model.NewEngine(m, p)
	for b.Loop() {
		e.LossBackward([]model.Sequence{s}, nil)
	}
	b.ReportMetric(float64(T)*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
