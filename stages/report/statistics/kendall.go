package statistics

import (
	"math"
	"math/rand/v2"
)

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

// TauBP is the probability of a tau-b at least as far from 0 if every order of y were equally likely. It is exact up to
// nine points; beyond, the share of 100,000 orders drawn with a fixed seed, the one at hand counted with them.
func TauBP(x, y []float64) float64 {
	if math.IsNaN(TauB(x, y)) {
		return math.NaN()
	}
	n := len(x)
	signs := make([][]int, n) // of x; what y adds is looked up by the order
	order := make([]int, n)
	ySigns := make([][]int, n)
	for i := range n {
		order[i] = i
		for j := range n {
			signs[i] = append(signs[i], sign(x[i]-x[j]))
			ySigns[i] = append(ySigns[i], sign(y[i]-y[j]))
		}
	}
	agreement := func() int { // decides tau-b, as ties stay as many
		sum := 0
		for i := range n {
			for j := range i {
				sum += signs[i][j] * ySigns[order[i]][order[j]]
			}
		}
		return max(sum, -sum)
	}
	observed := agreement()
	extreme, all := 0, 0
	count := func() {
		all++
		if agreement() >= observed {
			extreme++
		}
	}
	const exact, drawn = 9, 100_000
	if n <= exact {
		permute(order, n, count)
	} else {
		count()
		random := rand.New(rand.NewPCG(1, 0))
		for range drawn {
			random.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
			count()
		}
	}
	return float64(extreme) / float64(all)
}

// permute visits every order of the first n of a.
func permute(a []int, n int, visit func()) {
	if n < 2 {
		visit()
		return
	}
	for i := range n {
		a[i], a[n-1] = a[n-1], a[i]
		permute(a, n-1, visit)
		a[i], a[n-1] = a[n-1], a[i]
	}
}
