package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"anneal/artifacts/store"
)

// changes tells how n differs from what the newest run had at its address, or from the nearest point that is gone.
func (p *planner) changes(g *Graph, n *Node, facts []store.Fact, complete bool) []string {
	if key, ok := p.keys[n.Addr]; ok {
		old, err := p.st.Result(key)
		if errors.Is(err, fs.ErrNotExist) {
			return []string{"its stored result is gone"}
		}
		if err != nil {
			return []string{"stored result is damaged: " + err.Error()}
		}
		return p.diff(n, old.Key, facts, complete)
	}
	if n.Point == nil || p.keys == nil {
		return []string{"never run"}
	}
	if p.vanished == nil {
		p.vanished = p.gone(g)
	}
	nearest := nearestOf(p.vanished[n.Block], n.Point, facts, complete)
	if nearest == nil {
		return []string{"new point"}
	}
	changes := p.diff(n, nearest.facts, facts, complete)
	if len(changes) == 0 {
		return []string{"new point; against " + nearest.point}
	}
	changes[0] = "new point; against " + nearest.point + ": " + changes[0]
	return changes
}

// vanished is an instance that the newest run had and the graph has no longer.
type vanished struct {
	point       string // in brackets
	coordinates []string
	facts       []store.Fact
	has         map[store.Fact]bool
}

// gone lists what vanished, by block.
func (p *planner) gone(g *Graph) map[string][]*vanished {
	here := map[string]bool{}
	for _, n := range g.Nodes {
		here[n.Addr] = true
	}
	all := map[string][]*vanished{}
	for _, addr := range sortedKeys(p.keys) {
		block, point, swept := strings.Cut(addr, "[")
		if !swept || here[addr] {
			continue
		}
		old, err := p.st.Result(p.keys[addr])
		if err != nil {
			continue
		}
		v := &vanished{"[" + point, strings.Split(strings.TrimSuffix(point, "]"), ","), old.Key, map[store.Fact]bool{}}
		for _, f := range old.Key {
			v.has[f] = true
		}
		all[block] = append(all[block], v)
	}
	return all
}

// nearestOf returns what differs from the facts, as far as they are known, in the fewest of them, and of those what has
// the most coordinates in common; nil where nothing vanished.
func nearestOf(all []*vanished, point Point, facts []store.Fact, complete bool) *vanished {
	here := map[string]bool{}
	for _, c := range strings.Split(point.String(), ",") {
		here[c] = true
	}
	var nearest *vanished
	var least [2]int
	for _, v := range all {
		var d [2]int // facts without a counterpart, coordinates that are elsewhere
		for _, f := range facts {
			if !v.has[f] {
				d[0]++
			}
		}
		if complete {
			d[0] += max(0, len(v.facts)-len(facts))
		}
		for _, c := range v.coordinates {
			if !here[c] {
				d[1]++
			}
		}
		if nearest == nil || slices.Compare(d[:], least[:]) < 0 {
			nearest, least = v, d
		}
	}
	return nearest
}

// diff says how facts differ from old ones. Facts of inputs that are not known yet are left alone.
func (p *planner) diff(n *Node, old, now []store.Fact, complete bool) []string {
	oldRows, old := takeRows(n, old)
	nowRows, now := takeRows(n, now)
	type name struct{ kind, name string }
	before, after, names := map[name]string{}, map[name]string{}, map[name]bool{}
	for _, f := range old {
		before[name{f.Kind, f.Name}] = f.Value
		names[name{f.Kind, f.Name}] = true
	}
	for _, f := range now {
		after[name{f.Kind, f.Name}] = f.Value
		names[name{f.Kind, f.Name}] = true
	}
	sorted := slices.SortedFunc(maps.Keys(names), func(a, b name) int {
		return cmp.Or(strings.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
	})
	defaults := n.Kind.defaults()
	var changes []string
	for _, k := range sorted {
		was, had := before[k]
		is, has := after[k]
		if had && has && was == is || k.kind == "input" && !has && !complete {
			continue
		}
		switch k.kind {
		case "kind":
			changes = append(changes, fmt.Sprintf("version of %s: %s → %s", k.name, orNone(was), orNone(is)))
		case "numbers":
			changes = append(changes, fmt.Sprintf("version of the arithmetic: %s → %s", orNone(was), orNone(is)))
		case "input":
			changes = append(changes, n.inputChange(k.name, had))
		case "config":
			if !had {
				was = orDefault(defaults, k.name)
			}
			if !has {
				is = orDefault(defaults, k.name)
			}
			changes = append(changes, fmt.Sprintf("%s: %s → %s", k.name, was, is))
		default: // a source
			if had && has && k.kind != "godoc" {
				changes = append(changes, fmt.Sprintf("%s: content changed", k.name))
			} else {
				changes = append(changes, fmt.Sprintf("%s: %s → %s", k.name, sourceText(k.kind, was), sourceText(k.kind, is)))
			}
		}
	}
	return append(changes, diffRows(n, oldRows, nowRows)...)
}

// row is one element of a list of rows: its point, and its content where that is known.
type row struct{ point, content string }

var rowFact = regexp.MustCompile(`^(.*)\.(\d+)(?:\.([^.]+))?$`)

// takeRows parts the facts about rows of n, by field and in their order, from the others.
func takeRows(n *Node, facts []store.Fact) (map[string][]row, []store.Fact) {
	fields := map[string]bool{}
	for _, in := range n.inputs {
		if in.row {
			fields[rowFact.FindStringSubmatch(in.field)[1]] = true
		}
	}
	points, contents := map[string]map[int]Point{}, map[string]map[int]string{}
	for field := range fields {
		points[field], contents[field] = map[int]Point{}, map[int]string{}
	}
	count := map[string]int{}
	var others []store.Fact
	for _, f := range facts {
		m := rowFact.FindStringSubmatch(f.Name)
		if m == nil || !fields[m[1]] || f.Kind != "point" && f.Kind != "input" {
			if !(f.Kind == "config" && fields[f.Name]) { // the length of the list
				others = append(others, f)
			}
			continue
		}
		i, _ := strconv.Atoi(m[2])
		count[m[1]] = max(count[m[1]], i+1)
		if f.Kind == "input" {
			contents[m[1]][i] = f.Value
		} else {
			points[m[1]][i] = append(points[m[1]][i], Coordinate{m[3], f.Value})
		}
	}
	rows := map[string][]row{}
	for field := range fields {
		for i := range count[field] {
			parts := make([]string, len(points[field][i]))
			for k, c := range points[field][i] {
				parts[k] = c.Name + "=" + c.Value.(string)
			}
			slices.Sort(parts)
			rows[field] = append(rows[field], row{"[" + strings.Join(parts, ",") + "]", contents[field][i]})
		}
	}
	return rows, others
}

// diffRows says which rows came, went or changed. What holds for several fields is said once.
func diffRows(n *Node, old, now map[string][]row) []string {
	var said []string
	fields := map[string][]string{}
	for _, field := range sortedKeys(now) {
		change := rowChange(old[field], now[field])
		if change == "" {
			continue
		}
		if fields[change] == nil {
			said = append(said, change)
		}
		fields[change] = append(fields[change], field)
	}
	for i, change := range said {
		said[i] = strings.Join(few(fields[change]), ", ") + ": " + change
	}
	return said
}

// rowChange compares two lists of rows, "" where they are equal as far as is known.
func rowChange(old, now []row) string {
	at := func(rows []row, point string) int {
		return slices.IndexFunc(rows, func(r row) bool { return r.point == point })
	}
	var came, went, changed []string
	for _, r := range now {
		if i := at(old, r.point); i < 0 {
			came = append(came, r.point)
		} else if r.content != "" && r.content != old[i].content {
			changed = append(changed, r.point)
		}
	}
	for _, r := range old {
		if at(now, r.point) < 0 {
			went = append(went, r.point)
		}
	}
	var parts []string
	if len(came) == 1 && len(went) == 1 {
		parts = append(parts, went[0]+" → "+came[0])
	} else {
		if came != nil {
			parts = append(parts, "with "+strings.Join(few(came), ", "))
		}
		if went != nil {
			parts = append(parts, "without "+strings.Join(few(went), ", "))
		}
	}
	if changed != nil {
		parts = append(parts, "content changed at "+strings.Join(few(changed), ", "))
	}
	if parts == nil && !slices.EqualFunc(old, now, func(a, b row) bool { return a.point == b.point }) {
		parts = append(parts, "another order")
	}
	return strings.Join(parts, "; ")
}

// few shortens a long list.
func few(names []string) []string {
	if more := len(names) - 3; more > 1 {
		return append(slices.Clone(names[:3]), fmt.Sprintf("%d more", more))
	}
	return names
}

func (n *Node) inputChange(field string, had bool) string {
	for _, in := range n.inputs {
		if in.field == field {
			if had {
				return fmt.Sprintf("%s: content of %s changed", field, in.ref)
			}
			return fmt.Sprintf("%s: none → %s", field, in.ref)
		}
	}
	return fmt.Sprintf("%s: an input → none", field)
}

func sourceText(kind, value string) string {
	if value == "" {
		return "none"
	}
	if kind == "godoc" {
		return "godoc " + value
	}
	return kind + " " + value[:12]
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// orDefault prints what holds where a file says nothing about an attribute.
func orDefault(defaults map[string]string, name string) string {
	if v := defaults[name]; v != "" {
		return v
	}
	return "unset"
}
