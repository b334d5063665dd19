package lm

import (
	"slices"

	"anneal/lm/kernel"
)

// gradients accumulate over the batches of one optimizer step. Products continue their chains; the sums for norm gains stay in float64 until
// finish.
type gradients struct {
	tensors []Parameter
	sums    matrices
	gains   [][]float64 // two norms a layer, then the final one
	tied    []float32   // the output's share of a tied embedding (vocab,width)
	tasks   []task
}

func (n *Net) newGradients() *gradients {
	g := &gradients{tensors: zeros(n.shapes)}
	g.sums = bind(n.model, g.tensors)
	for range 2*n.model.Layers + 1 {
		g.gains = append(g.gains, make([]float64, n.model.Width))
	}
	if n.model.Tied {
		g.tied = make([]float32, len(n.weights.embedding))
	}
	return g
}

// reset starts a step.
func (g *gradients) reset() {
	for _, t := range g.tensors {
		clear(t.data())
	}
	for _, sum := range g.gains {
		clear(sum)
	}
	clear(g.tied)
}

// finish completes the tensors.
func (n *Net) finish(g *gradients) {
	round := func(to []float32, from []float64) {
		for i, v := range from {
			to[i] = float32(v)
		}
	}
	for l := range g.sums.layers {
		round(g.sums.layers[l].attentionNorm, g.gains[2*l])
		round(g.sums.layers[l].ffnNorm, g.gains[2*l+1])
	}
	round(g.sums.norm, g.gains[2*n.model.Layers])
	for i, v := range g.tied {
		g.sums.embedding[i] += v
	}
}

// task is a piece of work on gradients of parameters: some rows and columns of a product over tokens, dw += xᵀ·dy, or some columns of a gain.
type task struct {
	x, dy, dw  []float32
	in, out    int // columns of x and dy
	rows, cols [2]int
	rstd       []float32
	gain       []float64
}

// The size of a piece of a product over tokens: small enough that the cores share a layer evenly.
const (
	taskRows    = 120
	taskColumns = 128
)

func (g *gradients) product(dw, x []float32, in int, dy []float32, out int) {
	for r := 0; r < in; r += taskRows {
		for c := 0; c < out; c += taskColumns {
			g.tasks = append(g.tasks, task{x: x, dy: dy, dw: dw, in: in, out: out, rows: [2]int{r, min(in, r+taskRows)}, cols: [2]int{c, min(out, c+taskColumns)}})
		}
	}
}

func (g *gradients) norm(gain []float64, x, rstd, dy []float32) {
	for c := 0; c < len(gain); c += taskColumns {
		g.tasks = append(g.tasks, task{x: x, dy: dy, rstd: rstd, gain: gain, in: len(gain), cols: [2]int{c, min(len(gain), c+taskColumns)}})
	}
}

// run does the collected tasks over the given number of tokens, the largest first.
func (n *Net) run(g *gradients, tokens int) {
	cost := func(t task) int { return (t.rows[1] - t.rows[0] + 1) * (t.cols[1] - t.cols[0]) }
	slices.SortStableFunc(g.tasks, func(a, b task) int { return cost(b) - cost(a) })
	n.workers.Each(len(g.tasks), func(s *kernel.Scratch, i int) {
		t := &g.tasks[i]
		if t.gain != nil {
			kernel.RMSNormGain(t.gain[t.cols[0]:t.cols[1]], t.cols[0], t.dy[:tokens*t.in], t.x[:tokens*t.in], t.rstd[:tokens], t.in)
			return
		}
		r, c := t.rows[0], t.cols[0]
		s.Product(kernel.TN, t.rows[1]-r, t.cols[1]-c, tokens, t.x[r:], t.in, t.dy[c:], t.out, t.dw[r*t.out+c:], t.out, true)
	})
	g.tasks = g.tasks[:0]
}

// outputGradient accumulates the gradient of the output matrix over a block of tokens, whose logits' gradients lie in work.logits.
func (n *Net) outputGradient(g *gradients, block, size int) {
	width := n.model.Width
	final := part(n.work.final, width, block, block+size)
	if n.model.Tied {
		g.product(g.tied, n.work.logits, n.vocab, final, width)
	} else {
		g.product(g.sums.output, final, width, n.work.logits, n.vocab)
	}
	g.norm(g.gains[2*n.model.Layers], part(n.work.last, width, block, block+size), n.work.finalRstd[block:], n.work.dfinal[block*width:])
	n.run(g, size)
}

// accumulate adds to g the gradient of a batch's loss, and returns the sum of the losses of its targets, in their order. The gradient is that of
// the mean over so many targets, those of all batches of the step. The batch is computed in micro-batches of micro sequences (0: all of
// them), which changes no bit: every sum goes on where the micro-batch before left it.
func (n *Net) accumulate(g *gradients, b *Batch, micro, targets int, z float64) (loss float64) {
	if micro == 0 {
		micro = b.Sequences
	}
	n.reserve(min(micro, b.Sequences)*b.Length, true)
	n.pack(true)
	for from := 0; from < b.Sequences; from += micro {
		m := b.sequences(from, min(b.Sequences, from+micro))
		n.work.segments = m.segments(n.work.segments)
		n.forward(m.Tokens, n.work.segments, nil, nil)
		n.losses(m.Targets, g, float32(1/float64(targets)))
		n.backward(g, m.Tokens, n.work.segments)
		for _, v := range n.work.loss[:len(m.Tokens)] {
			loss += v
		}
	}
	return loss
}

// backward accumulates the gradients of everything below the final norm, given work.after, for the batch that forward has run.
func (n *Net) backward(g *gradients, tokens []int32, segments []segment) {
	w, rows, width, ff, shared := &n.work, len(tokens), n.model.Width, n.model.FF, n.model.Groups()*n.model.HeadDim()
	for l := n.model.Layers - 1; l >= 0; l-- {
		a, sum := w.layer(l), &g.sums.layers[l]
		n.byRows(rows, func(s *kernel.Scratch, from, to int) { n.feedForwardBackward(s, l, from, to) })
		n.workers.Each(len(segments)*n.model.Groups(), func(s *kernel.Scratch, item int) {
			t, group := segments[item/n.model.Groups()], item%n.model.Groups()
			from, to := t.row, t.row+t.count
			n.attention.BackwardSequence(s, group, t.count, part(a.q, width, from, to), part(a.k, shared, from, to), part(a.v, shared, from, to),
				part(a.stats, 2*n.model.Heads, from, to), part(w.dattention, width, from, to),
				part(w.dq, width, from, to), part(w.dk, shared, from, to), part(w.dvalues, shared, from, to))
		})
		n.byRows(rows, func(s *kernel.Scratch, from, to int) { n.projectionsBackward(s, l, from, to) })

		g.product(sum.down, a.sigmoid, ff, w.after, width)
		g.product(sum.gate, a.ffnNorm, width, a.gate, ff)
		g.product(sum.up, a.ffnNorm, width, a.up, ff)
		g.product(sum.o, a.attention, width, w.middle, width)
		g.product(sum.q, a.attentionNorm, width, w.dq, width)
		g.product(sum.k, a.attentionNorm, width, w.dk, shared)
		g.product(sum.v, a.attentionNorm, width, w.dvalues, shared)
		g.norm(g.gains[2*l], a.x, a.attentionRstd, w.dattentionNorm)
		g.norm(g.gains[2*l+1], a.middle, a.ffnRstd, w.dffnNorm)
		n.run(g, rows)
		w.after, w.before = w.before, w.after
	}
	const columns = 32
	n.workers.Each(kernel.Chunks(width, columns), func(_ *kernel.Scratch, i int) {
		from, to := kernel.Chunk(i, width, columns)
		kernel.EmbedBackward(g.sums.embedding, w.after, width, tokens, from, to)
	})
}

// feedForwardBackward goes from work.after to work.middle and work.dattention. The activations of gate and up become their gradients, the
// sigmoid the input of down.
func (n *Net) feedForwardBackward(s *kernel.Scratch, l, from, to int) {
	w, width, ff, rows := &n.work, n.model.Width, n.model.FF, to-from
	a, p := w.layer(l), &n.packed.backward[l]
	after, middle, dh := part(w.after, width, from, to), part(w.middle, width, from, to), part(w.dffnNorm, width, from, to)
	gate, up := part(a.gate, ff, from, to), part(a.up, ff, from, to)
	buffer := s.Floats(rows*ff + 2*width)
	d := buffer[:rows*ff]
	p.down.Product(rows, after, width, d, ff, false)
	kernel.SwiGLUBackward(gate, up, part(a.sigmoid, ff, from, to), d)
	p.gate.Product(rows, gate, ff, dh, width, false)
	p.up.Product(rows, up, ff, dh, width, true)
	copy(middle, after)
	kernel.RMSNormBackward(middle, dh, part(a.middle, width, from, to), a.ffnRstd[from:to], n.weights.layers[l].ffnNorm, buffer[rows*ff:])
	p.o.Product(rows, middle, width, part(w.dattention, width, from, to), width, false)
}

// projectionsBackward goes from work.middle and the gradients of queries, keys and values to work.before.
func (n *Net) projectionsBackward(s *kernel.Scratch, l, from, to int) {
	w, width, shared, rows := &n.work, n.model.Width, n.model.Groups()*n.model.HeadDim(), to-from
	a, p := w.layer(l), &n.packed.backward[l]
	dq, dk, dv := part(w.dq, width, from, to), part(w.dk, shared, from, to), part(w.dvalues, shared, from, to)
	dh, before := part(w.dattentionNorm, width, from, to), part(w.before, width, from, to)
	n.rotation.Rotate(dq, w.positions[from:to], true)
	n.rotation.Rotate(dk, w.positions[from:to], true)
	p.q.Product(rows, dq, width, dh, width, false)
	p.k.Product(rows, dk, shared, dh, width, true)
	p.v.Product(rows, dv, shared, dh, width, true)
	copy(before, part(w.middle, width, from, to))
	kernel.RMSNormBackward(before, dh, part(a.x, width, from, to), a.attentionRstd[from:to], n.weights.layers[l].attentionNorm, s.Floats(2*width))
}
