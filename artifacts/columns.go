package artifacts

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// ReadColumns reads columns of the Parquet file at path, by name in the order asked for, whoever wrote it and whatever
// other columns it has. Numbers and truth values become text. A column that is missing, nested or of another type, such
// as a date, is an error.
func ReadColumns(path string, names []string) (*Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := openParquet(f)
	if err != nil {
		return nil, err
	}
	t := &Table{}
	for _, name := range names {
		column, err := readColumn(p, name)
		if err != nil {
			return nil, err
		}
		t.Columns = append(t.Columns, column)
	}
	return t, nil
}

func readColumn(p *parquet.File, name string) (Column, error) {
	fields := p.Schema().Fields()
	i := slices.IndexFunc(fields, func(f parquet.Field) bool { return f.Name() == name })
	if i < 0 {
		var have []string
		for _, f := range fields {
			have = append(have, f.Name())
		}
		return Column{}, fmt.Errorf("there is no column %q, only %s", name, strings.Join(have, ", "))
	}
	leaf, ok := p.Schema().Lookup(name)
	if !ok || leaf.MaxRepetitionLevel > 0 {
		return Column{}, fmt.Errorf("column %q is nested, where text, numbers or truth values are expected", name)
	}
	if !plain(leaf.Node.Type()) {
		return Column{}, fmt.Errorf("column %q is of type %s, where text, numbers or truth values are expected", name, describe(leaf.Node))
	}
	c := Column{Name: name, Type: String, Optional: leaf.Node.Optional()}
	for _, group := range p.RowGroups() {
		var err error
		if c.Values, err = appendValues(c.Values, math.MaxInt64, asText, group.ColumnChunks()[leaf.ColumnIndex]); err != nil {
			return Column{}, fmt.Errorf("column %q: %w", name, err)
		}
	}
	return c, nil
}

// asText returns a value as text, nil for null.
func asText(v parquet.Value) any {
	if v.IsNull() {
		return nil
	}
	return v.String()
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
