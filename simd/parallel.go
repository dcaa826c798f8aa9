package simd

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// A Pool is a fixed set of workers. All computing goroutines of the program are
// started here; a Pool is used by one caller at a time.
type Pool struct {
	threads int
	compute Compute
	calls   []chan struct{} // one for each worker but the caller, which is worker 0
	scratch [][]float32     // packing buffers, one for each worker
	job     *job            // the running one
	product *product        // the running one

	// p.views and p.weights, bound once so that a product allocates nothing.
	viewsTask, weightsTask, quantizeTask func(worker, task int)
}

// A job is n tasks, handed out by the counter next. A worker that was called joins it
// while it is open. The worker may wake up too late to join: nobody waits for it.
type job struct {
	n     int64
	f     func(worker, task int)
	polls int // how often a wait looks before it sleeps
	next  atomic.Int64
	fail  atomic.Pointer[any] // the first panic of a worker, raised again by the caller
	state atomic.Int64        // the workers inside, plus shut while the job is not open
	left  chan struct{}       // signals that the last worker has left a job that is shut
}

// shut makes state negative, however many workers are inside.
const shut = -1 << 32

// patience is how often a wait looks before it sleeps, about 120 µs. With 30 a step of
// SmolLM2 took 3 % longer, on two threads of a virtual machine, where waking up is slow.
const patience = 1 << 15

// NewPool starts a pool of the given number of threads, or one per processor
// when it is 0 or less. Close ends it.
func NewPool(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{
		threads: threads,
		calls:   make([]chan struct{}, threads-1),
		scratch: make([][]float32, threads),
		job:     &job{left: make(chan struct{}, 1)},
		product: new(product),
	}
	if threads <= runtime.GOMAXPROCS(0) {
		p.job.polls = patience // else it would take the processor from a worker
	}
	p.job.state.Store(shut)
	p.viewsTask, p.weightsTask = p.views, p.weights
	p.quantizeTask = p.quantize
	for i := range p.calls {
		p.calls[i] = make(chan struct{}, 1)
		go p.serve(i+1, p.calls[i])
	}
	return p
}

// serve helps with jobs, as this worker, until calls is closed.
func (p *Pool) serve(worker int, calls chan struct{}) {
	debug.SetPanicOnFault(true) // a weight file cut short under its map
	for called(calls, p.job.polls) {
		p.job.help(worker)
	}
}

// called waits for a call. It returns false when there will be none.
func called(calls chan struct{}, polls int) bool {
	for range polls {
		select {
		case _, ok := <-calls:
			return ok
		default:
		}
	}
	_, ok := <-calls
	return ok
}

// Threads returns the number of workers.
func (p *Pool) Threads() int { return p.threads }

// Close ends the workers. The pool must be idle.
func (p *Pool) Close() {
	for _, c := range p.calls {
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
	j := p.job
	j.n, j.f = int64(n), f
	j.next.Store(0)
	j.fail.Store(nil)
	j.state.Add(-shut)
	for _, c := range p.calls[:min(len(p.calls), n-1)] {
		select {
		case c <- struct{}{}:
		default: // an earlier call has not been heard yet
		}
	}
	j.work(0)
	j.end()
	j.f = nil
	if v := j.fail.Load(); v != nil {
		panic(*v)
	}
}

// end shuts the job and waits for the workers inside.
func (j *job) end() {
	j.state.Add(shut)
	for i := 0; i < j.polls && j.state.Load() != shut; i++ {
	}
	for j.state.Load() != shut {
		<-j.left
	}
}

// help joins the job if it is open, and leaves it when no task is left.
func (j *job) help(worker int) {
	if j.state.Add(1) > 0 {
		j.work(worker)
	}
	if j.state.Add(-1) == shut {
		select {
		case j.left <- struct{}{}:
		default:
		}
	}
}

// work runs tasks until none is left or one has failed.
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
