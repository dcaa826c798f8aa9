package train

import (
	"math"
	"path/filepath"
	"testing"

	"example.com/finetune/simd"
	"example.com/finetune/train/recipe"
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
	c.Compute = recipe.Compute(simd.ComputeBF16)
	bf16 := o.run(t, c)
	if d := math.Abs(bf16.Last - f32.Last); d == 0 || d > 0.02*f32.Last {
		t.Errorf("validation loss %g, %g in f32", bf16.Last, f32.Last)
	}
	o.threads = 1
	c.OutputDir = filepath.Join(dir, "again")
	o.run(t, c)
	sameFile(t, "one thread", filepath.Join(dir, "bf16"), c.OutputDir, "adapter_model.safetensors")
	c.Resume, c.Compute = true, recipe.Compute(simd.ComputeF32)
	c.OutputDir = filepath.Join(dir, "bf16")
	err := o.fails(t, c)
	expect(t, "another compute", err, "compute was bf16 when this run started and is f32 now", "resume with --compute bf16, or begin again with --overwrite")
}

// A run in int8 learns what one in f32 does, to fewer digits, has bits of its own that
// threads do not change, and goes on in int8 alone.
func TestRunInInt8(t *testing.T) {
	if err := simd.ComputeInt8.Supported(); err != nil {
		t.Skip(err)
	}
	o := newOffice(t)
	dir := t.TempDir()
	f32 := o.run(t, o.config(filepath.Join(dir, "f32")))
	c := o.config(filepath.Join(dir, "int8"))
	c.Compute = recipe.Compute(simd.ComputeInt8)
	got := o.run(t, c)
	if d := math.Abs(got.Last - f32.Last); d == 0 || d > 0.02*f32.Last {
		t.Errorf("validation loss %g, %g in f32", got.Last, f32.Last)
	}
	o.threads = 1
	c.OutputDir = filepath.Join(dir, "again")
	o.run(t, c)
	sameFile(t, "one thread", filepath.Join(dir, "int8"), c.OutputDir, "adapter_model.safetensors")
	c.Resume, c.Compute = true, recipe.Compute(simd.ComputeF32)
	c.OutputDir = filepath.Join(dir, "int8")
	err := o.fails(t, c)
	expect(t, "another compute", err, "compute was int8 when this run started and is f32 now", "resume with --compute int8, or begin again with --overwrite")
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
	expect(t, "no bf16 here", err, "compute: avx512_bf16 is missing", "--compute f32 runs everywhere")
}
