package dataset

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"anneal/artifacts"
)

// compressors write a file in a stream of its own.
var compressors = map[string]func(io.Writer) io.WriteCloser{
	"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"zstd": func(w io.Writer) io.WriteCloser {
		z, err := zstd.NewWriter(w)
		return must(z, err)
	},
	"xz": func(w io.Writer) io.WriteCloser {
		x, err := xz.NewWriter(w)
		return must(x, err)
	},
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// compressed returns parts, each in a stream of its own, behind one another; with no compressor as they are.
func compressed(name string, parts ...[]byte) []byte {
	var b bytes.Buffer
	for _, part := range parts {
		if name == "" {
			b.Write(part)
			continue
		}
		w := compressors[name](&b)
		must(w.Write(part))
		if err := w.Close(); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// inFormat lays texts out in a format of rows, beside a column that nobody asks for.
func inFormat(t *testing.T, format string, texts []string) []byte {
	var b bytes.Buffer
	switch format {
	case formatJSONL:
		for i, text := range texts {
			b.Write(must(json.Marshal(map[string]any{"id": i, "text": text, "tags": []string{"x"}})))
			b.WriteString("\n\n")
		}
	case formatCSV, formatTSV:
		w := csv.NewWriter(&b)
		if format == formatTSV {
			w.Comma = '\t'
		}
		w.Write([]string{"id", "text"})
		for i, text := range texts {
			w.Write([]string{fmt.Sprint(i), text})
		}
		w.Flush()
	case formatParquet:
		type row struct {
			ID   int64  `parquet:"id"`
			Text string `parquet:"text"`
		}
		var rows []row
		for i, text := range texts {
			rows = append(rows, row{int64(i), text})
		}
		path := filepath.Join(t.TempDir(), "rows")
		if err := artifacts.WriteRows(path, rows); err != nil {
			t.Fatal(err)
		}
		return must(os.ReadFile(path))
	}
	return b.Bytes()
}

// write writes files into a folder, which it returns.
func write(t *testing.T, contents map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range contents {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// textsOf returns what the documents of a source say.
func textsOf(f files, root string) (texts []string, n notes, err error) {
	for d, err := range f.documents(context.Background(), root, "source", "text", &n) {
		if err != nil {
			return nil, n, err
		}
		texts = append(texts, string(must(io.ReadAll(d.text))))
	}
	return texts, n, nil
}

// TestFormats: whatever the format and the compression, the documents are the same.
func TestFormats(t *testing.T) {
	texts := []string{"größer\n", "a \"quoted\", text\twith\n\n breaks\x00", strings.Repeat("long 日本 ", 20000), "  {\"text\": 1}", "🌱"}
	for _, format := range []string{formatJSONL, formatCSV, formatTSV, formatParquet} {
		content := inFormat(t, format, texts)
		half := len(content) / 2
		for _, c := range []struct {
			name    string
			content []byte
		}{
			{"plain", content},
			{"marked", append([]byte(byteOrderMark), content...)},
			{"gzip", compressed("gzip", content)},
			{"zstd", compressed("zstd", content)},
			{"xz", compressed("xz", content)},
			{"gzip of several", compressed("gzip", content[:half], nil, content[half:])},
			{"zstd of several", compressed("zstd", content[:half], content[half:])},
			{"xz of several", compressed("xz", content[:half], content[half:])},
		} {
			if format == formatParquet && c.name == "marked" {
				continue
			}
			f := files{formatAuto, refuseInvalid, t.TempDir()}
			if format == formatCSV || format == formatTSV {
				f.format = format
			}
			root := filepath.Join(write(t, map[string][]byte{"data": c.content}), "data")
			if got, _, err := textsOf(f, root); err != nil || !reflect.DeepEqual(got, texts) {
				t.Errorf("%s, %s: %d documents, %v", format, c.name, len(got), err)
			}
			if left := must(os.ReadDir(f.scratch)); len(left) > 0 {
				t.Errorf("%s, %s: leaves %s", format, c.name, left[0].Name())
			}
		}
	}
}

// TestFolder: files in the order of their paths, each told apart by itself, one document each where they are text.
func TestFolder(t *testing.T) {
	root := write(t, map[string][]byte{
		"b/2.txt":    []byte("second\r\n"),
		"b-1.txt.gz": compressed("gzip", []byte(byteOrderMark+"first"+byteOrderMark)),
		"c.jsonl":    []byte("{\"text\": \"third\"}\n{\"text\": \"\"}\n{\"text\": \"fifth\"}"),
		"d.txt":      nil,
		"e.parquet":  inFormat(t, formatParquet, []string{"last"}),
	})
	want := []string{"first" + byteOrderMark, "second\r\n", "third", "fifth", "last"}
	got, n, err := textsOf(files{formatAuto, refuseInvalid, t.TempDir()}, root)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("documents %q, %v", got, err)
	}
	if n != (notes{documents: 7, empty: 2, marks: 1}) {
		t.Errorf("notes %+v", n)
	}
	n = notes{}
	var names []string
	for d, err := range (files{formatAuto, refuseInvalid, t.TempDir()}).documents(t.Context(), root, "source", "text", &n) {
		if err != nil || d.alone {
			t.Fatalf("%s: %v, alone: %t", d, err, d.alone)
		}
		names = append(names, fmt.Sprint(d.index, ": ", d))
	}
	want = []string{`0: "b-1.txt.gz"`, `1: "b/2.txt"`, `2: line 1 of "c.jsonl"`, `4: line 3 of "c.jsonl"`, `6: row 0 of "e.parquet"`}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("documents %q, want %q", names, want)
	}
}

// TestAlone: a source that is one document is known to be so before the document is divided.
func TestAlone(t *testing.T) {
	for _, c := range []struct {
		content string
		want    []bool
	}{
		{"text", []bool{true}},
		{`{"text": "a"}`, []bool{true}},
		{"{\"text\": \"\"}\n{\"text\": \"a\"}", []bool{true}},
		{"{\"text\": \"a\"}\n{\"text\": \"a\"}", []bool{false, false}},
		{"{\"text\": \"a\"}\nno object", []bool{}},
	} {
		var n notes
		got := []bool{}
		path := filepath.Join(write(t, map[string][]byte{"data": []byte(c.content)}), "data")
		for d, err := range (files{formatAuto, refuseInvalid, t.TempDir()}).documents(t.Context(), path, "data", "text", &n) {
			if err == nil {
				got = append(got, d.alone)
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %v, want %v", c.content, got, c.want)
		}
	}
}

// TestDetect: by content alone; what is said goes before.
func TestDetect(t *testing.T) {
	for _, c := range []struct{ said, content, want string }{
		{formatAuto, "plain", "plain"},
		{formatAuto, "{not JSON}\n", "{not JSON}\n"},
		{formatAuto, "{\n \"text\": 1}\n", "{\n \"text\": 1}\n"},
		{formatAuto, "[1]\n", "[1]\n"},
		{formatAuto, " \n\t{\"text\": \"a\"} \n", "a"},
		{formatAuto, "{\"text\": 1.50}\r\n", "1.50"},
		{formatText, "{\"text\": \"a\"}\n", "{\"text\": \"a\"}\n"},
		{formatText, "PAR1 is a name", "PAR1 is a name"},
		{formatCSV, "text\n\"a\"\"b\"\n", `a"b`},
	} {
		root := filepath.Join(write(t, map[string][]byte{"data": []byte(c.content)}), "data")
		got, _, err := textsOf(files{c.said, refuseInvalid, t.TempDir()}, root)
		if err != nil || len(got) != 1 || got[0] != c.want {
			t.Errorf("%s %q: %q, %v", c.said, c.content, got, err)
		}
	}
}

// TestDamagedFiles: each says what is wrong and where; a file of a folder is named.
func TestDamagedFiles(t *testing.T) {
	text := []byte(strings.Repeat("some text that is compressed, ", 300))
	cut := func(name string) []byte { b := compressed(name, text); return b[:len(b)-3] }
	behind := func(name string) []byte {
		return append(compressed(name, text), "garbage that is longer than any header"...)
	}
	flipped := func(name string, from int) []byte {
		b := compressed(name, text)
		b[(len(b)+from)%len(b)] ^= 1
		return b
	}
	size := func(name string) int { return len(compressed(name, text)) }
	rows := inFormat(t, formatParquet, []string{"some", "text"})
	long := bytes.Repeat([]byte("x"), maxRecord+readBuffer)
	for _, c := range []struct {
		name, said string
		content    []byte
		want       string
	}{
		{"empty", "", nil, "which is empty: it has no document with text"},
		{"mark alone", "", []byte(byteOrderMark), "which is empty: it has no document with text"},
		{"empty rows", "", []byte(`{"text": ""}`), "which is empty: it has no document with text"},
		{"no UTF-8", "", []byte("abc\xff"), "which is not UTF-8: byte 3, 0xff, belongs to no character; convert the file, or say in invalid_utf8 what becomes of such bytes"},
		{"UTF-16", "", []byte("\xff\xfea\x00b\x00"), "which is UTF-16 by its first bytes, ff fe, where UTF-8 is expected: `iconv -f UTF-16 -t UTF-8 FILE` converts it"},
		{"UTF-16 of JSON", "jsonl", []byte("\xfe\xff\x00{\x00}"), "which is UTF-16 by its first bytes, fe ff, "},
		{"half a character", "", []byte(byteOrderMark + "\u00e9\xc3"), "which is not UTF-8: byte 5, 0xc3, belongs to no character"},
		{"surrogate", "", []byte("\xed\xa0\x80"), "which is not UTF-8: byte 0, 0xed, belongs to no character"},
		{"no UTF-8 far in", "", append(bytes.Repeat([]byte("é"), 100000), 0xff), "which is not UTF-8: byte 200000, 0xff, belongs to no character"},
		{"no UTF-8 in JSON", "", []byte("{\"text\": \"a\"}\n{\"text\": \"\\n\xff\"}"), `which is not UTF-8 in line 2: byte 1 of "text", 0xff, belongs to no character`},
		{"no UTF-8 in CSV", "csv", []byte("a,text\n1,b\n2,c\xff"), `which is not UTF-8 in line 3: byte 1 of "text", 0xff, belongs to no character`},
		{"no UTF-8 in Parquet", "", inFormat(t, formatParquet, []string{"a", "\xffb"}), `which is not UTF-8 in row 1: byte 0 of "text", 0xff, belongs to no character`},
		{"half of a pair", "", []byte(`{"text": "a\ud800b"}`), `which in line 1 has a string with \ud800, which is half a character, without its other half, as "text"`},
		{"halves the wrong way", "", []byte(`{"text": "\udc00\ud800"}`), `which in line 1 has a string with \udc00, which`},
		{"null", "", []byte(`{"text": null}`), `which in line 1 has a null, which is to be filled in or its record left out, as "text"`},
		{"list", "", []byte(`{"text": ["a"]}`), `which in line 1 has a list or an object, where text is expected, as "text"`},
		{"no column", "", []byte(`{"body": "a", "id": 1}`), `which in line 1 has no column "text", only body, id; column says which one holds the text`},
		{"no column of CSV", "csv", []byte("body,id\na,1\n"), `which has no column "text", only body, id; column says which one holds the text`},
		{"not JSON Lines", "", []byte("{\"text\": \"a\"}\n{\"text\": \"a\"\n"), "which is not JSON Lines, an object a line: line 2: unexpected end of JSON input; format = \"text\" takes any file for text"},
		{"said to be JSON Lines", "jsonl", []byte("text\n"), "which is not JSON Lines, an object a line: line 1: invalid character"},
		{"said to be Parquet", "parquet", []byte("text\n"), "which cannot be read as Parquet: not a Parquet file that can be read"},
		{"cut Parquet", "", rows[:len(rows)-5], "which cannot be read as Parquet: not a Parquet file that can be read"},
		{"a quote in a field", "csv", []byte("text\na\nb \"c\" d\n"), "which is not CSV, records of as many fields as the first, quoted as RFC 4180 has it: parse error on line 3, column 3"},
		{"an open quote", "tsv", []byte("id\ttext\n1\t\"a\n"), "which is not TSV, records of as many fields as the first, quoted as RFC 4180 has it: parse error on line 2, column 6"},
		{"a field too many", "csv", []byte("text\na,b\n"), "which is not CSV, records of as many fields as the first, quoted as RFC 4180 has it: record on line 2: wrong number of fields"},
		{"a long line", "jsonl", append([]byte("{\"text\": \"a\"}\n{\"text\": \""), long...), "which has a record in line 2 that is longer than 32 MiB"},
		{"a long first line", "", append([]byte("{\"text\": \""), long...), "which begins like a line of JSON that is longer than 32 MiB"},
		{"a long record", "csv", append([]byte("text\na\n\""), long...), "which has a record behind line 2 that is longer than 32 MiB"},
		{"cut gzip", "", cut("gzip"), fmt.Sprintf("which is cut off: it ends at byte %d, within its gzip data", size("gzip")-3)},
		{"cut zstd", "", cut("zstd"), fmt.Sprintf("which is cut off: it ends at byte %d, within its zstd data", size("zstd")-3)},
		{"cut xz", "", cut("xz"), fmt.Sprintf("which is cut off: it ends at byte %d, within its xz data", size("xz")-3)},
		{"head of gzip", "", cut("gzip")[:5], "which is cut off: it ends at byte 5, within its gzip data"},
		{"head of zstd", "", cut("zstd")[:5], "which is cut off: it ends at byte 5, within its zstd data"},
		{"head of xz", "", cut("xz")[:8], "which is cut off: it ends at byte 8, within its xz data"},
		{"behind gzip", "", behind("gzip"), fmt.Sprintf("which is damaged gzip data, or has other data behind it: gzip: invalid header, found at byte %d", size("gzip")+10)},
		{"behind zstd", "", behind("zstd"), fmt.Sprintf("which is damaged zstd data, or has other data behind it: invalid input: magic number mismatch, found at byte %d", size("zstd")+4)},
		{"behind xz", "", behind("xz"), fmt.Sprintf("which is damaged xz data, or has other data behind it: xz: invalid header magic bytes, found at byte %d", size("xz")+12)},
		{"damaged gzip", "", flipped("gzip", -6), "which is damaged gzip data, or has other data behind it: gzip: invalid checksum"},
		{"damaged zstd", "", flipped("zstd", -2), "which is damaged zstd data, or has other data behind it: "},
		{"damaged xz", "", flipped("xz", 30), "which is damaged xz data, or has other data behind it: "},
	} {
		said := c.said
		if said == "" {
			said = formatAuto
		}
		root := filepath.Join(write(t, map[string][]byte{"data": c.content}), "data")
		_, _, err := textsOf(files{said, refuseInvalid, t.TempDir()}, root)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	root := write(t, map[string][]byte{"a": []byte("good"), "b/c": []byte("b\xff")})
	want := `of which "b/c" is not UTF-8: byte 1, 0xff, belongs to no character`
	if _, _, err := textsOf(files{formatAuto, refuseInvalid, t.TempDir()}, root); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}
