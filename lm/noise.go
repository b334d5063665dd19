package lm

import (
	"fmt"
	"math"
)

// Perturb adds Gaussian noise to every tensor w of n numbers, in proportion to its Frobenius norm (Springer et al. 2025):
//
//	w += scale · ‖w‖/√n · ε,  ε ~ N(0,1)
//
// ε is drawn by (seed, draw, tensor, element): the noise of one draw is the same at every scale but for its length, and in all nets of a shape.
func (n *Net) Perturb(scale float64, seed int64, draw int) {
	for _, p := range n.parameters {
		w := p.data()
		squares := 0.0
		for _, v := range w {
			squares += float64(float64(v) * float64(v))
		}
		deviation := scale * math.Sqrt(squares/float64(len(w)))
		d := newDraws(seed, fmt.Sprintf("noise %d %s", draw, p.Name))
		for i, v := range w {
			w[i] = float32(float64(v) + float64(deviation*d.normal(uint64(i))))
		}
	}
}
