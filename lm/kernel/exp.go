package kernel

import "math"

// Tiny is the magnitude below which results are stored as +0: a subnormal operand costs a hundred times a normal one, and probabilities,
// Adam's moments and decayed weights drift into that range and stay there.
const Tiny = 0x1p-100

// flush returns x, or +0 where its magnitude is below Tiny; NaN stays. It compares bits, for a branch on the sign of x would be mispredicted
// half of the time.
func flush(x float32) float32 {
	const tinyBits = (127 - 100) << 23
	if math.Float32bits(x)&^(1<<31) < tinyBits {
		return 0
	}
	return x
}

const (
	expLow  = -69.5 // e to this is below Tiny
	expHigh = 88    // e to this is 1.65e38; above, the result is +Inf

	log2E = 0x1.715476p+0
	ln2Hi = 0x1.63p-1 // nine bits: its product with a small integer is exact
	ln2Lo = -0x1.bd0106p-13
	// round is 1.5·2^23: adding it leaves the nearest integer in the low bits of the sum.
	round     = 12582912
	roundBits = 0x4b400000

	// e^r = 1 + r + r²·(expP0 + expP1·r + …) for |r| <= ln(2)/2: interpolation in the Chebyshev nodes, relative error 1.1e-8.
	expP0 = 0.5
	expP1 = 0.1666657702
	expP2 = 0.04166655462
	expP3 = 0.00836317418
	expP4 = 0.001392617949
)

// Exp stores e^(scale·x - shift) in out, element by element: within 2 ulp of the exponential of the rounded argument, +0 where that is below
// 2^-100, +Inf above e^88. out may be x.
func Exp(out, x []float32, scale, shift float32) {
	if len(out) != len(x) {
		panic("kernel: vectors differ in length")
	}
	if isa >= avx2 {
		expVector(out, x, scale, shift)
		return
	}
	for i, v := range x {
		v = float32(v*scale) - shift
		if v < expLow {
			out[i] = 0
			continue
		}
		if v > expHigh {
			out[i] = float32(math.Inf(1))
			continue
		}
		t := float32(v*log2E) + round
		n := t - round
		r := v - float32(n*ln2Hi)
		r -= float32(n * ln2Lo)
		p := float32(r*expP4) + expP3
		p = float32(r*p) + expP2
		p = float32(r*p) + expP1
		p = float32(r*p) + expP0
		p = float32(float32(r*r)*p) + r
		p += 1
		p *= math.Float32frombits((math.Float32bits(t) - roundBits + 127) << 23)
		if p < Tiny {
			p = 0
		}
		out[i] = p
	}
}

// expSum is Exp, and returns the Sum of what it stores.
func expSum(out, x []float32, scale, shift float32) float32 {
	if isa >= avx2 && len(out) == len(x) {
		return expVector(out, x, scale, shift)
	}
	Exp(out, x, scale, shift)
	return Sum(out)
}
