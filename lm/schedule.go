package lm

import (
	"math"

	"anneal/lm/kernel"
)

// Schedule is the learning rate over a training: a linear warmup to the peak, then its shape.
type Schedule struct {
	Shape       string  `hcl:"shape,optional" values:"cosine,linear,wsd,constant" doc:"how the learning rate falls after the warmup; wsd stays at the peak until its decay"`
	Warmup      float64 `hcl:"warmup,optional" doc:"share of all steps in which it rises to its peak, from 0 to 1"`
	WarmupSteps int     `hcl:"warmup_steps,optional" doc:"the same in steps, in place of warmup"`
	Final       float64 `hcl:"final,optional" doc:"share of the peak that remains at the last step, from 0 to 1; without effect on a constant shape"`
	Decay       float64 `hcl:"decay,optional" doc:"share of all steps in which wsd falls, from 0 to 1; without effect on other shapes"`
}

// DefaultSchedule returns a cosine to a tenth of the peak without warmup. The decay is that of wsd, a fifth of all steps.
func DefaultSchedule() Schedule { return Schedule{Shape: "cosine", Final: 0.1, Decay: 0.2} }

// Check returns all that is wrong with the schedule, as *FieldError.
func (s Schedule) Check() error {
	var p problems
	p.words(s)
	p.add(!(s.Warmup >= 0 && s.Warmup <= 1), "warmup", "must be from 0 to 1, is %g", s.Warmup)
	p.add(s.WarmupSteps < 0, "warmup_steps", "must be at least 0, is %d", s.WarmupSteps)
	p.add(s.Warmup > 0 && s.WarmupSteps > 0, "warmup_steps", "must not be given together with warmup, which is %g: write warmup = 0 beside it", s.Warmup)
	p.add(!(s.Final >= 0 && s.Final <= 1), "final", "must be from 0 to 1, is %g", s.Final)
	p.add(!(s.Decay >= 0 && s.Decay <= 1), "decay", "must be from 0 to 1, is %g", s.Decay)
	p.add(s.Shape == "wsd" && s.Warmup+s.Decay > 1, "decay", "must leave room for the warmup: together they are %g of all steps", s.Warmup+s.Decay)
	return p.err()
}

// Factor returns what the peak learning rate is multiplied by at a step, counted from 0, of a training of so many steps. With w steps of
// warmup and, for wsd (Hu et al. 2024), d steps of decay (shares are rounded to the nearest whole step; a decay that is longer than what the
// warmup leaves takes all of that):
//
//	(step+1)/w                                   while step < w
//	final + (1-final)·(1+cos(π·x))/2             cosine, x = (step+1-w)/(steps-w)
//	final + (1-final)·(1-x)                      linear
//	1, then final + (1-final)·(1-y)              wsd, y = (step+1-(steps-d))/d from 0 on
//	1                                            constant
//
// so that the peak is reached at the last step of the warmup and the final share at the last step of all.
func (s Schedule) Factor(step, steps int) float64 {
	warmup := s.warmup(steps)
	if step < warmup {
		return float64(step+1) / float64(warmup)
	}
	fall := steps - warmup // how many steps it takes, up to the last
	switch s.Shape {
	case "constant":
		fall = 0
	case "wsd":
		fall = s.decay(steps)
	}
	if step < steps-fall {
		return 1
	}
	x := float64(step+1-(steps-fall)) / float64(fall)
	left := 1 - x
	if s.Shape == "cosine" {
		_, cos := kernel.SinCos(math.Pi * x)
		left = (1 + cos) / 2
	}
	return s.Final + float64((1-s.Final)*left)
}

// Independent returns how many first steps of a training of so many have a rate that does not depend on that number: all of a constant
// schedule's, wsd's up to its decay, both with a warmup in steps. Where there are none it says why.
func (s Schedule) Independent(steps int) (until int, why string) {
	switch {
	case s.Shape != "constant" && s.Shape != "wsd":
		return 0, "a " + s.Shape + " schedule falls towards the last of all steps"
	case s.Warmup > 0:
		return 0, "a warmup that is a share of all steps depends on their number; warmup_steps does not"
	case s.Shape == "constant":
		return steps, ""
	}
	if until = steps - s.decay(steps); until == 0 {
		why = "a decay over all steps falls towards the last of them"
	}
	return until, why
}

// Sum returns Σ Factor over the steps of a training of so many.
func (s Schedule) Sum(steps int) float64 {
	sum := 0.0
	for step := range steps {
		sum += s.Factor(step, steps)
	}
	return sum
}

// warmup returns the number of steps of warmup.
func (s Schedule) warmup(steps int) int {
	if s.Warmup > 0 {
		return share(s.Warmup, steps)
	}
	return s.WarmupSteps
}

// decay returns the number of steps in which wsd falls.
func (s Schedule) decay(steps int) int {
	return min(share(s.Decay, steps), max(0, steps-s.warmup(steps)))
}

// share returns a share of steps, rounded to whole ones.
func share(of float64, steps int) int { return int(math.Floor(float64(of*float64(steps)) + 0.5)) }
