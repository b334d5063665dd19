package pipeline

import (
	"reflect"
	"slices"
	"strings"
)

// vocabulary tells what the names of a kind's facts stand for.
type vocabulary struct {
	kind  *Kind
	terms map[string]term
}

func newVocabulary(k *Kind) *vocabulary { return &vocabulary{k, map[string]term{}} }

// term is what one name stands for.
type term struct {
	role     termRole
	field    string // the name up to the field that is meant: of adamw.betas.0, adamw.betas
	rest     string // what follows: the place in a list, and for a row's coordinate its name
	standard string // what holds where a file says nothing
	text     bool   // values are texts, which may need quotes
}

type termRole int

const (
	unknownTerm termRole = iota // of a field that the kind has no longer
	valueTerm
	listTerm
	artifactTerm
	sourceTerm
	rowsTerm
	blockTerm  // an optional block
	blocksTerm // a repeated one
)

func (v *vocabulary) term(name string) term {
	t, ok := v.terms[name]
	if !ok {
		t = v.kind.term(name)
		v.terms[name] = t
	}
	return t
}

// term walks down the struct of a kind, in which blocks hold their defaults.
func (k *Kind) term(name string) term {
	at := structOf(k.New())
	parts := strings.Split(name, ".")
	for i := 0; i < len(parts); i++ {
		fields := fieldsOf(at.Type())
		j := slices.IndexFunc(fields, func(f field) bool { return f.name == parts[i] })
		if j < 0 {
			break
		}
		f, v := fields[j], at.FieldByIndex(fields[j].index)
		t := term{field: strings.Join(parts[:i+1], "."), rest: strings.Join(parts[i+1:], ".")}
		if f.role != block {
			t.role, t.standard, t.text = attributeTerm(v)
			return t
		}
		switch v.Kind() {
		case reflect.Struct:
			at = v
		case reflect.Pointer:
			if t.rest == "" {
				t.role = blockTerm
				return t
			}
			if v.IsNil() {
				v = reflect.New(v.Type().Elem())
			}
			at = v.Elem()
		case reflect.Slice:
			if t.rest == "" {
				t.role = blocksTerm
				return t
			}
			i++ // past the block's label
			at = reflect.New(v.Type().Elem()).Elem()
			if m := at.MethodByName("Default"); m.IsValid() {
				at = m.Call(nil)[0]
			}
		}
	}
	return term{field: name}
}

func attributeTerm(v reflect.Value) (role termRole, standard string, text bool) {
	element, list := v.Type(), v.Kind() == reflect.Slice
	if list {
		element = element.Elem()
	}
	text = element.Kind() == reflect.String
	switch element {
	case refField:
		return artifactTerm, "", false
	case rowField:
		return rowsTerm, "", false
	case fileField:
		return sourceTerm, "", false
	}
	if !list {
		return valueTerm, valueText(scalar(v), text), text
	}
	elements := make([]string, v.Len())
	for i := range elements {
		elements[i] = valueText(scalar(v.Index(i)), text)
	}
	return listTerm, "[" + strings.Join(elements, ", ") + "]", text
}
