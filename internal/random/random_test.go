package random

import (
	"math"
	"slices"
	"testing"
)

// The numbers of these tests were made by the three generators that this package
// replaced (of the order of rows, of the adapters' start and of sampling): runs begun
// with them go on with these.

func TestForStepKeepsItsBits(t *testing.T) {
	s := ForStep(42, "order", 3)
	for _, want := range []uint64{0xbf96bb1adbf94bf2, 0x8a32bba8627d519e, 0xcde98ace3e3ad17d} {
		if got := s.Uint64(); got != want {
			t.Errorf("got %#x, want %#x", got, want)
		}
	}
	if got := ForStep(0, "", -1).Uint64(); got != 0xe46e87da62885b26 {
		t.Errorf("got %#x", got)
	}
	want := []int{13, 1, 19, 6, 15, 14, 3, 17, 7, 2, 0, 16, 12, 10, 5, 4, 8, 9, 11, 18}
	if got := ForStep(42, "order", 1).Permutation(20); !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestForNamesKeepsItsBits(t *testing.T) {
	s := ForNames(42, "lora_A", "model.layers.0.self_attn.q_proj")
	for _, want := range []uint64{0xef619c05935fe1e6, 0x9a191404c81ccbd9, 0x4c798c0c0fb45e63} {
		if got := s.Uint64(); got != want {
			t.Errorf("got %#x, want %#x", got, want)
		}
	}
	if got := math.Float64bits(s.Float64()); got != 0x3f8d55fe527da6c0 {
		t.Errorf("Float64 is %#x", got)
	}
	for want, s := range map[uint64]*Stream{
		0xba7f4c8bc063a13d: ForNames(1<<63 + 7),
		0xa1aa63070226adab: ForNames(0, "a", "b"),
		0xf7d5ede9f95ed2a1: ForNames(0, "ab", ""),
	} {
		if got := s.Uint64(); got != want {
			t.Errorf("got %#x, want %#x", got, want)
		}
	}
	const want = "+----+-++-+---++++-+++++---++-+-++-+-+++++-++------+-++-+-++--++---+++"
	x := make([]float32, len(want))
	ForNames(7, "sketch", "x").Signs(x)
	for i, v := range x {
		if sign := map[byte]float32{'+': 1, '-': -1}[want[i]]; v != sign {
			t.Errorf("sign %d is %v, want %v", i, v, sign)
		}
	}
}

func TestAtKeepsItsBits(t *testing.T) {
	for n, want := range []uint64{0x3fe4eb3d44fa8e4e, 0x3fe7bae644c5fd6d, 0x3fc477f199d93378, 0x3fd1d499d5c4c3e6} {
		if got := math.Float64bits(Unit(At(42, uint64(n)))); got != want {
			t.Errorf("number %d is %#x, want %#x", n, got, want)
		}
	}
	if top := Unit(math.MaxUint64); !(top < 1) {
		t.Errorf("the largest value is %v, want less than 1", top)
	}
}

// TestBelowDrawsAgain: of 2⁶⁴ values only those below 3·(2⁶²+1) are taken, three of
// four; fifteen draws gave these ten.
func TestBelowDrawsAgain(t *testing.T) {
	s := ForStep(9, "evaluation", 0)
	for i, want := range []int{
		1902274859652018531, 428517880099967724, 3808844047148406230, 2731927139485829440, 2364419971317649544,
		2877311161739953733, 4085643789653667333, 3592940214131910391, 585322312104217725, 3755857630502702506,
	} {
		if got := s.Below(1<<62 + 1); got != want {
			t.Errorf("value %d is %d, want %d", i, got, want)
		}
	}
	if s.n != 15 {
		t.Errorf("%d draws, want 15: five were not taken", s.n)
	}
}
