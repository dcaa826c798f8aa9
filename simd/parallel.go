package simd

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// A Pool is a fixed set of workers. All computing goroutines of the program are
// started here; a Pool is used by one caller at a time.
type Pool struct {
	threads int
	jobs    []chan *job // one for each worker but the caller, which is worker 0
	scratch [][]float32 // packing buffers, one for each worker
	job     job         // the running one
	product product     // the running one

	// p.views and p.weights, bound once so that a product allocates nothing.
	viewsTask, weightsTask func(worker, task int)
}

// A job is n tasks, taken in turn from next.
type job struct {
	n    int64
	next atomic.Int64
	f    func(worker, task int)
	done sync.WaitGroup
	fail atomic.Pointer[any] // the first panic of a worker, raised again by the caller
}

// NewPool starts a pool of the given number of threads, or one per processor
// when it is 0 or less. Close ends it.
func NewPool(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads, jobs: make([]chan *job, threads-1), scratch: make([][]float32, threads)}
	p.viewsTask, p.weightsTask = p.views, p.weights
	for i := range p.jobs {
		p.jobs[i] = make(chan *job, 1)
		go func() {
			debug.SetPanicOnFault(true) // a weight file cut short under its map
			for j := range p.jobs[i] {
				j.work(i + 1)
				j.done.Done()
			}
		}()
	}
	return p
}

// Threads returns the number of workers.
func (p *Pool) Threads() int { return p.threads }

// Close ends the workers. The pool must be idle.
func (p *Pool) Close() {
	for _, c := range p.jobs {
		close(c)
	}
}

// Run calls f once for each task in [0,n) and returns when all are done. Tasks
// are handed out in ascending order; worker, in [0,Threads()), is the caller of
// f and names scratch memory that f may use. f must not call Run.
func (p *Pool) Run(n int, f func(worker, task int)) {
	if p.threads == 1 || n <= 1 {
		for i := range n {
			f(0, i)
		}
		return
	}
	j := &p.job
	j.n, j.f = int64(n), f
	j.next.Store(0)
	j.fail.Store(nil)
	helpers := p.jobs[:min(len(p.jobs), n-1)]
	j.done.Add(len(helpers))
	for _, c := range helpers {
		c <- j
	}
	j.work(0)
	j.done.Wait()
	j.f = nil
	if v := j.fail.Load(); v != nil {
		panic(*v)
	}
}

func (j *job) work(worker int) {
	defer func() {
		if v := recover(); v != nil {
			j.failed(v)
		}
	}()
	for {
		i := j.next.Add(1) - 1
		if i >= j.n || j.fail.Load() != nil {
			return
		}
		j.f(worker, int(i))
	}
}

// failed keeps the first panic.
func (j *job) failed(v any) { j.fail.CompareAndSwap(nil, &v) }

// Range calls f for consecutive ranges [lo,hi) of [0,n), each of grain elements
// but the last.
func (p *Pool) Range(n, grain int, f func(worker, lo, hi int)) {
	p.Run((n+grain-1)/grain, func(worker, task int) {
		f(worker, task*grain, min(n, (task+1)*grain))
	})
}

// buffer returns n values of a worker's scratch memory, kept for the next task.
func (p *Pool) buffer(worker, n int) []float32 {
	if len(p.scratch[worker]) < n {
		p.scratch[worker] = make([]float32, n)
	}
	return p.scratch[worker][:n]
}
