package duplicates

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
)

// Bytes of a document's value in a column of each kind.
const (
	digestBytes = sha256.Size
	keyBytes    = 8
	groupBytes  = 4
)

// bufferBytes is how much is read and written at a time.
const bufferBytes = 64 << 10

func (f *finder) path(name string) string { return filepath.Join(f.dir, name) }
func (f *finder) keys(band int) string    { return f.path(fmt.Sprintf("keys-%d", band)) }
func (f *finder) groups(band int) string  { return f.path(fmt.Sprintf("groups-%d", band)) }

// column is a file that is being written, with a value for each document in their order. It remembers the first error.
type column struct {
	f *os.File
	w *bufio.Writer
}

func createColumn(path string) (*column, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &column{f, bufio.NewWriterSize(f, bufferBytes)}, nil
}

func (c *column) write(value []byte) { c.w.Write(value) }
func (c *column) writeUint64(value uint64) {
	c.w.Write(binary.LittleEndian.AppendUint64(c.w.AvailableBuffer(), value))
}
func (c *column) writeUint32(value uint32) {
	c.w.Write(binary.LittleEndian.AppendUint32(c.w.AvailableBuffer(), value))
}
func (c *column) flush() error { return c.w.Flush() }
func (c *column) close() error { return errors.Join(c.w.Flush(), c.f.Close()) }

// entry is a document's value in a column, or the first 8 bytes of it.
type entry struct {
	key      uint64
	document uint32
}

// readEntries reads a column with values of so many bytes for all documents, into the space of entries.
func readEntries(r io.Reader, size, count int, entries []entry) ([]entry, error) {
	entries = slices.Grow(entries[:0], count)
	b := bufio.NewReaderSize(r, bufferBytes)
	value := make([]byte, size)
	for document := range uint32(count) {
		if _, err := io.ReadFull(b, value); err != nil {
			return nil, err
		}
		entries = append(entries, entry{binary.LittleEndian.Uint64(value), document})
	}
	return entries, nil
}

// groupsOf sorts entries and hands out those of each key that several documents have, in the order of documents.
func groupsOf(entries []entry) iter.Seq[[]entry] {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.document, b.document))
	})
	return func(yield func([]entry) bool) {
		for from := 0; from < len(entries); {
			to := from + 1
			for to < len(entries) && entries[to].key == entries[from].key {
				to++
			}
			if to > from+1 && !yield(entries[from:to]) {
				return
			}
			from = to
		}
	}
}

// bits is a set of documents.
type bits []uint64

func newBits(documents int) bits { return make(bits, (documents+63)/64) }

func (b bits) set(document uint32)      { b[document/64] |= 1 << (document % 64) }
func (b bits) has(document uint32) bool { return b[document/64]>>(document%64)&1 == 1 }
