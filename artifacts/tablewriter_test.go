package artifacts

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
)

// some is a table with a column of each type, and a null in each that may have one.
func some() *Table {
	return &Table{Columns: []Column{
		{"n", Int64, false, []any{int64(-1), int64(1 << 60)}},
		{"x", Float64, true, []any{nil, 0.1}},
		{"text", String, true, []any{"a \"b\",\nü", nil}},
		{"ok", Bool, true, []any{true, nil}},
		{"raw", Binary, true, []any{[]byte{0xff, 0}, nil}},
	}}
}

var someSaid = Description{Schema: "some", Version: 2, Doc: "a thing", Anneal: "v1", Columns: []ColumnDoc{
	{Name: "x", Type: Float64, Unit: "nats/token", Null: "not measured", Doc: "how much"},
}, Partitions: []ColumnDoc{{Name: "seed", Type: Int64}}}

// writeSome writes the rows of some twice.
func writeSome(t *testing.T, format Format) string {
	path := filepath.Join(t.TempDir(), "some."+string(format))
	columns := some().Columns
	for i := range columns {
		columns[i].Values = nil
	}
	w, err := CreateTable(path, format, columns, someSaid)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(some()), w.Write(some()), w.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParquetTable(t *testing.T) {
	path := writeSome(t, Parquet)
	d, columns, err := Described(path)
	if err != nil || !reflect.DeepEqual(d, someSaid) {
		t.Errorf("the file says %+v, %v, want %+v", d, err, someSaid)
	}
	want := some()
	if err := want.Append(some()); err != nil {
		t.Fatal(err)
	}
	if err := alike(columns, want.Columns); err != nil {
		t.Error(err)
	}
	got := &Table{}
	for batch, err := range Batches(path) {
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Append(batch); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("table is %+v, want %+v", got, want)
	}
}

func TestCSVTable(t *testing.T) {
	got, err := os.ReadFile(writeSome(t, CSV))
	if err != nil {
		t.Fatal(err)
	}
	rows := "-1,,\"a \"\"b\"\",\nü\",true,\xff\x00\n1152921504606846976,0.1,,,\n"
	if want := "n,x,text,ok,raw\n" + rows + rows; string(got) != want {
		t.Errorf("CSV is %q, want %q", got, want)
	}
}

func TestArrowTable(t *testing.T) {
	f, err := os.Open(writeSome(t, Arrow))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := ipc.NewFileReader(f)
	if err != nil {
		t.Fatal(err)
	}
	about, _ := r.Schema().Metadata().GetValue(descriptionKey)
	if want, _ := someSaid.text(); about != want {
		t.Errorf("the file says %s, want %s", about, want)
	}
	unit, _ := r.Schema().Field(1).Metadata.GetValue("unit")
	if unit != "nats/token" || r.Schema().Field(0).Nullable || !r.Schema().Field(1).Nullable {
		t.Errorf("fields are %v", r.Schema())
	}
	if r.NumRecords() != 2 {
		t.Fatalf("%d records, want 2", r.NumRecords())
	}
	record, err := r.Record(1)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range some().Columns {
		for row, want := range c.Values {
			var got any
			switch a := record.Column(i).(type) {
			case *array.Int64:
				got = a.Value(row)
			case *array.Float64:
				got = a.Value(row)
			case *array.String:
				got = a.Value(row)
			case *array.Boolean:
				got = a.Value(row)
			case *array.Binary:
				got = a.Value(row)
			}
			if record.Column(i).IsNull(row) {
				got = nil
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("column %q, row %d is %v, want %v", c.Name, row, got, want)
			}
		}
	}
}

func TestTableWriterRefuses(t *testing.T) {
	for want, rows := range map[string]*Table{
		"tables of 1 and of 2 columns": {Columns: []Column{{"a", Int64, false, nil}, {"b", Bool, false, nil}}},
		`is "a" of int64 in one table`: {Columns: []Column{{"a", Bool, false, nil}}},
		"null in a column without":     {Columns: []Column{{"a", Int64, true, []any{nil}}}},
		"1 is float64, not int64":      {Columns: []Column{{"a", Int64, true, []any{1.0}}}},
	} {
		for _, format := range []Format{Parquet, Arrow} {
			path := filepath.Join(t.TempDir(), "table")
			w, err := CreateTable(path, format, []Column{{Name: "a", Type: Int64}}, Description{})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(rows); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: error %v, want the path and %q", format, err, want)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "table")
	if _, err := CreateTable(path, "xlsx", nil, Description{}); err == nil || !strings.Contains(err.Error(), "no format") {
		t.Errorf("error %v, want one of the format", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file of no format is left behind")
	}
}

// TestBatches: however many rows and however long their texts, no batch holds much.
func TestBatches(t *testing.T) {
	const most = 5000
	long := strings.Repeat("x", 1<<20)
	path := filepath.Join(t.TempDir(), "long.parquet")
	w, err := CreateTable(path, Parquet, []Column{{Name: "n", Type: Int64}, {Name: "text", Type: String}}, Description{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range most {
		text := ""
		if i%100 == 0 {
			text = long
		}
		if err := w.Write(&Table{Columns: []Column{{"n", Int64, false, []any{int64(i)}}, {"text", String, false, []any{text}}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	for batch, err := range Batches(path) {
		if err != nil {
			t.Fatal(err)
		}
		if n := textBytes(batch); n > 2*batchBytes || batch.Rows() > 2*batchMost {
			t.Errorf("a batch has %d rows and %d bytes of text", batch.Rows(), n)
		}
		for _, v := range batch.Columns[0].Values {
			if v != next {
				t.Fatalf("row %v comes where %d should", v, next)
			}
			next++
		}
	}
	if next != most {
		t.Errorf("%d rows, want %d", next, most)
	}
	for batch := range Batches(path) { // as many as are wanted
		if batch.Rows() == 0 {
			t.Error("an empty batch")
		}
		break
	}
}
