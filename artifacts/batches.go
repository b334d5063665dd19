package artifacts

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/parquet-go/parquet-go"
)

// A batch ends with the row that fills one of these.
const (
	batchMost  = 1 << 12 // rows
	batchBytes = 8 << 20 // of texts
)

// TableColumns returns the columns of the Parquet file at path, without values. Besides the types that ReadTable has there is
// Binary, with values of type []byte.
func TableColumns(path string) ([]Column, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := openParquet(f)
	if err != nil {
		return nil, at(path, err)
	}
	columns, err := columnsOf(p)
	if err != nil {
		return nil, at(path, err)
	}
	return columns, nil
}

func columnsOf(p *parquet.File) ([]Column, error) {
	var columns []Column
	for _, field := range p.Schema().Fields() {
		kind, err := columnType(field)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", field.Name(), err)
		}
		columns = append(columns, Column{Name: field.Name(), Type: kind, Optional: field.Optional()})
	}
	return columns, nil
}

func columnType(n parquet.Node) (Type, error) {
	if n.Leaf() && !n.Repeated() && parquet.EqualTypes(n.Type(), parquet.ByteArrayType) {
		return Binary, nil
	}
	return typeOf(n)
}

// Batches reads the Parquet file at path, with the columns that TableColumns has, some rows at a time: memory holds a batch and a
// page of each column. An error is the last that comes.
func Batches(path string) iter.Seq2[*Table, error] {
	return func(yield func(*Table, error) bool) {
		if err := readBatches(path, func(t *Table) bool { return yield(t, nil) }); err != nil {
			yield(nil, at(path, err))
		}
	}
}

func readBatches(path string, more func(*Table) bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := openParquet(f)
	if err != nil {
		return err
	}
	columns, err := columnsOf(p)
	if err != nil {
		return err
	}
	for i, group := range p.RowGroups() {
		if goOn, err := batchGroup(group, columns, more); err != nil || !goOn {
			if err != nil {
				err = fmt.Errorf("row group %d: %w", i, err)
			}
			return err
		}
	}
	return nil
}

// batchGroup reads the rows of a group in batches, until more wants none.
func batchGroup(group parquet.RowGroup, columns []Column, more func(*Table) bool) (goOn bool, err error) {
	rows := group.Rows()
	defer rows.Close()
	batch, bytes := &Table{}, 0
	buffer := make([]parquet.Row, 64)
	for left := group.NumRows(); left > 0; {
		n, err := rows.ReadRows(buffer[:min(left, int64(len(buffer)))])
		if n == 0 {
			return false, fmt.Errorf("%d rows are missing: %w", left, errors.Join(err, io.ErrUnexpectedEOF))
		}
		left -= int64(n)
		if batch.Columns == nil {
			batch.Columns = append(batch.Columns, columns...)
		}
		for _, row := range buffer[:n] {
			for i := range batch.Columns {
				c := &batch.Columns[i]
				c.Values = append(c.Values, goValue(c.Type, row[i]))
				if c.Type == String || c.Type == Binary {
					bytes += len(row[i].ByteArray())
				}
			}
		}
		if left == 0 || batch.Rows() >= batchMost || bytes >= batchBytes {
			if !more(batch) {
				return false, nil
			}
			batch, bytes = &Table{}, 0
		}
	}
	return true, nil
}
