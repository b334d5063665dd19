package artifacts

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

type sampleRow struct {
	Zeta  int64    `parquet:"zeta"`
	Alpha string   `parquet:"alpha"`
	Mid   *float64 `parquet:"mid"`
	Flag  bool     `parquet:"flag"`
	Raw   []byte   `parquet:"raw"`
	Maybe *int64   `parquet:"maybe"`
}

func ptr[T any](v T) *T { return &v }

func sampleRows(n int) []sampleRow {
	rows := make([]sampleRow, n)
	for i := range rows {
		rows[i] = sampleRow{Zeta: int64(i), Alpha: strings.Repeat("é\x00", i%50), Flag: i%3 == 0, Raw: []byte{byte(i), 0xff}}
		if i%2 == 1 {
			rows[i].Mid, rows[i].Maybe = ptr(float64(i)/3), ptr(int64(-i))
		}
	}
	return rows
}

func TestRowsComeBack(t *testing.T) {
	for _, n := range []int{0, 1, 7, 20000} {
		path := filepath.Join(t.TempDir(), "rows.parquet")
		want := sampleRows(n)
		if err := WriteRows(path, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadRows[sampleRow](path)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != n {
			t.Fatalf("%d rows come back of %d", len(got), n)
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("row %d of %d is %+v, want %+v", i, n, got[i], want[i])
			}
		}
	}
}

func TestRowsAreEqualBytes(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.parquet"), filepath.Join(dir, "b.parquet")
	for _, path := range []string{a, b} {
		if err := WriteRows(path, sampleRows(3000)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, a), read(t, b)) {
		t.Error("equal rows make different files")
	}
	if !bytes.Contains(read(t, a), []byte("anneal version 1(build parquet)")) {
		t.Error("the file does not carry the pinned writer string")
	}
}

func TestRowSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.parquet")
	if err := WriteRows(path, sampleRows(2)); err != nil {
		t.Fatal(err)
	}
	want := `message anneal {
	required int64 zeta (INT(64,true));
	required binary alpha (STRING);
	optional double mid;
	required boolean flag;
	required binary raw;
	optional int64 maybe (INT(64,true));
}`
	if got := schemaOf(t, path); got != want {
		t.Errorf("schema is\n%s\nwant\n%s", got, want)
	}
}

func TestRowsOfAnotherSchema(t *testing.T) {
	type fewer struct {
		Zeta int64 `parquet:"zeta"`
	}
	type other struct {
		Zeta float64 `parquet:"zeta"`
	}
	type more struct {
		Zeta int64 `parquet:"zeta"`
		Eta  int64 `parquet:"eta"`
	}
	type renamed struct {
		Eta int64 `parquet:"eta"`
	}
	path := filepath.Join(t.TempDir(), "rows.parquet")
	if err := WriteRows(path, []fewer{{1}}); err != nil {
		t.Fatal(err)
	}
	_, errOther := ReadRows[other](path)
	_, errMore := ReadRows[more](path)
	_, errRenamed := ReadRows[renamed](path)
	_, errMissing := ReadRows[fewer](path + ".none")
	junk := path + ".junk"
	if err := os.WriteFile(junk, []byte("not a table"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, errJunk := ReadRows[fewer](junk)
	for _, c := range []struct {
		err  error
		want string
	}{
		{errOther, `column "zeta" is INT(64,true), want DOUBLE`},
		{errMore, `column "eta" is missing`},
		{errRenamed, `column 0 is "zeta", want "eta"`},
		{errMissing, "no such file"},
		{errJunk, "not a Parquet file"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) || !strings.Contains(c.err.Error(), path) {
			t.Errorf("error %v, want the path and %q", c.err, c.want)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func schemaOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := openParquet(f)
	if err != nil {
		t.Fatal(err)
	}
	return p.Schema().String()
}
