package pipeline

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Sweeps are cty objects, so that `for` expressions can filter them. What HCL must not lose on the way travels in
// attributes whose names no HCL identifier can spell: an element of a sweep carries its point, a block its node.
const (
	pointAttr = "(point)"
	nodeAttr  = "(node)"
)

var (
	refType   = cty.Capsule("artifact", reflect.TypeFor[Ref]())
	fileType  = cty.Capsule("source", reflect.TypeFor[File]())
	pointType = cty.Capsule("point", reflect.TypeFor[Point]())
	nodeType  = cty.Capsule("block", reflect.TypeFor[Node]())
)

// has tells whether v is an object with the attribute named.
func has(v cty.Value, attr string) bool {
	return !v.IsNull() && v.Type().IsObjectType() && v.Type().HasAttribute(attr)
}

// pointOf returns the point that v carries.
func pointOf(v cty.Value) Point { return *v.GetAttr(pointAttr).EncapsulatedValue().(*Point) }

// isSweep tells whether v is a non-empty object all of whose elements carry a point: a grid or a swept block.
func isSweep(v cty.Value) bool {
	if v.IsNull() || !(v.Type().IsObjectType() || v.Type().IsMapType()) || v.LengthInt() == 0 {
		return false
	}
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); !has(e, pointAttr) {
			return false
		}
	}
	return true
}

// coordinate makes a coordinate of a primitive value: of a name that is or ends in seed an int64, of other numbers a
// float64, so that a value added to a list never changes a column's type.
func coordinate(name string, v cty.Value) (Coordinate, error) {
	switch {
	case v.IsNull():
		return Coordinate{}, fmt.Errorf("%s has a null among its values", name)
	case IsSeed(name) && (v.Type() == cty.String || v.Type() == cty.Bool):
		return Coordinate{}, fmt.Errorf("%s has %s among its values; a seed is a whole number of 64 bits", name, describe(v))
	case v.Type() == cty.String:
		return Coordinate{name, v.AsString()}, nil
	case v.Type() == cty.Bool:
		return Coordinate{name, v.True()}, nil
	case v.Type() != cty.Number:
		return Coordinate{}, fmt.Errorf("%s has %s among its values; write a map, {name = value}, so that each value has a name to stand as its coordinate", name, v.Type().FriendlyName())
	case IsSeed(name):
		i, accuracy := v.AsBigFloat().Int64()
		if accuracy != 0 {
			return Coordinate{}, fmt.Errorf("%s has %s among its values; a seed is a whole number of 64 bits", name, v.AsBigFloat().Text('g', -1))
		}
		return Coordinate{name, i}, nil
	}
	f, _ := v.AsBigFloat().Float64()
	if math.IsInf(f, 0) {
		return Coordinate{}, fmt.Errorf("%s has %s among its values, which is too large", name, v.AsBigFloat().Text('g', -1))
	}
	if f == 0 {
		f = 0 // −0 is 0
	}
	return Coordinate{name, f}, nil
}

// step is one value of an axis, with the coordinates that it stands for.
type step struct {
	point Point
	value cty.Value
}

// axis is one of the things that a sweep varies.
type axis struct {
	name  string
	list  bool // rather than a map or a sweep
	steps []step
}

const axisIs = "an axis is a list, a map, another sweep or a block with for_each"

// steps lists those of an axis: a list's in its order, a map's by key, a sweep's by point.
func steps(name string, v cty.Value) (all []step, list bool, err error) {
	ty := v.Type()
	switch {
	case v.IsNull():
		return nil, false, fmt.Errorf("%s is null; %s", name, axisIs)
	case has(v, disabledAttr):
		return nil, false, fmt.Errorf("%s is a block that is not there: %s", name, describe(v))
	case has(v, nodeAttr) && !has(v, pointAttr):
		return nil, false, fmt.Errorf("%s is %s, which has no for_each; %s", name, v.GetAttr(nodeAttr).EncapsulatedValue().(*Node).Block, axisIs)
	case has(v, pointAttr):
		return nil, false, fmt.Errorf("%s is a single point of a sweep; %s", name, axisIs)
	case isSweep(v):
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			all = append(all, step{pointOf(e), e})
		}
		slices.SortStableFunc(all, func(a, b step) int { return a.point.compare(b.point) })
		return all, false, nil
	case ty.IsObjectType() || ty.IsMapType():
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			all = append(all, step{Point{{name, k.AsString()}}, e})
		}
		return all, false, nil
	case ty.IsTupleType() || ty.IsListType() || ty.IsSetType():
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			c, err := coordinate(name, e)
			if err != nil {
				return nil, false, err
			}
			all = append(all, step{Point{c}, e})
		}
		return all, true, nil
	}
	return nil, false, fmt.Errorf("%s is %s; %s", name, ty.FriendlyName(), axisIs)
}

// twice returns an error if a list axis has a value twice.
func (a axis) twice() error {
	seen := map[Coordinate]bool{}
	for _, s := range a.steps {
		if c := s.point[0]; a.list && seen[c] {
			return fmt.Errorf("%s has %s twice", a.name, c.Text())
		} else {
			seen[c] = true
		}
	}
	return nil
}

// axes reads the argument of a sweep's function: an object of axes, no two of which have one coordinate. read lists the
// steps of one.
func axes(sweep, example string, v cty.Value, read func(name string, v cty.Value) (axis, error)) ([]axis, error) {
	if v.IsNull() || !v.Type().IsObjectType() && !v.Type().IsMapType() || v.LengthInt() == 0 || has(v, nodeAttr) || has(v, pointAttr) {
		return nil, fmt.Errorf("%s takes an object of axes: %s", sweep, example)
	}
	var all []axis
	owner := map[string]string{} // coordinate -> axis
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		name := k.AsString()
		if err := identifier(name); err != nil {
			return nil, err
		}
		a, err := read(name, e)
		if err != nil {
			return nil, err
		}
		mine := map[string]bool{}
		for _, s := range a.steps {
			for _, c := range s.point {
				mine[c.Name] = true
			}
		}
		for _, c := range sortedKeys(mine) {
			if other, taken := owner[c]; taken {
				return nil, fmt.Errorf("the axes %s and %s both have the coordinate %s; rename one of them, such as finetune_seed beside seed", other, name, c)
			}
			owner[c] = name
		}
		all = append(all, a)
	}
	return all, nil
}

// identifier returns an error if name cannot be that of a coordinate.
func identifier(name string) error {
	if !hclsyntax.ValidIdentifier(name) {
		return fmt.Errorf("%q cannot name an axis; write letters, digits, _ and -, with a letter first", name)
	}
	return nil
}

// combine makes the element of a sweep at which each axis takes a step: an object with the axes' values.
func combine(axes []axis, at func(i int) step) (Point, cty.Value) {
	var point Point
	values := make(map[string]cty.Value, len(axes)+1)
	for i, a := range axes {
		s := at(i)
		point = append(point, s.point...)
		values[a.name] = s.value
	}
	slices.SortFunc(point, func(a, b Coordinate) int { return strings.Compare(a.Name, b.Name) })
	values[pointAttr] = cty.CapsuleVal(pointType, &point)
	return point, cty.ObjectVal(values)
}

// gridFunction makes grid: an element for every combination of its axes' values. Seed axes have as many as seeds wants.
func gridFunction(seeds *seedAxes) function.Function {
	return sweepFunction("Every combination of its axes' values. An axis is a list, whose values are its coordinates, a map, whose keys are, another sweep or a block with for_each, whose coordinates are taken over.", "axes", func(v cty.Value) (cty.Value, error) {
		all, err := axes("grid", "grid({weight_decay = [0, 0.1], seed = [1, 2]})", v, func(name string, v cty.Value) (axis, error) {
			a, err := readAxis(name, v)
			if err == nil {
				err = a.twice()
			}
			if err == nil && a.list {
				err = seeds.extend(&a)
			}
			return a, err
		})
		if err != nil {
			return cty.DynamicVal, err
		}
		object := map[string]cty.Value{}
		at := make([]int, len(all))
		for !slices.ContainsFunc(all, func(a axis) bool { return len(a.steps) == 0 }) {
			point, e := combine(all, func(i int) step { return all[i].steps[at[i]] })
			object[point.String()] = e
			i := len(at) - 1
			for ; i >= 0; i-- { // counts up, the last axis the fastest
				if at[i]++; at[i] < len(all[i].steps) {
					break
				}
				at[i] = 0
			}
			if i < 0 {
				break
			}
		}
		return cty.ObjectVal(object), nil
	})
}

func readAxis(name string, v cty.Value) (axis, error) {
	all, list, err := steps(name, v)
	return axis{name, list, all}, err
}

// zip pairs its axes: an element for the first values of all of them, one for the second, and so on.
func zip(v cty.Value) (cty.Value, error) {
	all, err := axes("zip", "zip({layers = [2, 4], width = [64, 96]})", v, readAxis)
	if err != nil {
		return cty.DynamicVal, err
	}
	for _, a := range all[1:] {
		if len(a.steps) != len(all[0].steps) {
			return cty.DynamicVal, fmt.Errorf("zip pairs axes of one length, but %s has %d and %s has %d", all[0].name, len(all[0].steps), a.name, len(a.steps))
		}
	}
	object := map[string]cty.Value{}
	for i := range all[0].steps {
		point, e := combine(all, func(j int) step { return all[j].steps[i] })
		if _, twice := object[point.String()]; twice {
			return cty.DynamicVal, fmt.Errorf("zip has the point %s twice", point)
		}
		object[point.String()] = e
	}
	return cty.ObjectVal(object), nil
}

var unionFunction = anyType("All the points of several sweeps, told apart by a coordinate of the name given, whose values are the names of the sweeps: union(\"state\", {trained = checkpoint.final, untrained = checkpoint.initial}).", []string{"name", "sweeps"}, func(args []cty.Value) (cty.Value, error) {
	return union(args[0], args[1])
})

// union joins sweeps, whose elements get one more coordinate. A block without for_each counts as a sweep of one.
func union(name, sweeps cty.Value) (cty.Value, error) {
	const example = `union("state", {trained = checkpoint.final, untrained = checkpoint.initial})`
	if name.Type() != cty.String {
		return cty.DynamicVal, fmt.Errorf("union takes the name of a coordinate and an object of sweeps: %s", example)
	}
	added := name.AsString()
	if err := identifier(added); err != nil {
		return cty.DynamicVal, err
	}
	if ty := sweeps.Type(); !ty.IsObjectType() && !ty.IsMapType() || has(sweeps, nodeAttr) || has(sweeps, pointAttr) || sweeps.LengthInt() == 0 {
		return cty.DynamicVal, fmt.Errorf("union takes an object of sweeps: %s", example)
	}
	object := map[string]cty.Value{}
	for it := sweeps.ElementIterator(); it.Next(); {
		k, v := it.Element()
		key := k.AsString()
		var members []step
		switch {
		case has(v, pointAttr):
			members = []step{{pointOf(v), v}}
		case has(v, nodeAttr):
			members = []step{{nil, v}}
		case isSweep(v) || !v.IsNull() && v.Type().IsObjectType() && v.LengthInt() == 0:
			members, _, _ = steps(key, v)
		default:
			return cty.DynamicVal, fmt.Errorf("union takes sweeps and blocks, and %s is neither, but %s; name a list with grid({name = [...]})", key, describe(v))
		}
		for _, m := range members {
			if m.point.Get(added) != nil {
				return cty.DynamicVal, fmt.Errorf("union adds the coordinate %s, which %s has already; give it another name", added, key)
			}
			point := append(slices.Clone(m.point), Coordinate{added, key})
			slices.SortFunc(point, func(a, b Coordinate) int { return strings.Compare(a.Name, b.Name) })
			object[point.String()] = moved(m.value, point)
		}
	}
	return cty.ObjectVal(object), nil
}

// moved returns the element of a sweep as it stands at another point.
func moved(element cty.Value, point Point) cty.Value {
	values := element.AsValueMap()
	values[pointAttr] = cty.CapsuleVal(pointType, &point)
	return cty.ObjectVal(values)
}

// sweepFunction makes a function of one object of axes.
func sweepFunction(description, param string, f func(cty.Value) (cty.Value, error)) function.Function {
	return anyType(description, []string{param}, func(args []cty.Value) (cty.Value, error) { return f(args[0]) })
}

// instance is one element of a block's for_each.
type instance struct {
	key   string
	point Point
	value cty.Value
}

// instances lists the elements of a for_each, in the order of their points.
func instances(v cty.Value) ([]instance, error) {
	const takes = "for_each takes a grid, a block with for_each, a map or a set"
	ty := v.Type()
	switch {
	case v.IsNull():
		return nil, fmt.Errorf("for_each is null; %s", takes)
	case has(v, disabledAttr):
		return nil, fmt.Errorf("for_each is a block that is not there: %s", describe(v))
	case has(v, nodeAttr) || has(v, pointAttr):
		return nil, fmt.Errorf("for_each is a single block, not a sweep; %s", takes)
	case ty.IsTupleType() || ty.IsListType():
		return nil, fmt.Errorf("for_each is a list; %s: write grid({name = [...]}), which names the axis", takes)
	case !ty.IsObjectType() && !ty.IsMapType() && !ty.IsSetType():
		return nil, fmt.Errorf("for_each is %s; %s", ty.FriendlyName(), takes)
	}
	var all []instance
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		i := instance{value: e}
		switch {
		case ty.IsSetType():
			if e.IsNull() || e.Type() != cty.String {
				return nil, fmt.Errorf("for_each is a set of %s; only sets of strings name their elements", ty.ElementType().FriendlyName())
			}
			i.key = e.AsString()
			i.point = Point{{"key", i.key}}
		case has(e, pointAttr):
			i.key, i.point = k.AsString(), pointOf(e)
		default:
			i.key = k.AsString()
			i.point = Point{{"key", i.key}}
		}
		all = append(all, i)
	}
	slices.SortStableFunc(all, func(a, b instance) int { return a.point.compare(b.point) })
	for i := 1; i < len(all); i++ {
		if all[i].point.String() == all[i-1].point.String() {
			return nil, fmt.Errorf("for_each has two elements at the point %s: under the keys %s and %s", all[i].point, all[i-1].key, all[i].key)
		}
	}
	return all, nil
}

// each is the object that a block's attributes see: key, value and point.
func (i instance) each() cty.Value {
	point := map[string]cty.Value{}
	for _, c := range i.point {
		switch v := c.Value.(type) {
		case int64:
			point[c.Name] = cty.NumberIntVal(v)
		case float64:
			point[c.Name] = cty.MustParseNumberVal(formatFloat(v)) // 0.1 as the file has it, so that it equals 0.1 there
		case string:
			point[c.Name] = cty.StringVal(v)
		case bool:
			point[c.Name] = cty.BoolVal(v)
		}
	}
	return cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(i.key), "value": i.value, "point": cty.ObjectVal(point)})
}

// value is how other blocks see n: its outputs as attributes.
func (n *Node) value() cty.Value {
	attrs := map[string]cty.Value{nodeAttr: cty.CapsuleVal(nodeType, n)}
	for _, o := range n.Stage.Outputs() {
		attrs[o.Name] = cty.CapsuleVal(refType, &Ref{n, o.Name})
	}
	if n.Point != nil {
		attrs[pointAttr] = cty.CapsuleVal(pointType, &n.Point)
	}
	return cty.ObjectVal(attrs)
}
