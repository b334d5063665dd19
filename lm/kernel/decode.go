package kernel

// panelPositions is the number of positions whose keys lie side by side in a Past.
const panelPositions = 16

// Past holds the keys and values of one group of a sequence's heads, laid out for queries that come one at a time: keys transposed, in panels
// of 16 positions (panels,dim,16), so that a query reads them from end to end, and values (positions,dim) with rows filled up to a multiple
// of 16.
type Past struct {
	dim, row     int
	keys, values []float32
}

// PastSize returns how many numbers a Past of so many positions takes.
func PastSize(dim, positions int) int {
	return Chunks(positions, panelPositions)*panelPositions*dim + positions*roundUp(dim, panelPositions)
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// NewPast returns a Past in memory, which is zero and PastSize(dim, positions) long.
func NewPast(dim, positions int, memory []float32) Past {
	keys := Chunks(positions, panelPositions) * panelPositions * dim
	return Past{dim, roundUp(dim, panelPositions), memory[:keys], memory[keys:]}
}

// Store stores keys and values (count,dim), whose rows are ld apart, at the positions from start on.
func (p *Past) Store(start, count int, k, v []float32, ld int) {
	for i := 0; i < count; {
		at := start + i
		n := min(panelPositions-at%panelPositions, count-i)
		Transpose(p.keys[at/panelPositions*panelPositions*p.dim+at%panelPositions:], panelPositions, k[i*ld:], ld, n, p.dim)
		i += n
	}
	for i := range count {
		copy(p.values[(start+i)*p.row:], v[i*ld:][:p.dim])
	}
}

// Copy copies the first count positions of another Past of the same dimension.
func (p *Past) Copy(from *Past, count int) {
	copy(p.keys, from.keys[:Chunks(count, panelPositions)*panelPositions*p.dim])
	copy(p.values, from.values[:count*p.row])
}

// Decode is Forward for one query of one group's heads, at the last of the count positions that past holds: q and out (heads·dim) are whole
// rows. Each score is one chain over dim, each output one over positions, as in Forward, and the bits are the same.
func (a *Attention) Decode(s *Scratch, group, count int, q []float32, past *Past, out []float32) {
	panels, per := Chunks(count, panelPositions), a.Heads/a.Groups
	s.row.scores = grow(s.row.scores, panels*panelPositions+past.row)
	scores, mixed := s.row.scores[:panels*panelPositions], s.row.scores[panels*panelPositions:]
	if len(q) != a.Heads*a.Dim || len(out) != len(q) || a.Dim != past.dim || count < 1 || count*past.row > len(past.values) {
		panic("kernel: Decode of unequal shapes")
	}
	for h := group * per; h < (group+1)*per; h++ {
		query, to := q[h*a.Dim:][:a.Dim], out[h*a.Dim:][:a.Dim]
		if isa >= avx2 {
			scoresFused(a.Dim, panels, &query[0], &past.keys[0], &scores[0])
		} else {
			for i := range panels {
				s.Product(NN, 1, panelPositions, a.Dim, query, a.Dim, past.keys[i*panelPositions*a.Dim:], panelPositions, scores[i*panelPositions:], panelPositions, false)
			}
		}
		softmaxRow(scores[:count], a.Scale)
		if isa >= avx2 {
			mixFused(count, past.row, &scores[0], &past.values[0], &mixed[0])
		} else {
			s.Product(NN, 1, past.row, count, scores, count, past.values, past.row, mixed, past.row, false)
		}
		for j, v := range mixed[:a.Dim] {
			to[j] = v + 0
		}
	}
}
