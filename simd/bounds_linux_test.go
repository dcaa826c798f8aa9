package simd

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"unsafe"
)

// fenced returns n bytes between pages that must not be touched, at their end or
// at their start.
func fenced(t *testing.T, n int, atEnd bool) []byte {
	t.Helper()
	page := syscall.Getpagesize()
	inner := (n + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(m); err != nil {
			t.Error(err)
		}
	})
	for _, fence := range [][]byte{m[:page], m[page+inner:]} {
		if err := syscall.Mprotect(fence, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	at := page
	if atEnd {
		at = page + inner - n
	}
	return m[at : at+n : at+n]
}

func fencedFloats(t *testing.T, n int, atEnd bool) []float32 {
	t.Helper()
	b := fenced(t, 4*max(n, 1), atEnd)
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), n)
}

// TestProductsStayInside multiplies operands that end, or begin, at pages that
// fault: no load or store, of a tail or of what comes next, leaves its slice.
func TestProductsStayInside(t *testing.T) {
	forEachPairs(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(21, 22))
		p := NewPool(1)
		defer p.Close()
		for _, s := range []productSize{{1, 1, 1}, {13, 7, 5}, {14, 8, 64}, {9, 17, 66}, {30, 31, 33}, {3, 41, 70}, {5, 33, 257}, {1, 32, 16}, {2, 64, 8}, {3, 40, 40}} {
			for _, atEnd := range []bool{false, true} {
				t.Run(fmt.Sprintf("%+v end=%v", s, atEnd), func(t *testing.T) {
					a, b, c := fencedFloats(t, s.m*s.k, atEnd), fencedFloats(t, s.k*s.n, atEnd), fencedFloats(t, s.m*s.n, atEnd)
					Mul(Dense(c, s.m, s.n), Dense(a, s.m, s.k), Dense(b, s.k, s.n))
					AddMul(Dense(c, s.m, s.n), Dense(a, s.k, s.m).T(), Dense(b, s.k, s.n))
					for _, d := range dtypes {
						w := randomMatrix(rng, d, s.n, s.k)
						data := fenced(t, len(w.Data), atEnd)
						copy(data, w.Data)
						w.Data = data
						for _, p := range []*Pool{p, p.With(ComputeBF16)} {
							p.MulNT(Dense(c, s.m, s.n), Dense(a, s.m, s.k), w)
							p.MulNN(Dense(a, s.m, s.k), Dense(c, s.m, s.n), w)
						}
					}
				})
			}
		}
	})
}

// TestVectorsStayInside runs the functions on operands that end, or begin, at
// pages that fault.
func TestVectorsStayInside(t *testing.T) {
	forEachImpl(t, func(t *testing.T) {
		for _, f := range vecFuncs {
			for _, n := range []int{1, 3, 7, 15, 16, 17, 31, 64, 83, 200} {
				for _, atEnd := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s n=%d end=%v", f.name, n, atEnd), func(t *testing.T) {
						x := make([][]float32, f.args)
						for k := range x {
							x[k] = fencedFloats(t, n, atEnd)
						}
						f.run(x)
					})
				}
			}
		}
	})
}
