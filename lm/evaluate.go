package lm

// Batch is a batch of token sequences of one length, row-major (Sequences,Length). Targets are what each position should predict, -1 where
// there is no loss.
type Batch struct {
	Sequences, Length int
	Tokens, Targets   []int32
}

// resize makes room for a batch, with any content.
func (b *Batch) resize(sequences, length int) {
	b.Sequences, b.Length = sequences, length
	size := sequences * length
	if cap(b.Tokens) < size {
		b.Tokens, b.Targets = make([]int32, size), make([]int32, size)
	}
	b.Tokens, b.Targets = b.Tokens[:size], b.Targets[:size]
}

// count returns the number of targets.
func (b *Batch) count() int {
	n := 0
	for _, t := range b.Targets {
		if t >= 0 {
			n++
		}
	}
	return n
}

// sequences returns the sequences from, …, to-1.
func (b *Batch) sequences(from, to int) Batch {
	first, last := from*b.Length, to*b.Length
	return Batch{to - from, b.Length, b.Tokens[first:last], b.Targets[first:last]}
}

func (b *Batch) segments(s []segment) []segment {
	if len(b.Tokens) != b.Sequences*b.Length || len(b.Targets) != len(b.Tokens) {
		panic("lm: a batch whose tokens or targets do not fit its shape")
	}
	s = s[:0]
	for i := range b.Sequences {
		s = append(s, segment{row: i * b.Length, count: b.Length})
	}
	return s
}

// Loss returns the sum of the negative log-likelihoods of the targets, in nats, and their number.
func (n *Net) Loss(b *Batch) (sum float64, targets int) {
	n.prepare()
	return n.loss(b), b.count()
}

// MeanLoss returns the mean negative log-likelihood of all targets, in nats a target; NaN if there are none.
func (n *Net) MeanLoss(batches []Batch) float64 {
	n.prepare()
	var sum float64
	targets := 0
	for i := range batches {
		sum, targets = sum+n.loss(&batches[i]), targets+batches[i].count()
	}
	return sum / float64(targets)
}

func (n *Net) loss(b *Batch) (sum float64) {
	n.evaluate(b, func(losses []float64) {
		for _, v := range losses {
			sum += v
		}
	})
	return sum
}

// LogProbabilities returns the log-probability, in nats, of each position's target, 0 where there is none.
func (n *Net) LogProbabilities(b *Batch) []float64 {
	n.prepare()
	out := make([]float64, 0, len(b.Tokens))
	n.evaluate(b, func(losses []float64) {
		for _, v := range losses {
			out = append(out, 0-v)
		}
	})
	return out
}

// prepare is called before a forward pass that is no part of a training.
func (n *Net) prepare() {
	n.workers.Resize()
	n.pack(false)
}

// evaluate calls visit with the losses of all positions, some sequences at a time: no more than fit where a training has its workspace.
func (n *Net) evaluate(b *Batch, visit func(losses []float64)) {
	rows := hiddenRows
	if n.work.training {
		rows = min(rows, n.work.rows)
	}
	micro := max(1, rows/max(1, b.Length))
	for from := 0; from < b.Sequences; from += micro {
		m := b.sequences(from, min(b.Sequences, from+micro))
		n.reserve(len(m.Tokens), false)
		n.work.segments = m.segments(n.work.segments)
		n.forward(m.Tokens, n.work.segments, nil, nil)
		n.losses(m.Targets, nil, 0, 0)
		visit(n.work.loss[:len(m.Tokens)])
	}
}

// hiddenRows is the number of tokens that run at once where no gradient is asked for, if no sequence is longer.
const hiddenRows = 2048

// Hidden calls visit with the residual stream of every sequence: layer 0 is the embeddings, layer l what layer l of the net leaves, up to
// Layers (before the final norm). states (tokens,width) is only valid during the call.
func (n *Net) Hidden(sequences [][]int32, visit func(sequence, layer int, states []float32)) {
	n.each(sequences, func(first int, tokens []int32, segments []segment) {
		n.forward(tokens, segments, nil, func(layer int, x []float32) {
			for i, s := range segments {
				visit(first+i, layer, part(x, n.model.Width, s.row, s.row+s.count))
			}
		})
	})
}

// LastLogits returns the logits at the last token of every sequence, of which none is empty: a row of them each.
func (n *Net) LastLogits(sequences [][]int32) [][]float32 {
	rows := make([][]float32, len(sequences))
	n.each(sequences, func(first int, tokens []int32, segments []segment) {
		n.forward(tokens, segments, nil, nil)
		for i, s := range segments {
			rows[first+i] = make([]float32, n.outputs)
			n.computeLogits(s.row+s.count-1, s.row+s.count, rows[first+i])
		}
	})
	return rows
}

// each calls pass with the tokens of some sequences at a time, from the first of them on, and makes room for them.
func (n *Net) each(sequences [][]int32, pass func(first int, tokens []int32, segments []segment)) {
	n.prepare()
	for first := 0; first < len(sequences); {
		var tokens []int32
		var segments []segment
		for last := first; last < len(sequences); last++ {
			s := sequences[last]
			if len(tokens) > 0 && len(tokens)+len(s) > hiddenRows {
				break
			}
			segments = append(segments, segment{row: len(tokens), count: len(s)})
			tokens = append(tokens, s...)
		}
		n.reserve(len(tokens), false)
		pass(first, tokens, segments)
		first += len(segments)
	}
}
