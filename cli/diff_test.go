package cli

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"anneal/artifacts"
)

func TestMetricChange(t *testing.T) {
	for _, c := range []struct {
		was, is float64
		want    string
	}{
		{1.5731, 1.5752, "1.5731 → 1.5752 (+0.0021)"},
		{1.573, 1.375, "1.573 → 1.375 (-0.198)"},
		{100, 300, "100 → 300 (+200)"},
		{17.650812, 17.651934, "17.6508 → 17.6519 (+0.0011)"},
		{0.1, 0.1 + 1e-15, "0.100000000000 → 0.100000000000 (+9.99201e-16)"},
		{2.5e-5, 0, "2.5e-5 → 0.000000 (-2.5e-5)"},
		{0, 3e12, "0 → 3e12 (+3e12)"},
		{1, math.Inf(1), "1 → +Inf (+Inf)"},
	} {
		if got := (metric{Was: c.was, Is: c.is}).change(); got != c.want {
			t.Errorf("%g and %g: %s, want %s", c.was, c.is, got, c.want)
		}
	}
}

// TestMetrics: numbers of like rows are compared, those of rows that stand for different things are not.
func TestMetrics(t *testing.T) {
	row := func(split string, examples int64, loss any) *artifacts.Table {
		return &artifacts.Table{Columns: []artifacts.Column{
			{Name: "split", Type: artifacts.String, Values: []any{split}},
			{Name: "examples", Type: artifacts.Int64, Values: []any{examples}},
			{Name: "loss", Type: artifacts.Float64, Optional: true, Values: []any{loss}},
		}}
	}
	for _, c := range []struct {
		was, is *artifacts.Table
		want    []metric
	}{
		{row("test", 3, 0.5), row("test", 4, 0.25), []metric{{"scores", "examples", 3, 4}, {"scores", "loss", 0.5, 0.25}}},
		{row("test", 3, nil), row("test", 3, 0.25), []metric{{"scores", "examples", 3, 3}}},
		{row("test", 3, 0.5), row("validation", 3, 0.25), nil},
		{row("test", 3, 0.5), nil, nil},
	} {
		if got := metrics("scores", c.was, c.is); !reflect.DeepEqual(got, c.want) {
			t.Errorf("metrics are %v, want %v", got, c.want)
		}
	}
}

// TestColumns: on a narrow terminal columns that do not fit are named instead.
func TestColumns(t *testing.T) {
	table := &artifacts.Table{Columns: []artifacts.Column{
		{Name: "step", Type: artifacts.Int64, Values: []any{int64(7), int64(1000)}},
		{Name: "loss", Type: artifacts.Float64, Optional: true, Values: []any{nil, 1.0 / 3}},
		{Name: "text", Type: artifacts.String, Values: []any{"a\nb\x1b[2J", "a long text of many letters"}},
	}}
	for _, c := range []struct {
		width int
		want  string
	}{
		{0, " step      loss  text\nint64   float64  string\n    7      null  a⏎b�[2J\n 1000  0.333333  a long te…\n"},
		{20, " step      loss\nint64   float64\n    7      null\n 1000  0.333333\nand 1 more column: text\n"},
		{5, " step\nint64\n    7\n 1000\nand 2 more columns: loss, text\n"},
	} {
		var b strings.Builder
		columns := cells(table, 10)
		columns.width = c.width
		columns.print(&b)
		if b.String() != c.want {
			t.Errorf("at width %d:\n%swant\n%s", c.width, b.String(), c.want)
		}
	}
}
