package probe

import (
	"math"
	"slices"

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
	o := &objective{labelled: d, classes: classes, l2: l2, gradient: make([]float64, classes*width)}
	value := func(w []float64) float64 {
		o.at(w)
		return o.value
	}
	gradient := func(g, w []float64) {
		o.at(w)
		copy(g, o.gradient)
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

// objective is what fit minimises, with its gradient, at the weights it was last asked for.
type objective struct {
	labelled
	classes  int
	l2       float64
	w        []float64
	value    float64
	gradient []float64
}

// at computes value and gradient at w, unless they are there: a line search asks for both at one place.
func (o *objective) at(w []float64) {
	if slices.Equal(w, o.w) {
		return
	}
	o.w = append(o.w[:0], w...)
	clear(o.gradient)
	width, n := len(o.x[0]), float64(len(o.x))
	scores := make([]float64, o.classes)
	m := logistic{o.classes, w}
	o.value = 0
	for i, x := range o.x {
		m.scores(x, scores)
		total := floats.LogSumExp(scores)
		o.value += (total - scores[o.y[i]]) / n
		for k := range o.classes {
			p := math.Exp(scores[k] - total)
			if k == o.y[i] {
				p--
			}
			floats.AddScaled(o.gradient[k*width:(k+1)*width], p/n, x)
		}
	}
	for k := range o.classes {
		weights := w[k*width : (k+1)*width-1]
		o.value += o.l2 / 2 * floats.Dot(weights, weights)
		floats.AddScaled(o.gradient[k*width:(k+1)*width-1], o.l2, weights)
	}
}

// scores fills s (classes) with the scores of x.
func (m logistic) scores(x, s []float64) {
	for k := range s {
		s[k] = floats.Dot(m.w[k*len(x):(k+1)*len(x)], x)
	}
}

// evaluate returns the share of examples whose class scores highest (the first of equals), the mean cross-entropy in
// nats, and each example's margin: the score of its class minus the best other one's.
func (m logistic) evaluate(d labelled) (accuracy, loss float64, margins []float64) {
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
		margins = append(margins, own-floats.Max(scores))
	}
	return accuracy / n, loss / n, margins
}
