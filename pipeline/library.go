package pipeline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// The functions of Terraform's that go-cty lacks, or has in another form.

// elements lists those of a list, tuple or set.
func elements(v cty.Value) ([]cty.Value, error) {
	if ty := v.Type(); !ty.IsListType() && !ty.IsTupleType() && !ty.IsSetType() {
		return nil, fmt.Errorf("takes a list or a set, not %s", ty.FriendlyName())
	}
	return v.AsValueSlice(), nil
}

// anyType makes a function of parameters of any type, all of them known, whose result's type depends on their values.
func anyType(description string, params []string, f func(args []cty.Value) (cty.Value, error)) function.Function {
	spec := &function.Spec{
		Description: description,
		Type:        function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for _, a := range args {
				if !a.IsWhollyKnown() {
					return cty.DynamicVal, nil
				}
			}
			return f(args)
		},
	}
	for _, p := range params {
		spec.Params = append(spec.Params, function.Parameter{Name: p, Type: cty.DynamicPseudoType})
	}
	return function.New(spec)
}

var sumFunction = anyType("The sum of the numbers of a list or set, which must not be empty.", []string{"list"}, func(args []cty.Value) (cty.Value, error) {
	all, err := elements(args[0])
	if err != nil {
		return cty.DynamicVal, err
	}
	if len(all) == 0 {
		return cty.DynamicVal, errors.New("an empty list has no sum")
	}
	total := cty.Zero
	for _, e := range all {
		n, err := convert.Convert(e, cty.Number)
		if err != nil || n.IsNull() {
			return cty.DynamicVal, fmt.Errorf("takes numbers, not %s", describe(e))
		}
		total = total.Add(n)
	}
	return total, nil
})

// everyFunction tells whether some element is found, or that none of the others is.
func everyFunction(description string, found bool) function.Function {
	return anyType(description, []string{"list"}, func(args []cty.Value) (cty.Value, error) {
		all, err := elements(args[0])
		if err != nil {
			return cty.DynamicVal, err
		}
		for _, e := range all {
			b, err := convert.Convert(e, cty.Bool)
			if err != nil {
				return cty.DynamicVal, fmt.Errorf("takes true and false, not %s", describe(e))
			}
			if !b.IsNull() && b.True() == found || b.IsNull() && !found { // as in Terraform, null is not true
				return cty.BoolVal(found), nil
			}
		}
		return cty.BoolVal(!found), nil
	})
}

var indexFunction = anyType("Where in a list the value stands first, counted from 0.", []string{"list", "value"}, func(args []cty.Value) (cty.Value, error) {
	all, err := elements(args[0])
	if err != nil || args[0].Type().IsSetType() {
		return cty.DynamicVal, fmt.Errorf("takes a list, not %s", args[0].Type().FriendlyName())
	}
	for i, e := range all {
		if eq, err := stdlib.Equal(e, args[1]); err == nil && eq.True() {
			return cty.NumberIntVal(int64(i)), nil
		}
	}
	return cty.DynamicVal, fmt.Errorf("the list has no %s", describe(args[1]))
})

var lengthFunction = anyType("The number of elements of a list, set, map, object or sweep, or of characters of a string.", []string{"value"}, func(args []cty.Value) (cty.Value, error) {
	v := args[0]
	switch ty := v.Type(); {
	case ty == cty.String:
		return stdlib.Strlen(v)
	case has(v, nodeAttr) || has(v, pointAttr):
		return cty.DynamicVal, errors.New("takes a whole sweep, not one point of it")
	case ty.IsListType() || ty.IsTupleType() || ty.IsSetType() || ty.IsMapType() || ty.IsObjectType():
		return cty.NumberIntVal(int64(v.LengthInt())), nil
	default:
		return cty.DynamicVal, fmt.Errorf("takes a collection or a string, not %s", ty.FriendlyName())
	}
})

var matchKeysFunction = anyType("The elements of values whose counterparts in keys, a list of the same length, are among wanted.", []string{"values", "keys", "wanted"}, func(args []cty.Value) (cty.Value, error) {
	var lists [3][]cty.Value
	for i, a := range args {
		var err error
		if lists[i], err = elements(a); err != nil {
			return cty.DynamicVal, err
		}
	}
	values, keys, wanted := lists[0], lists[1], lists[2]
	if len(values) != len(keys) {
		return cty.DynamicVal, fmt.Errorf("values and keys must be of one length, are of %d and %d", len(values), len(keys))
	}
	found := []cty.Value{}
	for i, k := range keys {
		for _, w := range wanted {
			if eq, err := stdlib.Equal(k, w); err == nil && eq.True() {
				found = append(found, values[i])
				break
			}
		}
	}
	return cty.TupleVal(found), nil
})

var oneFunction = anyType("The element of a list or set of one, null of an empty one.", []string{"list"}, func(args []cty.Value) (cty.Value, error) {
	all, err := elements(args[0])
	switch {
	case err != nil:
		return cty.DynamicVal, err
	case len(all) > 1:
		return cty.DynamicVal, fmt.Errorf("takes a list of one element or none, not of %d", len(all))
	case len(all) == 0:
		return cty.NullVal(cty.DynamicPseudoType), nil
	}
	return all[0], nil
})

func startsWith(text, prefix string) bool { return strings.HasPrefix(text, prefix) }
func endsWith(text, suffix string) bool   { return strings.HasSuffix(text, suffix) }
func holds(text, part string) bool        { return strings.Contains(text, part) }

func textTest(description, param string, test func(text, part string) bool) function.Function {
	return function.New(&function.Spec{
		Description: description,
		Params:      []function.Parameter{{Name: "text", Type: cty.String}, {Name: param, Type: cty.String}},
		Type:        function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(test(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

var replaceFunction = function.New(&function.Spec{
	Description: "Replaces every substring of text by another. One between slashes, \"/[0-9]+/\", is a regular expression of RE2, and the replacement may name its groups: $1.",
	Params:      []function.Parameter{{Name: "text", Type: cty.String}, {Name: "substring", Type: cty.String}, {Name: "replacement", Type: cty.String}},
	Type:        function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if s := args[1].AsString(); len(s) > 1 && strings.HasPrefix(s, "/") && strings.HasSuffix(s, "/") {
			return stdlib.RegexReplace(args[0], cty.StringVal(s[1:len(s)-1]), args[2])
		}
		return stdlib.Replace(args[0], args[1], args[2])
	},
})
