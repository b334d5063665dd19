package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"anneal/artifacts/store"
)

// Changes says in words how facts of a stage differ from older ones of the same kind: "adamw.weight_decay: 0.1 → 0.2".
func Changes(k *Kind, old, now []store.Fact) []string {
	d := difference{vocabulary: newVocabulary(k), complete: true}
	return d.changes(sorted(old), sorted(now))
}

// difference compares lists of facts.
type difference struct {
	*vocabulary
	node     *Node // whose facts the new ones are, nil where only facts are known
	complete bool  // whether all new facts are known; those about inputs may be missing otherwise

	before, after map[factName]string
	said          map[string]bool
	hidden        []string // blocks that came or went, with a dot: what they hold is not told field by field
}

// factName is what a fact is about. Those about sources, whose kinds are many, share a class.
type factName struct{ class, name string }

func nameOf(f store.Fact) factName {
	switch f.Kind {
	case "kind", "numbers", "config", "input", "point", "missing":
		return factName{f.Kind, f.Name}
	}
	return factName{"source", f.Name}
}

// changes compares sorted facts.
func (d *difference) changes(old, now []store.Fact) []string {
	var moved []factName
	for i, j := 0, 0; i < len(old) || j < len(now); {
		c := 1
		if i < len(old) {
			if c = -1; j < len(now) {
				c = compareFacts(old[i], now[j])
			}
		}
		switch {
		case c == 0:
			i, j = i+1, j+1
		case c < 0:
			moved = append(moved, nameOf(old[i]))
			i++
		default:
			moved = append(moved, nameOf(now[j]))
			j++
		}
	}
	if len(moved) == 0 {
		return nil
	}
	d.before, d.after, d.said = map[factName]string{}, map[factName]string{}, map[string]bool{}
	for _, f := range old {
		d.before[nameOf(f)] = d.value(f)
	}
	for _, f := range now {
		d.after[nameOf(f)] = d.value(f)
	}
	rank := map[string]int{"kind": 0, "numbers": 1, "config": 2, "source": 3, "input": 4, "point": 5}
	slices.SortStableFunc(moved, func(a, b factName) int {
		if c := rank[a.class] - rank[b.class]; c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	var changes []string
	rows := map[string]bool{}
	for _, m := range slices.Compact(moved) {
		if m.class == "missing" {
			continue // told below
		}
		if m.class == "kind" {
			changes = append(changes, fmt.Sprintf("version of %s: %s → %s", m.name, orNone(d.before[m]), orNone(d.after[m])))
			continue
		}
		if m.class == "numbers" {
			changes = append(changes, fmt.Sprintf("version of the arithmetic: %s → %s", orNone(d.before[m]), orNone(d.after[m])))
			continue
		}
		if slices.ContainsFunc(d.hidden, func(block string) bool { return strings.HasPrefix(m.name, block) }) {
			continue
		}
		t := d.term(m.name)
		if t.role == rowsTerm || m.class == "point" {
			rows[rowsField(m.name, t)] = true
			continue
		}
		if d.said[t.field] {
			continue
		}
		d.said[t.field] = true
		var change string
		switch t.role {
		case blockTerm:
			change = d.block(m, t)
		case blocksTerm:
			changes = append(changes, d.blocks(m, t)...)
		case listTerm:
			change = d.list(t)
		case sourceTerm:
			change = d.elements(t, "source", "file", "files")
		case artifactTerm:
			change = d.elements(t, "input", "artifact", "artifacts")
		default:
			change = d.attribute(m, t)
		}
		if change != "" {
			changes = append(changes, change)
		}
	}
	if len(rows) > 0 {
		changes = append(changes, d.rows(sortedKeys(rows), old, now)...)
	}
	return append(changes, d.missing(old, now, changes == nil)...)
}

// value is what is compared of a fact: of a source also what kind of one it is.
func (d *difference) value(f store.Fact) string {
	if nameOf(f).class == "source" && f.Kind != "file" {
		return f.Kind + " " + f.Value
	}
	return f.Value
}

func (d *difference) attribute(m factName, t term) string {
	was, had := d.before[m]
	is, has := d.after[m]
	was, is = valueText(was, t.text), valueText(is, t.text)
	if !had {
		was = orUnset(t.standard)
	}
	if !has {
		if is = orUnset(t.standard); is != "unset" && d.node != nil && !d.node.says(t.field) {
			is += " (default)"
		}
	}
	was, is = shorten(was, is)
	return fmt.Sprintf("%s: %s → %s", m.name, was, is)
}

func (d *difference) list(t term) string {
	render := func(facts map[factName]string) (string, bool) {
		length, ok := facts[factName{"config", t.field}]
		if !ok {
			return orUnset(t.standard), false
		}
		n, _ := strconv.Atoi(strings.TrimPrefix(length, "len "))
		elements := make([]string, n)
		for i := range elements {
			elements[i] = valueText(facts[factName{"config", t.field + "." + strconv.Itoa(i)}], t.text)
		}
		return "[" + strings.Join(elements, ", ") + "]", true
	}
	was, _ := render(d.before)
	is, says := render(d.after)
	was, is = shorten(was, is)
	if !says && d.node != nil && !d.node.says(t.field) {
		is += " (default)"
	}
	return fmt.Sprintf("%s: %s → %s", t.field, was, is)
}

// block says that an optional block came or went, and with which values it came.
func (d *difference) block(m factName, t term) string {
	d.hidden = append(d.hidden, t.field+".")
	if _, has := d.after[m]; !has {
		return t.field + ": block removed"
	}
	var with []string
	for name, value := range d.after {
		if inner, ok := strings.CutPrefix(name.name, t.field+"."); ok && name.class == "config" {
			if it := d.term(name.name); it.role == valueTerm {
				value, _ = shorten(valueText(value, it.text), "")
				with = append(with, inner+" = "+value)
			}
		}
	}
	if with == nil {
		return t.field + ": block added"
	}
	slices.Sort(with)
	return fmt.Sprintf("%s: block added (%s)", t.field, strings.Join(few(with), ", "))
}

// blocks says which of a repeated block's instances came or went.
func (d *difference) blocks(m factName, t term) []string {
	was, is := labels(d.before[m]), labels(d.after[m])
	var changes []string
	for _, name := range is {
		if !slices.Contains(was, name) {
			d.hidden = append(d.hidden, t.field+"."+name+".")
			changes = append(changes, fmt.Sprintf("%s %q: block added", t.field, name))
		}
	}
	for _, name := range was {
		if !slices.Contains(is, name) {
			d.hidden = append(d.hidden, t.field+"."+name+".")
			changes = append(changes, fmt.Sprintf("%s %q: block removed", t.field, name))
		}
	}
	if changes == nil {
		return []string{t.field + ": blocks in another order"}
	}
	if more := len(changes) - 4; more > 0 {
		changes = append(changes[:4], fmt.Sprintf("%s: %d more blocks added or removed", t.field, more))
	}
	return changes
}

// labels reads the names of repeated blocks, each quoted.
func labels(s string) []string {
	var all []string
	for s != "" {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			break
		}
		name, _ := strconv.Unquote(quoted)
		all = append(all, name)
		s = strings.TrimPrefix(s[len(quoted):], " ")
	}
	return all
}

// elements says what changed in a field that reads artifacts or sources, one or several.
func (d *difference) elements(t term, class, one, several string) string {
	length := factName{"config", t.field}
	_, listed := d.before[length]
	_, lists := d.after[length]
	if !listed && !lists {
		name := factName{class, t.field}
		was, had := d.before[name]
		is, has := d.after[name]
		switch {
		case !has && class == "input" && d.name(class, t.field) != "":
			return "" // not known yet
		case had && has:
			return t.field + ": " + d.element(class, t.field, was, is)
		case has:
			return fmt.Sprintf("%s: none → %s", t.field, d.named(class, t.field, is))
		}
		return fmt.Sprintf("%s: %s → none", t.field, article(one))
	}
	count := func(facts map[factName]string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(facts[length], "len "))
		return n
	}
	n, k := count(d.before), count(d.after)
	at := func(i int) factName { return factName{class, t.field + "." + strconv.Itoa(i)} }
	if n == k {
		var changed, others []string
		for i := range k {
			was := d.before[at(i)]
			is, has := d.after[at(i)]
			if !has || was == is {
				continue
			}
			if name := d.name(class, at(i).name); name != "" && plainSource(was) == plainSource(is) && plainSource(is) {
				changed = append(changed, name)
			} else {
				others = append(others, d.element(class, at(i).name, was, is))
			}
		}
		if changed != nil {
			others = append([]string{"content of " + strings.Join(few(changed), ", ") + " changed"}, others...)
		}
		if others == nil {
			return ""
		}
		return t.field + ": " + strings.Join(few(others), ", ")
	}
	left := map[string]int{}
	for i := range n {
		left[d.before[at(i)]]++
	}
	var came []string
	for i := range k {
		is, has := d.after[at(i)]
		switch {
		case !has: // not known yet
		case left[is] > 0:
			left[is]--
		default:
			came = append(came, d.named(class, at(i).name, is))
		}
	}
	counts := fmt.Sprintf("%s: %d → %d %s", t.field, n, k, several)
	if k == 1 {
		counts = fmt.Sprintf("%s: %d → 1 %s", t.field, n, one)
	}
	if came != nil {
		counts += ", with " + strings.Join(few(came), ", ")
	}
	return counts
}

// plainSource tells whether the value of a fact is about content alone.
func plainSource(value string) bool {
	_, err := store.ParseDigest(value[strings.LastIndexByte(value, ' ')+1:])
	return err == nil && strings.Count(value, " ") <= 1
}

// element says how one artifact or source changed.
func (d *difference) element(class, field, was, is string) string {
	if plainSource(was) && plainSource(is) {
		if name := d.name(class, field); name != "" {
			return "content of " + name + " changed"
		}
		return "content changed"
	}
	return sourceText(was) + " → " + d.named(class, field, is)
}

// name is how people call what a field reads, "" where that is not known.
func (d *difference) name(class, field string) string {
	if d.node == nil {
		return ""
	}
	if class == "input" {
		for _, in := range d.node.inputs {
			if in.field == field {
				return in.ref.String()
			}
		}
		return ""
	}
	for _, x := range d.node.files {
		if x.field == field {
			return x.file.Name
		}
	}
	return ""
}

func (d *difference) named(class, field, value string) string {
	if name := d.name(class, field); name != "" && plainSource(value) {
		return name
	}
	return sourceText(value)
}

// sourceText prints the value of a fact about a source, digests short.
func sourceText(value string) string {
	words := strings.Fields(value)
	for i, w := range words {
		if digest, err := store.ParseDigest(w); err == nil {
			words[i] = digest.Short()
		}
	}
	return strings.Join(words, " ")
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// valueText prints a value; a text that would not read as one in quotes.
func valueText(s string, text bool) string {
	odd := strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) || s != strings.TrimSpace(s)
	if odd || text && (strings.ContainsAny(s, `,"→`) || s == "") {
		return strconv.Quote(s)
	}
	return s
}

// longest is how many letters of a value are shown.
const longest = 60

// shorten cuts what two long values have in common at their starts, and what is too long at their ends.
func shorten(a, b string) (string, string) {
	x, y := []rune(a), []rune(b)
	if len(x) <= longest && len(y) <= longest {
		return a, b
	}
	same := 0
	for same < len(x) && same < len(y) && x[same] == y[same] {
		same++
	}
	cut := func(r []rune) string {
		s := ""
		if from := same - longest/3; from > 0 {
			r, s = r[min(from, len(r)):], "…"
		}
		if len(r) > longest {
			return s + string(r[:longest]) + "…"
		}
		return s + string(r)
	}
	return cut(x), cut(y)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// orUnset prints what holds where a file says nothing about an attribute.
func orUnset(standard string) string {
	if standard == "" || standard == `""` {
		return "unset"
	}
	return standard
}
