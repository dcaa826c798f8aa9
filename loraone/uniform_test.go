package loraone

import (
	"math"
	"testing"

	"example.com/finetune/model"
)

// TestUniformAddsTheSame: B·A of one rank with scale 1 is s·B·A of each, up to the one
// rounding of s·B.
func TestUniformAddsTheSame(t *testing.T) {
	config := &model.Config{HiddenSize: 12, IntermediateSize: 20, NumHiddenLayers: 2, NumAttentionHeads: 3, NumKeyValueHeads: 1, HeadDim: 6, VocabSize: 7}
	a, err := New(config, Config{Method: LoRAOne, R: 4, Alpha: 7, TargetModules: []string{"v_proj"}}, []int{4, 2})
	if err != nil {
		t.Fatal(err)
	}
	for n, m := range a.Modules {
		for _, p := range m.Params() {
			for i := range p.Value {
				p.Value[i] = float32(math.Sin(float64(100*n + i)))
			}
		}
	}
	a.Sync()
	u := a.Uniform()
	for n, m := range a.Modules {
		want, got := m.LowRank(), u.Modules[n].LowRank()
		if got.R != 4 || got.Scale != 1 || got.Name != want.Name {
			t.Fatalf("%s: rank %d, scale %v", got.Name, got.R, got.Scale)
		}
		for o := range got.Out {
			for i := range got.In {
				x, y := 0.0, 0.0
				for r := range got.R {
					x += float64(got.B[o*got.R+r]) * float64(got.A[r*got.In+i])
				}
				for r := range want.R {
					y += float64(want.Scale) * float64(want.B[o*want.R+r]) * float64(want.A[r*want.In+i])
				}
				if math.Abs(x-y) > 1e-6 {
					t.Fatalf("%s[%d][%d]: %v, want %v", got.Name, o, i, x, y)
				}
			}
		}
	}
}
