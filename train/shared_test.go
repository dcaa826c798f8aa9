package train

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"example.com/finetune/model"
)

// A run over rows with one instruction, and a second one in half of them, has the same bits
// after an interruption, with any threads and any layout.
func TestSharedInstructionResumes(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var rows strings.Builder
	for i := range 27 {
		fmt.Fprintf(&rows, `{"prompt": "%s%s%d", "completion": "%s"}`+"\n", strings.Repeat("say the word, ", 2), strings.Repeat("ab", 12*(i%2)), i, strings.Repeat("the ", 1+i%5))
	}
	put(t, filepath.Join(o.data, "train.jsonl"), rows.String())
	dir := t.TempDir()
	config := o.config(filepath.Join(dir, "whole"))
	config.MaxLength = 128
	whole := config.OutputDir
	s := o.session(t, config)
	if p := s.Plan; p.Shared < 20 || p.Computed > p.Tokens*4/5 {
		t.Fatalf("%d of %d tokens computed, %d shared at most: too little for this test", p.Computed, p.Tokens, p.Shared)
	}
	finishing(t, s, Finished)
	for name, layout := range map[string]model.Layout{
		"small":      {MicroBatch: 16, Logits: 3},
		"recomputed": {MicroBatch: 90, Logits: 32, Recompute: 1},
	} {
		o.threads, o.layout = 3, layout
		config.OutputDir = filepath.Join(dir, name)
		config.Resume = false
		o.interrupt(t, config, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 5 })
		config.Resume = true
		o.run(t, config)
		sameFile(t, name, whole, config.OutputDir, "adapter_model.safetensors")
		sameFile(t, name, whole, config.OutputDir, "heldout.jsonl")
	}
}
