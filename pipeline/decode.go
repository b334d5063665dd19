package pipeline

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/gocty"
)

// decoder fills a struct from a block's body, whose shape has been checked. The values are decoded here and not by gohcl
// because a field may hold an artifact or a source, because null means unset, and because every field's place is kept.
type decoder struct {
	value   func(*hclsyntax.Attribute) (cty.Value, hcl.Diagnostics)
	dir     string // which paths of local files are relative to
	node    *Node
	guarded func(*field) bool // whether a field must not hold secrets
	words   []error           // fields that hold a word which they do not take
	unknown map[string]bool   // fields whose value builds on something that is wrong, and has been said to be
}

// body decodes a body into a struct that holds its defaults. path is the block's HCL name, "" at the top.
func (d *decoder) body(body *hclsyntax.Body, into reflect.Value, path string) (diags hcl.Diagnostics) {
	fields := fieldsOf(into.Type())
	for i := range fields {
		f := &fields[i]
		switch f.role {
		case attribute:
			if a, ok := body.Attributes[f.name]; ok && into.FieldByIndex(f.index).Kind() != reflect.Interface { // else an expression, read elsewhere
				diags = append(diags, d.assign(into.FieldByIndex(f.index), f, a, join(path, f.name))...)
			}
		case block:
			diags = append(diags, d.blocks(body, f.name, into.FieldByIndex(f.index), join(path, f.name))...)
		}
	}
	return diags
}

// assign decodes an attribute into the field v.
func (d *decoder) assign(v reflect.Value, f *field, a *hclsyntax.Attribute, at string) hcl.Diagnostics {
	d.node.fields[at] = a.SrcRange
	val, diags := d.value(a)
	if diags.HasErrors() {
		return diags
	}
	if !val.IsWhollyKnown() {
		d.unknown[at] = true
		return diags
	}
	val, secrets := reveal(val)
	if secrets != nil && d.guarded(f) {
		return append(diags, refuse(a.Expr.Range(), at, secrets))
	}
	if val.IsNull() { // unset
		switch {
		case f.optional:
		case secrets != nil:
			diags = append(diags, problem(a.SrcRange, "Missing value", "%s is required, and %s is not set.", f.name, envCalls(secrets)))
		default:
			diags = append(diags, problem(a.SrcRange, "Missing value", "%s is required and must not be null.", f.name))
		}
		return diags
	}
	if err := d.attribute(v, f, val, at); err != nil {
		text := err.Error()
		if secrets != nil { // which the error may quote
			text = "cannot take the value of " + envCalls(secrets)
		}
		return append(diags, problem(a.Expr.Range(), "Unsuitable value", "%s %s.", at, text))
	}
	d.words = append(d.words, f.words(v, at)...)
	return diags
}

// refuse reports secrets in what becomes part of keys, or decides about stages.
func refuse(at hcl.Range, name string, secrets []string) *hcl.Diagnostic {
	return problem(at, "A secret out of place", "%s comes from %s, and what the environment holds must not reach keys or results. If it is no secret, declare a variable, which ANNEAL_VAR_name in the environment sets.", name, envCalls(secrets))
}

// leaveOut makes what holds without a block of its defaults: those of an empty one, or nothing where it is optional.
func leaveOut(v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		v.SetZero()
		return
	}
	for _, f := range fieldsOf(v.Type()) {
		if inner := v.FieldByIndex(f.index); f.role == block && inner.Kind() != reflect.Slice {
			leaveOut(inner)
		}
	}
}

// blocks decodes the blocks of one type into the field v: a struct, a pointer to one, or a slice of them.
func (d *decoder) blocks(body *hclsyntax.Body, name string, v reflect.Value, path string) (diags hcl.Diagnostics) {
	if v.Kind() != reflect.Slice {
		i := slices.IndexFunc(body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == name })
		if i < 0 {
			leaveOut(v)
			return nil
		}
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		d.node.fields[path] = body.Blocks[i].DefRange()
		return d.body(body.Blocks[i].Body, v, path)
	}
	for _, b := range body.Blocks {
		if b.Type != name {
			continue
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if m := e.MethodByName("Default"); m.IsValid() {
			e.Set(m.Call(nil)[0])
		}
		at := join(path, strconv.Itoa(v.Len()))
		if len(b.Labels) == 1 {
			at = join(path, b.Labels[0])
			for _, f := range fieldsOf(e.Type()) {
				if f.role == label {
					e.FieldByIndex(f.index).SetString(b.Labels[0])
				}
			}
		}
		d.node.fields[at] = b.DefRange()
		diags = append(diags, d.body(b.Body, e, at)...)
		v.Set(reflect.Append(v, e))
	}
	return diags
}

var (
	refField  = reflect.TypeFor[Ref]()
	rowField  = reflect.TypeFor[Row]()
	fileField = reflect.TypeFor[File]()
)

// attribute decodes one value. The error completes the sentence that starts with the field's name.
func (d *decoder) attribute(v reflect.Value, f *field, val cty.Value, at string) error {
	element := v.Type()
	list := element.Kind() == reflect.Slice
	if list {
		element = element.Elem()
	}
	if element != refField && element != rowField && element != fileField {
		return plainValue(v, val)
	}
	if !list {
		return d.leaf(v, f, val, at)
	}
	ty := val.Type()
	if !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		return fmt.Errorf("takes a list: write [...], around a single element too")
	}
	v.SetZero()
	for it := val.ElementIterator(); it.Next(); {
		_, e := it.Element()
		x := reflect.New(element).Elem()
		if err := d.leaf(x, f, e, fmt.Sprintf("%s.%d", at, v.Len())); err != nil {
			return err
		}
		v.Set(reflect.Append(v, x))
	}
	return nil
}

// leaf decodes an artifact or a source and notes it in the node.
func (d *decoder) leaf(v reflect.Value, f *field, val cty.Value, at string) error {
	if v.Type() == fileField {
		var file File
		switch {
		case val.IsNull():
			return fmt.Errorf("has a null where a file is expected")
		case val.Type() == fileType:
			file = *val.EncapsulatedValue().(*File)
		case val.Type() == cty.String:
			var err error
			if file, err = plainFile(val.AsString()); err != nil {
				return err
			}
		default:
			return fmt.Errorf("takes the path of a file or folder, or a source such as gofile(\"...\"), not %s", describe(val))
		}
		v.Set(reflect.ValueOf(file))
		d.node.files = append(d.node.files, external{field: at, file: file, dir: d.dir})
		return nil
	}
	if val.IsNull() || val.Type() != refType {
		return fmt.Errorf("takes an artifact of type %s, not %s", strings.ReplaceAll(f.accepts, ",", " or "), describe(val))
	}
	ref := *val.EncapsulatedValue().(*Ref)
	got := ref.Node.output(ref.Output)
	accepted := false
	for _, want := range strings.Split(f.accepts, ",") {
		accepted = accepted || want == got
	}
	if !accepted {
		return fmt.Errorf("takes an artifact of type %s; %s.%s is of type %s", strings.ReplaceAll(f.accepts, ",", " or "), ref.Node.Block, ref.Output, got)
	}
	in := input{field: at, ref: ref}
	if v.Type() == rowField {
		in.row, in.point = true, ref.Node.Point
		v.Set(reflect.ValueOf(Row{ref, ref.Node.Point}))
	} else {
		v.Set(reflect.ValueOf(ref))
	}
	d.node.inputs = append(d.node.inputs, in)
	return nil
}

// plainValue decodes a number, string, bool, or a list of them.
func plainValue(v reflect.Value, val cty.Value) error {
	want, err := gocty.ImpliedType(v.Interface())
	if err != nil {
		panic("pipeline: a stage has a field of an unsupported type: " + v.Type().String())
	}
	got, err := convert.Convert(val, want)
	if err != nil {
		return fmt.Errorf("takes %s, not %s", want.FriendlyName(), describe(val))
	}
	if want.IsListType() {
		for it := got.ElementIterator(); it.Next(); {
			if _, e := it.Element(); e.IsNull() {
				return fmt.Errorf("has a null in its list")
			}
		}
	}
	v.SetZero() // a default list must not show through
	if err := gocty.FromCtyValue(got, v.Addr().Interface()); err != nil {
		return fmt.Errorf("is unsuitable: %s", err)
	}
	return nil
}

// describe names a value for an error.
func describe(v cty.Value) string {
	switch {
	case v.ContainsMarked():
		return "a value of the environment"
	case v.IsNull():
		return "null"
	case has(v, disabledAttr):
		return v.GetAttr(disabledAttr).EncapsulatedValue().(*disabled).String()
	case has(v, nodeAttr):
		n := v.GetAttr(nodeAttr).EncapsulatedValue().(*Node)
		var outputs []string
		for _, o := range n.Stage.Outputs() {
			outputs = append(outputs, n.Block+"."+o.Name)
		}
		return "the whole block " + n.Block + ": name one of its outputs, " + strings.Join(outputs, " or ")
	case isSweep(v):
		return "a whole sweep: use for_each, or collect it with [for x in ... : x.output]"
	case v.Type() == refType:
		return "the artifact " + v.EncapsulatedValue().(*Ref).String()
	case v.Type() == cty.String:
		return strconv.Quote(v.AsString())
	}
	return v.Type().FriendlyName()
}

// role is what a field of a stage's struct stands for in HCL.
type role int

const (
	attribute role = iota
	block
	label
)

// field is one tagged field of a stage's struct.
type field struct {
	index    []int
	name     string
	role     role
	optional bool
	accepts  string   // types of artifacts
	values   []string // the words that it takes, nil where it takes any value
	doc      string
	unkeyed  bool
}

var fieldsByType sync.Map // reading tags costs more than all else that decoding a small block does

// fieldsOf lists the tagged fields of a struct type in their order. The list is not to be changed.
func fieldsOf(t reflect.Type) []field {
	if fields, ok := fieldsByType.Load(t); ok {
		return fields.([]field)
	}
	fields := readFields(t)
	fieldsByType.Store(t, fields)
	return fields
}

func readFields(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, ok := sf.Tag.Lookup("hcl")
		if !ok {
			continue
		}
		name, kind, _ := strings.Cut(tag, ",")
		f := field{index: sf.Index, name: name, accepts: sf.Tag.Get("artifact"), unkeyed: sf.Tag.Get("key") == "-", doc: sf.Tag.Get("doc")}
		if words, ok := sf.Tag.Lookup("values"); ok {
			f.values = strings.Split(words, ",")
		}
		switch kind {
		case "", "attr":
		case "optional":
			f.optional = true
		case "block":
			f.role = block
		case "label":
			f.role = label
		default:
			panic("pipeline: unknown hcl tag " + tag)
		}
		fields = append(fields, f)
	}
	return fields
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// structOf returns the struct that a stage points to.
func structOf(s Stage) reflect.Value { return reflect.ValueOf(s).Elem() }
