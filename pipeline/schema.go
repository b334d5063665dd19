package pipeline

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Schema is everything that a file can say: one description, from which the reference, completion and editors draw. It
// is read off the structs that files are decoded into, so it cannot tell anything else than what the engine does.
type Schema struct {
	Kinds     []KindDoc     `json:"kinds"`
	Stage     BlockDoc      `json:"stage"`     // what a block of any kind takes besides
	Blocks    []BlockDoc    `json:"blocks"`    // at the top of a file
	Executors []BlockDoc    `json:"executors"` // executor blocks by their kind
	Functions []FunctionDoc `json:"functions"`
}

// KindDoc describes a kind of stage.
type KindDoc struct {
	Name        string `json:"name"`
	Version     int    `json:"version"`
	Description string `json:"description"`
	BodyDoc
	Outputs  []Output `json:"outputs"`
	Examples []string `json:"examples,omitempty"`
}

// BodyDoc describes what stands in a block.
type BodyDoc struct {
	Attributes []AttributeDoc `json:"attributes,omitempty"`
	Blocks     []BlockDoc     `json:"blocks,omitempty"`
}

// AttributeDoc describes an attribute.
type AttributeDoc struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"` // string, number, integer, bool, artifact, source, any, type, expression, or list(...) of one
	Description string   `json:"description"`
	Required    bool     `json:"required,omitempty"`
	Default     string   `json:"default,omitempty"`   // as HCL writes it; "" where there is none
	Values      []string `json:"values,omitempty"`    // the words that it, or each element, is one of
	Artifacts   []string `json:"artifacts,omitempty"` // the types of artifacts that it reads
	Points      bool     `json:"points,omitempty"`    // whether the sweep points of what it reads enter the key too
	Unkeyed     bool     `json:"unkeyed,omitempty"`   // whether it cannot change what is made, and stays out of the key
}

// BlockDoc describes a block.
type BlockDoc struct {
	Name        string `json:"name"`
	Label       string `json:"label,omitempty"` // what its label is, "" where it has none
	Occurs      string `json:"occurs"`          // Required, Defaults, Optional or Repeated
	Description string `json:"description"`
	BodyDoc
}

// How often a block stands in another.
const (
	Required = "required" // once
	Defaults = "defaults" // at most once; absent, the defaults of its attributes hold
	Optional = "optional" // at most once; being there, it does something
	Repeated = "repeated" // any number of times
)

// Describe describes the kinds, executors, blocks and functions of a program. Examples of each kind come from the
// shortest pipeline of the file starter.
func Describe(kinds []*Kind, executors []*ExecutorKind, starter []byte) *Schema {
	s := &Schema{Functions: Functions()}
	s.Stage = BlockDoc{Name: "stage", Occurs: Repeated, BodyDoc: describeBody(reflect.ValueOf(defaultStageArguments())),
		Description: "what a block of any kind takes besides the kind's own; none of it can change what a stage makes, so none enters a key"}
	examples := examplesOf(starter)
	for _, k := range kinds {
		s.Kinds = append(s.Kinds, KindDoc{
			Name: k.Name, Version: k.Version, Description: k.Doc,
			BodyDoc:  describeBody(structOf(k.New())),
			Outputs:  outputsOf(k),
			Examples: examples[k.Name],
		})
	}
	file := describeBody(reflect.ValueOf(fileBlocks{}))
	s.Blocks = file.Blocks
	for _, e := range executors {
		s.Executors = append(s.Executors, BlockDoc{Name: e.Name, Occurs: Repeated, Description: e.Doc, BodyDoc: describeBody(reflect.ValueOf(e.New()).Elem())})
	}
	return s
}

// describeBody describes the tagged fields of v, a struct that holds its defaults.
func describeBody(v reflect.Value) BodyDoc {
	var d BodyDoc
	for _, f := range fieldsOf(v.Type()) {
		x := v.FieldByIndex(f.index)
		switch f.role {
		case attribute:
			d.Attributes = append(d.Attributes, describeAttribute(f, x, v.Type().FieldByIndex(f.index)))
		case block:
			d.Blocks = append(d.Blocks, describeBlock(f, x))
		}
	}
	return d
}

func describeAttribute(f field, v reflect.Value, sf reflect.StructField) AttributeDoc {
	a := AttributeDoc{Name: f.name, Type: typeName(v.Type()), Description: f.doc, Required: !f.optional, Values: f.values, Unkeyed: f.unkeyed}
	if t, ok := sf.Tag.Lookup("type"); ok {
		a.Type = t
	}
	if f.accepts != "" {
		a.Artifacts = strings.Split(f.accepts, ",")
		a.Points = v.Type() == rowField || v.Kind() == reflect.Slice && v.Type().Elem() == rowField
	} else if f.optional {
		a.Default = literal(v)
	}
	return a
}

func describeBlock(f field, v reflect.Value) BlockDoc {
	b := BlockDoc{Name: f.name, Description: f.doc}
	switch v.Kind() {
	case reflect.Struct:
		b.Occurs, b.BodyDoc = Defaults, describeBody(v)
		if slices.ContainsFunc(b.Attributes, func(a AttributeDoc) bool { return a.Required }) {
			b.Occurs = Required
		}
	case reflect.Pointer:
		if v.IsNil() {
			v = reflect.New(v.Type().Elem())
		}
		v = v.Elem()
		b.Occurs, b.BodyDoc = Optional, describeBody(v)
	case reflect.Slice:
		v = reflect.New(v.Type().Elem()).Elem()
		if m := v.MethodByName("Default"); m.IsValid() {
			v = m.Call(nil)[0]
		}
		b.Occurs, b.BodyDoc = Repeated, describeBody(v)
	}
	for _, inner := range fieldsOf(v.Type()) {
		if inner.role == label {
			b.Label = inner.name
		}
	}
	return b
}

// typeName names a field's type in words of HCL; integer is a number without a fraction.
func typeName(t reflect.Type) string {
	switch {
	case t == refField, t == rowField:
		return "artifact"
	case t == fileField:
		return "source"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list(" + typeName(t.Elem()) + ")"
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Float64:
		return "number"
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Interface: // an expression, whose type its tag names
		return "any"
	}
	panic("pipeline: a stage has a field of an unsupported type: " + t.String())
}

// literal prints a default as HCL writes it: "" where nothing is the default.
func literal(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		if v.String() == "" {
			return ""
		}
		return quote(v.String())
	case reflect.Slice:
		if v.Len() == 0 {
			return ""
		}
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = literal(v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Struct, reflect.Interface:
		return ""
	}
	return scalar(v)
}

// quote writes s as a string of HCL.
func quote(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(strconv.Quote(s))
}

// outputsOf lists what stages of a kind may leave: with none of their optional blocks and lists, with each, with all.
func outputsOf(k *Kind) []Output {
	var all []Output
	try := func(keep func(name string) bool) {
		stage := k.New()
		v := structOf(stage)
		for _, f := range fieldsOf(v.Type()) {
			x := v.FieldByIndex(f.index)
			switch {
			case f.role == block && x.Kind() == reflect.Pointer && !keep(f.name):
				x.SetZero()
			case f.role == block && x.Kind() == reflect.Pointer && x.IsNil():
				x.Set(reflect.New(x.Type().Elem()))
			case x.Kind() == reflect.Slice && f.accepts != "" && keep(f.name):
				x.Set(reflect.MakeSlice(x.Type(), 1, 1))
			}
		}
		for _, o := range stage.Outputs() {
			if !slices.Contains(all, o) {
				all = append(all, o)
			}
		}
	}
	try(func(string) bool { return false })
	for _, f := range fieldsOf(structOf(k.New()).Type()) {
		try(func(name string) bool { return name == f.name })
	}
	try(func(string) bool { return true })
	return all
}

// examplesOf returns the blocks of each kind in the shortest pipeline of a file.
func examplesOf(src []byte) map[string][]string {
	file, diags := hclsyntax.ParseConfig(src, "", hcl.InitialPos)
	if diags.HasErrors() {
		return nil
	}
	var shortest *hclsyntax.Block
	size := func(b *hclsyntax.Block) int { return b.CloseBraceRange.End.Byte - b.TypeRange.Start.Byte }
	for _, b := range file.Body.(*hclsyntax.Body).Blocks {
		if b.Type == "pipeline" && (shortest == nil || size(b) < size(shortest)) {
			shortest = b
		}
	}
	if shortest == nil {
		return nil
	}
	all := map[string][]string{}
	for _, b := range shortest.Body.Blocks {
		text := string(src[b.TypeRange.Start.Byte:b.CloseBraceRange.End.Byte])
		indent := "\n" + strings.Repeat(" ", b.TypeRange.Start.Column-1)
		all[b.Type] = append(all[b.Type], strings.ReplaceAll(text, indent, "\n"))
	}
	return all
}

// Form returns how a block at the top of a file, or of a stage or an executor, begins: variable "name".
func (s *Schema) Form(b BlockDoc) string {
	switch {
	case b.Name == s.Stage.Name:
		return `KIND "name"`
	case slices.ContainsFunc(s.Executors, func(e BlockDoc) bool { return e.Name == b.Name }):
		return fmt.Sprintf("executor %q", b.Name)
	case b.Label != "":
		return fmt.Sprintf("%s %q", b.Name, b.Label)
	}
	return b.Name
}

// Blocks lists the stage blocks of a pipeline, kind.name each, in the order of the file. It decodes nothing.
func (c *Config) Blocks(pipeline string) []string {
	var names []string
	if b := c.bodies[pipeline]; b != nil {
		for _, stage := range b.Body.Blocks {
			if c.kinds[stage.Type] != nil && len(stage.Labels) == 1 {
				names = append(names, stage.Type+"."+stage.Labels[0])
			}
		}
	}
	return names
}

// Variables lists the names of the variables that the files declare.
func (c *Config) Variables() []string {
	var names []string
	for _, name := range sortedKeys(c.vars) {
		names = append(names, strings.TrimPrefix(name, "var."))
	}
	return names
}

// Topic returns what the schema has under a name: a *KindDoc, *BlockDoc or *FunctionDoc.
func (s *Schema) Topic(name string) (any, error) {
	var known []string
	for i, k := range s.Kinds {
		if k.Name == name {
			return &s.Kinds[i], nil
		}
		known = append(known, k.Name)
	}
	if name == s.Stage.Name {
		return &s.Stage, nil
	}
	for _, blocks := range [][]BlockDoc{s.Blocks, s.Executors} {
		for i, b := range blocks {
			if b.Name == name {
				return &blocks[i], nil
			}
			known = append(known, b.Name)
		}
	}
	for i, f := range s.Functions {
		if f.Name == name {
			return &s.Functions[i], nil
		}
		known = append(known, f.Name)
	}
	return nil, fmt.Errorf("there is no kind, block or function %q.%s", name, Nearest(name, known))
}
