package artifacts

import (
	"bytes"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func sampleTable() *Table {
	return &Table{Columns: []Column{
		{Name: "step", Type: Int64, Values: []any{int64(0), int64(7), int64(math.MinInt64)}},
		{Name: "loss", Type: Float64, Optional: true, Values: []any{nil, 1.0 / 3, math.Inf(1)}},
		{Name: "a, b", Type: String, Values: []any{"", "é\n\"", "\x00"}},
		{Name: "best", Type: Bool, Values: []any{false, true, false}},
		{Name: "File", Type: String, Optional: true, Values: []any{nil, "", "x"}},
		{Name: "count", Type: Int64, Optional: true, Values: []any{nil, nil, int64(3)}},
		{Name: "ok", Type: Bool, Optional: true, Values: []any{nil, false, true}},
	}}
}

func TestTableComesBack(t *testing.T) {
	empty := sampleTable()
	for i := range empty.Columns {
		empty.Columns[i].Values = []any{}
	}
	long := &Table{Columns: []Column{{Name: "zeta", Type: Int64}, {Name: "alpha", Type: String, Optional: true}}}
	for i := range 50000 {
		var text any = strings.Repeat("x", i%40)
		if i%7 == 0 {
			text = nil
		}
		long.Columns[0].Values = append(long.Columns[0].Values, int64(i))
		long.Columns[1].Values = append(long.Columns[1].Values, text)
	}
	for name, want := range map[string]*Table{"sample": sampleTable(), "empty": empty, "long": long} {
		for _, codec := range []Codec{Uncompressed, Zstd} {
			path := filepath.Join(t.TempDir(), "table.parquet")
			if err := want.Write(path, codec); err != nil {
				t.Fatal(err)
			}
			got, err := ReadTable(path)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the %s table, %s, does not come back", name, codec)
			}
			first := read(t, path)
			if err := got.Write(path, codec); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(read(t, path), first) {
				t.Errorf("the %s table, %s, has other bytes when written again", name, codec)
			}
		}
	}
}

func TestHead(t *testing.T) {
	whole := &Table{Columns: []Column{{Name: "i", Type: Int64}, {Name: "text", Type: String, Optional: true}}}
	for i := range 60000 { // several pages
		whole.Columns[0].Values = append(whole.Columns[0].Values, int64(i))
		whole.Columns[1].Values = append(whole.Columns[1].Values, any(strings.Repeat("x", i%9)))
	}
	path := filepath.Join(t.TempDir(), "table.parquet")
	if err := whole.Write(path, Uncompressed); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int64{0, 1, 10, 40000, 60000, 60001} {
		got, rows, err := ReadHead(path, limit)
		if err != nil {
			t.Fatal(err)
		}
		if rows != 60000 || !reflect.DeepEqual(got, whole.Head(limit)) || int64(got.Rows()) != min(limit, rows) {
			t.Errorf("the first %d rows are %d of %d, or differ", limit, got.Rows(), rows)
		}
	}
}

func TestTableKeepsTheOrderOfColumns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.parquet")
	if err := sampleTable().Write(path, Uncompressed); err != nil {
		t.Fatal(err)
	}
	want := `message anneal {
	required int64 step (INT(64,true));
	optional double loss;
	required binary a, b (STRING);
	required boolean best;
	optional binary File (STRING);
	optional int64 count (INT(64,true));
	optional boolean ok;
}`
	if got := schemaOf(t, path); got != want {
		t.Errorf("schema is\n%s\nwant\n%s", got, want)
	}
}

func TestTableReadsRows(t *testing.T) {
	type row struct {
		Zeta  int64    `parquet:"zeta"`
		Alpha *float64 `parquet:"alpha"`
	}
	path := filepath.Join(t.TempDir(), "rows.parquet")
	if err := WriteRows(path, []row{{3, nil}, {-1, ptr(0.5)}}); err != nil {
		t.Fatal(err)
	}
	table, err := ReadTable(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		value any
	}{{"seed", int64(1)}, {"weight_decay", 0.1}, {"task", "sort"}, {"tied", true}} {
		if err := table.Prepend(c.name, c.value); err != nil {
			t.Fatal(err)
		}
	}
	want := &Table{Columns: []Column{
		{"tied", Bool, false, []any{true, true}},
		{"task", String, false, []any{"sort", "sort"}},
		{"weight_decay", Float64, false, []any{0.1, 0.1}},
		{"seed", Int64, false, []any{int64(1), int64(1)}},
		{"zeta", Int64, false, []any{int64(3), int64(-1)}},
		{"alpha", Float64, true, []any{nil, 0.5}},
	}}
	if !reflect.DeepEqual(table, want) {
		t.Errorf("table is %+v, want %+v", table, want)
	}
	if err := table.Prepend("seed", int64(2)); err == nil {
		t.Error("a column is put in twice")
	}
	if err := table.Prepend("n", 2); err == nil {
		t.Error("a column of int is put in")
	}
}

func TestTableOfOtherTypes(t *testing.T) {
	for want, write := range map[string]func(path string) error{
		`column "small"`: func(p string) error {
			return WriteRows(p, []struct {
				Small int32 `parquet:"small"`
			}{{1}})
		},
		`column "many"`: func(p string) error {
			return WriteRows(p, []struct {
				Many []int64 `parquet:"many"`
			}{{}})
		},
		`column "raw"`: func(p string) error { return WriteRows(p, []sampleRow{{}}) },
	} {
		path := filepath.Join(t.TempDir(), "rows.parquet")
		if err := write(path); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadTable(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestTableRefusesWrongValues(t *testing.T) {
	for want, table := range map[string]*Table{
		"null in a column without nulls": {Columns: []Column{{"a", Int64, false, []any{nil}}}},
		"1 is float64, not int64":        {Columns: []Column{{"a", Int64, true, []any{1.0}}}},
		"two columns are named":          {Columns: []Column{{"a", Int64, false, nil}, {"a", Bool, false, nil}}},
		"has 0 values in 1 rows":         {Columns: []Column{{"a", Int64, false, []any{int64(1)}}, {"b", Bool, false, nil}}},
	} {
		path := filepath.Join(t.TempDir(), "table.parquet")
		if err := table.Write(path, Uncompressed); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want the path and %q", err, want)
		}
	}
}

func TestAppend(t *testing.T) {
	all := &Table{}
	part := &Table{Columns: []Column{{"a", Int64, false, []any{int64(1)}}, {"b", String, false, []any{"x"}}}}
	nullable := &Table{Columns: []Column{{"a", Int64, true, []any{nil}}, {"b", String, false, []any{"y"}}}}
	for _, p := range []*Table{part, nullable, part} {
		if err := all.Append(p); err != nil {
			t.Fatal(err)
		}
	}
	want := &Table{Columns: []Column{
		{"a", Int64, true, []any{int64(1), nil, int64(1)}},
		{"b", String, false, []any{"x", "y", "x"}},
	}}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("table is %+v, want %+v", all, want)
	}
	for _, other := range []*Table{
		{Columns: []Column{{"a", Int64, false, nil}}},
		{Columns: []Column{{"b", String, false, nil}, {"a", Int64, false, nil}}},
		{Columns: []Column{{"a", Float64, false, nil}, {"b", String, false, nil}}},
	} {
		if err := all.Append(other); err == nil {
			t.Errorf("columns %+v are appended", other.Columns)
		}
	}
}
