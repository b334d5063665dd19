package lm

import "anneal/lm/kernel"

// segment is a run of tokens of one sequence in the rows of a batch: count rows from row on, at positions from start on. slot names its cache.
type segment struct{ row, count, start, slot int }

// forward runs the layers over tokens, which lie in segments, and leaves the residual stream in work.last. Attention looks at its own segment
// or, with a cache, at all of the sequence so far. visit, which may be nil, sees the residual stream before each layer and after the last.
// The packed weights must be up to date.
func (n *Net) forward(tokens []int32, segments []segment, c *cache, visit func(layer int, x []float32)) {
	width, rows := n.model.Width, len(tokens)
	for _, t := range tokens {
		if t < 0 || int(t) >= n.vocab {
			panic("lm: a token outside of the vocabulary")
		}
	}
	for _, s := range segments {
		if s.start+s.count > n.context {
			panic("lm: a sequence longer than the context")
		}
		for i := range s.count {
			n.work.positions[s.row+i] = int32(s.start + i)
		}
	}
	n.byRows(rows, func(_ *kernel.Scratch, from, to int) {
		kernel.Embed(part(n.input(0), width, from, to), n.weights.embedding, width, tokens[from:to])
	})
	if visit != nil {
		visit(0, n.input(0))
	}
	for l := range n.model.Layers {
		n.byRows(rows, func(_ *kernel.Scratch, from, to int) { n.beforeAttention(l, from, to) })
		n.attend(l, segments, c)
		n.byRows(rows, func(s *kernel.Scratch, from, to int) { n.afterAttention(s, l, from, to) })
		if visit != nil {
			visit(l+1, n.input(l+1))
		}
	}
}

// beforeAttention computes the norm and the turned queries and keys of some rows.
func (n *Net) beforeAttention(l, from, to int) {
	width, shared, rows := n.model.Width, n.model.Groups()*n.model.HeadDim(), to-from
	a, w, p := n.work.layer(l), &n.weights.layers[l], &n.packed.forward[l]
	h := part(a.attentionNorm, width, from, to)
	q, k, v := part(a.q, width, from, to), part(a.k, shared, from, to), part(a.v, shared, from, to)
	kernel.RMSNorm(h, a.attentionRstd[from:to], part(a.x, width, from, to), w.attentionNorm, float32(n.model.NormEps))
	p.q.Product(rows, h, width, q, width, false)
	p.k.Product(rows, h, width, k, shared, false)
	p.v.Product(rows, h, width, v, shared, false)
	n.rotation.Rotate(q, n.work.positions[from:to], false)
	n.rotation.Rotate(k, n.work.positions[from:to], false)
}

// attend runs attention over all segments.
func (n *Net) attend(l int, segments []segment, c *cache) {
	groups, width, shared := n.model.Groups(), n.model.Width, n.model.Groups()*n.model.HeadDim()
	a := n.work.layer(l)
	n.workers.Each(len(segments)*groups, func(s *kernel.Scratch, item int) {
		g, group := segments[item/groups], item%groups
		from, to := g.row, g.row+g.count
		q, k, v := part(a.q, width, from, to), part(a.k, shared, from, to), part(a.v, shared, from, to)
		out := part(a.attention, width, from, to)
		if c != nil {
			keys, values := c.extend(l, group, g, k, v)
			n.attention.Forward(s, group, g.start, g.count, q, keys, c.length, values, n.attention.Dim, out, nil)
			return
		}
		n.attention.ForwardSequence(s, group, g.count, q, k, v, out, part(a.stats, 2*n.model.Heads, from, to))
	})
}

// afterAttention adds the output of attention and the feed-forward to the residual stream.
func (n *Net) afterAttention(s *kernel.Scratch, l, from, to int) {
	width, ff, rows := n.model.Width, n.model.FF, to-from
	a, w, p := n.work.layer(l), &n.weights.layers[l], &n.packed.forward[l]
	middle, h, next := part(a.middle, width, from, to), part(a.ffnNorm, width, from, to), part(n.input(l+1), width, from, to)
	gate, up := part(a.gate, ff, from, to), part(a.up, ff, from, to)
	copy(middle, part(a.x, width, from, to))
	p.o.Product(rows, part(a.attention, width, from, to), width, middle, width, true)
	kernel.RMSNorm(h, a.ffnRstd[from:to], middle, w.ffnNorm, float32(n.model.NormEps))
	p.gate.Product(rows, h, width, gate, ff, false)
	p.up.Product(rows, h, width, up, ff, false)
	product := s.Floats(rows * ff)
	kernel.SwiGLU(product, part(a.sigmoid, ff, from, to), gate, up)
	copy(next, middle)
	p.down.Product(rows, product, ff, next, width, true)
}

// computeLogits computes the final norm and the logits of the rows from, …, to-1 of work.last.
func (n *Net) computeLogits(from, to int, out []float32) {
	width := n.model.Width
	h := part(n.work.final, width, from, to)
	kernel.RMSNorm(h, n.work.finalRstd[from:to], part(n.work.last, width, from, to), n.weights.norm, float32(n.model.NormEps))
	n.packed.outputForward.Product(to-from, h, width, out, n.vocab, false)
}

// losses leaves the negative log-likelihood of each row's target in work.loss, the logits a block of rows at a time. With gradients, scale
// times that of their sum goes to g and to work.dfinal and work.after.
func (n *Net) losses(targets []int32, g *gradients, scale float32) {
	rows, vocab, width := len(targets), n.vocab, n.model.Width
	for _, t := range targets {
		if t >= int32(vocab) {
			panic("lm: a target outside of the vocabulary")
		}
	}
	for block := 0; block < rows; block += n.logitRows() {
		size := min(n.logitRows(), rows-block)
		n.byRows(size, func(s *kernel.Scratch, from, to int) {
			logits := part(n.work.logits, vocab, from, to)
			from, to = block+from, block+to
			n.computeLogits(from, to, logits)
			kernel.CrossEntropy(n.work.loss[from:to], logits, targets[from:to], g != nil, scale, 0)
			if g == nil {
				return
			}
			d, dx := part(n.work.dfinal, width, from, to), part(n.work.after, width, from, to)
			n.packed.outputBackward.Product(to-from, logits, vocab, d, width, false)
			clear(dx)
			kernel.RMSNormBackward(dx, d, part(n.work.last, width, from, to), n.work.finalRstd[from:to], n.weights.norm, s.Floats(2*width))
		})
		if g != nil {
			n.outputGradient(g, block, size)
		}
	}
}
