package lm

import "anneal/lm/kernel"

// Features calls visit with what every sequence is at every layer. Layer 0 is the embeddings; layer l is what layer l of the net leaves in the
// residual stream, states (tokens,width), and the units of its feed-forward, silu(gate)·up (tokens,ff), which layer 0 lacks. Both are only
// valid during the call.
func (n *Net) Features(sequences [][]int32, visit func(sequence, layer int, states, units []float32)) {
	width, ff := n.model.Width, n.model.FF
	var units, sigmoid []float32
	n.each(sequences, func(first int, tokens []int32, segments []segment) {
		if size := len(tokens) * ff; size > len(units) {
			units, sigmoid = make([]float32, size), make([]float32, size)
		}
		n.forward(tokens, segments, nil, func(layer int, x []float32) {
			if layer > 0 {
				a, size := n.work.layer(layer-1), len(tokens)*ff
				kernel.SwiGLU(units[:size], sigmoid[:size], a.gate[:size], a.up[:size])
			}
			for i, s := range segments {
				var own []float32
				if layer > 0 {
					own = part(units, ff, s.row, s.row+s.count)
				}
				visit(first+i, layer, part(x, width, s.row, s.row+s.count), own)
			}
		})
	})
}
