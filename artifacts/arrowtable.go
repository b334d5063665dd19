package artifacts

import (
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// arrowTypes are the types of a table's columns in Arrow.
var arrowTypes = map[Type]arrow.DataType{
	Int64:   arrow.PrimitiveTypes.Int64,
	Float64: arrow.PrimitiveTypes.Float64,
	String:  arrow.BinaryTypes.String,
	Bool:    arrow.FixedWidthTypes.Boolean,
	Binary:  arrow.BinaryTypes.Binary,
}

// arrowWriter writes a record each time.
type arrowWriter struct {
	w      *ipc.FileWriter
	schema *arrow.Schema
}

func arrowTable(f io.WriteSeeker, columns []Column, d Description) (TableWriter, error) {
	text, err := d.text()
	if err != nil {
		return nil, err
	}
	said := map[string]ColumnDoc{}
	for _, c := range d.Columns {
		said[c.Name] = c
	}
	var fields []arrow.Field
	for _, c := range columns {
		f := arrow.Field{Name: c.Name, Type: arrowTypes[c.Type], Nullable: c.Optional}
		var keys, values []string
		for _, word := range [][2]string{{"unit", said[c.Name].Unit}, {"null", said[c.Name].Null}, {"doc", said[c.Name].Doc}} {
			if word[1] != "" {
				keys, values = append(keys, word[0]), append(values, word[1])
			}
		}
		if keys != nil {
			f.Metadata = arrow.NewMetadata(keys, values)
		}
		fields = append(fields, f)
	}
	about := arrow.NewMetadata([]string{descriptionKey}, []string{text})
	schema := arrow.NewSchema(fields, &about)
	out, err := ipc.NewFileWriter(f, ipc.WithSchema(schema))
	return &arrowWriter{out, schema}, err
}

func (w *arrowWriter) Write(t *Table) error {
	arrays := make([]arrow.Array, len(t.Columns))
	for i, c := range t.Columns {
		b := array.NewBuilder(memory.DefaultAllocator, arrowTypes[c.Type])
		for row, v := range c.Values {
			if err := c.holds(row, v); err != nil {
				return err
			}
			if v == nil {
				b.AppendNull()
				continue
			}
			switch b := b.(type) {
			case *array.Int64Builder:
				b.Append(v.(int64))
			case *array.Float64Builder:
				b.Append(v.(float64))
			case *array.StringBuilder:
				b.Append(v.(string))
			case *array.BooleanBuilder:
				b.Append(v.(bool))
			case *array.BinaryBuilder:
				b.Append(v.([]byte))
			}
		}
		arrays[i] = b.NewArray()
	}
	return w.w.Write(array.NewRecord(w.schema, arrays, int64(t.Rows())))
}

func (w *arrowWriter) Close() error { return w.w.Close() }
