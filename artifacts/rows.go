package artifacts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// Settings of the Parquet writer that reach the bytes. They are stated rather than left to the library, so that
// another version of it changes no digest: pages of version 1 are the ones every reader knows.
const (
	pageVersion = 1
	pageBytes   = 256 << 10
	schemaName  = "anneal" // of the schema's root; the library would write the name of the Go type
)

func parquetOptions(schema *parquet.Schema, codec compress.Codec) []parquet.WriterOption {
	return []parquet.WriterOption{
		schema,
		parquet.CreatedBy("anneal", "1", "parquet"),
		parquet.Compression(codec),
		parquet.DataPageVersion(pageVersion),
		parquet.PageBufferSize(pageBytes),
		parquet.DataPageStatistics(false),
	}
}

// WriteRows writes rows to a Parquet file at path, replacing what is there. T is a struct whose fields carry `parquet`
// tags: int64, float64, bool, string and []byte, or pointers to these for columns with nulls. Its fields in order are
// the columns in order.
func WriteRows[T any](path string, rows []T) error {
	return create(path, func(w io.Writer) error {
		p := parquet.NewGenericWriter[T](w, parquetOptions(rowSchema[T](), &parquet.Uncompressed)...)
		if _, err := p.Write(rows); err != nil {
			return err
		}
		return p.Close()
	})
}

// ReadRows reads the Parquet file at path. The file must have the columns of T, with their types and in their order,
// and no others.
func ReadRows[T any](path string) ([]T, error) {
	rows, err := readRows[T](path)
	if err != nil {
		return nil, at(path, err)
	}
	return rows, nil
}

func readRows[T any](path string) (rows []T, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := openParquet(f)
	if err != nil {
		return nil, err
	}
	if err := sameColumns(p.Schema(), rowSchema[T]()); err != nil {
		return nil, err
	}
	r := parquet.NewGenericReader[T](p)
	defer r.Close()
	rows = make([]T, r.NumRows())
	for n := 0; n < len(rows); {
		k, err := r.Read(rows[n:])
		n += k
		if n < len(rows) && (err != nil || k == 0) {
			return nil, fmt.Errorf("row %d of %d: %w", n, len(rows), errors.Join(err, io.ErrUnexpectedEOF))
		}
	}
	return rows, nil
}

func rowSchema[T any]() *parquet.Schema {
	var row T
	return parquet.NewSchema(schemaName, parquet.SchemaOf(row))
}

func openParquet(f *os.File) (*parquet.File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return openParquetAt(f, info.Size())
}

// openParquetAt looks at the end of a file before the library does, which takes its word for how long the footer is.
func openParquetAt(r io.ReaderAt, size int64, options ...parquet.FileOption) (p *parquet.File, err error) {
	defer notPanic(&err)
	const head, tail = 4, 8
	var end [tail]byte
	if size < head+tail {
		return nil, fmt.Errorf("not a Parquet file that can be read: it has %d bytes, less than any", size)
	}
	if _, err := r.ReadAt(end[:], size-tail); err != nil {
		return nil, err
	}
	if string(end[4:]) != "PAR1" || int64(binary.LittleEndian.Uint32(end[:])) > size-head-tail {
		return nil, errors.New("not a Parquet file that can be read: it does not end as one, and may be cut off")
	}
	if p, err = parquet.OpenFile(r, size, options...); err != nil {
		return nil, fmt.Errorf("not a Parquet file that can be read: %w", err)
	}
	return p, nil
}

// notPanic makes an error of a panic of the library, which trusts what a damaged file says of itself.
func notPanic(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("not a Parquet file that can be read: it is damaged: %v", r)
	}
}

// sameColumns reports the first column in which the schema of a file differs from the one asked for.
func sameColumns(have, want *parquet.Schema) error {
	h, w := have.Fields(), want.Fields()
	for i := range w {
		if i >= len(h) {
			return fmt.Errorf("column %q is missing", w[i].Name())
		}
		if h[i].Name() != w[i].Name() {
			return fmt.Errorf("column %d is %q, want %q", i, h[i].Name(), w[i].Name())
		}
		if !parquet.EqualNodes(h[i], w[i]) {
			return fmt.Errorf("column %q is %v, want %v", w[i].Name(), describe(h[i]), describe(w[i]))
		}
	}
	if len(h) > len(w) {
		return fmt.Errorf("column %q is not expected", h[len(w)].Name())
	}
	return nil
}

func describe(n parquet.Node) string {
	s := "group"
	if n.Leaf() {
		s = n.Type().String()
	}
	if n.Optional() {
		s = "optional " + s
	}
	return s
}

// create writes a file, and leaves none behind that is half written.
func create(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Close())
	if err != nil {
		return errors.Join(at(path, err), os.Remove(path))
	}
	return nil
}

// at names the path in err, unless it already does.
func at(path string, err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) && pathErr.Path == path {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
