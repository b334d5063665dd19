package kernel

import "math"

// The float64 functions of schedules, position tables and losses. They use neither the standard library's, which differ by architecture, nor
// fused operations.

const (
	ln2High = 0x1.62e42fefp-1       // 33 bits: its product with an exponent is exact
	ln2Low  = 0x1.473de6af278edp-34 // ln(2) - ln2High
)

// Log returns the natural logarithm of x within 2 ulp; -Inf for 0, NaN for x < 0.
func Log(x float64) float64 {
	switch {
	case x != x || x > math.MaxFloat64:
		return x
	case x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	}
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	// ln m = 2·artanh(s) = 2s + 2s³/3 + 2s⁵/5 + …, s = (m-1)/(m+1), |s| < 0.172. The leading 2s is written f - s·f, f = m-1, which is exact in f.
	f := m - 1
	s := f / (m + 1)
	z := s * s
	var p float64
	for k := 25; k >= 3; k -= 2 {
		p = float64(p*z) + 2/float64(k)
	}
	n := float64(e)
	low := float64(s*float64(p*z)) + float64(n*ln2Low)
	return float64(n*ln2High) + (f - (float64(s*f) - low))
}

// Expm returns e^x within 2 ulp for |x| <= 700, which is all that a table of frequencies asks.
func Expm(x float64) float64 {
	n := math.Floor(float64(x*(1/math.Ln2)) + 0.5)
	r := (x - float64(n*ln2High)) - float64(n*ln2Low)
	p := 1.0
	for k := 14; k >= 1; k-- {
		p = float64(float64(p*r)/float64(k)) + 1
	}
	return math.Ldexp(p, int(n))
}

// pi/2 in three parts of 33, 33 and 53 bits: products of the first two with the number of quarter turns are exact below 2^20 turns.
const (
	quarter1 = 0x1.921fb544p+0
	quarter2 = 0x1.0b4611a6p-34
	quarter3 = 0x1.3198a2e037073p-69
)

// SinCos returns the sine and cosine of x within 2 ulp (or 2^-55 near their zeros) for |x| <= 1e6.
func SinCos(x float64) (sin, cos float64) {
	n := math.Floor(float64(x*(2/math.Pi)) + 0.5)
	r := ((x - float64(n*quarter1)) - float64(n*quarter2)) - float64(n*quarter3)
	z := r * r
	var s, c float64
	for k := 18; k >= 2; k -= 2 {
		c = float64(float64(1-c)*z) / float64(k*(k-1))
		s = float64(float64(1-s)*z) / float64(k*(k+1))
	}
	s, c = r-float64(r*s), 1-c
	switch int64(n) & 3 {
	case 0:
		return s, c
	case 1:
		return c, -s
	case 2:
		return -s, -c
	default:
		return -c, s
	}
}
