package kernel

// Embed copies to out (len(tokens),width) the rows of table (vocab,width) that tokens name.
func Embed(out, table []float32, width int, tokens []int32) {
	for i, t := range tokens {
		copy(out[i*width:][:width], table[int(t)*width:][:width])
	}
}

// EmbedBackward adds each row of dout (len(tokens),width) to the row of dtable (vocab,width) that its token names, in token order, for the
// columns from ≤ j < to.
func EmbedBackward(dtable, dout []float32, width int, tokens []int32, from, to int) {
	for i, t := range tokens {
		row, sum := dout[i*width+from:i*width+to], dtable[int(t)*width+from:int(t)*width+to]
		if isa >= avx2 {
			addVector(sum, row)
			continue
		}
		for j, v := range row {
			sum[j] += v
		}
	}
}
