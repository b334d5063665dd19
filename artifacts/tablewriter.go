package artifacts

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/parquet-go/parquet-go"
)

// Format is how a table is written for others to read.
type Format string

// Formats of tables.
const (
	Parquet Format = "parquet" // compressed
	CSV     Format = "csv"     // RFC 4180, a line of names first; null is an empty field, as is the empty string
	Arrow   Format = "arrow"   // IPC file, not compressed
)

// TableWriter writes a table some rows at a time. Memory holds what Parquet and Arrow keep together: 16 MiB of text, or as many rows
// as compress well.
type TableWriter interface {
	// Write adds rows, whose columns are those of the table.
	Write(rows *Table) error
	// Close completes the file.
	Close() error
}

// Description is what a file says of its table: in Parquet and Arrow JSON under the key "anneal.table" of its metadata. An
// Arrow field has unit, null and doc of its column besides.
type Description struct {
	Schema     string      `json:"schema,omitempty"` // its name, "" where the table has none
	Version    int         `json:"version,omitempty"`
	Doc        string      `json:"doc,omitempty"`
	Columns    []ColumnDoc `json:"columns,omitempty"`
	Partitions []ColumnDoc `json:"partitions,omitempty"` // columns that stand in the path of the file, hive's way
	Anneal     string      `json:"anneal,omitempty"`     // version of the program that wrote it
}

const descriptionKey = "anneal.table"

func (d Description) text() (string, error) {
	text, err := json.Marshal(d)
	return string(text), err
}

// Described reads what the Parquet file at path says of its table, which is nothing in a file of others, and its columns, whose
// Type is "" where tables have none such.
func Described(path string) (d Description, columns []Column, err error) {
	f, err := os.Open(path)
	if err != nil {
		return d, nil, err
	}
	defer f.Close()
	p, err := openParquet(f)
	if err != nil {
		return d, nil, at(path, err)
	}
	for _, field := range p.Schema().Fields() {
		kind, _ := columnType(field)
		columns = append(columns, Column{Name: field.Name(), Type: kind, Optional: field.Optional()})
	}
	if text, ok := p.Lookup(descriptionKey); ok {
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			return d, nil, at(path, fmt.Errorf("%s of its metadata: %w", descriptionKey, err))
		}
	}
	return d, columns, nil
}

// CreateTable starts a file at path, in the place of what is there. The caller closes the writer.
func CreateTable(path string, format Format, columns []Column, d Description) (TableWriter, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	buf := bufio.NewWriterSize(f, 1<<20)
	var w TableWriter
	switch format {
	case Parquet:
		w, err = parquetTable(buf, columns, d)
	case CSV:
		w, err = csvTable(buf, columns)
	case Arrow:
		w, err = arrowTable(f, columns, d) // which seeks
	default:
		err = fmt.Errorf("%q is no format of tables", format)
	}
	if err != nil {
		return nil, errors.Join(at(path, err), f.Close(), os.Remove(path))
	}
	return &tableFile{f, buf, w, columns}, nil
}

// tableFile is a file that one of the formats writes to.
type tableFile struct {
	f       *os.File
	buf     *bufio.Writer
	to      TableWriter
	columns []Column
}

func (w *tableFile) Write(rows *Table) error {
	if err := alike(w.columns, rows.Columns); err != nil {
		return at(w.f.Name(), err)
	}
	all := &Table{Columns: slices.Clone(w.columns)} // which say where nulls may stand
	for i := range all.Columns {
		all.Columns[i].Values = rows.Columns[i].Values
	}
	if err := w.to.Write(all); err != nil {
		return at(w.f.Name(), err)
	}
	return nil
}

func (w *tableFile) Close() error {
	if err := errors.Join(w.to.Close(), w.buf.Flush(), w.f.Close()); err != nil {
		return at(w.f.Name(), err)
	}
	return nil
}

// parquetWriter counts what waits in a row group.
type parquetWriter struct {
	p     *parquet.Writer
	rows  int
	bytes int // of texts
}

func parquetTable(w *bufio.Writer, columns []Column, d Description) (TableWriter, error) {
	text, err := d.text()
	if err != nil {
		return nil, err
	}
	options := append(parquetOptions(tableSchema(columns), &parquet.Zstd), parquet.KeyValueMetadata(descriptionKey, text))
	return &parquetWriter{p: parquet.NewWriter(w, options...)}, nil
}

func (w *parquetWriter) Write(t *Table) error {
	rows, err := t.parquetRows()
	if err != nil {
		return err
	}
	if _, err := w.p.WriteRows(rows); err != nil {
		return err
	}
	w.rows += len(rows)
	w.bytes += textBytes(t)
	if w.rows < rowGroup && w.bytes < textGroup {
		return nil
	}
	w.rows, w.bytes = 0, 0
	if err := w.p.Flush(); err != nil {
		return err
	}
	freeBounds(w.p.File())
	return nil
}

func (w *parquetWriter) Close() error { return w.p.Close() }

// textBytes counts the bytes of texts.
func textBytes(t *Table) int {
	n := 0
	for _, c := range t.Columns {
		for _, v := range c.Values {
			switch v := v.(type) {
			case string:
				n += len(v)
			case []byte:
				n += len(v)
			}
		}
	}
	return n
}

type csvWriter struct{ *csv.Writer }

func csvTable(w *bufio.Writer, columns []Column) (TableWriter, error) {
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = c.Name
	}
	out := csvWriter{csv.NewWriter(w)}
	return out, out.Writer.Write(line)
}

// Write prints numbers as short as reads back the same.
func (w csvWriter) Write(t *Table) error {
	line := make([]string, len(t.Columns))
	for row := range t.Rows() {
		for i, c := range t.Columns {
			line[i] = cell(c.Values[row])
		}
		if err := w.Writer.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func (w csvWriter) Close() error {
	w.Flush()
	return w.Error()
}

func cell(v any) string {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}
