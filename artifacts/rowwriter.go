package artifacts

import (
	"bufio"
	"bytes"
	"errors"
	"os"

	"github.com/parquet-go/parquet-go"
)

// RowWriter writes a Parquet file row by row, compressed: tables for others to read that memory need not hold whole.
// Fields of T are as WriteRows has them, and besides time.Time, tagged `parquet:"name,timestamp(microsecond)"`.
type RowWriter[T any] struct {
	f   *os.File
	buf *bufio.Writer
	p   *parquet.GenericWriter[T]
	row [1]T
}

// rowGroup is how many rows wait in memory: enough that columns compress well, and that a reader who skips groups by
// their statistics has some to skip.
const rowGroup = 1 << 17

// CreateRows starts the file at path, in the place of what is there; d describes its table. The caller closes the writer.
func CreateRows[T any](path string, d Description) (*RowWriter[T], error) {
	text, err := d.text()
	if err != nil {
		return nil, at(path, err)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := &RowWriter[T]{f: f, buf: bufio.NewWriterSize(f, 1<<20)}
	options := append(parquetOptions(rowSchema[T](), &parquet.Zstd), parquet.MaxRowsPerRowGroup(rowGroup), parquet.KeyValueMetadata(descriptionKey, text))
	w.p = parquet.NewGenericWriter[T](w.buf, options...)
	return w, nil
}

// Write adds a row.
func (w *RowWriter[T]) Write(row T) error {
	w.row[0] = row
	if _, err := w.p.Write(w.row[:]); err != nil {
		return at(w.f.Name(), err)
	}
	return nil
}

// Close completes the file.
func (w *RowWriter[T]) Close() error {
	if err := errors.Join(w.p.Close(), w.buf.Flush(), w.f.Close()); err != nil {
		return at(w.f.Name(), err)
	}
	return nil
}

// freeBounds frees what the library would hold until the end, once a row group is written. Of each page its index has the first bytes of the
// least and of the greatest text; they are cut from copies of these texts, which together are 3 % of all.
func freeBounds(written parquet.FileView) {
	for _, index := range written.ColumnIndexes() {
		for _, bounds := range [][][]byte{index.MinValues, index.MaxValues} {
			for i := range bounds {
				bounds[i] = bytes.Clone(bounds[i])
			}
		}
	}
}
