package lm

import "anneal/lm/kernel"

// TrainingMemory returns how many bytes a training on one core holds, with micro-batches of so many sequences of that length.
// With P parameters and N = sequences·length tokens, in numbers of float32:
//
//	4·P for weights, gradients and the two moments, and about 2·P for the matrices packed for products, forward and backward
//	layers·N·(6·width + 2·groups·head_dim + 3·ff + 2·heads) activations, and N·(10·width + 2·groups·head_dim) beside, for the backward pass
//	olmo2, for its norms: layers·N·(width + groups·head_dim) and N·(3·width + groups·head_dim) more
//	a block of logits (at most 2²⁰, or 384·vocab if that is more), and as much as the embedding if that is tied
//
// Each further core adds its scratch, 96·ff and little more; the program, the data and the batch come on top.
func (m Model) TrainingMemory(vocab, sequences, length int) int64 {
	var gains, packed int
	for _, s := range m.Shapes(vocab) {
		if len(s.Dims) == 1 {
			gains += s.size()
		} else {
			packed += panelSize(s.Dims[1], s.Dims[0])
		}
	}
	floats := 3*m.ParameterCount(vocab) + packed
	if m.Tied {
		floats += vocab * m.Width
	}
	return int64(4*floats+8*gains) + m.passMemory(vocab, sequences*length, length, true)
}

// GenerationMemory returns how many bytes it takes at most on one core to generate so many sequences of that length, their prompts included:
// weights, packed for the forward pass, activations of one layer, and of the sequences that are generated at a time keys and values, and the order
// of the tokens by likelihood, which top-k and top-p ask for.
func (m Model) GenerationMemory(vocab, sequences, length int) int64 {
	sequences = min(sequences, together)
	cache := m.Layers * sequences * m.Groups() * kernel.PastSize(m.HeadDim(), length)
	order := 8*sequences*vocab + 4*max(0, 2*vocab-m.scratch()) // and the weights of a draw
	return int64(4*cache+order) + m.passMemory(vocab, max(length, min(hiddenRows, sequences*length)), length, false)
}

// passMemory returns what passes over so many tokens take: weights, packed for the forward pass, the table of rotations, the workspace, and the
// scratch of one core.
func (m Model) passMemory(vocab, rows, length int, training bool) int64 {
	floats := length * m.HeadDim()
	for _, s := range m.Shapes(vocab) {
		floats += s.size()
		if len(s.Dims) == 2 {
			floats += panelSize(s.Dims[0], s.Dims[1])
		}
	}
	n := &Net{model: m, vocab: vocab, outputs: m.outputs(vocab)}
	n.newWorkspace(rows, training, func(count int) []float32 {
		floats += count
		return nil
	})
	floats += m.scratch()
	floats += 2 * length * (m.HeadDim() + 48) // of attention: keys and values transposed, scores and their gradients of a block of queries
	return int64(4*floats + rows*(4+8))       // a position and a loss for each token
}

// scratch returns how many numbers a core's buffer of the feed-forward and norms holds.
func (m Model) scratch() int { return mostChunk*m.FF + 2*m.Width }

// panelSize returns the size of a packed matrix: its columns are filled up to 16.
func panelSize(rows, columns int) int { return rows * ((columns + 15) / 16 * 16) }
