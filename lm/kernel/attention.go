package kernel

// attentionRows is the number of query rows of a block: a multiple of the tile's rows and columns, so that blocks are whole tiles.
const attentionRows = 48

// Attention is causal grouped-query attention for one group of a sequence: the query heads that share one key and value head.
// Heads lie side by side in the rows of q (tokens,heads·dim), k and v (tokens,groups·dim).
type Attention struct {
	Heads, Groups, Dim int
	Scale              float32 // of the scores, 1/√dim
}

type attentionScratch struct {
	keys, values, scores, gradients []float32
}

// ForwardSequence computes the heads of one group for a sequence of count tokens, which may be 0:
//
//	out = softmax(scale·q·kᵀ)·v over the keys up to each query's own position
//
// q and out (count,heads·dim), k and v (count,groups·dim) are whole rows. stats (count,heads,2), which may be nil, keeps the maximum and the
// inverse sum of each row for BackwardSequence. A result does not depend on the block it is computed in: masked probabilities are +0, adding
// their products changes at most the sign of a zero, and a zero is stored as +0.
func (a *Attention) ForwardSequence(s *Scratch, group, count int, q, k, v, out, stats []float32) {
	width, shared, per := a.Heads*a.Dim, a.Groups*a.Dim, a.Heads/a.Groups
	if count == 0 {
		return
	}
	k, v = k[group*a.Dim:], v[group*a.Dim:]
	s.row.keys = grow(s.row.keys, a.Dim*count)
	Transpose(s.row.keys, count, k, shared, count, a.Dim)
	for h := group * per; h < (group+1)*per; h++ {
		for from := 0; from < count; from += attentionRows {
			rows := min(attentionRows, count-from)
			visible, at := from+rows, from*width+h*a.Dim
			s.row.scores = grow(s.row.scores, rows*visible)
			p := s.row.scores
			s.Product(NN, rows, visible, a.Dim, q[at:], width, s.row.keys, count, p, visible, false)
			for i := range rows {
				row, own := p[i*visible:][:visible], from+i+1
				peak, inverse := softmaxRow(row[:own], a.Scale)
				clear(row[own:])
				if stats != nil {
					n := ((from+i)*a.Heads + h) * 2
					stats[n], stats[n+1] = peak, inverse
				}
			}
			s.Product(NN, rows, a.Dim, visible, p, visible, v, shared, out[at:], width, false)
			for i := range rows {
				row := out[at+i*width:][:a.Dim]
				for j := range row {
					row[j] += 0
				}
			}
		}
	}
}

// BackwardSequence computes the gradients dq (count,heads·dim), dk and dv (count,groups·dim) of one group's heads from that of the output,
// dout, with the stats that ForwardSequence kept. Probabilities are computed again, a block of queries at a time. dk and dv sum over the heads
// of the group in order, then over queries.
func (a *Attention) BackwardSequence(s *Scratch, group, count int, q, k, v, stats, dout, dq, dk, dv []float32) {
	width, shared, per := a.Heads*a.Dim, a.Groups*a.Dim, a.Heads/a.Groups
	k, v, dk, dv = k[group*a.Dim:], v[group*a.Dim:], dk[group*a.Dim:], dv[group*a.Dim:]
	s.row.keys, s.row.values = grow(s.row.keys, a.Dim*count), grow(s.row.values, a.Dim*count)
	Transpose(s.row.keys, count, k, shared, count, a.Dim)
	Transpose(s.row.values, count, v, shared, count, a.Dim)
	for i := range count {
		clear(dk[i*shared:][:a.Dim])
		clear(dv[i*shared:][:a.Dim])
	}
	for h := group * per; h < (group+1)*per; h++ {
		for from := 0; from < count; from += attentionRows {
			rows := min(attentionRows, count-from)
			visible := from + rows
			s.row.scores, s.row.gradients = grow(s.row.scores, rows*visible), grow(s.row.gradients, rows*visible)
			p, d, at := s.row.scores, s.row.gradients, from*width+h*a.Dim
			s.Product(NN, rows, visible, a.Dim, q[at:], width, s.row.keys, count, p, visible, false)
			s.Product(NN, rows, visible, a.Dim, dout[at:], width, s.row.values, count, d, visible, false)
			for i := range rows {
				own, n := from+i+1, ((from+i)*a.Heads+h)*2
				row, gradient := p[i*visible:][:visible], d[i*visible:][:visible]
				softmaxAgain(row[:own], a.Scale, stats[n], stats[n+1])
				softmaxBackward(gradient[:own], row[:own], a.Scale)
				clear(row[own:])
				clear(gradient[own:])
			}
			s.Product(NN, rows, a.Dim, visible, d, visible, k, shared, dq[at:], width, false)
			s.Product(TN, visible, a.Dim, rows, d, visible, q[at:], width, dk, shared, true)
			s.Product(TN, visible, a.Dim, rows, p, visible, dout[at:], width, dv, shared, true)
		}
	}
}
