package checkpoint

import (
	"fmt"
	"math"
	"strings"

	"anneal/artifacts"
)

// describe sums in float64, in the order of the elements.
func describe(p artifacts.Parameter) artifacts.ParameterRow {
	n := float64(len(p.Values))
	var sum, squares, largest float64
	for _, v := range p.Values {
		x := float64(v)
		sum += x
		squares += float64(x * x)
		largest = max(largest, math.Abs(x))
	}
	mean, spread := sum/n, 0.0
	for _, v := range p.Values {
		d := float64(v) - mean
		spread += float64(d * d)
	}
	dims := make([]string, len(p.Shape))
	for i, d := range p.Shape {
		dims[i] = fmt.Sprint(d)
	}
	return artifacts.ParameterRow{
		Name: p.Name, Shape: strings.Join(dims, "×"), Elements: int64(len(p.Values)),
		Mean: mean, Std: math.Sqrt(spread / n), RMS: math.Sqrt(squares / n),
		AbsoluteMaximum: largest, Norm: math.Sqrt(squares),
	}
}
