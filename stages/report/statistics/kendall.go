package statistics

import "math"

// TauB is Kendall's tau-b: the pairs that x and y order alike less those that they order oppositely, over
// √(pairs not tied in x · pairs not tied in y) (Kendall, "The treatment of ties in ranking problems", Biometrika 1945).
// It is NaN where x or y is constant.
func TauB(x, y []float64) float64 {
	agree, inX, inY := 0, 0, 0
	for i := range x {
		for j := range i {
			a, b := sign(x[i]-x[j]), sign(y[i]-y[j])
			agree += a * b
			inX += a * a
			inY += b * b
		}
	}
	return float64(agree) / math.Sqrt(float64(inX)*float64(inY))
}

func sign(d float64) int {
	switch {
	case d > 0:
		return 1
	case d < 0:
		return -1
	}
	return 0
}
