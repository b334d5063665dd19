package lm

import (
	"math"

	"anneal/lm/kernel"
)

// AdamW configures decoupled AdamW (Loshchilov and Hutter 2019) with clipping of the gradient's norm. Step t, counted from 1, with the learning
// rate η that the schedule gives it and the gradient g, whose norm over all parameters is ‖g‖, is
//
//	g = g·min(1, clip/‖g‖)
//	m = β₁·m + (1-β₁)·g, v = β₂·v + (1-β₂)·g²
//	w = w - η·((m/(1-β₁ᵗ)) / (√(v/(1-β₂ᵗ)) + eps) + weight_decay·w)
//
// Numbers of w, m and v that would come below 2^-100 are stored as 0.
type AdamW struct {
	LearningRate float64   `hcl:"learning_rate,optional" doc:"at the peak of the schedule, at least 0"`
	WeightDecay  float64   `hcl:"weight_decay,optional" doc:"decoupled: multiplied by the learning rate of the step, at least 0"`
	Betas        []float64 `hcl:"betas,optional" doc:"of the two moments, each at least 0 and below 1"`
	Eps          float64   `hcl:"eps,optional" doc:"added to the root of the second moment, above 0"`
	Clip         float64   `hcl:"clip,optional" doc:"largest norm of the whole gradient; 0 is off"`
	Decay        string    `hcl:"decay,optional" values:"all,matrices,no_embeddings" doc:"what decays: every parameter, all but the gains of norms, or all but the embedding, which a tied output is"`
}

// DefaultAdamW returns the defaults: learning rate 1e-3, weight decay 0.1, betas 0.9 and 0.95, eps 1e-8, clip 1, every parameter decayed.
func DefaultAdamW() AdamW {
	return AdamW{LearningRate: 1e-3, WeightDecay: 0.1, Betas: []float64{0.9, 0.95}, Eps: 1e-8, Clip: 1, Decay: "all"}
}

// Check returns all that is wrong with the configuration, as *FieldError.
func (a AdamW) Check() error {
	var p problems
	p.add(!(a.LearningRate >= 0) || a.LearningRate > math.MaxFloat32, "learning_rate", "must be at least 0, is %g", a.LearningRate)
	p.add(!(a.WeightDecay >= 0) || a.WeightDecay > math.MaxFloat32, "weight_decay", "must be at least 0, is %g", a.WeightDecay)
	p.add(len(a.Betas) != 2, "betas", "must be two numbers, are %d", len(a.Betas))
	for _, b := range a.Betas {
		p.add(!(b >= 0 && b < 1), "betas", "must be at least 0 and below 1, one is %g", b)
	}
	p.add(!(a.Eps > 0) || a.Eps > math.MaxFloat32 || float32(a.Eps) == 0, "eps", "must be above 0, is %g", a.Eps)
	p.add(!(a.Clip >= 0), "clip", "must be at least 0, is %g", a.Clip)
	p.words(a)
	return p.err()
}

// decays tells whether weight decay applies to a parameter. "matrices" spares the gains of norms. "no_embeddings" is the recipe of OLMo 2 (Walsh
// et al. 2024): the embedding alone is spared, gains and output decay. A tied output is the embedding, and is spared with it.
func (a AdamW) decays(s Shape) bool {
	switch a.Decay {
	case "matrices":
		return len(s.Dims) == 2
	case "no_embeddings":
		return s.Name != "embedding"
	default:
		return true
	}
}

// constants returns what one step's updates have in common, given the powers of the betas that go with the step and the norm of the gradient.
// A norm above Clip is scaled down to it.
func (a AdamW) constants(rate, beta1Power, beta2Power, norm float64) kernel.AdamW {
	k := kernel.AdamW{
		Rate: float32(rate), Decay: float32(a.WeightDecay), Eps: float32(a.Eps), Scale: 1,
		Beta1: float32(a.Betas[0]), Beta2: float32(a.Betas[1]), Rest1: float32(1 - a.Betas[0]), Rest2: float32(1 - a.Betas[1]),
		Unbias1: float32(1 / (1 - beta1Power)), Unbias2: float32(1 / (1 - beta2Power)),
	}
	if a.Clip > 0 && norm > a.Clip {
		k.Scale = float32(a.Clip / norm)
	}
	return k
}
