package lm

import "anneal/lm/kernel"

// The rows that an item of work takes: whole tiles, at least two items a worker, and few enough that what passes between two kernels stays in
// the cache.
const (
	leastChunk = 24
	mostChunk  = 96
)

// chunk returns the number of rows of an item of work over so many of them.
func (n *Net) chunk(rows int) int {
	return min(mostChunk, leastChunk*max(1, kernel.Chunks(rows, 2*n.workers.Size()*leastChunk)))
}

// A block of logits has about so many numbers, or so many rows if that is more: items for all cores, each with rows enough to be worth a pass
// over the output matrix.
const (
	logitFloats = 1 << 20
	leastLogits = 4 * mostChunk
)

// workspace holds the activations of the rows (tokens) of one micro-batch.
type workspace struct {
	rows     int
	training bool

	segments  []segment
	positions []int32
	layers    []activations // one a layer in training, else one that all layers use in turn
	last      []float32     // the residual stream after the last layer (rows,width)
	final     norm
	logits    []float32 // a block of tokens
	loss      []float64

	// The backward pass: gradients by the residual stream after, within and before a layer, by what its sublayers read, by what attention
	// gives, and by its queries, keys and values.
	after, middle, before                                []float32
	dfinal, dattentionIn, dffnIn, dattention, dq, dk, dv []float32
}

// activations are what a layer's backward pass needs of its forward pass.
type activations struct {
	x                   []float32 // the residual stream before the layer
	attentionIn         norm
	q, k                norm // as projected, and as attention reads them: through their norm, and turned
	v, attention, stats []float32
	attentionOut        norm
	middle              []float32 // the residual stream after attention
	ffnIn               norm
	gate, up, sigmoid   []float32
	ffnOut              norm
}

// norm is what an RMSNorm reads and writes (rows,width). Where the family has none, out is in.
type norm struct {
	in, rstd, out []float32
	din           []float32 // the gradient by in, where the backward pass keeps it
}

// newWorkspace makes room for so many rows, of numbers that floats makes.
func (n *Net) newWorkspace(rows int, training bool, floats func(n int) []float32) workspace {
	m, width, shared, ff := n.model, n.model.Width, n.model.shared(), n.model.FF
	columns := func(n int) []float32 { return floats(rows * n) }
	w := workspace{rows: rows, training: training, logits: floats(min(rows, n.logitRows()) * n.outputs)}
	slots, streams := 1, make([][]float32, 1)
	if training {
		slots, streams = m.Layers, make([][]float32, m.Layers+1)
	}
	for i := range streams {
		streams[i] = columns(width)
	}
	w.last = streams[len(streams)-1]
	w.final = norm{in: w.last, rstd: columns(1), out: columns(width)}

	var has layer[float32] // a norm that is there is not nil
	for _, p := range parts(m, &has) {
		*p.at = []float32{}
	}
	gradient := func(gain []float32, width int) []float32 {
		if gain == nil || !training {
			return nil
		}
		return columns(width)
	}
	dattentionOut, dffnOut, dqIn, dkIn := gradient(has.attentionOut, width), gradient(has.ffnOut, width), gradient(has.qNorm, width), gradient(has.kNorm, shared)
	before := func(gain, x []float32) norm {
		if gain == nil {
			return norm{in: x, out: x}
		}
		return norm{in: x, rstd: columns(1), out: columns(width)}
	}
	projected := func(gain, din []float32, width int) norm {
		x := columns(width)
		if gain == nil {
			return norm{in: x, out: x}
		}
		return norm{x, columns(1), columns(width), din}
	}
	after := func(gain, out, din []float32) norm {
		if gain == nil {
			return norm{out: out}
		}
		return norm{columns(width), columns(1), out, din}
	}
	for l := range slots {
		x, middle, next := streams[l], columns(width), streams[min(l+1, len(streams)-1)]
		w.layers = append(w.layers, activations{
			x: x, attentionIn: before(has.attentionIn, x), q: projected(has.qNorm, dqIn, width), k: projected(has.kNorm, dkIn, shared),
			v: columns(shared), attention: columns(width), stats: columns(2 * m.Heads), attentionOut: after(has.attentionOut, middle, dattentionOut),
			middle: middle, ffnIn: before(has.ffnIn, middle), gate: columns(ff), up: columns(ff), sigmoid: columns(ff), ffnOut: after(has.ffnOut, next, dffnOut),
		})
	}
	if training {
		for _, p := range []*[]float32{&w.after, &w.middle, &w.before, &w.dfinal, &w.dattentionIn, &w.dffnIn, &w.dattention, &w.dq} {
			*p = columns(width)
		}
		w.dk, w.dv = columns(shared), columns(shared)
	}
	return w
}

// reserve makes room for a batch of rows.
func (n *Net) reserve(rows int, training bool) {
	w := &n.work
	if rows > w.rows || training && !w.training {
		rows = max(rows, w.rows)
		*w = n.newWorkspace(rows, training || w.training, func(n int) []float32 { return make([]float32, n) })
		w.positions, w.loss = make([]int32, rows), make([]float64, rows)
	}
}

// logitRows is the number of rows in a block of logits.
func (n *Net) logitRows() int { return leastLogits * max(1, logitFloats/n.outputs/leastLogits) }

func (w *workspace) layer(l int) *activations { return &w.layers[l%len(w.layers)] }

// part returns the rows from, …, to-1 of x, which has so many columns.
func part(x []float32, columns, from, to int) []float32 { return x[from*columns : to*columns] }
