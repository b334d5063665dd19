package lm

import (
	"context"
	"fmt"

	"anneal/lm/kernel"
)

// Generated is one continuation.
type Generated struct {
	Tokens         []int32
	LogProbability float64 // sum of the log-probabilities of Tokens, in nats
	Stopped        bool    // stop said so; otherwise the limit or the context was reached
}

// together is the number of sequences that are generated at a time.
const together = 64

// Generate continues each prompt greedily, at equal logits with the lowest token, by at most limit tokens and never past the context. stop,
// which may be nil, is asked after each token whether the sequence is complete. Keys and values are kept in a cache; neither it nor the other
// prompts change a bit of a sequence's result.
func (n *Net) Generate(ctx context.Context, prompts [][]int32, limit int, stop func(sequence int, generated []int32) bool) ([]Generated, error) {
	longest := 0
	for i, p := range prompts {
		if len(p) == 0 {
			return nil, fmt.Errorf("prompt %d is empty", i)
		}
		if len(p) > n.context {
			return nil, fmt.Errorf("prompt %d has %d tokens, the context is %d", i, len(p), n.context)
		}
		longest = max(longest, len(p))
	}
	out := make([]Generated, len(prompts))
	if limit <= 0 {
		return out, nil
	}
	n.workers.Resize()
	n.pack(false)
	c := newCache(n, min(n.context, longest+min(limit, n.context)), min(together, len(prompts)))
	for first := 0; first < len(prompts); first += together {
		last := min(len(prompts), first+together)
		g := generation{net: n, cache: c, limit: limit, first: first, stop: stop, prompts: prompts[first:last], out: out[first:last]}
		if err := g.run(ctx); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// generation is a group of sequences; a sequence's slot in the cache is its index.
type generation struct {
	net     *Net
	cache   *cache
	limit   int
	first   int
	stop    func(sequence int, generated []int32) bool
	prompts [][]int32
	out     []Generated
}

func (g *generation) run(ctx context.Context) error {
	var tokens []int32
	var segments []segment
	var active []int
	for i, p := range g.prompts { // prompts, some at a time
		segments = append(segments, segment{row: len(tokens), count: len(p), slot: i})
		tokens = append(tokens, p...)
		active = append(active, i)
		if i+1 == len(g.prompts) || len(tokens)+len(g.prompts[i+1]) > hiddenRows {
			g.step(tokens, segments, active)
			tokens, segments, active = tokens[:0], segments[:0], active[:0]
		}
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		tokens, segments, active = tokens[:0], segments[:0], active[:0]
		for i, o := range g.out {
			at := len(g.prompts[i]) + len(o.Tokens) - 1
			if o.Stopped || len(o.Tokens) >= g.limit || at >= g.net.context {
				continue
			}
			segments = append(segments, segment{row: len(tokens), count: 1, start: at, slot: i})
			tokens = append(tokens, o.Tokens[len(o.Tokens)-1])
			active = append(active, i)
		}
		if len(active) == 0 {
			return nil
		}
		g.net.workers.Resize()
		g.step(tokens, segments, active)
	}
}

// step runs the net over the segments and appends a token to each active sequence.
func (g *generation) step(tokens []int32, segments []segment, active []int) {
	n := g.net
	n.reserve(len(tokens), false)
	n.forward(tokens, segments, g.cache, nil)
	width := n.model.Width
	for i, s := range segments { // the last row of each segment; segments ascend, so no row is overwritten before it is read
		copy(part(n.work.last, width, i, i+1), part(n.work.last, width, s.row+s.count-1, s.row+s.count))
	}
	next := make([]int32, len(active))
	for block := 0; block < len(active); block += n.logitRows() {
		n.byRows(min(n.logitRows(), len(active)-block), func(_ *kernel.Scratch, from, to int) {
			logits := part(n.work.logits, n.vocab, from, to)
			from, to = block+from, block+to
			n.computeLogits(from, to, logits)
			for i := range to - from {
				next[from+i] = largest(logits[i*n.vocab:][:n.vocab])
			}
			kernel.CrossEntropy(n.work.loss[from:to], logits, next[from:to], false, 0, 0)
		})
	}
	for i, a := range active {
		o := &g.out[a]
		o.Tokens = append(o.Tokens, next[i])
		o.LogProbability -= n.work.loss[i]
		o.Stopped = g.stop != nil && g.stop(g.first+a, o.Tokens)
	}
}

// largest returns the index of the largest element, the first of equals.
func largest(x []float32) int32 {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return int32(best)
}

// cache keeps the keys and values of sequences: by layer, slot and group, keys (head_dim,length) and values (length,head_dim).
type cache struct {
	length, dim, groups, slots int
	keys, values               []float32
}

func newCache(n *Net, length, slots int) *cache {
	c := &cache{length: length, dim: n.model.HeadDim(), groups: n.model.Groups(), slots: slots}
	size := n.model.Layers * slots * c.groups * c.dim * length
	c.keys, c.values = make([]float32, size), make([]float32, size)
	return c
}

// extend stores the keys and values of a segment and returns all of its sequence and group.
func (c *cache) extend(l, group int, s segment, k, v []float32) (keys, values []float32) {
	size := c.dim * c.length
	at := ((l*c.slots+s.slot)*c.groups + group) * size
	keys, values = c.keys[at:at+size], c.values[at:at+size]
	shared := c.groups * c.dim
	kernel.Transpose(keys[s.start:], c.length, k[group*c.dim:], shared, s.count, c.dim)
	for i := range s.count {
		copy(values[(s.start+i)*c.dim:][:c.dim], v[i*shared+group*c.dim:])
	}
	return keys, values
}
