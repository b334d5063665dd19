package kernel

// The functions on vectors for AVX-512 or AVX2.

func sumVector(x []float32) float32 {
	if isa == avx512 {
		return sumAVX512(x)
	}
	return sumAVX2(x)
}

func dotVector(x, y []float32) float32 {
	if isa == avx512 {
		return dotAVX512(x, y)
	}
	return dotAVX2(x, y)
}

func maxVector(x []float32) float32 {
	if isa == avx512 {
		return maxAVX512(x)
	}
	return maxAVX2(x)
}

func finiteVector(x []float32) float32 {
	if isa == avx512 {
		return finiteAVX512(x)
	}
	return finiteAVX2(x)
}

func expVector(out, x []float32, scale, shift float32) float32 {
	if isa == avx512 {
		return expAVX512(out, x, scale, shift)
	}
	return expAVX2(out, x, scale, shift)
}

func scaleFlushVector(x []float32, first, second float32) {
	if isa == avx512 {
		scaleFlushAVX512(x, first, second)
	} else {
		scaleFlushAVX2(x, first, second)
	}
}

func softmaxGradientVector(d, p []float32, mean, scale float32) {
	if isa == avx512 {
		softmaxGradientAVX512(d, p, mean, scale)
	} else {
		softmaxGradientAVX2(d, p, mean, scale)
	}
}

func normalizeVector(out, x, gain []float32, rstd float32) {
	if isa == avx512 {
		normalizeAVX512(out, x, gain, rstd)
	} else {
		normalizeAVX2(out, x, gain, rstd)
	}
}

func normDotVector(dy, x, gain []float32, rstd float32) float32 {
	if isa == avx512 {
		return normDotAVX512(dy, x, gain, rstd)
	}
	return normDotAVX2(dy, x, gain, rstd)
}

func normGradientVector(dx, dy, x, gain []float32, rstd, mean float32) {
	if isa == avx512 {
		normGradientAVX512(dx, dy, x, gain, rstd, mean)
	} else {
		normGradientAVX2(dx, dy, x, gain, rstd, mean)
	}
}

func gainSumsVector(sum []float64, dy, x *float32, rstd []float32, width int) {
	if isa == avx512 {
		gainSumsAVX512(sum, dy, x, rstd, width)
	} else {
		gainSumsAVX2(sum, dy, x, rstd, width)
	}
}

func rotateVector(x, cos, sin []float32, direction float32) {
	if isa == avx512 {
		rotateAVX512(x, cos, sin, direction)
	} else {
		rotateAVX2(x, cos, sin, direction)
	}
}

func swigluVector(out, sigmoid, gate, up []float32) {
	if isa == avx512 {
		swigluAVX512(out, sigmoid, gate, up)
	} else {
		swigluAVX2(out, sigmoid, gate, up)
	}
}

func swigluBackwardVector(gate, up, sigmoid, dout []float32) {
	if isa == avx512 {
		swigluBackwardAVX512(gate, up, sigmoid, dout)
	} else {
		swigluBackwardAVX2(gate, up, sigmoid, dout)
	}
}

func adamwVector(w, m, v, g []float32, c *[10]float32) {
	if isa == avx512 {
		adamwAVX512(w, m, v, g, c)
	} else {
		adamwAVX2(w, m, v, g, c)
	}
}

func addVector(sum, x []float32) {
	if isa == avx512 {
		addAVX512(sum, x)
	} else {
		addAVX2(sum, x)
	}
}
