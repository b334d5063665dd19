package pipeline

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"strconv"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// distribution is what uniform and log_uniform name: an axis of random that is drawn from a range.
type distribution struct {
	low, high   float64
	logarithmic bool
}

var distributionType = cty.Capsule("distribution", reflect.TypeFor[distribution]())

// digits is how many significant ones a drawn number keeps, so that addresses read well.
const digits = 4

// at returns the value of the distribution at u, 0 ≤ u < 1: low + u·(high−low), or low·(high/low)^u. Conversions keep
// the processor from fusing operations, which would round otherwise.
func (d distribution) at(u float64) float64 {
	x := d.low + float64(u*float64(d.high-d.low))
	if d.logarithmic {
		x = float64(d.low * power(d.high/d.low, u))
	}
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'e', digits-1, 64), 64)
	return min(max(x, d.low), d.high)
}

// power returns r to the u, 0 ≤ u < 1, of square roots and products alone, which every processor rounds alike.
func power(r, u float64) float64 {
	p := 1.0
	for u > 0 {
		r = math.Sqrt(r)
		if u *= 2; u >= 1 {
			p *= r
			u -= 1
		}
	}
	return p
}

// draws is a generator by formula: the i-th draw is a function of seed, axis and i alone, so that neither more points
// nor another axis move any.
type draws struct{ a, b uint64 }

func newDraws(seed int64, axis string) draws {
	h := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, uint64(seed)), axis...))
	return draws{binary.LittleEndian.Uint64(h[:]), binary.LittleEndian.Uint64(h[8:])}
}

// bits returns 64 random bits.
func (d draws) bits(i uint64) uint64 { return mix(mix(d.a+i*0x9e3779b97f4a7c15) ^ d.b) }

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// uniform returns a number of at least 0 and below 1.
func (d draws) uniform(i uint64) float64 { return float64(d.bits(i)>>11) * 0x1p-53 }

// below returns a whole number below n: the high half of a product.
func (d draws) below(i uint64, n int) int {
	hi, _ := bits.Mul64(d.bits(i), uint64(n))
	return int(hi)
}

// bounds reads the arguments of a distribution.
func bounds(name string, low, high cty.Value) (distribution, error) {
	a, _ := low.AsBigFloat().Float64()
	b, _ := high.AsBigFloat().Float64()
	if math.IsInf(a, 0) || math.IsInf(b, 0) || math.IsInf(b-a, 0) || a >= b {
		return distribution{}, fmt.Errorf("%s takes a lower and a higher number, not %s and %s", name, formatFloat(a), formatFloat(b))
	}
	return distribution{low: a, high: b}, nil
}

func uniform(low, high cty.Value) (distribution, error) { return bounds("uniform", low, high) }

func logUniform(low, high cty.Value) (distribution, error) {
	d, err := bounds("log_uniform", low, high)
	if err == nil && d.low <= 0 {
		err = fmt.Errorf("log_uniform takes numbers above 0, and its lower one is %s", formatFloat(d.low))
	}
	if err == nil && math.IsInf(d.high/d.low, 0) {
		err = fmt.Errorf("log_uniform from %s to %s spans too much", formatFloat(d.low), formatFloat(d.high))
	}
	d.logarithmic = true
	return d, err
}

func distributionFunction(description string, f func(low, high cty.Value) (distribution, error)) function.Function {
	return function.New(&function.Spec{
		Description: description,
		Params:      []function.Parameter{{Name: "low", Type: cty.Number}, {Name: "high", Type: cty.Number}},
		Type:        function.StaticReturnType(distributionType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			d, err := f(args[0], args[1])
			return cty.CapsuleVal(distributionType, &d), err
		},
	})
}

var randomFunction = anyType("Points drawn at random: so many, from a seed. An axis is uniform(low, high) or log_uniform(low, high), drawn to 4 significant digits, or one of grid's axes, of which one value is drawn. A larger count adds points and changes none; so does another axis.", []string{"count", "seed", "axes"}, func(args []cty.Value) (cty.Value, error) {
	return random(args[0], args[1], args[2])
})

// fruitless is after how many draws in a row that found no new point random gives up.
const fruitless = 10000

// random draws points: draw i takes of every axis what the seed, the axis' name and i give. A draw that finds a point
// drawn before is passed over.
func random(count, seed, v cty.Value) (cty.Value, error) {
	const example = "random(20, 1, {learning_rate = log_uniform(1e-5, 1e-3), layers = [2, 4]})"
	n, err := whole(count)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return cty.DynamicVal, fmt.Errorf("random takes a count, a seed and an object of axes, and the count is %s: %s", spell(count), example)
	}
	s, err := whole(seed)
	if err != nil {
		return cty.DynamicVal, fmt.Errorf("random takes a count, a seed and an object of axes, and the seed is %s: %s", spell(seed), example)
	}
	ranges := map[string]distribution{}
	all, err := axes("random", example, v, func(name string, v cty.Value) (axis, error) {
		if v.Type() == distributionType && !v.IsNull() {
			ranges[name] = *v.EncapsulatedValue().(*distribution)
			return axis{name: name, steps: []step{{Point{{Name: name}}, cty.DynamicVal}}}, nil // names the coordinate
		}
		a, err := readAxis(name, v)
		if err == nil {
			err = a.twice()
		}
		if err == nil && len(a.steps) == 0 {
			err = fmt.Errorf("%s is empty; there is nothing to draw", name)
		}
		return a, err
	})
	if err != nil {
		return cty.DynamicVal, err
	}
	generators := make([]draws, len(all))
	for i, a := range all {
		generators[i] = newDraws(s, a.name)
	}
	object := map[string]cty.Value{}
	for i, passed := uint64(0), 0; len(object) < int(n); i++ {
		var wrong error
		point, e := combine(all, func(j int) step {
			d, drawn := ranges[all[j].name]
			if !drawn {
				return all[j].steps[generators[j].below(i, len(all[j].steps))]
			}
			x := cty.MustParseNumberVal(formatFloat(d.at(generators[j].uniform(i)))) // 0.1 as a file has it
			c, err := coordinate(all[j].name, x)
			wrong = errors.Join(wrong, err)
			return step{Point{c}, x}
		})
		if wrong != nil {
			return cty.DynamicVal, wrong
		}
		if _, before := object[point.String()]; before {
			if passed++; passed == fruitless {
				return cty.DynamicVal, fmt.Errorf("random is to draw %d points, and after %d there are none that were not drawn before", n, len(object))
			}
			continue
		}
		passed = 0
		object[point.String()] = e
	}
	return cty.ObjectVal(object), nil
}

// whole returns a whole number of 64 bits.
func whole(v cty.Value) (int64, error) {
	if v.Type() != cty.Number {
		return 0, errors.New("not a number")
	}
	i, accuracy := v.AsBigFloat().Int64()
	if accuracy != 0 {
		return 0, errors.New("not a whole number")
	}
	return i, nil
}

// spell says what a value is: a number itself, of anything else the type.
func spell(v cty.Value) string {
	if v.Type() == cty.Number {
		return v.AsBigFloat().Text('g', -1)
	}
	return describe(v)
}
