package train

import (
	"math"
	"path/filepath"
	"testing"

	"example.com/finetune/simd"
	"example.com/finetune/train/recipe"
)

// A run in bf16 or int8 learns what one in f32 does, to some digits, has bits of its own
// that threads do not change, leaves an adapter that was verified, and is resumed in its
// own precision alone.
func TestRunInOtherPrecisions(t *testing.T) {
	for _, compute := range []simd.Compute{simd.ComputeBF16, simd.ComputeInt8} {
		t.Run(compute.String(), func(t *testing.T) {
			if err := compute.Supported(); err != nil {
				t.Skip(err)
			}
			o := newOffice(t)
			dir := t.TempDir()
			f32 := o.run(t, o.config(filepath.Join(dir, "f32")))
			c := o.config(filepath.Join(dir, "own"))
			c.Compute = recipe.Compute(compute)
			own := o.run(t, c)
			if d := math.Abs(own.Last - f32.Last); d == 0 || d > 0.02*f32.Last {
				t.Errorf("validation loss %g, %g in f32", own.Last, f32.Last)
			}
			o.threads = 1
			c.OutputDir = filepath.Join(dir, "again")
			o.run(t, c)
			sameFile(t, "one thread", filepath.Join(dir, "own"), c.OutputDir, "adapter_model.safetensors")
			c.Resume, c.Compute = true, recipe.Compute(simd.ComputeF32)
			c.OutputDir = filepath.Join(dir, "own")
			err := o.fails(t, c)
			expect(t, "another compute", err, "compute was "+compute.String()+" when this run started and is f32 now", "resume with --compute "+compute.String()+", or begin again with --overwrite")
		})
	}
}

func TestComputeOfOtherCPUs(t *testing.T) {
	c := recipe.Default()
	c.Model, c.Data, c.Compute = "m", "d", recipe.Compute(simd.ComputeBF16)
	_, err := c.Resolve()
	if simd.ComputeBF16.Supported() == nil {
		if err != nil {
			t.Error(err)
		}
		return
	}
	expect(t, "no bf16 here", err, "compute: avx512_bf16 or ARM's bf16 is missing", "--compute f32 runs everywhere")
}
