package artifacts

import (
	"bytes"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// foreign is a row of a file that others wrote.
type foreign struct {
	Question *string   `parquet:"question,optional,dict,zstd"`
	Raw      []byte    `parquet:"raw,snappy,delta"`
	Small    int32     `parquet:"small"`
	Short    uint16    `parquet:"short"`
	Whole    *int64    `parquet:"whole,optional"`
	Half     float32   `parquet:"half"`
	Real     float64   `parquet:"real"`
	Yes      bool      `parquet:"yes"`
	Word     string    `parquet:"word,enum"`
	Unsigned uint64    `parquet:"unsigned"`
	Day      time.Time `parquet:"day,timestamp"`
	ID       [16]byte  `parquet:"id,uuid"`
	Options  []string  `parquet:"options,list"`
	Nested   struct {
		Text string `parquet:"text"`
	} `parquet:"nested"`
}

func TestColumns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "foreign.parquet")
	q, n := "größer?", int64(-1)
	rows := []foreign{
		{Question: &q, Raw: []byte("a"), Small: -7, Short: 65535, Whole: &n, Half: 0.1, Real: 1e300, Yes: true, Word: "w"},
		{Raw: []byte("\xff")},
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[foreign](f, parquet.DataPageVersion(2))
	for _, r := range rows { // in groups of their own
		if _, err := w.Write([]foreign{r}); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		want []any
	}{
		{"question", []any{"größer?", nil}},
		{"raw", []any{"a", "\xff"}},
		{"small", []any{"-7", "0"}},
		{"short", []any{"65535", "0"}},
		{"whole", []any{"-1", nil}},
		{"half", []any{"0.1", "0"}},
		{"real", []any{"1e+300", "0"}},
		{"yes", []any{"true", "false"}},
		{"word", []any{"w", ""}},
	} {
		var got []any
		for row, err := range columnsAt(t, path, "yes", c.name) {
			if err != nil || len(row) != 2 {
				t.Fatalf("%s: %d values, %v", c.name, len(row), err)
			}
			if row[1] == nil {
				got = append(got, nil)
			} else {
				got = append(got, *row[1])
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s is %v, want %v", c.name, got, c.want)
		}
	}
	for name, want := range map[string]string{
		"missing":  `has no column "missing", only question, raw, small, `,
		"options":  `column "options" is nested`,
		"nested":   `column "nested" is nested`,
		"unsigned": `column "unsigned" is of type `,
		"day":      `column "day" is of type `,
		"id":       `column "id" is of type `,
	} {
		for _, err := range columnsAt(t, path, "yes", name) {
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Fatalf("%s: error %v, want %q", name, err, want)
			}
		}
	}
	if err := os.WriteFile(path, []byte("PAR1, or is it?"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, err := range columnsAt(t, path) {
		if err == nil || !strings.HasPrefix(err.Error(), "not a Parquet file") {
			t.Fatalf("error %v", err)
		}
	}
}

// columnsAt reads columns of a file.
func columnsAt(t *testing.T, path string, names ...string) iter.Seq2[[]*string, error] {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Columns(bytes.NewReader(content), int64(len(content)), names)
}

// TestDamagedColumns: whichever byte of a file is another, its columns are read or refused.
func TestDamagedColumns(t *testing.T) {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[foreign](&b)
	q := "größer?"
	if _, err := w.Write([]foreign{{Question: &q, Raw: []byte("a")}, {Raw: []byte("bc")}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	content := b.Bytes()
	for i := range content {
		for _, other := range []byte{0xff, content[i] ^ 1, content[i] ^ 0x80} {
			damaged := bytes.Clone(content)
			damaged[i] = other
			n := 0
			for _, err := range Columns(bytes.NewReader(damaged), int64(len(damaged)), []string{"question", "raw", "whole"}) {
				if n++; err != nil {
					break
				}
				if n > 1<<16 {
					t.Fatalf("byte %d as %#x: rows without end", i, other)
				}
			}
		}
	}
}
