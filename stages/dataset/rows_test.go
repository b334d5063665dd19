package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"anneal/artifacts"
)

// FuzzDocuments: whatever a file holds, it is read or refused; what is read is UTF-8, and the same each time.
func FuzzDocuments(f *testing.F) {
	f.Add([]byte("{\"text\": \"a\\ud83c\\udf31\"}\n\n{\"text\": 1}"), uint8(0))
	f.Add([]byte("id\ttext\n1\t\"a\"\"b\"\r\n"), uint8(4))
	f.Add([]byte("text\n\"a\nb\"\n"), uint8(3))
	f.Add(compressed("gzip", []byte("text"), []byte("more")), uint8(0))
	f.Add(compressed("zstd", []byte("text")), uint8(1))
	f.Add(compressed("xz", []byte("text")), uint8(0))
	path := filepath.Join(f.TempDir(), "rows")
	if err := artifacts.WriteText(path, []artifacts.Block{{Text: "some"}, {Text: "text"}}); err != nil {
		f.Fatal(err)
	}
	f.Add(must(os.ReadFile(path)), uint8(0))
	formats := []string{formatAuto, formatText, formatJSONL, formatCSV, formatTSV, formatParquet}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte, format uint8) {
		path := filepath.Join(dir, "data")
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		files := files{formats[int(format)%len(formats)], refuseInvalid, dir}
		texts, _, err := textsOf(files, path)
		again, _, errAgain := textsOf(files, path)
		if fmt.Sprint(texts, err) != fmt.Sprint(again, errAgain) {
			t.Fatalf("%q, %v at first, and then %q, %v", texts, err, again, errAgain)
		}
		for _, text := range texts {
			if text == "" || !utf8.ValidString(text) {
				t.Fatalf("the text of a document is %q", text)
			}
		}
	})
}

// TestMemory: what is held does not grow with the text: 64 MB in documents of a line each, and in one that has no line's end.
func TestMemory(t *testing.T) {
	const size = 64 << 20
	line := "{\"text\": \"" + strings.Repeat("light and colours ", 100) + "\"}\n"
	for _, c := range []struct {
		name, part string
		format     string
	}{{"lines", line, formatJSONL}, {"one line", strings.Repeat("colour ", 300), formatText}} {
		var packed bytes.Buffer
		w := compressors["zstd"](&packed)
		for n := 0; n < size; n += len(c.part) {
			must(io.WriteString(w, c.part))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		root := filepath.Join(write(t, map[string][]byte{"data": packed.Bytes()}), "data")
		var n notes
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := Split{Unit: unitAuto, Size: 4096, Validation: 0.05}
		most, total := uint64(0), 0
		for d, err := range (files{c.format, refuseInvalid, t.TempDir()}).documents(t.Context(), root, "data", "text", &n) {
			if err != nil {
				t.Fatal(err)
			}
			err = s.divide(d, func(b artifacts.Block, _ bool) error {
				if total += len(b.Text); total%(8<<20) < len(b.Text) {
					runtime.GC()
					runtime.ReadMemStats(&now)
					most = max(most, now.HeapAlloc)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if total < size/2 {
			t.Errorf("%s: %d bytes were read", c.name, total)
		}
		if held := int64(most) - int64(before.HeapAlloc); held > 24<<20 {
			t.Errorf("%s: %d bytes were held of %d", c.name, held, total)
		}
	}
}

// TestInterrupt: reading stops with the context.
func TestInterrupt(t *testing.T) {
	path := filepath.Join(write(t, map[string][]byte{"data": []byte("text")}), "data")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("enough"))
	var n notes
	for _, err := range (files{formatAuto, refuseInvalid, t.TempDir()}).documents(ctx, path, "data", "text", &n) {
		if err == nil || !strings.Contains(err.Error(), "enough") {
			t.Errorf("error %v", err)
		}
	}
}
