package train

import (
	"math"
	"path/filepath"
	"testing"

	"example.com/finetune/simd"
)

// A run in bf16 learns what one in f32 does, to some digits, has bits of its own that
// threads do not change, and leaves an adapter that was verified.
func TestRunInBF16(t *testing.T) {
	if err := simd.ComputeBF16.Supported(); err != nil {
		t.Skip(err)
	}
	o := newOffice(t)
	dir := t.TempDir()
	f32 := o.run(t, o.config(filepath.Join(dir, "f32")))
	c := o.config(filepath.Join(dir, "bf16"))
	c.Compute = "bf16"
	bf16 := o.run(t, c)
	if d := math.Abs(bf16.LastLoss - f32.LastLoss); d == 0 || d > 0.02*f32.LastLoss {
		t.Errorf("validation loss %g, %g in f32", bf16.LastLoss, f32.LastLoss)
	}
	o.threads = 1
	c.OutputDir = filepath.Join(dir, "again")
	o.run(t, c)
	sameFile(t, "one thread", filepath.Join(dir, "bf16"), c.OutputDir, "adapter_model.safetensors")
	c.Resume, c.Compute = true, "f32"
	c.OutputDir = filepath.Join(dir, "bf16")
	_, err := o.session(t, c).Run(t.Context())
	expect(t, "another compute", err, "compute was bf16 when this run started and is f32 now", "start with --compute bf16 to go on, or with --overwrite to begin again", false)
}

func TestComputeOfOtherCPUs(t *testing.T) {
	c := Default()
	c.Model, c.Data, c.Compute = "m", "d", "bf16"
	err := c.Validate()
	if simd.ComputeBF16.Supported() == nil {
		if err != nil {
			t.Error(err)
		}
		return
	}
	expect(t, "no bf16 here", err, "compute: avx512_bf16 is missing", "--compute f32 runs everywhere", true)
}
