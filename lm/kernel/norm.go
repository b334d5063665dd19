package kernel

import "math"

// RMSNorm computes out = x·rstd·gain by rows of x (rows,width), rstd = 1/√(mean(x²)+eps) (Zhang and Sennrich 2019), and stores rstd (rows).
// A row whose mean square overflows becomes NaN, so that it is seen.
func RMSNorm(out, rstd, x, gain []float32, eps float32) {
	width := len(gain)
	if len(x) != len(rstd)*width || len(out) != len(x) {
		panic("kernel: RMSNorm of unequal shapes")
	}
	for i := range rstd {
		row, to := x[i*width:][:width], out[i*width:][:width]
		r := 1 / float32(math.Sqrt(float64(Dot(row, row)/float32(width)+eps)))
		if r == 0 {
			r = float32(math.NaN())
		}
		rstd[i] = r
		if isa >= avx2 {
			normalizeVector(to, row, gain, r)
			continue
		}
		for j, v := range row {
			to[j] = float32(v*r) * gain[j]
		}
	}
}

// RMSNormBackward adds to dx (rows,width) the gradient of RMSNorm by x, given dy (rows,width):
//
//	dx += rstd·(d - x̂·mean(d·x̂)), d = dy·gain, x̂ = x·rstd
//
// buffer (2·width) is overwritten.
func RMSNormBackward(dx, dy, x, rstd, gain, buffer []float32) {
	width := len(gain)
	if len(x) != len(rstd)*width || len(dx) != len(x) || len(dy) != len(x) || len(buffer) < 2*width {
		panic("kernel: RMSNormBackward of unequal shapes")
	}
	d, hat := buffer[:width], buffer[width:2*width]
	for i, r := range rstd {
		row, up, to := x[i*width:][:width], dy[i*width:][:width], dx[i*width:][:width]
		if isa >= avx2 {
			mean := normDotVector(up, row, gain, r) / float32(width)
			normGradientVector(to, up, row, gain, r, mean)
			continue
		}
		for j, v := range row {
			hat[j] = v * r
			d[j] = up[j] * gain[j]
		}
		mean := Dot(d, hat) / float32(width)
		for j := range to {
			to[j] += float32(r * (d[j] - float32(hat[j]*mean)))
		}
	}
}

// RMSNormGain adds to sum (columns) the gradient of RMSNorm by gain, for the columns from first on: the sum over rows, in order, of dy·x·rstd,
// the last product and the sum in float64.
func RMSNormGain(sum []float64, first int, dy, x, rstd []float32, width int) {
	if len(x) != len(rstd)*width || len(dy) != len(x) || first+len(sum) > width {
		panic("kernel: RMSNormGain of unequal shapes")
	}
	if whole := len(sum) &^ 15; isa >= avx2 && whole > 0 && len(rstd) > 0 {
		gainSumsVector(sum[:whole], &dy[first], &x[first], rstd, width)
		sum, first = sum[whole:], first+whole
	}
	if len(sum) == 0 {
		return
	}
	for i, r := range rstd {
		row, up := x[i*width+first:][:len(sum)], dy[i*width+first:][:len(sum)]
		for j, v := range row {
			sum[j] += float64(float64(up[j]) * float64(v*r))
		}
	}
}
