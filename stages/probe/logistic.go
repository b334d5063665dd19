package probe

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"
)

// logistic is a multinomial logistic regression: class k of classes scores w[k]·(x, 1).
type logistic struct {
	classes int
	w       []float64 // (classes, features+1), the last column the offsets
}

// labelled is a set of examples: features (n, each with a constant 1 appended) and their classes.
type labelled struct {
	x [][]float64
	y []int
}

// fit minimises, by L-BFGS from start,
//
//	mean over examples of −ln softmax(scores)[y]  +  ½·l2·‖w without offsets‖²
//
// which is convex: the start changes the way, not the place. A start of nil is zeros.
func fit(d labelled, classes int, l2 float64, start []float64) logistic {
	width := len(d.x[0])
	if start == nil {
		start = make([]float64, classes*width)
	}
	scores := make([]float64, classes)
	value := func(w []float64) float64 {
		m := logistic{classes, w}
		sum := 0.0
		for i, x := range d.x {
			m.scores(x, scores)
			sum += floats.LogSumExp(scores) - scores[d.y[i]]
		}
		return sum/float64(len(d.x)) + l2/2*m.penalty(width)
	}
	gradient := func(g, w []float64) {
		m := logistic{classes, w}
		clear(g)
		for i, x := range d.x {
			m.scores(x, scores)
			total := floats.LogSumExp(scores)
			for k := range classes {
				p := math.Exp(scores[k] - total)
				if k == d.y[i] {
					p--
				}
				floats.AddScaled(g[k*width:(k+1)*width], p/float64(len(d.x)), x)
			}
		}
		for k := range classes {
			floats.AddScaled(g[k*width:(k+1)*width-1], l2, w[k*width:(k+1)*width-1])
		}
	}
	// The tolerance leaves accuracies as they are: halving it moves scores in the fifth digit.
	settings := &optimize.Settings{GradientThreshold: 1e-5, MajorIterations: 500}
	result, err := optimize.Minimize(optimize.Problem{Func: value, Grad: gradient}, start, settings, &optimize.LBFGS{})
	if result == nil {
		panic("probe: L-BFGS did not start: " + err.Error())
	}
	// An error with a result is a line search that found nothing lower within rounding: the place it stopped at stands.
	return logistic{classes, result.X}
}

// scores fills s (classes) with the scores of x.
func (m logistic) scores(x, s []float64) {
	for k := range s {
		s[k] = floats.Dot(m.w[k*len(x):(k+1)*len(x)], x)
	}
}

// penalty is the squared norm of the weights without offsets.
func (m logistic) penalty(width int) float64 {
	sum := 0.0
	for k := range m.classes {
		w := m.w[k*width : (k+1)*width-1]
		sum += floats.Dot(w, w)
	}
	return sum
}

// evaluate returns the share of examples whose class scores highest (the first of equals), the mean cross-entropy in
// nats, and the mean margin: the score of the class minus the best other one's.
func (m logistic) evaluate(d labelled) (accuracy, loss, margin float64) {
	scores := make([]float64, m.classes)
	n := float64(len(d.x))
	for i, x := range d.x {
		m.scores(x, scores)
		if floats.MaxIdx(scores) == d.y[i] {
			accuracy++
		}
		own := scores[d.y[i]]
		loss += floats.LogSumExp(scores) - own
		scores[d.y[i]] = math.Inf(-1)
		margin += own - floats.Max(scores)
	}
	return accuracy / n, loss / n, margin / n
}
