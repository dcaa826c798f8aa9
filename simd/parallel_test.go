package simd

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func TestRunEachTaskOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		p := NewPool(threads)
		if p.Threads() != threads {
			t.Errorf("Threads() = %d, want %d", p.Threads(), threads)
		}
		for _, n := range []int{0, 1, 2, 4, 5, 1000} {
			counts := make([]atomic.Int32, n)
			busy := make([]atomic.Bool, threads)
			p.Run(n, func(worker, task int) {
				if busy[worker].Swap(true) {
					t.Errorf("worker %d runs two tasks at once", worker)
				}
				counts[task].Add(1)
				busy[worker].Store(false)
			})
			for i := range counts {
				if c := counts[i].Load(); c != 1 {
					t.Fatalf("threads=%d n=%d: task %d ran %d times", threads, n, i, c)
				}
			}
		}
		p.Close()
	}
}

func TestRange(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	for _, n := range []int{0, 1, 15, 16, 17, 100} {
		seen := make([]atomic.Int32, n)
		p.Range(n, 16, func(_, lo, hi int) {
			if lo%16 != 0 || hi-lo != min(16, n-lo) {
				t.Errorf("n=%d: range [%d,%d)", n, lo, hi)
			}
			for i := lo; i < hi; i++ {
				seen[i].Add(1)
			}
		})
		for i := range seen {
			if seen[i].Load() != 1 {
				t.Errorf("n=%d: element %d seen %d times", n, i, seen[i].Load())
			}
		}
	}
}

// TestPanicReachesCaller: a task's panic is the caller's, and the pool goes on.
func TestPanicReachesCaller(t *testing.T) {
	for _, threads := range []int{1, 4} {
		p := NewPool(threads)
		for _, bad := range []int{0, 50, 99} {
			func() {
				defer func() {
					if v := recover(); fmt.Sprint(v) != fmt.Sprint("task ", bad) {
						t.Errorf("threads=%d: recovered %v, want task %d", threads, v, bad)
					}
				}()
				p.Run(100, func(_, task int) {
					if task == bad {
						panic(fmt.Sprint("task ", bad))
					}
				})
				t.Errorf("threads=%d: no panic", threads)
			}()
		}
		var n atomic.Int32
		p.Run(10, func(_, _ int) { n.Add(1) })
		if n.Load() != 10 {
			t.Errorf("threads=%d: %d of 10 tasks after a panic", threads, n.Load())
		}
		p.Close()
	}
}

func TestPoolDefaultAndClose(t *testing.T) {
	before := runtime.NumGoroutine()
	p := NewPool(0)
	if p.Threads() != runtime.GOMAXPROCS(0) {
		t.Errorf("Threads() = %d, want %d", p.Threads(), runtime.GOMAXPROCS(0))
	}
	p.Close()
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before the pool", runtime.NumGoroutine(), before)
}

// TestLateWorker: a worker that wakes up when the tasks are done joins no job, or
// the next, and disturbs neither.
func TestLateWorker(t *testing.T) {
	p := NewPool(4)
	defer p.Close()
	for round := range 20_000 {
		n := 2 + round%3
		var sum atomic.Int64
		p.Run(n, func(_, task int) { sum.Add(1 << (8 * task)) })
		if want := int64(0x01010101 & (1<<(8*n) - 1)); sum.Load() != want {
			t.Fatalf("round %d: tasks %#x, want %#x", round, sum.Load(), want)
		}
		if p.job.next.Load() < int64(n) {
			t.Fatalf("round %d: %d of %d tasks taken", round, p.job.next.Load(), n)
		}
	}
	for range 100 {
		p.job.help(1) // a call that nothing is left of
	}
	if s := p.job.state.Load(); s != shut {
		t.Errorf("state %d after all have left, want %d", s, int64(shut))
	}
}

// BenchmarkRun is the price of a Run whose tasks do nothing, soon after another
// and after a pause in which the workers fall asleep.
func BenchmarkRun(b *testing.B) {
	p := NewPool(2)
	defer p.Close()
	for _, pause := range []time.Duration{0, time.Millisecond} {
		b.Run(fmt.Sprintf("pause=%v", pause), func(b *testing.B) {
			var sum time.Duration
			for b.Loop() {
				time.Sleep(pause)
				start := time.Now()
				p.Run(2, func(_, _ int) {})
				sum += time.Since(start)
			}
			b.ReportMetric(float64(sum.Nanoseconds())/float64(b.N), "ns/run")
		})
	}
}
