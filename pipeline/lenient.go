package pipeline

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"anneal/artifacts/store"
)

// Lenient is a stage that may do without elements of its lists of rows: those whose producer failed, was skipped or is left
// out of the run. What it does without is part of its key, and Task.Missing tells it. Something of each list has to be left.
type Lenient interface{ Lenient() bool }

// Missing is an element of a list of rows that a stage does without.
type Missing struct {
	Field  string // of the list
	Point  Point
	Reason string // failed, skipped or excluded
}

// Why the result of a node is missing.
const (
	failedHere   = "failed"
	skippedHere  = "skipped"
	excludedHere = "excluded"
)

func (n *Node) lenient() bool {
	l, ok := n.Stage.(Lenient)
	return ok && l.Lenient()
}

// without returns n less the rows whose producers are lost: n itself where none is, nil where it cannot do without.
func (n *Node) without(lost map[*Node]string) *Node {
	if len(lost) == 0 || !slices.ContainsFunc(n.inputs, func(in input) bool { return lost[in.ref.Node] != "" }) {
		return n
	}
	if !n.lenient() {
		return nil
	}
	rest := *n
	rest.inputs, rest.missing = nil, slices.Clone(n.missing)
	left := map[string]int{} // by list, how many elements
	for _, in := range n.inputs {
		list, element := in.list()
		if reason := lost[in.ref.Node]; reason != "" {
			if !in.row || !element {
				return nil
			}
			rest.missing = append(rest.missing, Missing{list, in.point, reason})
			continue
		}
		if element {
			in.field = list + "." + strconv.Itoa(left[list])
			left[list]++
		}
		rest.inputs = append(rest.inputs, in)
	}
	for _, m := range rest.missing {
		if left[m.Field] == 0 {
			return nil
		}
	}
	rest.Stage = withoutRows(structOf(n.Stage), lost).Addr().Interface().(Stage)
	rest.facts = rest.configFacts()
	return &rest
}

// list returns the field of the list that in is an element of, if it is one.
func (in input) list() (field string, element bool) {
	i := strings.LastIndexByte(in.field, '.')
	if i < 0 {
		return "", false
	}
	_, err := strconv.Atoi(in.field[i+1:])
	return in.field[:i], err == nil
}

// withoutRows copies a stage's struct, and the blocks in it, less the rows whose producers are lost.
func withoutRows(v reflect.Value, lost map[*Node]string) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	for _, f := range fieldsOf(v.Type()) {
		at := c.FieldByIndex(f.index)
		switch rows, isRows := at.Interface().([]Row); {
		case isRows:
			at.Set(reflect.ValueOf(slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return lost[r.Ref.Node] != "" })))
		case f.role != block:
		case at.Kind() == reflect.Struct:
			at.Set(withoutRows(at, lost))
		case at.Kind() == reflect.Pointer && !at.IsNil():
			at.Set(withoutRows(at.Elem(), lost).Addr())
		case at.Kind() == reflect.Slice:
			all := reflect.MakeSlice(at.Type(), at.Len(), at.Len())
			for i := range at.Len() {
				all.Index(i).Set(withoutRows(at.Index(i), lost))
			}
			at.Set(all)
		}
	}
	return c
}

// fact is what a key says of a row that is missing.
func (m Missing) fact() store.Fact {
	return store.Fact{Kind: "missing", Name: m.Field, Value: strings.TrimSpace(m.Point.String() + " " + m.Reason)}
}

// doesWithout starts the note, or the reason, that rows are missing.
const doesWithout = "does without "

// notes say what n does without, each point once.
func (n *Node) notes() []string {
	var all []string
	for _, m := range n.missing {
		if text := missingText(m.fact()); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if all == nil {
		return nil
	}
	return []string{doesWithout + strings.Join(few(all), ", ")}
}

// missingText prints a fact about a row that is missing: "[seed=2] (failed)".
func missingText(f store.Fact) string {
	point, reason := cutReason(f.Value)
	if point == "" {
		return f.Name + " (" + reason + ")"
	}
	return "[" + point + "] (" + reason + ")"
}

func cutReason(value string) (point, reason string) {
	i := strings.LastIndexByte(value, ' ')
	return value[:max(i, 0)], value[i+1:]
}

// missing says how the rows that a stage did without differ from those that it does without now. What is there now is told
// among the rows; only where alone, as nothing else changed, is what it did without told as gone.
func (d *difference) missing(old, now []store.Fact, alone bool) []string {
	type row struct{ field, point string }
	take := func(f store.Fact) (row, string) {
		point, reason := cutReason(f.Value)
		return row{f.Name, point}, reason
	}
	was := map[row]string{} // reasons
	for _, f := range old {
		if f.Kind == "missing" {
			at, reason := take(f)
			was[at] = reason
		}
	}
	var changes, gone []string
	note := func(all *[]string, text string) {
		if !slices.Contains(*all, text) {
			*all = append(*all, text)
		}
	}
	for _, f := range now {
		if f.Kind != "missing" {
			continue
		}
		at, reason := take(f)
		switch before := was[at]; before {
		case reason:
		case "":
			note(&changes, missingText(f))
		default:
			f.Value = strings.TrimSuffix(f.Value, reason) + before
			note(&changes, strings.TrimSuffix(missingText(f), ")")+" → "+reason+")")
		}
		delete(was, at)
	}
	for _, f := range old {
		if at, _ := take(f); f.Kind == "missing" && was[at] != "" {
			note(&gone, missingText(f))
		}
	}
	switch {
	case changes != nil:
		return []string{doesWithout + strings.Join(few(changes), ", ")}
	case gone != nil && alone && d.complete:
		return []string{"no longer reads " + strings.Join(few(gone), ", ")}
	}
	return nil
}
