package checkpoint

import (
	"fmt"
	"math"
	"strings"

	"anneal/artifacts"
)

// Statistics is a row of the parameters table: one tensor. Sums are of float64 in the order of the elements.
type Statistics struct {
	Name            string  `parquet:"name"`
	Shape           string  `parquet:"shape"` // rows×columns
	Elements        int64   `parquet:"elements"`
	Mean            float64 `parquet:"mean"`
	Std             float64 `parquet:"std"`              // √(Σ(x−mean)²/n)
	RMS             float64 `parquet:"rms"`              // √(Σx²/n)
	AbsoluteMaximum float64 `parquet:"absolute_maximum"` // max |x|
	Norm            float64 `parquet:"norm"`             // √Σx²
}

func describe(p artifacts.Parameter) Statistics {
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
	return Statistics{
		Name: p.Name, Shape: strings.Join(dims, "×"), Elements: int64(len(p.Values)),
		Mean: mean, Std: math.Sqrt(spread / n), RMS: math.Sqrt(squares / n),
		AbsoluteMaximum: largest, Norm: math.Sqrt(squares),
	}
}
