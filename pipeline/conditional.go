package pipeline

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// HCL gives both results of a conditional one type. Of objects with different attributes it makes maps, for which numbers
// turn into strings and attributes get lost, without a word; so this is an error here.

// watchConditionals makes every conditional in a body report results that are unlike. What is found is put in c.unlike
// whenever one is evaluated.
func (c *Config) watchConditionals(body *hclsyntax.Body) {
	hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		e, ok := n.(*hclsyntax.ConditionalExpr)
		if !ok {
			return nil
		}
		var yes cty.Type // of the result for true, which HCL evaluates right before that for false
		e.TrueResult = branchOf(e.TrueResult, func(v cty.Value) { yes = v.Type() })
		e.FalseResult = branchOf(e.FalseResult, func(v cty.Value) {
			if no := v.Type(); structural(yes) && structural(no) && !alike(yes, no) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.unlike = append(c.unlike, problem(e.SrcRange, "Unlike results",
					"The two results have different attributes, or elements of different types, and HCL would convert both to one type and so lose some. Give both the same attributes, null where there is no value, or choose from an object by its key: { a = {...}, b = {...} }[key]."))
			}
		})
		return nil
	})
}

// takeUnlike returns what has been found since it was last called.
func (c *Config) takeUnlike() hcl.Diagnostics {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.unlike
	c.unlike = nil
	return found
}

// branch is a result of a conditional that shows its value to seen. It is a pair of parentheses, so that whoever walks
// the expression finds what is in them.
type branch struct {
	*hclsyntax.ParenthesesExpr
	seen func(cty.Value)
}

func branchOf(e hclsyntax.Expression, seen func(cty.Value)) hclsyntax.Expression {
	return &branch{&hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}, seen}
}

func (b *branch) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := b.Expression.Value(ctx)
	b.seen(v)
	return v, diags
}

func structural(t cty.Type) bool { return t.IsObjectType() || t.IsTupleType() }

// alike tells whether values of the types a and b keep all that they hold when they are converted to one type.
func alike(a, b cty.Type) bool {
	if a == cty.DynamicPseudoType || b == cty.DynamicPseudoType || a.Equals(b) {
		return true
	}
	if a.IsObjectType() && b.IsObjectType() && sameNames(a, b) {
		for name, t := range a.AttributeTypes() {
			if !alike(t, b.AttributeType(name)) {
				return false
			}
		}
		return true
	}
	if named := func(t cty.Type) bool { return t.IsObjectType() || t.IsMapType() }; named(a) != named(b) {
		return false
	}
	// They become a collection, whose elements are of one type.
	x, ok := elementTypes(a)
	y, too := elementTypes(b)
	if !ok || !too {
		return false
	}
	all := append(x, y...)
	for _, t := range all {
		if !alike(all[0], t) {
			return false
		}
	}
	return true
}

func sameNames(a, b cty.Type) bool {
	for name := range a.AttributeTypes() {
		if !b.HasAttribute(name) {
			return false
		}
	}
	return len(a.AttributeTypes()) == len(b.AttributeTypes())
}

func elementTypes(t cty.Type) ([]cty.Type, bool) {
	switch {
	case t.IsObjectType():
		var all []cty.Type
		for _, name := range sortedKeys(t.AttributeTypes()) {
			all = append(all, t.AttributeType(name))
		}
		return all, true
	case t.IsTupleType():
		return append([]cty.Type(nil), t.TupleElementTypes()...), true
	case t.IsCollectionType():
		return []cty.Type{t.ElementType()}, true
	}
	return nil, false
}
