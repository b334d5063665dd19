package pipeline

import (
	"slices"
	"strconv"
	"strings"

	"anneal/artifacts/store"
)

// rowsField is the field of a row's fact, by its term or, of a kind that has the field no longer, by its name.
func rowsField(name string, t term) string {
	if t.role == rowsTerm {
		return t.field
	}
	parts := strings.Split(name, ".") // field, place, coordinate
	return strings.Join(parts[:max(1, len(parts)-2)], ".")
}

// row is one element of a list of rows: its point, and its content where that is known.
type row struct{ point, content string }

// rows says which rows of fields came, went or changed. What holds for several fields is said once.
func (d *difference) rows(fields []string, old, now []store.Fact) []string {
	before, after := d.takeRows(fields, old), d.takeRows(fields, now)
	var said []string
	of := map[string][]string{}
	for _, field := range fields {
		change := rowChange(before[field], after[field])
		if change == "" {
			continue
		}
		if of[change] == nil {
			said = append(said, change)
		}
		of[change] = append(of[change], field)
	}
	for i, change := range said {
		said[i] = strings.Join(few(of[change]), ", ") + ": " + change
	}
	return said
}

// takeRows collects the rows of fields in their order.
func (d *difference) takeRows(fields []string, facts []store.Fact) map[string][]row {
	points := map[string]map[int]Point{}
	contents := map[string]map[int]string{}
	count := map[string]int{}
	for _, field := range fields {
		points[field], contents[field] = map[int]Point{}, map[int]string{}
	}
	for _, f := range facts {
		if f.Kind != "point" && f.Kind != "input" {
			continue
		}
		field := d.rowsFieldOf(f)
		if points[field] == nil {
			continue
		}
		place, coordinate, _ := strings.Cut(strings.TrimPrefix(f.Name, field+"."), ".")
		i, err := strconv.Atoi(place)
		if err != nil {
			continue
		}
		count[field] = max(count[field], i+1)
		if f.Kind == "input" {
			contents[field][i] = f.Value
			continue
		}
		text := f.Value
		if s, err := strconv.Unquote(text); err == nil {
			text = Coordinate{Value: s}.Text()
		}
		points[field][i] = append(points[field][i], Coordinate{coordinate, text})
	}
	rows := map[string][]row{}
	for _, field := range fields {
		for i := range count[field] {
			parts := make([]string, len(points[field][i]))
			for k, c := range points[field][i] {
				parts[k] = c.Name + "=" + c.Value.(string)
			}
			slices.Sort(parts)
			rows[field] = append(rows[field], row{"[" + strings.Join(parts, ",") + "]", contents[field][i]})
		}
	}
	return rows
}

func (d *difference) rowsFieldOf(f store.Fact) string {
	t := d.term(f.Name)
	if t.role != rowsTerm && f.Kind == "input" {
		return ""
	}
	return rowsField(f.Name, t)
}

// rowChange compares two lists of rows, "" where they are equal as far as is known.
func rowChange(old, now []row) string {
	type place struct {
		point string
		nth   int // of the rows at this point
	}
	index := func(rows []row) (map[place]row, []place) {
		at, times, order := map[place]row{}, map[string]int{}, []place{}
		for _, r := range rows {
			p := place{r.point, times[r.point]}
			times[r.point]++
			at[p] = r
			order = append(order, p)
		}
		return at, order
	}
	before, wasOrder := index(old)
	after, order := index(now)
	var came, went, changed []string
	for _, p := range order {
		if was, had := before[p]; !had {
			came = append(came, p.point)
		} else if r := after[p]; r.content != "" && r.content != was.content {
			changed = append(changed, p.point)
		}
	}
	for _, p := range wasOrder {
		if _, has := after[p]; !has {
			went = append(went, p.point)
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
	if parts == nil && !slices.Equal(wasOrder, order) {
		parts = append(parts, "another order")
	}
	return strings.Join(parts, "; ")
}
