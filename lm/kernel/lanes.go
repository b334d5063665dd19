package kernel

import "math"

// lanes are the sixteen partial sums of a row reduction: lane j takes elements j, j+16, …, starting at +0. The order is that of one AVX-512
// register, two of AVX2 or four of NEON, so that any of them gives the same bits as the loops here.
const lanes = 16

// tree joins the lanes: those 8 apart, then 4, 2 and 1.
func tree(l *[lanes]float32) float32 {
	a0, a1, a2, a3 := l[0]+l[8], l[1]+l[9], l[2]+l[10], l[3]+l[11]
	a4, a5, a6, a7 := l[4]+l[12], l[5]+l[13], l[6]+l[14], l[7]+l[15]
	return ((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7))
}

// Sum returns the sum of x.
func Sum(x []float32) float32 {
	if isa >= avx2 {
		return sumVector(x)
	}
	var l [lanes]float32
	whole := len(x) &^ (lanes - 1)
	for half := 0; half < lanes; half += 8 {
		var a0, a1, a2, a3, a4, a5, a6, a7 float32
		for i := half; i < whole; i += lanes {
			v := (*[8]float32)(x[i:])
			a0 += v[0]
			a1 += v[1]
			a2 += v[2]
			a3 += v[3]
			a4 += v[4]
			a5 += v[5]
			a6 += v[6]
			a7 += v[7]
		}
		*(*[8]float32)(l[half:]) = [8]float32{a0, a1, a2, a3, a4, a5, a6, a7}
	}
	for j, v := range x[whole:] {
		l[j] += v
	}
	return tree(&l)
}

// Dot returns the sum of x·y, each product rounded.
func Dot(x, y []float32) float32 {
	if len(x) != len(y) {
		panic("kernel: vectors differ in length")
	}
	if isa >= avx2 {
		return dotVector(x, y)
	}
	var l [lanes]float32
	whole := len(x) &^ (lanes - 1)
	for half := 0; half < lanes; half += 8 {
		var a0, a1, a2, a3, a4, a5, a6, a7 float32
		for i := half; i < whole; i += lanes {
			v, w := (*[8]float32)(x[i:]), (*[8]float32)(y[i:])
			a0 += float32(v[0] * w[0])
			a1 += float32(v[1] * w[1])
			a2 += float32(v[2] * w[2])
			a3 += float32(v[3] * w[3])
			a4 += float32(v[4] * w[4])
			a5 += float32(v[5] * w[5])
			a6 += float32(v[6] * w[6])
			a7 += float32(v[7] * w[7])
		}
		*(*[8]float32)(l[half:]) = [8]float32{a0, a1, a2, a3, a4, a5, a6, a7}
	}
	for j, v := range x[whole:] {
		l[j] += float32(v * y[whole+j])
	}
	return tree(&l)
}

// Max returns the largest element of x, -Inf if there is none; a zero is +0. An element that is not a number is passed over: it shows in what
// is computed from the row instead.
func Max(x []float32) float32 {
	if isa >= avx2 {
		return maxVector(x)
	}
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return m + 0
}

// Finite tells whether all elements are finite.
func Finite(x []float32) bool {
	if isa >= avx2 {
		return finiteVector(x) == 0
	}
	var a, b, c, d float32 // x-x is 0 if x is finite, else not a number; four sums keep the adder busy
	for ; len(x) >= 4; x = x[4:] {
		a += x[0] - x[0]
		b += x[1] - x[1]
		c += x[2] - x[2]
		d += x[3] - x[3]
	}
	for _, v := range x {
		a += v - v
	}
	return a+b+c+d == 0
}
