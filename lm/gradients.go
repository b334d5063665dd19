package lm

import (
	"slices"

	"anneal/lm/kernel"
)

// gradients accumulate over the micro-batches of one optimizer step. Products continue their chains; the sums for the gains of norms stay in
// float64 until finish.
type gradients struct {
	tensors []Parameter
	numbers [][]float32       // of the tensors
	sums    matrices[float32] // the same by role
	wide    [][]float64       // by parameter: the sums of a gain, nil for a matrix
	gains   matrices[float64] // the same by role
	tied    []float32         // the output's share of a tied embedding (vocab,width)
	tasks   []task
}

func (n *Net) newGradients() *gradients {
	g := &gradients{tensors: zeros(n.shapes)}
	g.numbers = vectors(g.tensors)
	g.sums = bind(n.model, g.numbers)
	for _, s := range n.shapes {
		var sum []float64
		if len(s.Dims) == 1 {
			sum = make([]float64, s.size())
		}
		g.wide = append(g.wide, sum)
	}
	g.gains = bind(n.model, g.wide)
	if n.model.Tied {
		g.tied = make([]float32, len(n.weights.embedding))
	}
	return g
}

// reset starts a step.
func (g *gradients) reset() {
	for i := range g.numbers {
		clear(g.numbers[i])
		clear(g.wide[i])
	}
	clear(g.tied)
}

// finish completes the tensors.
func (n *Net) finish(g *gradients) {
	for i, sum := range g.wide {
		for j, v := range sum {
			g.numbers[i][j] = float32(v)
		}
	}
	if n.model.Tied {
		add(g.sums.embedding, g.tied)
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

// The size of a piece of a product over tokens: small enough that the cores share a layer evenly. Pieces of a matrix are about equal, of whole
// tiles.
const (
	taskRows    = 384
	taskColumns = 128
	taskUnit    = 16
)

func (g *gradients) product(dw, x []float32, in int, dy []float32, out int) {
	height, width := even(in, taskRows), even(out, taskColumns)
	for r := 0; r < in; r += height {
		for c := 0; c < out; c += width {
			g.tasks = append(g.tasks, task{x: x, dy: dy, dw: dw, in: in, out: out, rows: [2]int{r, min(in, r+height)}, cols: [2]int{c, min(out, c+width)}})
		}
	}
}

// even returns the size of the pieces of n elements that are as few as pieces of at most limit, as even as multiples of taskUnit allow.
func even(n, limit int) int {
	pieces := kernel.Chunks(n, limit)
	return kernel.Chunks(kernel.Chunks(n, pieces), taskUnit) * taskUnit
}

func (g *gradients) norm(gain []float64, a *norm, dy []float32) {
	for c := 0; c < len(gain); c += taskColumns {
		g.tasks = append(g.tasks, task{x: a.in, dy: dy, rstd: a.rstd, gain: gain, in: len(gain), cols: [2]int{c, min(len(gain), c+taskColumns)}})
	}
}

func (t *task) cost() int { return (t.rows[1] - t.rows[0] + 1) * (t.cols[1] - t.cols[0]) }

// run does the collected tasks over the rows of the pass, the largest first.
func (n *Net) run(g *gradients) {
	slices.SortStableFunc(g.tasks, func(a, b task) int { return b.cost() - a.cost() })
	n.workers.Each(len(g.tasks), n.jobs.tasks)
	g.tasks = g.tasks[:0]
}

func (n *Net) task(s *kernel.Scratch, item int) {
	t, tokens := &n.pass.gradients.tasks[item], n.pass.last-n.pass.first
	if t.gain != nil {
		kernel.RMSNormGain(t.gain[t.cols[0]:t.cols[1]], t.cols[0], t.dy[:tokens*t.in], t.x[:tokens*t.in], t.rstd[:tokens], t.in)
		return
	}
	r, c := t.rows[0], t.cols[0]
	s.Product(kernel.TN, t.rows[1]-r, t.cols[1]-c, tokens, t.x[r:], t.in, t.dy[c:], t.out, t.dw[r*t.out+c:], t.out, true)
}

// accumulate adds to g the gradient of a batch's loss, and returns the sum of the losses of its targets, in their order. The gradient is that of
// the mean over so many targets, those of all batches of the step, of loss + z·(ln Σ e^logit)². The batch is computed in micro-batches of micro
// sequences (0: all of them), which changes no bit: every sum goes on where the micro-batch before left it.
func (n *Net) accumulate(g *gradients, b *Batch, micro, targets int, z float64) (loss float64) {
	micro = n.reserveFor(b, micro)
	n.pack(true)
	for from := 0; from < b.Sequences; from += micro {
		m := b.sequences(from, min(b.Sequences, from+micro))
		n.work.segments = m.segments(n.work.segments)
		n.forward(m.Tokens, n.work.segments, nil, nil)
		n.losses(m.Targets, g, float32(1/float64(targets)), float32(z))
		n.backward(g)
		for _, v := range n.work.loss[:len(m.Tokens)] {
			loss += v
		}
	}
	return loss
}

// reserveFor makes room for a batch's gradient in micro-batches of so many sequences (0: all), and returns how many there are in one.
func (n *Net) reserveFor(b *Batch, micro int) int {
	if micro = min(micro, b.Sequences); micro == 0 {
		micro = b.Sequences
	}
	n.reserve(micro*b.Length, true)
	return micro
}

// outputGradient accumulates the gradient of the output matrix over a block of tokens, whose logits' gradients lie in work.logits.
func (n *Net) outputGradient(g *gradients) {
	w, width, from, to := &n.work, n.model.Width, n.pass.first, n.pass.last
	final := part(w.final.out, width, from, to)
	if n.model.Tied {
		g.product(g.tied, w.logits, n.outputs, final, width)
	} else {
		g.product(g.sums.output, final, width, w.logits, n.outputs)
	}
	g.norm(g.gains.norm, &norm{in: part(w.last, width, from, to), rstd: w.final.rstd[from:to]}, part(w.dfinal, width, from, to))
	n.run(g)
}

// backward accumulates the gradients of everything below the final norm, given work.after, for the batch that forward and losses have run.
func (n *Net) backward(g *gradients) {
	w, width, ff, shared := &n.work, n.model.Width, n.model.FF, n.model.shared()
	for l := n.model.Layers - 1; l >= 0; l-- {
		n.pass.layer = l
		n.eachChunk(n.jobs.ffnBackward)
		n.eachGroup(n.jobs.attendBackward)
		n.eachChunk(n.jobs.projectionsBackward)

		a, sum, gain := w.layer(l), &g.sums.layers[l], &g.gains.layers[l]
		g.product(sum.down, a.sigmoid, ff, a.ffnOut.gradient(w.after), width)
		g.product(sum.gate, a.ffnIn.out, width, a.gate, ff)
		g.product(sum.up, a.ffnIn.out, width, a.up, ff)
		g.product(sum.o, a.attention, width, a.attentionOut.gradient(w.middle), width)
		g.product(sum.q, a.attentionIn.out, width, a.q.gradient(w.dq), width)
		g.product(sum.k, a.attentionIn.out, width, a.k.gradient(w.dk), shared)
		g.product(sum.v, a.attentionIn.out, width, w.dv, shared)
		g.norm(gain.attentionIn, &a.attentionIn, w.dattentionIn)
		g.norm(gain.qNorm, &a.q, w.dq)
		g.norm(gain.kNorm, &a.k, w.dk)
		g.norm(gain.attentionOut, &a.attentionOut, w.middle)
		g.norm(gain.ffnIn, &a.ffnIn, w.dffnIn)
		g.norm(gain.ffnOut, &a.ffnOut, w.after)
		n.run(g)
		w.after, w.before = w.before, w.after
	}
	n.workers.Each(kernel.Chunks(width, embedColumns), n.jobs.embedBackward)
}

// embedColumns is the number of columns of the embedding's gradient that an item of work adds to.
const embedColumns = 32

func (n *Net) embedBackward(_ *kernel.Scratch, item int) {
	from, to := kernel.Chunk(item, n.model.Width, embedColumns)
	kernel.EmbedBackward(n.pass.gradients.sums.embedding, n.work.after, n.model.Width, n.pass.tokens, from, to)
}

// ffnBackward goes from work.after to work.middle and work.dattention. The activations of gate and up become their gradients, the sigmoid the
// input of down.
func (n *Net) ffnBackward(s *kernel.Scratch, from, to int) {
	w, width, ff, rows := &n.work, n.model.Width, n.model.FF, to-from
	a, gains, p := w.layer(n.pass.layer), &n.weights.layers[n.pass.layer], &n.packed.layers[n.pass.layer]
	gate, up, dh := part(a.gate, ff, from, to), part(a.up, ff, from, to), part(w.dffnIn, width, from, to)
	d := s.Floats(rows*ff + 2*width)
	d, buffer := d[:rows*ff], d[rows*ff:]
	a.ffnOut.backward(w.after, gains.ffnOut, from, to, buffer)
	p.down.backward.Product(rows, part(a.ffnOut.gradient(w.after), width, from, to), width, d, ff, false)
	kernel.SwiGLUBackward(gate, up, part(a.sigmoid, ff, from, to), d)
	p.gate.backward.Product(rows, gate, ff, dh, width, false)
	p.up.backward.Product(rows, up, ff, dh, width, true)
	middle := part(w.middle, width, from, to)
	copy(middle, part(w.after, width, from, to))
	a.ffnIn.addBackward(middle, dh, gains.ffnIn, from, to, buffer)
	a.attentionOut.backward(w.middle, gains.attentionOut, from, to, buffer)
	p.o.backward.Product(rows, part(a.attentionOut.gradient(w.middle), width, from, to), width, part(w.dattention, width, from, to), width, false)
}

// attendBackward goes from work.dattention to the gradients of a segment's queries, keys and values of a group of heads.
func (n *Net) attendBackward(s *kernel.Scratch, item int) {
	groups, w, width, shared := n.model.Groups(), &n.work, n.model.Width, n.model.shared()
	a, g, group := w.layer(n.pass.layer), n.pass.segments[item/groups], item%groups
	from, to := g.row, g.row+g.count
	n.attention.BackwardSequence(s, group, g.count, part(a.q.out, width, from, to), part(a.k.out, shared, from, to), part(a.v, shared, from, to),
		part(a.stats, 2*n.model.Heads, from, to), part(w.dattention, width, from, to),
		part(w.dq, width, from, to), part(w.dk, shared, from, to), part(w.dv, shared, from, to))
}

// projectionsBackward goes from work.middle and the gradients of queries, keys and values to work.before.
func (n *Net) projectionsBackward(s *kernel.Scratch, from, to int) {
	w, width, shared, rows := &n.work, n.model.Width, n.model.shared(), to-from
	a, gains, p := w.layer(n.pass.layer), &n.weights.layers[n.pass.layer], &n.packed.layers[n.pass.layer]
	dh, buffer := part(w.dattentionIn, width, from, to), s.Floats(2*width)
	n.rotation.Rotate(part(w.dq, width, from, to), w.positions[from:to], true)
	n.rotation.Rotate(part(w.dk, shared, from, to), w.positions[from:to], true)
	a.q.backward(w.dq, gains.qNorm, from, to, buffer)
	a.k.backward(w.dk, gains.kNorm, from, to, buffer)
	p.q.backward.Product(rows, part(a.q.gradient(w.dq), width, from, to), width, dh, width, false)
	p.k.backward.Product(rows, part(a.k.gradient(w.dk), shared, from, to), shared, dh, width, true)
	p.v.backward.Product(rows, part(w.dv, shared, from, to), shared, dh, width, true)
	before := part(w.before, width, from, to)
	copy(before, part(w.middle, width, from, to))
	a.attentionIn.addBackward(before, dh, gains.attentionIn, from, to, buffer)
}

// gradient returns where the gradient by a.in lies, given that by a.out.
func (a *norm) gradient(dout []float32) []float32 {
	if a.din == nil {
		return dout
	}
	return a.din
}

// backward computes the gradient by a.in for some rows, given dout, all that by a.out, if there is a gain. buffer holds 2·width.
func (a *norm) backward(dout, gain []float32, from, to int, buffer []float32) {
	if width := len(gain); gain != nil {
		din := part(a.din, width, from, to)
		clear(din)
		a.addBackward(din, part(dout, width, from, to), gain, from, to, buffer)
	}
}

// addBackward adds to dx the gradient by a.in for some rows, given dout, that by a.out for these. Without a gain it is dout.
func (a *norm) addBackward(dx, dout, gain []float32, from, to int, buffer []float32) {
	if gain == nil {
		add(dx, dout)
		return
	}
	kernel.RMSNormBackward(dx, dout, part(a.in, len(gain), from, to), a.rstd[from:to], gain, buffer)
}
