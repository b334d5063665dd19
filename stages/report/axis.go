package report

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
)

// axis places values of x along a panel. A log axis that has a zero is broken: the zero stands left of the smallest
// positive value, at a tick of its own.
type axis struct {
	log    bool
	zero   bool    // the axis is log and has a zero
	origin float64 // where the zero stands, in decades
	ticks  []plot.Tick
	min    float64 // in the coordinates that place returns
	max    float64
}

// factor is the span of positive values from which on an axis of fractions is log.
const factor = 5

// newAxis makes the axis for the values given.
func newAxis(scale string, integers bool, xs []float64) axis {
	xs = slices.Clone(xs)
	slices.Sort(xs)
	xs = slices.Compact(xs)
	positive := slices.DeleteFunc(slices.Clone(xs), func(x float64) bool { return x <= 0 })
	a := axis{log: scale == "log"}
	if scale == "auto" {
		a.log = !integers && xs[0] >= 0 && len(positive) > 1 && positive[len(positive)-1] >= factor*positive[0]
	}
	a.log = a.log && xs[0] >= 0 && len(positive) > 0
	if a.log && xs[0] == 0 {
		decades := math.Log10(positive[len(positive)-1] / positive[0])
		a.zero = true
		a.origin = math.Log10(positive[0]) - max(0.4, 0.35*decades)
	}
	const few = 10 // values that can all have their tick
	if a.log || len(xs) <= few {
		for _, x := range xs {
			a.ticks = append(a.ticks, plot.Tick{Value: a.place(x), Label: plain(x)})
		}
		if a.log && len(xs) > few {
			a.ticks = thin(a.ticks)
		}
	} else {
		a.ticks = niceTicks(xs[0], xs[len(xs)-1], 6)
	}
	a.min, a.max = a.place(xs[0]), a.place(xs[len(xs)-1])
	room := 0.06 * (a.max - a.min)
	if room == 0 {
		room = 0.5
	}
	a.min, a.max = a.min-room, a.max+room
	return a
}

// place returns where x stands.
func (a axis) place(x float64) float64 {
	switch {
	case !a.log:
		return x
	case x == 0:
		return a.origin
	}
	return math.Log10(x)
}

// thin leaves out the labels of ticks that stand too close to the one before.
func thin(ticks []plot.Tick) []plot.Tick {
	span := ticks[len(ticks)-1].Value - ticks[0].Value
	last := math.Inf(-1)
	for i := range ticks {
		if ticks[i].Value-last < span/12 {
			ticks[i].Label = ""
		} else {
			last = ticks[i].Value
		}
	}
	return ticks
}

// niceTicks returns about n ticks at multiples of 1, 2 or 5 times a power of ten within low and high.
func niceTicks(low, high float64, n int) []plot.Tick {
	raw := (high - low) / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	step := power
	for _, m := range []float64{1, 2, 5, 10} {
		if step = m * power; step >= raw {
			break
		}
	}
	digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var ticks []plot.Tick
	for k := math.Ceil(low/step - 1e-9); k*step <= high+1e-9*step; k++ {
		ticks = append(ticks, plot.Tick{Value: k * step, Label: fixed(k*step, digits)})
	}
	return ticks
}
