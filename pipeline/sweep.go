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
	case v.Type() == cty.String:
		return Coordinate{name, v.AsString()}, nil
	case v.Type() == cty.Bool:
		return Coordinate{name, v.True()}, nil
	case v.Type() != cty.Number:
		return Coordinate{}, fmt.Errorf("%s has %s among its values; write a map, {name = value}, so that each value has a name to stand as its coordinate", name, v.Type().FriendlyName())
	case name == "seed" || strings.HasSuffix(name, "_seed"):
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

// axis lists the steps of a grid's axis.
func axis(name string, v cty.Value) ([]step, error) {
	ty := v.Type()
	switch {
	case v.IsNull():
		return nil, fmt.Errorf("%s is null; an axis is a list, a map, or a block with for_each", name)
	case has(v, nodeAttr) && !has(v, pointAttr):
		return nil, fmt.Errorf("%s is %s, which has no for_each; an axis is a list, a map, or a block with for_each", name, v.GetAttr(nodeAttr).EncapsulatedValue().(*Node).Block)
	case has(v, pointAttr):
		return nil, fmt.Errorf("%s is a single point of a sweep; an axis is a list, a map, or a whole block with for_each", name)
	case isSweep(v):
		var steps []step
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			steps = append(steps, step{pointOf(e), e})
		}
		return steps, nil
	case ty.IsObjectType() || ty.IsMapType():
		var steps []step
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			steps = append(steps, step{Point{{name, k.AsString()}}, e})
		}
		return steps, nil
	case ty.IsTupleType() || ty.IsListType() || ty.IsSetType():
		var steps []step
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			c, err := coordinate(name, e)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(steps, func(s step) bool { return s.point[0] == c }) {
				return nil, fmt.Errorf("%s has %s twice", name, c.Text())
			}
			steps = append(steps, step{Point{c}, e})
		}
		return steps, nil
	}
	return nil, fmt.Errorf("%s is %s; an axis is a list, a map, or a block with for_each", name, ty.FriendlyName())
}

// grid crosses its axes: an object with an element for every combination, whose attributes are the axes' values.
func grid(axes cty.Value) (cty.Value, error) {
	if axes.IsNull() || !axes.Type().IsObjectType() && !axes.Type().IsMapType() || axes.LengthInt() == 0 {
		return cty.DynamicVal, fmt.Errorf("grid takes an object of axes: grid({weight_decay = [0, 0.1], seed = [1, 2]})")
	}
	type partial struct {
		point  Point
		values map[string]cty.Value
	}
	points := []partial{{values: map[string]cty.Value{}}}
	owner := map[string]string{} // coordinate -> axis
	for it := axes.ElementIterator(); it.Next(); {
		k, v := it.Element()
		name := k.AsString()
		if !hclsyntax.ValidIdentifier(name) {
			return cty.DynamicVal, fmt.Errorf("%q cannot name an axis; write letters, digits, _ and -, with a letter first", name)
		}
		steps, err := axis(name, v)
		if err != nil {
			return cty.DynamicVal, err
		}
		mine := map[string]bool{}
		for _, s := range steps {
			for _, c := range s.point {
				mine[c.Name] = true
			}
		}
		for _, c := range sortedKeys(mine) {
			if other, taken := owner[c]; taken {
				return cty.DynamicVal, fmt.Errorf("the axes %s and %s both have the coordinate %s; rename one of them, such as finetune_seed beside seed", other, name, c)
			}
			owner[c] = name
		}
		var next []partial
		for _, p := range points {
			for _, s := range steps {
				values := map[string]cty.Value{name: s.value}
				for k, v := range p.values {
					values[k] = v
				}
				next = append(next, partial{append(slices.Clone(p.point), s.point...), values})
			}
		}
		points = next
	}
	object := map[string]cty.Value{}
	for _, p := range points {
		slices.SortFunc(p.point, func(a, b Coordinate) int { return strings.Compare(a.Name, b.Name) })
		p.values[pointAttr] = cty.CapsuleVal(pointType, &p.point)
		object[p.point.String()] = cty.ObjectVal(p.values)
	}
	return cty.ObjectVal(object), nil
}

// dynamic makes a function of one argument whose result's type depends on its value.
func dynamic(name, description string, f func(cty.Value) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Description: description,
		Params:      []function.Parameter{{Name: name, Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsWhollyKnown() {
				return cty.DynamicPseudoType, nil
			}
			v, err := f(args[0])
			return v.Type(), err
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f(args[0]) },
	})
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
