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
	i := 0
	if blocks := columns / 8; isa >= avx2 && blocks > 0 {
		for ; i+8 <= rows; i += 8 {
			transposeBlocks(&out[i], ldout*elementSize, &x[i*ldx], ldx*elementSize, blocks)
			for j := 8 * blocks; j < columns; j++ {
				for r := i; r < i+8; r++ {
					out[j*ldout+r] = x[r*ldx+j]
				}
			}
		}
	}
	for ; i+4 <= rows; i += 4 { // four rows at a time write runs of four
		r0, r1, r2, r3 := x[i*ldx:][:columns], x[(i+1)*ldx:][:columns], x[(i+2)*ldx:][:columns], x[(i+3)*ldx:][:columns]
		for j, v := range r0 {
			to := (*[4]float32)(out[j*ldout+i:])
			to[0], to[1], to[2], to[3] = v, r1[j], r2[j], r3[j]
		}
	}
	for ; i < rows; i++ {
		for j, v := range x[i*ldx:][:columns] {
			out[j*ldout+i] = v
		}
	}
}
