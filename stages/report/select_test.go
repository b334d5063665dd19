package report

import (
	"math"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline"
)

type measured struct {
	Layer int64    `parquet:"layer"`
	Kind  string   `parquet:"kind"`
	Value *float64 `parquet:"value"`
}

// point builds coordinates of one weight decay and seeds.
func at(decay float64, seed, finetuneSeed int64) pipeline.Point {
	return pipeline.Point{{Name: "finetune_seed", Value: finetuneSeed}, {Name: "seed", Value: seed}, {Name: "weight_decay", Value: decay}}
}

func someFrame(t *testing.T) *frame {
	t.Helper()
	f, err := join("some", []part{
		partOf(t, at(0.1, 1, 1), []measured{{1, "a", new(1.0)}, {2, "a", new(3.0)}, {1, "b", new(100.0)}}),
		partOf(t, at(0.1, 1, 2), []measured{{1, "a", new(2.0)}, {2, "a", new(4.0)}, {1, "b", nil}}),
		partOf(t, at(0.1, 2, 1), []measured{{1, "a", new(10.0)}, {2, "a", new(20.0)}, {1, "b", new(math.NaN())}}),
		partOf(t, at(0, 1, 1), []measured{{1, "a", new(7.0)}, {2, "a", nil}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMeans(t *testing.T) {
	f := someFrame(t)
	a := []Where{{"kind", []string{"a"}}}
	cells, err := f.means(query{metric: "value", by: []string{"layer"}, along: "weight_decay", unit: "seed", where: a})
	if err != nil {
		t.Fatal(err)
	}
	type want struct {
		layer int64
		x     float64
		mean  float64
		units int
	}
	for i, w := range []want{
		{1, 0, 7, 1},
		{1, 0.1, (1.5 + 10) / 2, 2}, // seed 1 has two rows and weighs no more than seed 2
		{2, 0, math.NaN(), 0},       // missing is not 0
		{2, 0.1, (3.5 + 20) / 2, 2},
	} {
		c := cells[i]
		if c.group[0] != any(w.layer) || c.x != w.x || len(c.units) != w.units || c.mean != w.mean && !(math.IsNaN(w.mean) && math.IsNaN(c.mean)) {
			t.Errorf("cell %d is %+v, want %+v", i, c, w)
		}
	}
	cells, err = f.means(query{metric: "value", along: "weight_decay", over: []string{"layer"}, unit: "seed", where: a})
	if err != nil || cells[1].mean != ((1+3+2+4)/4.+15)/2 {
		t.Errorf("over layers: %+v, %v", cells, err)
	}
}

func TestMeansRefuse(t *testing.T) {
	f := someFrame(t)
	for _, c := range []struct {
		q    query
		want string
	}{
		{query{metric: "value", along: "weight_decay", unit: "seed"}, "they differ in"},
		{query{metric: "value", along: "weight_decay", unit: "seed", where: []Where{{"kind", []string{"a"}}}}, "they differ in layer: choose with where, or average with over"},
		{query{metric: "worth"}, "table some has no column worth; it has finetune_seed, seed, weight_decay, layer, kind, value"},
		{query{metric: "kind"}, "holds no numbers"},
		{query{metric: "value", along: "kind"}, "holds no numbers to order by"},
		{query{metric: "value", where: []Where{{"kind", []string{"c"}}}}, "no row of table some has kind c; there are a, b"},
		{query{metric: "value", where: []Where{{"sort", []string{"c"}}}}, "has no column sort"},
	} {
		if _, err := f.means(c.q); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// Numbers are compared as numbers, however they are written; truths as they are printed.
func TestMatches(t *testing.T) {
	for _, c := range []struct {
		v    any
		s    string
		want bool
	}{{0.1, "0.10", true}, {int64(2), "2", true}, {1e-5, "0.00001", true}, {true, "true", true}, {"a", "a", true}, {"1.0", "1", false}, {nil, "missing", false}, {2.0, "two", false}} {
		if got := matches(c.v, c.s); got != c.want {
			t.Errorf("%v is %s: %v", c.v, c.s, got)
		}
	}
}

// Test rows are what is reported; validation rows only where they are asked for.
func TestSplits(t *testing.T) {
	f, err := join("scores", []part{partOf(t, nil, scoreRows(0.5, 2))})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    query
		want []float64
	}{
		{query{metric: "response_loss"}, []float64{2}},
		{query{metric: "response_loss", where: []Where{{"split", []string{"validation"}}}}, []float64{2.01}},
		{query{metric: "response_loss", by: []string{"split"}}, []float64{2, 2.01}},
	} {
		cells, err := f.means(c.q)
		if err != nil || len(cells) != len(c.want) {
			t.Fatalf("%+v: %+v, %v", c.q, cells, err)
		}
		for i, w := range c.want {
			if cells[i].mean != w {
				t.Errorf("%+v: %g, want %g", c.q, cells[i].mean, w)
			}
		}
	}
}

func TestJoin(t *testing.T) {
	f, err := join("t", []part{
		partOf(t, pipeline.Point{{Name: "seed", Value: int64(3)}, {Name: "steps", Value: int64(5)}, {Name: "task", Value: "a"}}, []measured{{1, "k", nil}}),
		partOf(t, pipeline.Point{{Name: "steps", Value: 0.5}}, []measured{{2, "k", new(1.0)}, {3, "k", new(2.0)}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	table := f.table()
	want := []artifacts.Column{
		{Name: "seed", Type: artifacts.Int64, Optional: true, Values: []any{int64(3), nil, nil}},
		{Name: "steps", Type: artifacts.Float64, Values: []any{5.0, 0.5, 0.5}},
		{Name: "task", Type: artifacts.String, Optional: true, Values: []any{"a", nil, nil}},
		{Name: "layer", Type: artifacts.Int64, Values: []any{int64(1), int64(2), int64(3)}},
	}
	for i, w := range want {
		got := table.Columns[i]
		if got.Name != w.Name || got.Type != w.Type || got.Optional != w.Optional || id(got.Values) != id(w.Values) {
			t.Errorf("column %d is %+v, want %+v", i, got, w)
		}
	}
	for _, c := range []struct {
		parts []part
		want  string
	}{
		{[]part{partOf(t, pipeline.Point{{Name: "layer", Value: int64(3)}}, []measured{{}})}, "layer is a coordinate and a column too"},
		{[]part{partOf(t, pipeline.Point{{Name: "x", Value: "a"}}, []measured{{}}), partOf(t, pipeline.Point{{Name: "x", Value: 1.0}}, []measured{{}})}, "coordinate x is string here and float64 there"},
		{[]part{partOf(t, nil, []measured{{}}), partOf(t, nil, scoreRows(1, 1))}, "columns"},
	} {
		if _, err := join("t", c.parts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestMissing(t *testing.T) {
	f := someFrame(t)
	got := strings.Join(f.missing(), "\n")
	want := "some: no row has seed 2, weight decay 0\n" + // of either finetune seed
		"some: no row has finetune seed 2, seed 1, weight decay 0\nsome: no row has finetune seed 2, seed 2, weight decay 0.1"
	if got != want {
		t.Errorf("missing:\n%s\nwant\n%s", got, want)
	}
}

// Rows for other metrics are no rows: a table of scores has some for each k, which the metrics without a k leave empty.
func TestRowsWithoutTheMetric(t *testing.T) {
	type row struct {
		K        *int64   `parquet:"k"`
		Accuracy *float64 `parquet:"accuracy"`
		Pass     *float64 `parquet:"pass_at_k"`
	}
	f, err := join("scores", []part{partOf(t, nil, []row{{Accuracy: new(0.5)}, {K: new(int64(1)), Pass: new(0.6)}, {K: new(int64(4)), Pass: new(0.8)}})})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    query
		want []float64
	}{
		{query{metric: "accuracy"}, []float64{0.5}},
		{query{metric: "pass_at_k", by: []string{"k"}}, []float64{0.6, 0.8}},
		{query{metric: "pass_at_k", along: "k"}, []float64{0.6, 0.8}},
		{query{metric: "pass_at_k", where: []Where{{"k", []string{"4"}}}}, []float64{0.8}},
	} {
		cells, err := f.means(c.q)
		var got []float64
		for _, cell := range cells {
			got = append(got, cell.mean)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, %v, want %v", c.q, got, err, c.want)
		}
	}
	if _, err := f.means(query{metric: "pass_at_k"}); err == nil || !strings.Contains(err.Error(), "they differ in k") {
		t.Errorf("each k at once: %v", err)
	}
}
