package kernel

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Workers runs items of work on several cores. Each item writes results of its own, so neither the number of workers nor who takes which
// item shows in them.
type Workers struct {
	cores   func() int
	size    int
	scratch []*Scratch
	starts  []func() // what each worker runs, made once so that a call of Each allocates nothing

	work     func(s *Scratch, item int)
	items    int64
	next     atomic.Int64
	busy     sync.WaitGroup
	panicked atomic.Pointer[string]
}

// NewWorkers returns workers whose number cores tells (nil: always one).
func NewWorkers(cores func() int) *Workers {
	w := &Workers{cores: cores}
	w.Resize()
	return w
}

// Resize asks for the number of cores again: to be called between steps. Less than one counts as one.
func (w *Workers) Resize() {
	w.size = 1
	if w.cores != nil {
		w.size = max(1, w.cores())
	}
	for len(w.scratch) < w.size {
		s := new(Scratch)
		w.scratch = append(w.scratch, s)
		w.starts = append(w.starts, func() {
			w.take(s)
			w.busy.Done()
		})
	}
}

// Size returns the number of workers.
func (w *Workers) Size() int { return w.size }

// Each calls f for every item from 0 to items-1, each with the scratch of the worker that runs it, and returns when all are done. One worker
// runs them in order on the caller's goroutine. f does not call Each. A panic of f is the caller's, whoever ran it: the items that were not begun
// are left undone, and the text of what is raised ends with the stack of f.
func (w *Workers) Each(items int, f func(s *Scratch, item int)) {
	n := min(w.size, items)
	if n <= 1 {
		for i := range items {
			f(w.scratch[0], i)
		}
		return
	}
	w.work, w.items = f, int64(items)
	w.next.Store(0)
	w.busy.Add(n - 1)
	for _, start := range w.starts[1:n] {
		go start()
	}
	w.take(w.scratch[0])
	w.busy.Wait()
	w.work = nil
	if text := w.panicked.Swap(nil); text != nil {
		panic(*text)
	}
}

// take runs items until none is left, or one panics.
func (w *Workers) take(s *Scratch) {
	defer func() {
		if p := recover(); p != nil { // which in a goroutine of its own would end the program
			w.next.Store(w.items)
			text := fmt.Sprintf("%v\n\n%s", p, debug.Stack())
			w.panicked.Store(&text)
		}
	}()
	for i := w.next.Add(1) - 1; i < w.items; i = w.next.Add(1) - 1 {
		w.work(s, int(i))
	}
}

// Chunks returns how many chunks of at most size elements n elements make, and Chunk the bounds of one of them.
func Chunks(n, size int) int { return (n + size - 1) / size }

// Chunk returns the bounds of the i-th chunk of at most size of n elements.
func Chunk(i, n, size int) (from, to int) { return i * size, min(n, (i+1)*size) }
