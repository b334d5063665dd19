package lm

import "anneal/lm/kernel"

// segment is a run of tokens of one sequence in the rows of a batch: count rows from row on, at positions from start on. slot names its cache.
type segment struct{ row, count, start, slot int }

// pass is what the items of work of a pass over a batch read.
type pass struct {
	tokens, targets []int32
	segments        []segment
	cache           *cache
	layer           int
	first, last     int        // the rows that are worked on: all of them, or a block of logits
	chunk           int        // how many an item takes
	gradients       *gradients // nil: losses alone
	scale, z        float32
}

// job is an item of work of a pass. Workers keep what they are given, so a closure made where it is used would be garbage at every step: the
// jobs of a net are made once and find what they need in n.pass.
type job func(s *kernel.Scratch, item int)

type jobs struct {
	pack, embed, beforeAttention, attend, afterAttention, losses           job
	ffnBackward, attendBackward, projectionsBackward, tasks, embedBackward job
}

func newJobs(n *Net) jobs {
	rows := func(f func(s *kernel.Scratch, from, to int)) job {
		return func(s *kernel.Scratch, item int) {
			from := n.pass.first + item*n.pass.chunk
			f(s, from, min(n.pass.last, from+n.pass.chunk))
		}
	}
	return jobs{
		pack: n.packMatrix, embed: rows(n.embed), beforeAttention: rows(n.beforeAttention), attend: n.attend, afterAttention: rows(n.afterAttention),
		losses: rows(n.lossRows), ffnBackward: rows(n.ffnBackward), attendBackward: n.attendBackward,
		projectionsBackward: rows(n.projectionsBackward), tasks: n.task, embedBackward: n.embedBackward,
	}
}

// eachChunk runs a job over chunks of the rows of the pass.
func (n *Net) eachChunk(j job) {
	rows := n.pass.last - n.pass.first
	n.pass.chunk = n.chunk(rows)
	n.workers.Each(kernel.Chunks(rows, n.pass.chunk), j)
}

// eachGroup runs a job over the segments' groups of heads.
func (n *Net) eachGroup(j job) { n.workers.Each(len(n.pass.segments)*n.model.Groups(), j) }

// forward runs the layers over tokens, which lie in segments, and leaves the residual stream in work.last. Attention looks at its own segment
// or, with a cache, at all of the sequence so far. visit, which may be nil, sees the residual stream before each layer and after the last.
// The packed weights must be up to date.
func (n *Net) forward(tokens []int32, segments []segment, c *cache, visit func(layer int, x []float32)) {
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
	n.pass = pass{tokens: tokens, segments: segments, cache: c, last: len(tokens)}
	n.eachChunk(n.jobs.embed)
	for l := range n.model.Layers {
		if visit != nil {
			visit(l, n.work.layer(l).x)
		}
		n.pass.layer = l
		n.eachChunk(n.jobs.beforeAttention)
		n.eachGroup(n.jobs.attend)
		n.eachChunk(n.jobs.afterAttention)
	}
	if visit != nil {
		visit(n.model.Layers, n.work.last)
	}
}

func (n *Net) embed(_ *kernel.Scratch, from, to int) {
	kernel.Embed(part(n.work.layer(0).x, n.model.Width, from, to), n.weights.embedding, n.model.Width, n.pass.tokens[from:to])
}

// beforeAttention computes the queries, keys and values of some rows.
func (n *Net) beforeAttention(_ *kernel.Scratch, from, to int) {
	width, shared, rows := n.model.Width, n.model.shared(), to-from
	a, w, p := n.work.layer(n.pass.layer), &n.weights.layers[n.pass.layer], &n.packed.layers[n.pass.layer]
	n.norm(&a.attentionIn, w.attentionIn, from, to)
	h := part(a.attentionIn.out, width, from, to)
	p.q.forward.Product(rows, h, width, part(a.q.in, width, from, to), width, false)
	p.k.forward.Product(rows, h, width, part(a.k.in, shared, from, to), shared, false)
	p.v.forward.Product(rows, h, width, part(a.v, shared, from, to), shared, false)
	n.norm(&a.q, w.qNorm, from, to)
	n.norm(&a.k, w.kNorm, from, to)
	n.rotation.Rotate(part(a.q.out, width, from, to), n.work.positions[from:to], false)
	n.rotation.Rotate(part(a.k.out, shared, from, to), n.work.positions[from:to], false)
}

// attend runs attention for a group of heads of a segment.
func (n *Net) attend(s *kernel.Scratch, item int) {
	groups, width, shared := n.model.Groups(), n.model.Width, n.model.shared()
	a, c := n.work.layer(n.pass.layer), n.pass.cache
	g, group := n.pass.segments[item/groups], item%groups
	from, to := g.row, g.row+g.count
	q, k, v := part(a.q.out, width, from, to), part(a.k.out, shared, from, to), part(a.v, shared, from, to)
	out := part(a.attention, width, from, to)
	if c != nil {
		past, own := c.past(n.pass.layer, g.slot, group), group*n.attention.Dim
		past.Store(g.start, g.count, k[own:], v[own:], shared)
		if g.start > 0 || g.count == 1 {
			for i := range g.count {
				n.attention.Decode(s, group, g.start+i+1, part(q, width, i, i+1), past, part(out, width, i, i+1))
			}
			return
		}
	}
	n.attention.ForwardSequence(s, group, g.count, q, k, v, out, part(a.stats, 2*n.model.Heads, from, to))
}

// afterAttention adds attention's output and the feed-forward to the residual stream.
func (n *Net) afterAttention(s *kernel.Scratch, from, to int) {
	width, ff, rows := n.model.Width, n.model.FF, to-from
	a, w, p := n.work.layer(n.pass.layer), &n.weights.layers[n.pass.layer], &n.packed.layers[n.pass.layer]
	n.join(&a.attentionOut, w.attentionOut, part(a.x, width, from, to), part(a.attention, width, from, to), p.o, from, to)
	n.norm(&a.ffnIn, w.ffnIn, from, to)
	h, gate, up := part(a.ffnIn.out, width, from, to), part(a.gate, ff, from, to), part(a.up, ff, from, to)
	p.gate.forward.Product(rows, h, width, gate, ff, false)
	p.up.forward.Product(rows, h, width, up, ff, false)
	product := s.Floats(rows * ff)
	kernel.SwiGLU(product, part(a.sigmoid, ff, from, to), gate, up)
	n.join(&a.ffnOut, w.ffnOut, part(a.middle, width, from, to), product, p.down, from, to)
}

// join computes the residual stream after a sublayer in a.out: x + h·p, with an RMSNorm of the product if there is a gain.
func (n *Net) join(a *norm, gain, x, h []float32, p *panels, from, to int) {
	next := part(a.out, p.out, from, to)
	if gain == nil {
		copy(next, x)
		p.forward.Product(to-from, h, p.in, next, p.out, true)
		return
	}
	p.forward.Product(to-from, h, p.in, part(a.in, p.out, from, to), p.out, false)
	n.norm(a, gain, from, to)
	add(next, x)
}

// norm computes a.out = RMSNorm(a.in)·gain for some rows, if there is a gain.
func (n *Net) norm(a *norm, gain []float32, from, to int) {
	if gain == nil {
		return
	}
	width := len(gain)
	kernel.RMSNorm(part(a.out, width, from, to), a.rstd[from:to], part(a.in, width, from, to), gain, float32(n.model.NormEps))
}

func add(to, x []float32) {
	to = to[:len(x)]
	for i, v := range x {
		to[i] += v
	}
}

// computeLogits computes the final norm and the logits of the rows from, …, to-1 of work.last.
func (n *Net) computeLogits(from, to int, out []float32) {
	n.norm(&n.work.final, n.weights.norm, from, to)
	n.packed.output.forward.Product(to-from, part(n.work.final.out, n.model.Width, from, to), n.model.Width, out, n.outputs, false)
}

// losses leaves the negative log-likelihood of each row's target in work.loss, the logits a block of rows at a time. With gradients, scale
// times that of the sum of loss + z·(ln Σ e^logit)² goes to g and to work.dfinal and work.after.
func (n *Net) losses(targets []int32, g *gradients, scale, z float32) {
	for _, t := range targets {
		if t >= int32(n.outputs) {
			panic("lm: a target outside of the vocabulary or the classes")
		}
	}
	p := &n.pass
	p.targets, p.gradients, p.scale, p.z = targets, g, scale, z
	for p.first = 0; p.first < len(targets); p.first = p.last {
		p.last = min(len(targets), p.first+n.logitRows())
		n.eachChunk(n.jobs.losses)
		if g != nil {
			n.outputGradient(g)
		}
	}
	p.first, p.last = 0, len(targets)
}

func (n *Net) lossRows(s *kernel.Scratch, from, to int) {
	w, p, width := &n.work, &n.pass, n.model.Width
	logits := part(w.logits, n.outputs, from-p.first, to-p.first)
	n.computeLogits(from, to, logits)
	kernel.CrossEntropy(w.loss[from:to], logits, p.targets[from:to], p.gradients != nil, p.scale, p.z)
	if p.gradients == nil {
		return
	}
	d, dx := part(w.dfinal, width, from, to), part(w.after, width, from, to)
	n.packed.output.backward.Product(to-from, logits, n.outputs, d, width, false)
	clear(dx)
	w.final.addBackward(dx, d, n.weights.norm, from, to, s.Floats(2*width))
}
