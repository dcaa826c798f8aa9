package simd

// An isa is an instruction set with kernels of its own.
type isa uint8

const (
	generic isa = iota
	neon
	avx2
	avx512
)

func (i isa) String() string { return [...]string{"go", "neon", "avx2", "avx512"}[i] }

// active is what the kernels use: the best this CPU has. Only tests change it.
var active = best(available())

func best(list []isa) isa { return list[len(list)-1] }

// Kernels names the instruction set in use: avx512, avx2, neon or go.
func Kernels() string { return active.String() }
