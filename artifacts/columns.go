package artifacts

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// MissingColumn is the error of a column that a file has not. It completes a sentence that starts with the file's name.
type MissingColumn struct {
	Name string
	Have []string
}

func (m *MissingColumn) Error() string {
	return fmt.Sprintf("has no column %q, only %s", m.Name, strings.Join(m.Have, ", "))
}

// Columns reads columns of the Parquet file in r, of size bytes, row by row: by name in the order asked for, whoever wrote it
// and whatever other columns it has. Numbers and truth values become text; nil is null. Memory holds a page of each column.
// The slice that is handed out is overwritten by the next row. A column that is missing, a *MissingColumn, nested or of
// another type, such as a date, is an error, and so is damage; after an error there are no more rows.
func Columns(r io.ReaderAt, size int64, names []string) iter.Seq2[[]*string, error] {
	return func(yield func([]*string, error) bool) {
		if err := readColumns(r, size, names, func(row []*string) bool { return yield(row, nil) }); err != nil {
			yield(nil, err)
		}
	}
}

// readColumns hands out rows until more says that it wants none.
func readColumns(r io.ReaderAt, size int64, names []string, more func([]*string) bool) (err error) {
	p, err := openParquetAt(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	indices := make([]int, len(names))
	for i, name := range names {
		if indices[i], err = columnIndex(p.Schema(), name); err != nil {
			return err
		}
	}
	row := make([]*string, len(names))
	for _, group := range p.RowGroups() {
		wanted, err := readGroup(group, indices, row, more)
		if at, ok := err.(columnError); ok {
			return fmt.Errorf("column %q: %w", names[at.column], at.error)
		}
		if err != nil || !wanted {
			return err
		}
	}
	return nil
}

// columnIndex finds a column whose values are text, numbers or truth values.
func columnIndex(schema *parquet.Schema, name string) (index int, err error) {
	defer notPanic(&err)
	fields := schema.Fields()
	if !slices.ContainsFunc(fields, func(f parquet.Field) bool { return f.Name() == name }) {
		missing := &MissingColumn{Name: name}
		for _, f := range fields {
			missing.Have = append(missing.Have, f.Name())
		}
		return 0, missing
	}
	leaf, ok := schema.Lookup(name)
	if !ok || leaf.MaxRepetitionLevel > 0 {
		return 0, fmt.Errorf("column %q is nested, where text, numbers or truth values are expected", name)
	}
	if !plain(leaf.Node.Type()) {
		return 0, fmt.Errorf("column %q is of type %s, where text, numbers or truth values are expected", name, describe(leaf.Node))
	}
	return leaf.ColumnIndex, nil
}

// columnError is what is wrong with one of the columns asked for.
type columnError struct {
	column int
	error
}

// readGroup hands out the rows of a group, and tells whether more are wanted.
func readGroup(group parquet.RowGroup, indices []int, row []*string, more func([]*string) bool) (wanted bool, err error) {
	columns := make([]cursor, len(indices))
	for i, index := range indices {
		columns[i].pages = group.ColumnChunks()[index].Pages()
		defer columns[i].close()
	}
	for range group.NumRows() {
		for i := range columns {
			if row[i], err = columns[i].next(); err != nil {
				return false, columnError{i, err}
			}
		}
		if !more(row) {
			return false, nil
		}
	}
	return true, nil
}

// cursor reads the values of a column of a row group one by one.
type cursor struct {
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buffer [64]parquet.Value
	have   []parquet.Value // of buffer, those that were not handed out
}

// next returns a value as text, nil for null.
func (c *cursor) next() (*string, error) {
	for len(c.have) == 0 {
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
	v := c.have[0]
	c.have = c.have[1:]
	if v.IsNull() {
		return nil, nil
	}
	text := v.String()
	return &text, nil
}

// fill reads values, of the next page where this one has no more.
func (c *cursor) fill() (err error) {
	defer notPanic(&err)
	if c.values == nil {
		c.release()
		page, err := c.pages.ReadPage()
		if err == io.EOF {
			return fmt.Errorf("it has fewer values than there are rows: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		c.page, c.values = page, page.Values()
	}
	n, err := c.values.ReadValues(c.buffer[:])
	c.have = c.buffer[:n]
	if err == io.EOF {
		c.values, err = nil, nil
	}
	return err
}

// release gives back the page, of which values no longer speak.
func (c *cursor) release() {
	if c.page != nil {
		parquet.Release(c.page)
		c.page = nil
	}
}

func (c *cursor) close() {
	c.release()
	c.pages.Close()
}

// plain tells whether the values of a type are text, numbers or truth values as they are stored.
func plain(t parquet.Type) bool {
	if t.Kind() == parquet.FixedLenByteArray || t.Kind() == parquet.Int96 {
		return false
	}
	logical := t.LogicalType()
	if logical == nil || logical.Value == nil {
		return true
	}
	switch v := logical.Value.(type) {
	case *format.StringType, *format.EnumType, *format.JsonType:
		return true
	case *format.IntType:
		return v.IsSigned || v.BitWidth < 32
	}
	return false
}
