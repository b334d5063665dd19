package lm

import (
	"math"

	"anneal/lm/kernel"
)

// Schedule is the learning rate over a training: a linear warmup to the peak, then its shape.
type Schedule struct {
	Shape       string  `hcl:"shape,optional" values:"cosine,linear,constant" doc:"how the learning rate falls after the warmup"`
	Warmup      float64 `hcl:"warmup,optional" doc:"share of all steps in which it rises to its peak, from 0 to 1"`
	WarmupSteps int     `hcl:"warmup_steps,optional" doc:"the same in steps, in place of warmup"`
	Final       float64 `hcl:"final,optional" doc:"share of the peak that remains at the last step, from 0 to 1; without effect on a constant shape"`
}

// DefaultSchedule returns a cosine to a tenth of the peak without warmup.
func DefaultSchedule() Schedule { return Schedule{Shape: "cosine", Final: 0.1} }

// Check returns all that is wrong with the schedule, as *FieldError.
func (s Schedule) Check() error {
	var p problems
	p.words(s)
	p.add(!(s.Warmup >= 0 && s.Warmup <= 1), "warmup", "must be from 0 to 1, is %g", s.Warmup)
	p.add(s.WarmupSteps < 0, "warmup_steps", "must be at least 0, is %d", s.WarmupSteps)
	p.add(s.Warmup > 0 && s.WarmupSteps > 0, "warmup_steps", "must not be given together with warmup, which is %g: write warmup = 0 beside it", s.Warmup)
	p.add(!(s.Final >= 0 && s.Final <= 1), "final", "must be from 0 to 1, is %g", s.Final)
	return p.err()
}

// Factor returns what the peak learning rate is multiplied by at a step, counted from 0, of a training of so many steps. With w steps of
// warmup (a share is rounded to the nearest whole step):
//
//	(step+1)/w                                   while step < w
//	final + (1-final)·(1+cos(π·x))/2             cosine, x = (step+1-w)/(steps-w)
//	final + (1-final)·(1-x)                      linear
//	1                                            constant
//
// so that the peak is reached at the last step of the warmup and the final share at the last step of all.
func (s Schedule) Factor(step, steps int) float64 {
	warmup := s.WarmupSteps
	if s.Warmup > 0 {
		warmup = int(math.Floor(float64(s.Warmup*float64(steps)) + 0.5))
	}
	if step < warmup {
		return float64(step+1) / float64(warmup)
	}
	if s.Shape == "constant" || steps <= warmup {
		return 1
	}
	x := float64(step+1-warmup) / float64(steps-warmup)
	left := 1 - x
	if s.Shape == "cosine" {
		_, cos := kernel.SinCos(math.Pi * x)
		left = (1 + cos) / 2
	}
	return s.Final + float64((1-s.Final)*left)
}
