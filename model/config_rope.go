package model

import (
	"math"
	"reflect"
	"slices"

	"example.com/finetune/internal/jsontree"
)

// ropeKeys are what a rope object of a type may hold besides its type, rope_theta and
// partial_rotary_factor.
var ropeKeys = map[string][]string{
	"default":  {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"},
	"linear":   {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"},
	"dynamic":  {"factor", "original_max_position_embeddings"},
	"llama3":   {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"},
	"yarn":     {"factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"},
	"longrope": {"factor", "original_max_position_embeddings", "attention_factor", "short_factor", "long_factor"},
}

// readRope reads rope_parameters (transformers 5), or rope_theta and rope_scaling
// (transformers 4). A file may hold both if they agree. usual is the family's θ.
func (c *Config) readRope(f *jsontree.Fields, usual float64) Rope {
	theta := f.Positive("rope_theta", 0)
	old, now := f.Nested("rope_scaling"), f.Nested("rope_parameters")
	r := Rope{Type: "default", Theta: theta}
	c.readPartial(&r, f, f)
	if now != nil {
		r = c.ropeFrom(f, now, theta, "default")
	}
	if old != nil && len(old.Keys()) > 0 { // transformers takes {} for none
		scaled := c.ropeFrom(f, old, theta, "")
		if now != nil && scaled.Theta == 0 {
			scaled.Theta = r.Theta
		}
		if now != nil && !reflect.DeepEqual(scaled, r) {
			f.Mistake("rope_scaling and rope_parameters contradict each other: %+v and %+v", scaled, r)
		}
		r = scaled
	}
	if r.Theta == 0 {
		r.Theta = usual
	}
	return r
}

// readRopes reads the ropes of layers without and with a window: rope_parameters has an
// object for each (transformers 5), or there are rope_theta with rope_scaling and
// rope_local_base_freq (transformers 4).
func (c *Config) readRopes(f *jsontree.Fields, usual, usualNear float64) (full, near Rope) {
	now := f.Nested("rope_parameters")
	if now == nil {
		full = c.readRope(f, usual)
		return full, Rope{Type: "default", Theta: f.Positive("rope_local_base_freq", usualNear)}
	}
	if f.Has("rope_scaling") {
		f.Wrong("rope_scaling", "none beside rope_parameters")
	}
	read := func(key string, usual float64) Rope {
		r := Rope{Type: "default"}
		if of := now.Nested(key); of != nil {
			r = c.ropeFrom(f, of, 0, "default")
		}
		if r.Theta == 0 {
			r.Theta = usual
		}
		return r
	}
	for _, k := range now.Keys() {
		if k != "full_attention" && k != "sliding_attention" {
			now.Wrong(k, "full_attention and sliding_attention alone")
		}
	}
	return read("full_attention", usual), read("sliding_attention", usualNear)
}

// ropeFrom reads one rope object of config.json; implied is its type where it does not
// say, "" where it must.
func (c *Config) ropeFrom(config, f *jsontree.Fields, theta float64, implied string) Rope {
	r := Rope{Type: f.Text("rope_type", f.Text("type", implied)), Theta: f.Positive("rope_theta", theta)}
	if t := f.Text("type", r.Type); t != r.Type {
		f.Wrong("type", "the same as rope_type")
	}
	if r.Type == "su" { // its name in the first configurations
		r.Type = "longrope"
	}
	keys, ok := ropeKeys[r.Type]
	if !ok {
		f.Mistake("the rope type is %q, want one of default, dynamic, linear, llama3, longrope, yarn", r.Type)
		return r
	}
	for _, k := range f.Keys() {
		if !slices.Contains(keys, k) && !slices.Contains([]string{"rope_type", "type", "rope_theta", "partial_rotary_factor"}, k) {
			f.Wrong(k, "no such key")
		}
	}
	if theta != 0 && r.Theta != theta {
		f.Mistake("rope_theta is %v, and another one is %v: want one", theta, r.Theta)
	}
	c.readPartial(&r, config, f)
	switch r.Type {
	case "linear":
		f.Need("factor")
		r.Factor = f.Positive("factor", 1)
	case "dynamic":
		f.Need("factor")
		r.Factor = f.Positive("factor", 1)
		r.OriginalMaxPositionEmbeddings = c.MaxPositionEmbeddings
		if n := r.dim(c.HeadDim); n < 4 {
			f.Mistake("a rope of type dynamic rotates %d values of a head, want at least 4", n)
		}
	case "llama3":
		r.readLlama3(f)
	case "yarn":
		r.OriginalMaxPositionEmbeddings = c.originalPositions(config, f)
		r.readYarn(f)
	case "longrope":
		r.OriginalMaxPositionEmbeddings = c.originalPositions(config, f)
		c.readLongRope(&r, f)
	}
	return r
}

// readPartial reads which part of a head is rotated; the rope object has precedence.
func (c *Config) readPartial(r *Rope, config, f *jsontree.Fields) {
	part := f.Float("partial_rotary_factor", config.Float("partial_rotary_factor", 1))
	if !(part > 0 && part <= 1) {
		f.Wrong("partial_rotary_factor", "a number above 0, at most 1")
	} else if part < 1 {
		r.Partial = part
	}
	if n := r.dim(c.HeadDim); r.Partial != 0 && (n < 2 || n%2 != 0) {
		f.Mistake("partial_rotary_factor %v leaves %d of %d values of a head to rotate, want an even number", part, n, c.HeadDim)
	}
}

// originalPositions reads the positions that a model was made for before they were
// stretched: in config.json itself (phi3), else in the rope object.
func (c *Config) originalPositions(config, f *jsontree.Fields) int {
	n := f.Int("original_max_position_embeddings", c.MaxPositionEmbeddings, 2, maxPosition)
	return config.Int("original_max_position_embeddings", n, 2, maxPosition)
}

func (r *Rope) readLlama3(f *jsontree.Fields) {
	f.Need("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
	r.Factor = f.Positive("factor", 1)
	r.LowFreqFactor = f.Positive("low_freq_factor", 1)
	r.HighFreqFactor = f.Positive("high_freq_factor", 2)
	r.OriginalMaxPositionEmbeddings = f.Int("original_max_position_embeddings", 1, 1, maxPosition)
	if !(r.LowFreqFactor < r.HighFreqFactor) {
		f.Wrong("high_freq_factor", "more than low_freq_factor")
	}
}

// readYarn follows _compute_yarn_parameters in what is left out: β of 32 and 1, and an
// attention factor of 1 + ln(factor)/10, or of that of mscale over that of mscale_all_dim.
func (r *Rope) readYarn(f *jsontree.Fields) {
	f.Need("factor")
	r.Factor = f.Positive("factor", 1)
	r.BetaFast, r.BetaSlow = f.Positive("beta_fast", 32), f.Positive("beta_slow", 1)
	r.Whole = f.Bool("truncate", true)
	scale := func(m float64) float64 {
		if r.Factor <= 1 {
			return 1
		}
		return float64(0.1*m*math.Log(r.Factor)) + 1
	}
	r.AttentionFactor = scale(1)
	if m, all := f.Float("mscale", 0), f.Float("mscale_all_dim", 0); m != 0 && all != 0 {
		r.AttentionFactor = scale(m) / scale(all)
	}
	r.AttentionFactor = f.Positive("attention_factor", r.AttentionFactor)
}

// readLongRope follows _compute_longrope_parameters: factors of each frequency, for
// sequences of up to the original positions and for longer ones.
func (c *Config) readLongRope(r *Rope, f *jsontree.Fields) {
	f.Need("short_factor", "long_factor")
	n := r.dim(c.HeadDim) / 2
	r.Long = &LongRope{}
	factors := func(key string) []float64 {
		list := f.Numbers(key)
		if f.Has(key) && len(list) != n {
			f.Mistake("%s has %d numbers, want %d: one for each pair of the rotated values of a head", key, len(list), n)
		}
		if slices.ContainsFunc(list, func(x float64) bool { return !(x > 0) }) {
			f.Wrong(key, "numbers above 0")
		}
		return list
	}
	r.Long.Short, r.Long.Long = factors("short_factor"), factors("long_factor")
	original := float64(r.OriginalMaxPositionEmbeddings)
	r.Factor, r.AttentionFactor = f.Positive("factor", float64(c.MaxPositionEmbeddings)/original), 1
	if r.Factor > 1 {
		r.AttentionFactor = math.Sqrt(1 + math.Log(r.Factor)/math.Log(original))
	}
	r.AttentionFactor = f.Positive("attention_factor", r.AttentionFactor)
}
