package kernel

import "math"

// fma returns a·b + c rounded once, as the hardware's fused multiply-add does.
//
// The product of two float32 is exact in float64, so a compiler that fuses here changes nothing. The float64 sum is rounded, and rounding it again
// to float32 is right unless the sum lies where the second rounding turns on what the first one dropped: then its low 28 bits are zero, even where
// the result is subnormal. There the error of the sum (Knuth's TwoSum) tells on which side the exact value lies, and the sum is rounded to odd
// instead, which survives a second rounding (Boldo and Melquiond 2008).
func fma(a, b, c float32) float32 {
	p := float64(a) * float64(b)
	z := float64(c)
	s := p + z
	bits := math.Float64bits(s)
	if bits&(1<<28-1) != 0 {
		return float32(s)
	}
	t := s - p
	e := (p - (s - t)) + (z - t)
	if e == 0 || e != e {
		return float32(s)
	}
	if (e > 0) == (s > 0) {
		bits |= 1
	} else {
		bits--
	}
	return float32(math.Float64frombits(bits))
}
