package artifacts

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"anneal/lm/bpe"
)

// TestTokensAreArrows compares what is written around the ids with the file that Arrow's own writer makes of one record.
func TestTokensAreArrows(t *testing.T) {
	for _, merged := range []int{0, 65536 - 256 + 1} {
		vocabulary := bpe.Plain(merges(merged))
		schema := idsSchema(vocabulary.Size())
		for _, n := range []int{0, 1, 3, 32, 63, 1000, portion + 5} {
			ids := make([]uint32, n)
			for i := range ids {
				ids[i] = uint32(i*7) % uint32(vocabulary.Size())
			}
			values := array.NewUint32Builder(memory.DefaultAllocator)
			values.AppendValues(ids, nil)
			column := arrow.Array(values.NewUint32Array())
			if merged == 0 {
				values := array.NewUint16Builder(memory.DefaultAllocator)
				for _, id := range ids {
					values.Append(uint16(id))
				}
				column = values.NewUint16Array()
			}
			want := filepath.Join(t.TempDir(), "want")
			err := writeArrow(want, schema, func(put func(arrow.Record) error) error {
				return put(array.NewRecord(schema, []arrow.Array{column}, int64(n)))
			})
			if err != nil {
				t.Fatal(err)
			}

			dir := filepath.Join(t.TempDir(), "tokens")
			w, err := CreateTokens(dir, vocabulary)
			if err != nil {
				t.Fatal(err)
			}
			for from := 0; from < n; from += 1 + n/3 {
				err = errors.Join(err, w.Write(ids[from:min(from+1+n/3, n)]))
			}
			if err = errors.Join(err, w.Close()); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(read(t, filepath.Join(dir, idsFile)), read(t, want)) {
				t.Errorf("%d ids of %d: the file is another than Arrow's", n, vocabulary.Size())
			}
		}
	}
}

// TestTokensLieInTheFile demands that the ids read are the file's bytes, not a copy of them.
func TestTokensLieInTheFile(t *testing.T) {
	for _, merged := range []int{0, 65536 - 256 + 1} {
		dir := filepath.Join(t.TempDir(), "tokens")
		vocabulary := bpe.Plain(merges(merged))
		if err := WriteTokens(dir, []uint32{5, 6, 7}, vocabulary); err != nil {
			t.Fatal(err)
		}
		data := read(t, filepath.Join(dir, idsFile))
		records, err := readArrow(data, idsSchema(vocabulary.Size()))
		if err != nil {
			t.Fatal(err)
		}
		var first unsafe.Pointer
		switch ids := records[0].Column(0).(type) {
		case *array.Uint16:
			first = unsafe.Pointer(&ids.Uint16Values()[0])
		case *array.Uint32:
			first = unsafe.Pointer(&ids.Uint32Values()[0])
		}
		if at := uintptr(first) - uintptr(unsafe.Pointer(&data[0])); at >= uintptr(len(data)) {
			t.Errorf("%d merges: the ids are a copy", merged)
		}
	}
}

func TestTokensOfAnError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	w, err := CreateTokens(dir, bpe.Plain(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write([]uint32{1, 2}); err != nil {
		t.Fatal(err)
	}
	first := w.Write([]uint32{256})
	if first == nil || !strings.Contains(first.Error(), "token 2 has id 256") {
		t.Errorf("error %v", first)
	}
	if err := w.Close(); !errors.Is(err, first) {
		t.Errorf("Close has error %v, want %v", err, first)
	}
	if _, err := OpenTokens(dir); err == nil {
		t.Error("an artifact is left")
	}
}
