package simd

import "testing"

// forEachImpl runs f once for every implementation this CPU has, with active
// set to it. Such tests must not run in parallel with each other.
func forEachImpl(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	old := active
	defer func() { active = old }()
	for _, impl := range available() {
		active = impl
		t.Run(impl.String(), f)
	}
}

// benchEachImpl is forEachImpl for benchmarks, best first.
func benchEachImpl(b *testing.B, f func(b *testing.B)) {
	b.Helper()
	old := active
	defer func() { active = old }()
	list := available()
	for i := len(list) - 1; i >= 0; i-- {
		active = list[i]
		b.Run(active.String(), f)
	}
}
