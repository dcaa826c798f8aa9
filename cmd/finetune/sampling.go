package main

import (
	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/train/recipe"
)

// samplerFlags say how the next token is chosen.
type samplerFlags struct {
	Temperature float64 `placeholder:"T" aliases:"temp" default:"0" help:"0 takes the likeliest token; 1 draws from the model's own probabilities (default ${default})."`
	TopP        float64 `placeholder:"P" default:"1" help:"Draw from the likeliest tokens that hold this probability (default ${default})."`
	TopK        int     `placeholder:"K" default:"0" help:"Draw from the K likeliest tokens (0: all)."`
	Seed        uint64  `placeholder:"N" default:"${seed}" help:"Seed of the draws (default ${default})."`
}

func (f *samplerFlags) sampler() *model.Sampler {
	return &model.Sampler{Temperature: f.Temperature, TopP: f.TopP, TopK: f.TopK, Seed: f.Seed}
}

// check looks at the flags alone.
func (f *samplerFlags) check() error {
	switch {
	case !(f.Temperature >= 0 && f.Temperature < 100): // NaN is neither
		return hint.Usagef("--temperature is %v, want a number from 0 to 100", f.Temperature)
	case !(f.TopP > 0 && f.TopP <= 1):
		return hint.Usagef("--top-p is %v, want more than 0 and at most 1", f.TopP)
	case f.TopK < 0:
		return hint.Usagef("--top-k is %d, want a count, or 0 for all", f.TopK)
	}
	return nil
}

// warn says which flags do nothing.
func (f *samplerFlags) warn(u *ui) {
	if f.Temperature == 0 && (f.TopP != 1 || f.TopK != 0 || f.Seed != recipe.Default().Seed) {
		u.warnf("temperature is 0, which takes the likeliest token whatever --top-p, --top-k and --seed are: --temperature 1 draws")
	}
}

// checkMaxTokens looks at the length of an answer.
func checkMaxTokens(n int) error {
	if n < 1 {
		return hint.Usagef("--max-tokens is %d, want at least 1", n)
	}
	return nil
}
