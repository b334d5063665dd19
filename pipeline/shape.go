package pipeline

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// shape is what a body may say: the names of its attributes and of its blocks.
type shape struct {
	attributes map[string]bool
	required   []string
	blocks     map[string]*nested
}

// nested is the shape of a block within a block.
type nested struct {
	shape
	labelled, repeated bool
}

// shapeOf returns the shape of bodies that are decoded into structs of these types.
func shapeOf(types ...reflect.Type) *shape {
	s := &shape{attributes: map[string]bool{}, blocks: map[string]*nested{}}
	for _, t := range types {
		for _, f := range fieldsOf(t) {
			switch f.role {
			case attribute:
				s.attributes[f.name] = true
				if !f.optional {
					s.required = append(s.required, f.name)
				}
			case block:
				inner := t.FieldByIndex(f.index).Type
				repeated := inner.Kind() == reflect.Slice
				if inner.Kind() != reflect.Struct {
					inner = inner.Elem()
				}
				labelled := slices.ContainsFunc(fieldsOf(inner), func(f field) bool { return f.role == label })
				s.blocks[f.name] = &nested{*shapeOf(inner), labelled, repeated}
			}
		}
	}
	return s
}

// check reports what a body says that its shape does not have, and what it must say and does not. header is the place of
// the block that it is of.
func (s *shape) check(b *hclsyntax.Body, header hcl.Range) (diags hcl.Diagnostics) {
	expected := func(name string, those []string) string {
		near := Nearest(name, append(sortedKeys(s.attributes), sortedKeys(s.blocks)...))
		if near == "" && len(those) > 0 {
			return " Expected are " + strings.Join(those, ", ") + "."
		}
		return near
	}
	for _, name := range sortedKeys(b.Attributes) {
		a := b.Attributes[name]
		if s.attributes[name] {
			continue
		}
		if in, ok := s.blocks[name]; ok {
			head := name
			if in.labelled {
				head += ` "name"`
			}
			diags = append(diags, problem(a.NameRange, "Unsupported argument", "%s is a block: write %s { ... }, without an equals sign.", name, head))
			continue
		}
		diags = append(diags, problem(a.NameRange, "Unsupported argument", "%q is not expected here.%s", name, expected(name, sortedKeys(s.attributes))))
	}
	first := map[string]hcl.Range{}
	for _, in := range b.Blocks {
		if want, ok := s.blocks[in.Type]; ok {
			diags = append(diags, want.checkLabels(in, first)...)
			diags = append(diags, want.check(in.Body, in.DefRange())...)
			continue
		}
		if s.attributes[in.Type] {
			diags = append(diags, problem(in.TypeRange, "Unsupported block", "%s takes a value: write %s = ..., with an equals sign.", in.Type, in.Type))
			continue
		}
		diags = append(diags, problem(in.TypeRange, "Unsupported block", "A block named %q is not expected here.%s", in.Type, expected(in.Type, sortedKeys(s.blocks))))
	}
	for _, name := range s.required {
		if b.Attributes[name] == nil && !slices.ContainsFunc(b.Blocks, func(in *hclsyntax.Block) bool { return in.Type == name }) {
			diags = append(diags, problem(header, "Missing value", "%q is required: write %s = ...", name, name))
		}
	}
	return diags
}

// checkLabels reports a block with other labels than it takes, and one that is there already. first has the places of
// those before it.
func (n *nested) checkLabels(b *hclsyntax.Block, first map[string]hcl.Range) hcl.Diagnostics {
	head := b.Type
	switch {
	case n.labelled && len(b.Labels) != 1:
		return hcl.Diagnostics{problem(b.DefRange(), "Missing name", "Write %s \"name\" { ... }, with one name.", b.Type)}
	case n.labelled && strings.Contains(b.Labels[0], "."): // which parts names in facts
		return hcl.Diagnostics{problem(b.LabelRanges[0], "Unsuitable name", "the name of %s %q must not have a dot.", b.Type, b.Labels[0])}
	case n.labelled:
		head = fmt.Sprintf("%s %q", b.Type, b.Labels[0])
	case len(b.Labels) > 0:
		return hcl.Diagnostics{problem(b.LabelRanges[0], "Extraneous name", "%s takes no name: write %s { ... }.", b.Type, b.Type)}
	}
	at, twice := first[head]
	if twice && (n.labelled || !n.repeated) {
		if !n.labelled {
			head += " block"
		}
		return hcl.Diagnostics{problem(b.DefRange(), "Duplicate block", "There is a %s already, at %s.", head, place(at))}
	}
	first[head] = b.DefRange()
	return nil
}
