package duplicates

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// Texts up to wholeBytes are copied and worked on side by side, batchBytes and batchJobs of them at a time, while the next
// such batch is read. Longer ones, of which memory need not hold one, are worked on where they are read.
const (
	wholeBytes = 1 << 20
	batchBytes = 8 << 20
	batchJobs  = 1 << 14
)

// job is a text with what comes of it.
type job[T any] struct {
	document uint32
	from, to int  // of the batch's text
	worked   bool // already
	result   T
	err      error
}

// batch is texts to be worked on together.
type batch[T any] struct {
	text []byte
	jobs []job[T]
	size int64 // of their texts
	done sync.WaitGroup
}

// each works on all documents wanted, as many at a time as there are cores, and hands what comes of them to take, in the
// order of documents. A worker is used by one at a time.
func each[T any](f *finder, wanted func(document uint32) bool, worker func() func(io.Reader) (T, error), take func(document uint32, result T) error) error {
	here := worker()
	var workers []func(io.Reader) (T, error)
	filling, working := &batch[T]{}, &batch[T]{}
	defer func() { working.done.Wait() }()
	// turn starts work on the batch that is filled when the other is done, and takes what came of that.
	turn := func() error {
		working.done.Wait()
		filling, working = working, filling
		cores := max(1, f.Cores())
		for len(workers) < cores {
			workers = append(workers, worker())
		}
		working.start(workers[:cores])
		for _, j := range filling.jobs {
			if j.err != nil {
				return j.err
			}
			if err := take(j.document, j.result); err != nil {
				return err
			}
		}
		filling.clear()
		return context.Cause(f.ctx)
	}
	document := uint32(0)
	for text, err := range f.docs {
		if err != nil {
			return err
		}
		if document == math.MaxUint32 {
			return errors.New("there are more documents than can be told apart, 4294967295")
		}
		if wanted(document) {
			if err := filling.add(f.ctx, document, text, here); err != nil {
				return err
			}
			if filling.size >= batchBytes || len(filling.jobs) == batchJobs {
				if err := turn(); err != nil {
					return err
				}
			}
		}
		document++
	}
	for range 2 {
		if err := turn(); err != nil {
			return err
		}
	}
	return nil
}

// add adds a text, worked on here and now where it is long.
func (b *batch[T]) add(ctx context.Context, document uint32, text *io.SectionReader, here func(io.Reader) (T, error)) (err error) {
	j := job[T]{document: document}
	r := interruptible{ctx, text}
	if n := text.Size(); n > wholeBytes {
		j.result, err = here(r)
		j.worked = true
	} else {
		j.from, j.to = len(b.text), len(b.text)+int(n)
		b.text = slices.Grow(b.text, int(n))[:j.to]
		_, err = io.ReadFull(r, b.text[j.from:])
	}
	b.jobs = append(b.jobs, j)
	b.size += text.Size()
	return err
}

// start works on the texts that wait for it, a worker a goroutine.
func (b *batch[T]) start(workers []func(io.Reader) (T, error)) {
	var next atomic.Int64
	for _, work := range workers {
		b.done.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(b.jobs)); i = next.Add(1) - 1 {
				if j := &b.jobs[i]; !j.worked {
					j.result, j.err = work(bytes.NewReader(b.text[j.from:j.to]))
				}
			}
		})
	}
}

func (b *batch[T]) clear() {
	clear(b.jobs)
	b.text, b.jobs, b.size = b.text[:0], b.jobs[:0], 0
}

// interruptible is a reader that ends with its context.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	return i.r.Read(p)
}
