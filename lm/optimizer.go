package lm

import "math"

// AdamW configures decoupled AdamW (Loshchilov and Hutter 2019) with clipping of the gradient's norm.
type AdamW struct {
	LearningRate float64   `hcl:"learning_rate,optional"` // at the peak of the schedule
	WeightDecay  float64   `hcl:"weight_decay,optional"`  // multiplied by the learning rate of the step
	Betas        []float64 `hcl:"betas,optional"`         // of the two moments
	Eps          float64   `hcl:"eps,optional"`
	Clip         float64   `hcl:"clip,optional"`  // largest norm of the whole gradient; 0 is off
	Decay        string    `hcl:"decay,optional"` // what decays: "all", "matrices" (not norm gains), "no_embeddings" (all but embedding)
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
	p.add(a.Decay != "all" && a.Decay != "matrices" && a.Decay != "no_embeddings", "decay",
		`must be "all", "matrices" or "no_embeddings", is %q`, a.Decay)
	return p.err()
}

// decays tells whether weight decay applies to a parameter.
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
