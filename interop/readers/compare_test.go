// Package readers opens what Anneal writes with two readers of Go, DuckDB and Arrow's own, and compares it with the truth: names, types and order
// of columns, whether they allow nulls, and every value to the bit. It is a module of its own: DuckDB alone weighs more than all of Anneal.
//
//	go run ./interop/fixtures DIR
//	cd interop/readers && FIXTURES=DIR go test .
package readers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// file is what truth.json says of a file; see interop/fixtures.
type file struct {
	Path     string
	Rows     int
	Columns  []column
	Metadata map[string]string
}

type column struct {
	Name, Type string
	Optional   bool
	Values     []any
}

// each runs a check for every file whose name ends as given, in the folders that FIXTURES lists. There must be one.
func each(t *testing.T, suffix string, check func(t *testing.T, path string, want file)) {
	found := false
	for _, dir := range filepath.SplitList(os.Getenv("FIXTURES")) {
		text, err := os.ReadFile(filepath.Join(dir, "truth.json"))
		if err != nil {
			t.Fatal(err)
		}
		var files []file
		if err := json.Unmarshal(text, &files); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f.Path, suffix) {
				found = true
				t.Run(filepath.Base(dir)+"/"+f.Path, func(t *testing.T) { check(t, filepath.Join(dir, f.Path), f) })
			}
		}
	}
	if !found {
		t.Fatalf("FIXTURES, %q, lists no folder with a truth.json that has files *%s", os.Getenv("FIXTURES"), suffix)
	}
}

// compare reports where what a reader found is not the truth.
func compare(t *testing.T, rows int, have []column, want file) {
	t.Helper()
	if rows != want.Rows {
		t.Errorf("%d rows, want %d", rows, want.Rows)
	}
	if len(have) != len(want.Columns) {
		t.Fatalf("%d columns, want %d", len(have), len(want.Columns))
	}
	for i, h := range have {
		w := want.Columns[i]
		if h.Name != w.Name || h.Type != w.Type || h.Optional != w.Optional {
			t.Errorf("column %d is %q, %s, optional %t; want %q, %s, %t", i, h.Name, h.Type, h.Optional, w.Name, w.Type, w.Optional)
		}
		if len(h.Values) != len(w.Values) {
			t.Errorf("%s: %d values, want %d", w.Name, len(h.Values), len(w.Values))
			continue
		}
		for row := range h.Values {
			if !reflect.DeepEqual(h.Values[row], w.Values[row]) {
				t.Errorf("%s, row %d: %.200v, want %.200v", w.Name, row, h.Values[row], w.Values[row])
				break
			}
		}
	}
}
