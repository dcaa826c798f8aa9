package model

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/jsontree"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// The toy family is what a new family costs: a reader and a row. Its layers differ
// from each other as those of SmolLM3 and Gemma do: windows in some, rotary bases of
// their own, and one that does not rotate at all.
func init() {
	families["toy"] = family{
		architecture: "ToyForCausalLM", understands: []string{"no_rope_layers"},
		base: Config{HeadDim: 6, OBias: true, QKNorm: true}, read: readToy,
	}
}

func readToy(c *Config, f *jsontree.Fields) {
	c.readHeadDim(f)
	near := Rope{Type: "linear", Theta: 100, Factor: 2}
	c.Layers = []LayerConfig{{Window: 3, Rope: near}, {Rope: c.readRope(f, 10000)}, {Window: 2}, {Window: 3, Rope: near}}
	if f.Raw("no_rope_layers") != "[2]" {
		f.Wrong("no_rope_layers", "[2]")
	}
	if c.NumHiddenLayers != len(c.Layers) {
		f.Wrong("num_hidden_layers", "4")
	}
}

const toyConfig = `{
	"model_type": "toy", "architectures": ["ToyForCausalLM"], "hidden_size": 10, "intermediate_size": 14,
	"num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 19,
	"max_position_embeddings": 32, "no_rope_layers": [2], "tie_word_embeddings": true
}`

// toy writes the folder of a toy with random weights, loads it, and returns the
// weights by name.
func toy(t *testing.T) (*Model, map[string][]float32) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(toyConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	weights, list := map[string][]float32{}, []safetensors.Entry(nil)
	for _, x := range c.Tensors() {
		n, mean, scale := 1, 0., 0.5
		for _, d := range x.Shape {
			n *= d
		}
		if strings.HasSuffix(x.Name, "norm.weight") {
			mean, scale = 1, 0.2
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(mean + scale*rng.NormFloat64())
		}
		weights[x.Name] = values
		list = append(list, safetensors.Entry{Name: x.Name, Shape: x.Shape, Data: values})
	}
	if err := safetensors.Write(filepath.Join(dir, "model.safetensors"), list, nil); err != nil {
		t.Fatal(err)
	}
	m, err := Load(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m, weights
}

// A naive is a decoder as a textbook has it, in float64 and one token at a time, for
// whatever the layers of its configuration say.
type naive struct {
	c *Config
	w map[string][]float64
}

func newNaive(c *Config, weights map[string][]float32) *naive {
	n := &naive{c, map[string][]float64{}}
	for name, values := range weights {
		for _, v := range values {
			n.w[name] = append(n.w[name], float64(v))
		}
	}
	return n
}

// loss returns Σ -log p of the tokens behind the first.
func (n *naive) loss(ids []int32) (sum float64) {
	logits := n.logits(ids)
	for t, id := range ids[1:] {
		z := 0.0
		for _, v := range logits[t] {
			z += math.Exp(v)
		}
		sum += math.Log(z) - logits[t][id]
	}
	return sum
}

func (n *naive) logits(ids []int32) [][]float64 {
	x := make([][]float64, len(ids))
	for t, id := range ids {
		x[t] = slices.Clone(n.w["model.embed_tokens.weight"][int(id)*n.c.HiddenSize:][:n.c.HiddenSize])
	}
	for l := range n.c.NumHiddenLayers {
		p := fmt.Sprintf("model.layers.%d.", l)
		attended := n.attention(n.c.Layers[l], p+"self_attn.", n.normed(x, p+"input_layernorm"))
		for t := range x {
			add(x[t], attended[t])
			h := n.normed(x[t:t+1], p+"post_attention_layernorm")[0]
			gate, up := n.linear(p+"mlp.gate_proj", h), n.linear(p+"mlp.up_proj", h)
			for i, g := range gate {
				up[i] *= g / (1 + math.Exp(-g))
			}
			add(x[t], n.linear(p+"mlp.down_proj", up))
		}
	}
	for t, h := range n.normed(x, "model.norm") {
		x[t] = n.linear("model.embed_tokens", h)
	}
	return x
}

func (n *naive) attention(layer LayerConfig, p string, x [][]float64) [][]float64 {
	d, per := n.c.HeadDim, n.c.NumAttentionHeads/n.c.NumKeyValueHeads
	var q, k, v [][]float64
	for t := range x {
		q = append(q, n.rotated(layer.Rope, p+"q_norm", n.linear(p+"q_proj", x[t]), t))
		k = append(k, n.rotated(layer.Rope, p+"k_norm", n.linear(p+"k_proj", x[t]), t))
		v = append(v, n.linear(p+"v_proj", x[t]))
	}
	out := make([][]float64, len(x))
	for t := range x {
		row := make([]float64, n.c.NumAttentionHeads*d)
		for h := range n.c.NumAttentionHeads {
			var sum float64
			for j := range t + 1 {
				if layer.Window > 0 && t-j >= layer.Window {
					continue
				}
				score := 0.0
				for i := range d {
					score += q[t][h*d+i] * k[j][h/per*d+i]
				}
				p := math.Exp(score / math.Sqrt(float64(d)))
				sum += p
				for i := range d {
					row[h*d+i] += p * v[j][h/per*d+i]
				}
			}
			for i := range d {
				row[h*d+i] /= sum
			}
		}
		out[t] = n.linear(p+"o_proj", row)
	}
	return out
}

// rotated norms each head and rotates it to position t.
func (n *naive) rotated(r Rope, norm string, row []float64, t int) []float64 {
	d := n.c.HeadDim
	for h := 0; h < len(row); h += d {
		head := n.normed([][]float64{row[h : h+d]}, norm)[0]
		for i := range d / 2 {
			angle := float64(t) * math.Pow(r.Theta, -float64(2*i)/float64(d))
			switch r.Type {
			case "":
				angle = 0
			case "linear":
				angle /= r.Factor
			}
			sin, cos := math.Sincos(angle)
			row[h+i], row[h+d/2+i] = head[i]*cos-head[d/2+i]*sin, head[d/2+i]*cos+head[i]*sin
		}
	}
	return row
}

func (n *naive) linear(name string, x []float64) []float64 {
	w, bias := n.w[name+".weight"], n.w[name+".bias"]
	y := make([]float64, len(w)/len(x))
	copy(y, bias)
	for o := range y {
		for i, v := range x {
			y[o] += w[o*len(x)+i] * v
		}
	}
	return y
}

func (n *naive) normed(x [][]float64, name string) [][]float64 {
	w := n.w[name+".weight"]
	out := make([][]float64, len(x))
	for t, row := range x {
		var squares float64
		for _, v := range row {
			squares += v * v
		}
		for i, v := range row {
			out[t] = append(out[t], w[i]*v/math.Sqrt(squares/float64(len(row))+n.c.RMSNormEps))
		}
	}
	return out
}

func add(x, y []float64) {
	for i, v := range y {
		x[i] += v
	}
}

// A watcher sums up the gradient of a weight: G = Σ dyᵀ·x.
type watcher struct{ g simd.View }

func (w watcher) Forward(*simd.Pool, simd.View, simd.View)  {}
func (w watcher) Backward(p *simd.Pool, _, dy, x simd.View) { p.AddMul(w.g, dy.T(), x) }
func newWatcher(x Projection) watcher {
	return watcher{simd.Dense(make([]float32, x.Out*x.In), x.Out, x.In)}
}

func whole(ids []int32) Sequence {
	return Sequence{IDs: ids, Mask: slices.Repeat([]bool{true}, len(ids))}
}

func ids(n, vocabulary int, rng *rand.Rand) (list []int32) {
	for range n {
		list = append(list, int32(rng.IntN(vocabulary)))
	}
	return list
}

func TestToyFamilyMatchesTheTextbook(t *testing.T) {
	m, weights := toy(t)
	pool := simd.NewPool(2)
	defer pool.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	e, n := NewEngine(m, pool), newNaive(m.Config, weights)
	short, long := ids(5, m.Config.VocabSize, rng), ids(12, m.Config.VocabSize, rng)

	want := n.logits(long)
	got := e.Logits(long)
	text := new(Text)
	for at := range long {
		decoded := e.Extend([]Portion{{text, long[at : at+1], true}}).Row(0)
		for i, w := range want[at] {
			if !near(float64(got.Row(at)[i]), w, 2e-5) || !near(float64(decoded[i]), w, 2e-5) { // of values up to 5
				t.Fatalf("position %d, logit %d: %g at once, %g token by token, want %g", at, i, got.Row(at)[i], decoded[i], w)
			}
		}
	}

	watchers := make([]watcher, len(m.Linears()))
	adapters := make([]Adapter, len(m.Linears()))
	for i, l := range m.Linears() {
		watchers[i] = newWatcher(l.Projection)
		adapters[i] = watchers[i]
	}
	e.SetAdapters(adapters)
	for recompute := range m.Config.NumHiddenLayers {
		e.Layout.Recompute = recompute
		for _, w := range watchers {
			w.g.Clear()
		}
		losses := e.LossBackward([]Sequence{whole(short), whole(long)}, nil)
		if want := n.loss(short) + n.loss(long); !near(losses[0].Sum+losses[1].Sum, want, 1e-5*want) {
			t.Errorf("loss %g, want %g", losses[0].Sum+losses[1].Sum, want)
		}
		for i, l := range m.Linears() {
			slope(t, n, l.Name, watchers[i].g.Data, rng, short, long)
		}
	}
}

// near is false for NaN.
func near(got, want, bound float64) bool { return math.Abs(got-want) <= bound }

// slope compares a gradient with the two-sided difference along a random direction.
func slope(t *testing.T, n *naive, name string, g []float32, rng *rand.Rand, texts ...[]int32) {
	t.Helper()
	w := n.w[name+".weight"]
	before, u := slices.Clone(w), make([]float64, len(w))
	var along float64
	for i := range u {
		u[i] = rng.NormFloat64()
		along += u[i] * float64(g[i])
	}
	loss := func(eps float64) (sum float64) {
		for i := range w {
			w[i] = before[i] + eps*u[i]
		}
		for _, ids := range texts {
			sum += n.loss(ids)
		}
		return sum
	}
	const eps = 1e-4
	want := (loss(eps) - loss(-eps)) / (2 * eps)
	copy(w, before)
	if !near(along, want, 1e-4*(1+math.Abs(want))) {
		t.Errorf("%s: gradient along the direction %g, slope %g", name, along, want)
	}
}

// What a family does not say it understands is still refused.
func TestToyFamilyRefusesTheRest(t *testing.T) {
	for change, want := range map[string]string{
		`"no_rope_layers": [1]`:                             `no_rope_layers is [1], want [2]`,
		`"residual_multiplier": 0.5, "no_rope_layers": [2]`: `residual_multiplier is 0.5, want 1`,
	} {
		f, err := jsontree.ParseFields("config.json", strings.Replace(toyConfig, `"no_rope_layers": [2]`, change, 1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseConfig(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if !json.Valid([]byte(toyConfig)) {
		t.Error("the toy's configuration is no JSON")
	}
}
