package pipeline

import (
	"reflect"
	"strconv"
	"strings"

	"anneal/artifacts/store"
)

// configFacts writes the facts of n that do not depend on what its inputs hold: its kind and its decoded configuration
// as far as it differs from the defaults. Formatting, names of blocks and everything about where a stage runs stay out.
func (n *Node) configFacts() []store.Fact {
	e := &encoder{}
	e.fact("kind", n.Kind.Name, strconv.Itoa(n.Kind.Version))
	if n.Kind.Numbers != 0 {
		e.fact("numbers", "numbers", strconv.Itoa(n.Kind.Numbers))
	}
	e.structure("", structOf(n.Stage), structOf(n.Kind.New()))
	for _, x := range n.files {
		e.fact(x.kind, x.field, x.value)
	}
	for _, in := range n.inputs {
		for _, c := range in.point {
			text := c.Text()
			if s, ok := c.Value.(string); ok {
				text = strconv.Quote(s)
			}
			e.fact("point", in.field+"."+c.Name, text)
		}
	}
	for _, m := range n.missing {
		e.facts = append(e.facts, m.fact())
	}
	return e.facts
}

// inputFact says that a field reads the artifact b.
func inputFact(in input, b store.Blob) store.Fact {
	return store.Fact{Kind: "input", Name: in.field, Value: b.Type + " " + b.Digest.String()}
}

// encoder turns a struct into facts.
type encoder struct {
	facts []store.Fact
	all   bool // also write what equals the default
}

func (e *encoder) fact(kind, name, value string) {
	e.facts = append(e.facts, store.Fact{Kind: kind, Name: name, Value: value})
}

// structure writes the fields of v that differ from those of def.
func (e *encoder) structure(path string, v, def reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		if f.unkeyed || f.role == label {
			continue
		}
		at, value, standard := join(path, f.name), v.FieldByIndex(f.index), def.FieldByIndex(f.index)
		if f.role == block {
			e.block(at, value, standard)
		} else {
			e.attribute(at, value, standard)
		}
	}
}

func (e *encoder) block(path string, v, def reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		e.structure(path, v, def)
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if !e.all {
			e.fact("config", path, "present")
		}
		if def.IsNil() {
			def = reflect.New(v.Type().Elem())
		}
		e.structure(path, v.Elem(), def.Elem())
	case reflect.Slice:
		// The order of repeated blocks may reach bytes, such as that of a report's tables, so it is part of the facts.
		names := make([]string, v.Len())
		for i := range names {
			names[i] = strconv.Itoa(i)
			for _, f := range fieldsOf(v.Type().Elem()) {
				if f.role == label {
					names[i] = v.Index(i).FieldByIndex(f.index).String()
				}
			}
		}
		if len(names) > 0 {
			quoted := make([]string, len(names))
			for i, n := range names {
				quoted[i] = strconv.Quote(n)
			}
			e.fact("config", path, strings.Join(quoted, " "))
		}
		for i, name := range names {
			standard := reflect.New(v.Type().Elem()).Elem()
			if m := standard.MethodByName("Default"); m.IsValid() {
				standard = m.Call(nil)[0]
			}
			e.structure(join(path, name), v.Index(i), standard)
		}
	}
}

func (e *encoder) attribute(path string, v, def reflect.Value) {
	t := v.Type()
	if t.Kind() != reflect.Slice {
		if t == refField || t == rowField || t == fileField {
			return // facts of their own
		}
		if text := scalar(v); e.all || text != scalar(def) {
			e.fact("config", path, text)
		}
		return
	}
	if v.Len() == 0 && def.Len() == 0 || !e.all && equalLists(v, def) {
		return
	}
	e.fact("config", path, "len "+strconv.Itoa(v.Len()))
	if el := t.Elem(); el == refField || el == rowField || el == fileField {
		return
	}
	for i := range v.Len() {
		e.fact("config", path+"."+strconv.Itoa(i), scalar(v.Index(i)))
	}
}

func equalLists(v, def reflect.Value) bool {
	if v.Len() != def.Len() {
		return false
	}
	for i := range v.Len() {
		if v.Index(i).Kind() == reflect.Struct || scalar(v.Index(i)) != scalar(def.Index(i)) {
			return false
		}
	}
	return true
}

// scalar prints a value so that equal prints mean equal values of one type.
func scalar(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Float64:
		return formatFloat(v.Float())
	case reflect.String:
		return v.String()
	}
	panic("pipeline: a stage has a field of an unsupported type: " + v.Type().String())
}

// defaults returns what each attribute of a kind is where a file says nothing, for a diff to show.
func (k *Kind) defaults() map[string]string {
	e := &encoder{all: true}
	v := structOf(k.New())
	e.structure("", v, v)
	m := map[string]string{}
	for _, f := range e.facts {
		m[f.Name] = f.Value
	}
	return m
}
