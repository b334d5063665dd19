package artifacts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// Table is a flat table in memory whose columns are known only when it is read: any "table" artifact, in the hands of
// those who join and show them.
type Table struct {
	Columns []Column
}

// Column is a named column. Values holds, by row, values of the column's type or nil for null.
type Column struct {
	Name     string
	Type     Type
	Optional bool // whether nulls may stand in it
	Values   []any
}

// Type is the type of a column's values.
type Type string

// Types of columns, with the Go types of their values.
const (
	Int64   Type = "int64"   // int64
	Float64 Type = "float64" // float64
	String  Type = "string"  // string, UTF-8
	Bool    Type = "bool"    // bool
)

// TypeOf returns the type of a column that could hold v, "" where there is none.
func TypeOf(v any) Type {
	switch v.(type) {
	case int64:
		return Int64
	case float64:
		return Float64
	case string:
		return String
	case bool:
		return Bool
	case []byte:
		return Binary
	}
	return ""
}

// Codec compresses the pages of a Parquet file.
type Codec string

// Codecs. What the store keeps is Uncompressed, since a compressor's bytes differ by its version and the processor.
const (
	Uncompressed Codec = "uncompressed"
	Zstd         Codec = "zstd"
)

// Rows returns the number of rows.
func (t *Table) Rows() int {
	if len(t.Columns) == 0 {
		return 0
	}
	return len(t.Columns[0].Values)
}

// Head returns the first rows of the table, at most n.
func (t *Table) Head(n int64) *Table {
	head := &Table{Columns: slices.Clone(t.Columns)}
	for i := range head.Columns {
		c := &head.Columns[i]
		c.Values = c.Values[:min(n, int64(len(c.Values)))]
	}
	return head
}

// Column returns the column of the name given, nil where there is none.
func (t *Table) Column(name string) *Column {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Columns[i]
}

// Prepend puts a column in front of the others that has value, an int64, float64, string or bool, in every row. A name
// that a column has already is an error.
func (t *Table) Prepend(name string, value any) error {
	kind := TypeOf(value)
	if kind == "" {
		return fmt.Errorf("column %q cannot hold values of type %T", name, value)
	}
	if t.Column(name) != nil {
		return fmt.Errorf("the table has a column %q already", name)
	}
	column := Column{Name: name, Type: kind, Values: slices.Repeat([]any{value}, t.Rows())}
	t.Columns = slices.Insert(t.Columns, 0, column)
	return nil
}

// Append puts the rows of other below those of t. Both must have the same columns, by name and type, in the same order,
// unless t has none yet. A column is optional where it is so in either.
func (t *Table) Append(other *Table) error {
	if len(t.Columns) == 0 {
		for _, c := range other.Columns {
			c.Values = slices.Clone(c.Values)
			t.Columns = append(t.Columns, c)
		}
		return nil
	}
	if err := alike(t.Columns, other.Columns); err != nil {
		return err
	}
	for i, c := range other.Columns {
		t.Columns[i].Values = append(t.Columns[i].Values, c.Values...)
		t.Columns[i].Optional = t.Columns[i].Optional || c.Optional
	}
	return nil
}

// alike tells the first difference in name or type between the columns of two tables.
func alike(a, b []Column) error {
	if len(a) != len(b) {
		return fmt.Errorf("tables of %d and of %d columns", len(a), len(b))
	}
	for i, c := range b {
		if have := a[i]; have.Name != c.Name || have.Type != c.Type {
			return fmt.Errorf("column %d is %q of %s in one table and %q of %s in another", i, have.Name, have.Type, c.Name, c.Type)
		}
	}
	return nil
}

// ReadTable reads the Parquet file at path, columns in the order of its schema. A column that is not int64, double, bool
// or a string is an error.
func ReadTable(path string) (*Table, error) {
	t, _, err := ReadHead(path, math.MaxInt64)
	return t, err
}

// ReadHead reads the first rows of the Parquet file at path, at most limit, as ReadTable does, and returns how many
// there are in all.
func ReadHead(path string, limit int64) (*Table, int64, error) {
	t, rows, err := readTable(path, limit)
	if err != nil {
		return nil, 0, at(path, err)
	}
	return t, rows, nil
}

func readTable(path string, limit int64) (*Table, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	p, err := openParquet(f)
	if err != nil {
		return nil, 0, err
	}
	rows := p.NumRows()
	t := &Table{}
	for _, field := range p.Schema().Fields() {
		kind, err := typeOf(field)
		if err != nil {
			return nil, 0, fmt.Errorf("column %q: %w", field.Name(), err)
		}
		column := Column{Name: field.Name(), Type: kind, Optional: field.Optional(), Values: make([]any, 0, min(limit, rows))}
		t.Columns = append(t.Columns, column)
	}
	for _, group := range p.RowGroups() {
		for i, chunk := range group.ColumnChunks() {
			c := &t.Columns[i]
			convert := func(v parquet.Value) any { return goValue(c.Type, v) }
			if c.Values, err = appendValues(c.Values, limit, convert, chunk); err != nil {
				return nil, 0, fmt.Errorf("column %q: %w", c.Name, err)
			}
		}
	}
	for _, c := range t.Columns {
		if n := int64(len(c.Values)); n < min(limit, rows) || limit > rows && n > rows {
			return nil, 0, fmt.Errorf("column %q has %d values in %d rows", c.Name, n, rows)
		}
	}
	return t.Head(limit), rows, nil
}

// typeOf returns the type of a column of a Parquet file.
func typeOf(n parquet.Node) (Type, error) {
	for _, kind := range []Type{Int64, Float64, String, Bool} {
		if n.Leaf() && !n.Repeated() && parquet.EqualTypes(n.Type(), kind.node().Type()) {
			return kind, nil
		}
	}
	if n.Leaf() && !n.Repeated() && n.Type().Kind() == parquet.Int64 && n.Type().LogicalType() == nil {
		return Int64, nil
	}
	return "", fmt.Errorf("type %s is not one that tables have", describe(n))
}

func (t Type) node() parquet.Node {
	switch t {
	case Int64:
		return parquet.Int(64)
	case Float64:
		return parquet.Leaf(parquet.DoubleType)
	case Bool:
		return parquet.Leaf(parquet.BooleanType)
	case Binary:
		return parquet.Leaf(parquet.ByteArrayType)
	}
	return parquet.String()
}

// appendValues appends the values of a column chunk, converted, page by page, until there are limit of them.
func appendValues(values []any, limit int64, convert func(parquet.Value) any, chunk parquet.ColumnChunk) ([]any, error) {
	pages := chunk.Pages()
	defer pages.Close()
	buffer := make([]parquet.Value, 1024)
	for int64(len(values)) < limit {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, err
		}
		for r := page.Values(); ; {
			n, err := r.ReadValues(buffer)
			for _, v := range buffer[:n] {
				values = append(values, convert(v))
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
		}
		parquet.Release(page)
	}
	return values, nil
}

func goValue(kind Type, v parquet.Value) any {
	switch {
	case v.IsNull():
		return nil
	case kind == Int64:
		return v.Int64()
	case kind == Float64:
		return v.Double()
	case kind == Bool:
		return v.Boolean()
	case kind == Binary:
		return bytes.Clone(v.ByteArray())
	}
	return string(v.ByteArray())
}

// Write writes the table as a Parquet file at path, replacing what is there. A value that does not fit its column is an
// error.
func (t *Table) Write(path string, codec Codec) error {
	rows, err := t.parquetRows()
	if err != nil {
		return at(path, err)
	}
	var pages compress.Codec = &parquet.Uncompressed
	if codec == Zstd {
		pages = &parquet.Zstd
	}
	return create(path, func(w io.Writer) error {
		p := parquet.NewWriter(w, parquetOptions(tableSchema(t.Columns), pages)...)
		if _, err := p.WriteRows(rows); err != nil {
			return err
		}
		return p.Close()
	})
}

// parquetRows checks every value against its column and lays them out by row.
func (t *Table) parquetRows() ([]parquet.Row, error) {
	rows := make([]parquet.Row, t.Rows())
	cells := make([]parquet.Value, len(rows)*len(t.Columns))
	for i := range rows {
		rows[i] = cells[i*len(t.Columns):][:len(t.Columns):len(t.Columns)]
	}
	for i, c := range t.Columns {
		if slices.ContainsFunc(t.Columns[:i], func(d Column) bool { return d.Name == c.Name }) {
			return nil, fmt.Errorf("two columns are named %q", c.Name)
		}
		if len(c.Values) != len(rows) {
			return nil, fmt.Errorf("column %q has %d values in %d rows", c.Name, len(c.Values), len(rows))
		}
		for j, v := range c.Values {
			if err := c.holds(j, v); err != nil {
				return nil, err
			}
			level := 0
			if v != nil && c.Optional {
				level = 1
			}
			rows[j][i] = parquet.ValueOf(v).Level(0, level, i)
		}
	}
	return rows, nil
}

// holds tells whether v may stand in a row of the column.
func (c Column) holds(row int, v any) error {
	switch {
	case v == nil && !c.Optional:
		return fmt.Errorf("column %q, row %d: null in a column without nulls", c.Name, row)
	case v != nil && TypeOf(v) != c.Type:
		return fmt.Errorf("column %q, row %d: %v is %T, not %s", c.Name, row, v, v, c.Type)
	}
	return nil
}

// tableSchema lists columns in their order.
func tableSchema(columns []Column) *parquet.Schema {
	var root orderedGroup
	for _, c := range columns {
		n := c.Type.node()
		if c.Optional {
			n = parquet.Optional(n)
		}
		root.fields = append(root.fields, parquet.Group{c.Name: n}.Fields()...)
	}
	return parquet.NewSchema(schemaName, root)
}

// orderedGroup is the root of a schema whose fields stand in the order given: the library's own group sorts them by
// name.
type orderedGroup struct {
	parquet.Group // empty: all but the fields
	fields        []parquet.Field
}

func (g orderedGroup) Fields() []parquet.Field { return g.fields }
