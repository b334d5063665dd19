package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"anneal/artifacts"
)

// columns prints cells as aligned columns, numbers to the right.
type columns struct {
	head  [][]string // lines above the rows
	right []bool     // which columns hold numbers
	rows  [][]string
	tint  colors
	width int // of the terminal; columns that do not fit are named below instead. 0: all
}

// gap stands between two columns.
const gap = 2

func (t *columns) print(w io.Writer) {
	widths := make([]int, len(t.right))
	for _, line := range append(t.head[:len(t.head):len(t.head)], t.rows...) {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	fit, used := 0, 0
	for fit < len(widths) && (t.width == 0 || fit == 0 || used+widths[fit] <= t.width) {
		used += widths[fit] + gap
		fit++
	}
	for _, line := range t.head {
		fmt.Fprintf(w, "%s%s%s\n", t.tint.dim, t.line(line[:fit], widths), t.tint.reset)
	}
	for _, line := range t.rows {
		fmt.Fprintln(w, t.line(line[:fit], widths))
	}
	if fit < len(widths) {
		fmt.Fprintf(w, "%sand %s: %s%s\n", t.tint.dim, count(len(widths)-fit, "more column"), strings.Join(t.head[0][fit:], ", "), t.tint.reset)
	}
}

func (t *columns) line(cells []string, widths []int) string {
	var b strings.Builder
	for i, cell := range cells {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if t.right[i] {
			b.WriteString(pad + cell)
		} else {
			b.WriteString(cell + pad)
		}
		b.WriteString(strings.Repeat(" ", gap))
	}
	return strings.TrimRight(b.String(), " ")
}

// cells lays a table out for people: names, types, and rows whose texts are cut to so many characters.
func cells(t *artifacts.Table, cut int) *columns {
	c := &columns{head: make([][]string, 2), rows: make([][]string, t.Rows())}
	for _, column := range t.Columns {
		c.head[0] = append(c.head[0], column.Name)
		c.head[1] = append(c.head[1], string(column.Type))
		c.right = append(c.right, column.Type == artifacts.Int64 || column.Type == artifacts.Float64)
		for i, v := range column.Values {
			c.rows[i] = append(c.rows[i], cell(v, cut))
		}
	}
	return c
}

// cell prints a value of a table on one line.
func cell(v any, cut int) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case float64:
		return number(v)
	case string:
		return shorten(oneLine(v), cut)
	}
	return fmt.Sprint(v)
}

// number prints six digits of v, as many as people compare.
func number(v float64) string {
	s := strconv.FormatFloat(v, 'g', 6, 64)
	if mantissa, exponent, ok := strings.Cut(s, "e"); ok {
		n, _ := strconv.Atoi(exponent)
		return mantissa + "e" + strconv.Itoa(n)
	}
	return s
}

func shorten(s string, cut int) string {
	if r := []rune(s); len(r) > cut {
		return string(r[:cut-1]) + "…"
	}
	return s
}

// oneLine makes characters visible that would break a line.
func oneLine(s string) string {
	return strings.NewReplacer("\n", "⏎", "\t", "⇥").Replace(harmless(s))
}

// harmless replaces what a terminal would obey or cannot show.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}
