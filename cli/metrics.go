package cli

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"anneal/artifacts"
	"anneal/artifacts/store"
)

// lastRow reads the last row of a table, nil where the table is no longer there or has none.
func (d *differ) lastRow(b store.Blob) (*artifacts.Table, error) {
	if t, ok := d.tables[b.Digest]; ok {
		return t, nil
	}
	if d.tables == nil {
		d.tables = map[store.Digest]*artifacts.Table{}
	}
	d.tables[b.Digest] = nil
	if err := d.st.Present(b); err != nil {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "anneal-diff-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "table")
	if err := stage(d.st, b, path); err != nil {
		return nil, err
	}
	t, err := artifacts.ReadTable(path)
	if err != nil || t.Rows() == 0 {
		return nil, nil // no flat table
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		c.Values = c.Values[len(c.Values)-1:]
	}
	d.tables[b.Digest] = t
	return t, nil
}

// metric is a number in the last row of a table.
type metric struct {
	Output string  `json:"output"`
	Name   string  `json:"name"`
	Was    float64 `json:"was"`
	Is     float64 `json:"is"`
}

// metrics compares the numbers of two rows. Rows that stand for different things, by their words, are not compared.
func metrics(output string, was, is *artifacts.Table) []metric {
	if was == nil || is == nil {
		return nil
	}
	var all []metric
	for _, c := range is.Columns {
		old := was.Column(c.Name)
		if old == nil || old.Type != c.Type || c.Values[0] == nil || old.Values[0] == nil {
			continue
		}
		switch v := c.Values[0].(type) {
		case float64:
			all = append(all, metric{output, c.Name, old.Values[0].(float64), v})
		case int64:
			all = append(all, metric{output, c.Name, float64(old.Values[0].(int64)), float64(v)})
		default:
			if v != old.Values[0] {
				return nil
			}
		}
	}
	return all
}

// change prints a metric as 1.573 → 1.575 (+0.002), with the digits in which it changed.
func (m metric) change() string {
	delta := m.Is - m.Was
	digits := 0
	if m.Was != math.Trunc(m.Was) || m.Is != math.Trunc(m.Is) {
		digits = min(12, max(3, 1+int(math.Ceil(-math.Log10(math.Abs(delta))))))
	}
	text := func(v float64) string {
		if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e9) {
			return number(v)
		}
		return strconv.FormatFloat(v, 'f', digits, 64)
	}
	by := text(delta)
	if !strings.HasPrefix(by, "-") && !strings.HasPrefix(by, "+") {
		by = "+" + by
	}
	return fmt.Sprintf("%s → %s (%s)", text(m.Was), text(m.Is), by)
}
