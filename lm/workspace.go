package lm

import "anneal/lm/kernel"

// chunk is the number of rows an item of work takes: whole tiles, and few enough that what passes between two kernels stays in the cache.
const chunk = 96

// logitFloats bounds the block of logits that is kept at once.
const logitFloats = 1 << 20

// workspace holds the activations of the rows (tokens) of one batch. Sizes are in numbers of float32, N rows:
// training keeps layers·N·(6·width + 2·groups·head_dim + 3·ff) and N·(10·width + 2·groups·head_dim) beside; evaluation only one layer's share.
type workspace struct {
	rows, slots int
	training    bool

	segments  []segment
	positions []int32
	layers    []activations // one a layer in training, else one that all layers use in turn
	last      []float32     // the residual stream after the last layer (rows,width)
	final     []float32     // and its norm
	finalRstd []float32
	logits    []float32 // a block of tokens
	loss      []float64

	// The backward pass: gradients by the residual stream after, within and before a layer, and by what its sublayers take and give.
	after, middle, before       []float32
	dfinal                      []float32
	dattentionNorm, dffnNorm    []float32
	dattention, dq, dk, dvalues []float32
}

// activations are what a layer's backward pass needs of its forward pass.
type activations struct {
	x, attentionRstd, attentionNorm []float32 // input, its norm
	q, k, v, attention, stats       []float32
	middle, ffnRstd, ffnNorm        []float32 // after attention
	gate, up, sigmoid               []float32
}

// reserve makes room for a batch of rows.
func (n *Net) reserve(rows int, training bool) {
	w := &n.work
	if rows <= w.rows && (w.training || !training) {
		return
	}
	rows, training = max(rows, w.rows), training || w.training
	width, shared := n.model.Width, n.model.Groups()*n.model.HeadDim()
	make32 := func(columns int) []float32 { return make([]float32, rows*columns) }
	*w = workspace{
		rows: rows, training: training, slots: 1,
		positions: make([]int32, rows), last: make32(width), final: make32(width), finalRstd: make32(1), loss: make([]float64, rows),
		logits: make([]float32, min(rows, n.logitRows())*n.vocab),
	}
	if training {
		w.slots = n.model.Layers
		for _, p := range []*[]float32{&w.after, &w.middle, &w.before, &w.dfinal, &w.dattentionNorm, &w.dffnNorm, &w.dattention, &w.dq} {
			*p = make32(width)
		}
		w.dk, w.dvalues = make32(shared), make32(shared)
	}
	for range w.slots {
		w.layers = append(w.layers, activations{
			x: make32(width), attentionRstd: make32(1), attentionNorm: make32(width),
			q: make32(width), k: make32(shared), v: make32(shared), attention: make32(width), stats: make32(2 * n.model.Heads),
			middle: make32(width), ffnRstd: make32(1), ffnNorm: make32(width),
			gate: make32(n.model.FF), up: make32(n.model.FF), sigmoid: make32(n.model.FF),
		})
	}
}

// logitRows is the number of rows in a block of logits.
func (n *Net) logitRows() int { return max(chunk, logitFloats/n.vocab/chunk*chunk) }

func (w *workspace) layer(l int) *activations { return &w.layers[l%w.slots] }

// input returns the residual stream that layer l reads, or the last one writes for l = layers.
func (n *Net) input(l int) []float32 {
	if l == n.model.Layers {
		return n.work.last
	}
	return n.work.layer(l).x
}

// byRows runs f over chunks of rows.
func (n *Net) byRows(rows int, f func(s *kernel.Scratch, from, to int)) {
	n.workers.Each(kernel.Chunks(rows, chunk), func(s *kernel.Scratch, i int) {
		from, to := kernel.Chunk(i, rows, chunk)
		f(s, from, to)
	})
}

// part returns the rows from, …, to-1 of x, which has so many columns.
func part(x []float32, columns, from, to int) []float32 { return x[from*columns : to*columns] }
