package bpe

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"sync"
	"sync/atomic"
)

const (
	// maxDistinct bounds the distinct pieces, in bytes and one more for each: Train then takes 10 GB.
	maxDistinct = 1 << 29
	// maxApart bounds what a worker has counted and the others have not seen, likewise: it stays in a core's second-level cache.
	maxApart = 1 << 18
	// recentBits makes a worker's cache of the pieces that it counts without a look at any tally, 400 kB.
	recentBits = 14
	// shardBits makes the shards in which pieces are counted so many that workers seldom wait for each other, and that the growth of
	// one is little memory beside the others.
	shardBits = 6
)

// A tally has distinct pieces, with how often each occurs.
type tally struct {
	text  []byte // the pieces end to end
	start []uint32
	times []int64
	slots []tallySlot // open addressing, at most three quarters full
}

type tallySlot struct {
	hash  uint32 // some bits of the piece's: others are not worth a look
	piece uint32 // 1 more than its number; 0 in an empty slot
}

// size is what maxDistinct and maxApart bound.
func (t *tally) size() int { return len(t.text) + len(t.times) }

// piece returns a piece by its number.
func (t *tally) piece(i int) []byte {
	if i+1 < len(t.start) {
		return t.text[t.start[i]:t.start[i+1]]
	}
	return t.text[t.start[i]:]
}

// add counts a piece of a hash that occurs some times more.
func (t *tally) add(hash uint64, piece []byte, times int64) {
	if 4*len(t.times) >= 3*len(t.slots) {
		t.grow()
	}
	s := t.home(uint32(hash), piece)
	if s.piece == 0 {
		t.start = append(t.start, uint32(len(t.text)))
		t.text = append(t.text, piece...)
		t.times = append(t.times, 0)
		*s = tallySlot{uint32(hash), uint32(len(t.times))}
	}
	t.times[s.piece-1] += times
}

// home returns the slot where a piece is, or else the empty one where it belongs.
func (t *tally) home(hash uint32, piece []byte) *tallySlot {
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.piece == 0 || s.hash == hash && bytes.Equal(t.piece(int(s.piece-1)), piece) {
			return s
		}
	}
}

func (t *tally) grow() {
	old := t.slots
	t.slots = make([]tallySlot, max(1<<6, 2*len(old)))
	mask := uint32(len(t.slots) - 1)
	for _, s := range old {
		if s.piece == 0 {
			continue
		}
		i := s.hash & mask
		for t.slots[i].piece != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}

// clear forgets all pieces and keeps the room.
func (t *tally) clear() {
	t.text, t.start, t.times = t.text[:0], t.start[:0], t.times[:0]
	clear(t.slots)
}

// shards has the pieces of texts, each in the tally that its hash chooses.
type shards [1 << shardBits]struct {
	sync.Mutex
	tally
}

// A counter counts the pieces of texts. Its workers count apart and hand over what they have from time to time, so that the memory for
// distinct pieces does not grow with their number.
type counter struct {
	v      *Vocabulary
	seed   maphash.Seed
	shared shards
	size   atomic.Int64 // of shared
	limit  int64        // of size
}

// count counts the pieces of texts on as many goroutines as there are workers.
func count(ctx context.Context, v *Vocabulary, texts iter.Seq[[]byte], workers int, limit int64) (*shards, error) {
	c := &counter{v: v, seed: maphash.MakeSeed(), limit: limit}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	batches, idle := make(chan *batch, workers), make(chan *batch, 2*workers+1)
	for range cap(idle) {
		idle <- new(batch)
	}
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			w := &worker{counter: c}
			for b := range batches {
				if ctx.Err() == nil {
					if err := w.count(b); err != nil {
						stop(err)
					}
				}
				b.text, b.ends = b.text[:0], b.ends[:0]
				idle <- b
			}
			if ctx.Err() == nil {
				if err := w.finish(); err != nil {
					stop(err)
				}
			}
		})
	}
	b := <-idle
	for text := range texts {
		for len(text) > 0 && ctx.Err() == nil {
			n := v.stretch(text)
			b.text = append(b.text, text[:n]...)
			b.ends = append(b.ends, len(b.text))
			text = text[n:]
			if len(b.text) >= jobBytes || len(b.ends) == jobSpans {
				batches <- b
				b = <-idle
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	batches <- b
	close(batches)
	working.Wait()
	return &c.shared, context.Cause(ctx)
}

// stretch returns the length of a part at the start of text, jobBytes long where that can be, behind which a piece begins.
func (v *Vocabulary) stretch(text []byte) int {
	for n := jobBytes; n < len(text); n *= 2 {
		if at := v.boundary(text[:n]); at > 0 {
			return at
		}
	}
	return len(text)
}

// A batch is a stretch of the texts.
type batch struct {
	text []byte
	ends []int // of each text, or of the part of it that falls there
}

// A worker counts batches.
type worker struct {
	*counter
	recent [1 << recentBits]recent
	apart  [1 << shardBits]tally
	size   int // of apart
}

// recent is how often a piece has occurred since it took the slot from another, as in the encoder's cache.
type recent struct {
	key
	times int64
}

func (w *worker) count(b *batch) error {
	from := 0
	for _, end := range b.ends {
		for from < end {
			n := w.v.piece(b.text[from:end])
			if n <= maxCached {
				k := keyOf(b.text[from:], n)
				r := &w.recent[k.hash()>>(64-recentBits)]
				if r.key != k {
					if err := w.retire(r); err != nil {
						return err
					}
					r.key = k
				}
				r.times++
			} else if err := w.add(b.text[from:from+n], 1); err != nil {
				return err
			}
			from += n
		}
	}
	return nil
}

// retire counts apart what is in a slot of recent, if anything is.
func (w *worker) retire(r *recent) error {
	if r.times == 0 {
		return nil
	}
	var piece [maxCached + 1]byte
	times := r.times
	r.times = 0
	return w.add(r.appendPiece(piece[:0]), times)
}

// add counts a piece apart.
func (w *worker) add(piece []byte, times int64) error {
	hash := maphash.Bytes(w.seed, piece)
	t := &w.apart[hash>>(64-shardBits)]
	before := t.size()
	t.add(hash, piece, times)
	if w.size += t.size() - before; w.size <= maxApart {
		return nil
	}
	return w.handOver()
}

// finish hands over all that was counted.
func (w *worker) finish() error {
	for i := range w.recent {
		if err := w.retire(&w.recent[i]); err != nil {
			return err
		}
	}
	return w.handOver()
}

// handOver adds what was counted apart to what is shared. Nothing is added once the limit is passed, so that no tally outgrows its
// numbers.
func (w *worker) handOver() error {
	for i := range w.apart {
		apart, shared := &w.apart[i], &w.shared[i]
		shared.Lock()
		size := w.counter.size.Load()
		if size <= w.limit {
			before := shared.size()
			for k, times := range apart.times {
				piece := apart.piece(k)
				shared.add(maphash.Bytes(w.seed, piece), piece, times)
			}
			size = w.counter.size.Add(int64(shared.size() - before))
		}
		shared.Unlock()
		if size > w.limit {
			return fmt.Errorf("bpe: the distinct pieces of the text come to %d MiB: learn from a part of it", w.limit>>20)
		}
		apart.clear()
	}
	w.size = 0
	return nil
}
