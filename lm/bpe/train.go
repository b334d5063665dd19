package bpe

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math/bits"
)

// TrainOptions are what a vocabulary is learned with beside the texts. The zero values are Train's.
type TrainOptions struct {
	Pattern Pattern  // GPT2, Llama3 or Qwen2
	Special []string // names of special tokens: they take the last ids, in this order
	Workers int      // goroutines that count pieces; 0 is 1. The vocabulary does not depend on it
}

// Train is TrainWith without options.
func Train(ctx context.Context, texts iter.Seq[[]byte], size int) (*Vocabulary, error) {
	return TrainWith(ctx, texts, size, TrainOptions{})
}

// TrainWith learns a vocabulary of up to size ids from texts (Sennrich et al. 2016, algorithm 1): starting from bytes, again and again
// the most frequent pair of neighbours within a piece becomes a token. A pair is counted at every place it stands, overlaps
// included, so that "aaa" has the pair (a, a) twice. Of equally frequent pairs the one with the smaller left bytes wins, then the
// one with the smaller right bytes, both as [bytes.Compare] orders them; no two pairs are equal in that order, so the
// vocabulary depends on nothing but the counts, and the order of texts does not matter. Pairs longer than [MaxToken] bytes are
// passed over.
//
// It stops early when no pair occurs twice, and the vocabulary is then smaller than size. Size is from 256, which is plain bytes
// and reads no text, to [MaxSize]; special tokens count in it. No piece crosses from one text to the next. None of the slices that
// texts yields is kept. It takes memory for the distinct pieces only, about 20 bytes for each byte of them, and it is an error
// when they come to 512 MiB. When ctx ends, its cause is returned.
func TrainWith(ctx context.Context, texts iter.Seq[[]byte], size int, o TrainOptions) (*Vocabulary, error) {
	if least := alphabet + len(o.Special); size < least || size > MaxSize {
		return nil, fmt.Errorf("bpe: a vocabulary has from %d to %d ids, not %d", least, MaxSize, size)
	}
	size -= len(o.Special)
	v := bare(size - alphabet)
	v.pattern = o.Pattern
	if o.Pattern == SentencePiece {
		return nil, fmt.Errorf("bpe: vocabularies of the pattern %q are not learned here", o.Pattern)
	}
	if err := v.settings(); err != nil {
		return nil, err
	}
	if size > alphabet {
		counted, err := count(ctx, v, texts, max(1, o.Workers), maxDistinct)
		if err != nil {
			return nil, err
		}
		t := newTrainer(v, counted)
		for v.Size() < size && t.step() {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		}
	}
	if len(o.Special) == 0 {
		v.index()
		return v, nil
	}
	d := v.Definition()
	for _, name := range o.Special {
		d.Tokens = append(d.Tokens, Token{[]byte(name), Special})
	}
	return Build(d)
}

// A trainer keeps the distinct pieces as they are tokenised so far, and the counts of all pairs that could still be merged. A merge
// touches only the places where its pair stands.
type trainer struct {
	v *Vocabulary

	// The pieces end to end, a byte a position, with a gap after each. A token's id stands at its first and its last byte, so that
	// both neighbours of a token can be found; every other position is none.
	ids []uint32
	// Which positions are gaps, and how many are before each 64 positions: the number of a position's piece, in less memory than a
	// number a position.
	gaps  []uint64
	rank  []uint32
	times []int64 // how often each piece occurs

	pairs map[Merge]*pair
	queue heap[candidate]
	fresh []*pair // those of the current merge
}

type pair struct {
	Merge
	count int64
	// where the left token begins, ascending. A place stays here when a neighbour's merge has taken one of its sides away.
	where []uint32
}

// A candidate is a pair and a count that it had: the queue's order. Counts of pairs in the queue only fall, so one that comes first
// with the count it still has is the most frequent of all.
type candidate struct {
	*pair
	count int64
}

// newTrainer takes over the pieces that were counted, which are gone then.
func newTrainer(v *Vocabulary, counted *shards) *trainer {
	positions, pieces := 0, 0
	for i := range counted {
		positions += counted[i].size()
		pieces += len(counted[i].times)
	}
	t := &trainer{
		v:     v,
		ids:   make([]uint32, 0, positions),
		gaps:  make([]uint64, positions/64+1),
		rank:  make([]uint32, positions/64+1),
		times: make([]int64, 0, pieces),
		pairs: make(map[Merge]*pair),
	}
	t.queue.before = t.before
	for i := range counted {
		c := &counted[i].tally
		for k := range c.times {
			for _, b := range c.piece(k) {
				t.ids = append(t.ids, uint32(b))
			}
			t.gaps[len(t.ids)/64] |= 1 << (len(t.ids) % 64)
			t.ids = append(t.ids, none)
		}
		t.times = append(t.times, c.times...)
		*c = tally{}
	}
	for i := range t.rank[1:] {
		t.rank[i+1] = t.rank[i] + uint32(bits.OnesCount64(t.gaps[i]))
	}
	t.bytePairs()
	return t
}

// bytePairs finds where all pairs of bytes stand. Their places are as many as positions: they are counted before there is room made for
// them.
func (t *trainer) bytePairs() {
	var places [alphabet * alphabet]uint32
	each := func(f func(at int, m Merge)) {
		for at, left := range t.ids[:max(len(t.ids), 1)-1] {
			if right := t.ids[at+1]; left != none && right != none {
				f(at, Merge{left, right})
			}
		}
	}
	each(func(_ int, m Merge) { places[m.Left*alphabet+m.Right]++ })
	for i, n := range places {
		if n > 0 {
			p := &pair{Merge: Merge{uint32(i / alphabet), uint32(i % alphabet)}, where: make([]uint32, 0, n)}
			t.pairs[p.Merge] = p
			t.fresh = append(t.fresh, p)
		}
	}
	each(func(at int, m Merge) { t.gain(m, at) })
	t.enqueue()
}

// before is Train's order of pairs.
func (t *trainer) before(a, b candidate) bool {
	if a.count != b.count {
		return a.count > b.count
	}
	if a.Left != b.Left {
		return bytes.Compare(t.v.Bytes(a.Left), t.v.Bytes(b.Left)) < 0
	}
	return bytes.Compare(t.v.Bytes(a.Right), t.v.Bytes(b.Right)) < 0
}

// timesAt returns how often the piece at a position occurs.
func (t *trainer) timesAt(at int) int64 {
	before := t.gaps[at/64] & (1<<(at%64) - 1)
	return t.times[int(t.rank[at/64])+bits.OnesCount64(before)]
}

// gain counts a pair made at a position.
func (t *trainer) gain(m Merge, at int) {
	p := t.pairs[m]
	if p == nil {
		p = &pair{Merge: m}
		t.pairs[m] = p
		t.fresh = append(t.fresh, p)
	}
	p.count += t.timesAt(at)
	p.where = append(p.where, uint32(at))
}

// lose uncounts a pair broken at a position.
func (t *trainer) lose(m Merge, at int) {
	if p := t.pairs[m]; p != nil {
		p.count -= t.timesAt(at)
	}
}

// enqueue queues the fresh pairs and forgets those that can never be merged: later merges only lower their counts.
func (t *trainer) enqueue() {
	for _, p := range t.fresh {
		if p.count < 2 || t.v.length(p.Left)+t.v.length(p.Right) > MaxToken {
			delete(t.pairs, p.Merge)
			continue
		}
		t.queue.push(candidate{p, p.count})
	}
	t.fresh = t.fresh[:0]
}

// step makes one merge, and reports false when there is none to make.
func (t *trainer) step() bool {
	for len(t.queue.items) > 0 {
		top := t.queue.items[0]
		switch {
		case top.pair.count < 2:
			t.queue.pop()
			delete(t.pairs, top.Merge)
		case top.pair.count < top.count:
			t.queue.replace(candidate{top.pair, top.pair.count})
		default:
			t.queue.pop()
			delete(t.pairs, top.Merge)
			t.merge(top.pair)
			return true
		}
	}
	return false
}

// merge makes a token of p everywhere it stands, from left to right.
func (t *trainer) merge(p *pair) {
	id := uint32(t.v.Size())
	t.v.add(p.Merge)
	leftLength, length := int(t.v.length(p.Left)), int(t.v.length(id))
	for _, at := range p.where {
		left := int(at)
		right, next := left+leftLength, left+length
		// What stands at left is the beginning of p.Left, or the inside of a longer token, or the end of one: but not of another
		// p.Left longer than a byte, for tokens only grow and this byte has been a beginning.
		if t.ids[left] != p.Left || t.ids[right] != p.Right {
			continue
		}
		if left > 0 && t.ids[left-1] != none {
			before := t.ids[left-1]
			begin := left - int(t.v.length(before))
			t.lose(Merge{before, p.Left}, begin)
			t.gain(Merge{before, id}, begin)
		}
		if after := t.ids[next]; after != none {
			t.lose(Merge{p.Right, after}, right)
			t.gain(Merge{id, after}, left)
		}
		t.ids[right-1], t.ids[right] = none, none
		t.ids[left], t.ids[next-1] = id, id
	}
	t.enqueue()
}
