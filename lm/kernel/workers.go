package kernel

import (
	"sync"
	"sync/atomic"
)

// Workers runs items of work on several cores. Each item writes results of its own, so neither the number of workers nor who takes which
// item shows in them.
type Workers struct {
	cores   func() int
	size    int
	scratch []*Scratch
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
		w.scratch = append(w.scratch, new(Scratch))
	}
}

// Size returns the number of workers.
func (w *Workers) Size() int { return w.size }

// Each calls f for every item from 0 to items-1, each with the scratch of the worker that runs it, and returns when all are done. One worker
// runs them in order on the caller's goroutine.
func (w *Workers) Each(items int, f func(s *Scratch, item int)) {
	n := min(w.size, items)
	if n <= 1 {
		for i := range items {
			f(w.scratch[0], i)
		}
		return
	}
	var next atomic.Int64
	run := func(s *Scratch) {
		for i := int(next.Add(1)) - 1; i < items; i = int(next.Add(1)) - 1 {
			f(s, i)
		}
	}
	var done sync.WaitGroup
	for i := 1; i < n; i++ {
		done.Go(func() { run(w.scratch[i]) })
	}
	run(w.scratch[0])
	done.Wait()
}

// Chunks returns how many chunks of at most size elements n elements make, and Chunk the bounds of one of them.
func Chunks(n, size int) int { return (n + size - 1) / size }

// Chunk returns the bounds of the i-th chunk of at most size of n elements.
func Chunk(i, n, size int) (from, to int) { return i * size, min(n, (i+1)*size) }
