package artifacts

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

type loggedRow struct {
	Run  string    `parquet:"run,dict"`
	Time time.Time `parquet:"time,timestamp(microsecond)"`
	Loss *float64  `parquet:"loss"`
}

// TestRowWriter: rows written one by one come back, also over several groups, and times to the microsecond.
func TestRowWriter(t *testing.T) {
	for _, n := range []int{0, 1, rowGroup + 17} {
		path := filepath.Join(t.TempDir(), "rows.parquet")
		w, err := CreateRows[loggedRow](path, Description{})
		if err != nil {
			t.Fatal(err)
		}
		row := func(i int) loggedRow {
			r := loggedRow{Run: string(rune('a' + i%3)), Time: time.Date(2026, 1, 2, 3, 4, 5, i*1000, time.UTC)}
			if i%2 == 0 {
				r.Loss = ptr(float64(i))
			}
			return r
		}
		for i := range n {
			if err := w.Write(row(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if p, err := openParquet(f); err != nil || len(p.RowGroups()) != (n+rowGroup-1)/rowGroup {
			t.Errorf("%d rows stand in %d groups: %v", n, len(p.RowGroups()), err)
		}
		rows, err := ReadRows[loggedRow](path)
		if err != nil || len(rows) != n {
			t.Fatalf("%d rows of %d come back: %v", len(rows), n, err)
		}
		for i, got := range rows {
			got.Time = got.Time.UTC()
			if !reflect.DeepEqual(got, row(i)) {
				t.Fatalf("row %d of %d is %+v, want %+v", i, n, got, row(i))
			}
		}
	}
}
