package kernel

// softmaxRow replaces x by e^(scale·x - max), divided by its sum, and returns the maximum of scale·x and the inverse of the sum.
// Elements below 2^-100 become +0. The true maximum is subtracted, so the result does not depend on how the row came about.
func softmaxRow(x []float32, scale float32) (peak, inverse float32) {
	peak = float32(Max(x) * scale)
	inverse = 1 / expSum(x, x, scale, peak)
	scaleFlush(x, inverse, 1)
	return peak, inverse
}

// softmaxAgain is softmaxRow given what it returned.
func softmaxAgain(x []float32, scale, peak, inverse float32) {
	Exp(x, x, scale, peak)
	scaleFlush(x, inverse, 1)
}

// scaleFlush multiplies x by a first and a second factor, with +0 where either product is below 2^-100 in magnitude.
func scaleFlush(x []float32, first, second float32) {
	if isa >= avx2 {
		scaleFlushVector(x, first, second)
		return
	}
	for i, v := range x {
		x[i] = flush(flush(v*first) * second)
	}
}

// softmaxBackward replaces d, the gradient by the probabilities p, by that of the unscaled scores: scale·p·(d - Σ p·d), +0 below 2^-100.
func softmaxBackward(d, p []float32, scale float32) {
	mean := Dot(p, d)
	if isa >= avx2 {
		softmaxGradientVector(d, p, mean, scale)
		return
	}
	d = d[:len(p)]
	for i, v := range p {
		d[i] = flush(float32(v*(d[i]-mean)) * scale)
	}
}

// Transpose stores x (rows,columns) transposed in out, whose rows are ldout apart.
func Transpose(out []float32, ldout int, x []float32, ldx, rows, columns int) {
	if rows == 0 || columns == 0 {
		return
	}
	if len(x) < (rows-1)*ldx+columns || len(out) < (columns-1)*ldout+rows {
		panic("kernel: Transpose of unequal shapes")
	}
	blocks, whole := 0, 0 // the first rows are transposed by blocks of 8 columns
	if isa >= avx2 {
		blocks = columns / 8
		for ; blocks > 0 && whole+8 <= rows; whole += 8 {
			transposeBlocks(&out[whole], ldout*elementSize, &x[whole*ldx], ldx*elementSize, blocks)
		}
	}
	for i := range rows {
		j := 0
		if i < whole {
			j = 8 * blocks
		}
		for ; j < columns; j++ {
			out[j*ldout+i] = x[i*ldx+j]
		}
	}
}
