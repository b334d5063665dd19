package dataset

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"

	"anneal/artifacts"
)

// row is the values of the columns asked for, in the order of these.
type row struct {
	place
	values   []string
	replaced int64 // bytes that were no UTF-8
}

// rows reads columns of the rows of a file, whose format is known. An error completes a sentence that starts with the file's
// name; after it there are no more.
func (f files) rows(u *unpacked, format string, columns []string) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		var invalid error
		more := func(at place, values []string) bool {
			r := row{place: at, values: values}
			for i, value := range values {
				text, replaced, err := valid(value, f.invalid)
				if e := (invalidError{}); errors.As(err, &e) {
					e.row, e.column = at.String(), columns[i]
					invalid = e
					return false
				}
				values[i], r.replaced = text, r.replaced+replaced
			}
			return yield(r, nil)
		}
		var err error
		switch format {
		case formatParquet:
			err = f.parquetRows(u, columns, more)
		case formatCSV:
			err = separatedRows(u, "CSV", ',', columns, more)
		case formatTSV:
			err = separatedRows(u, "TSV", '\t', columns, more)
		default:
			err = jsonRows(u, columns, more)
			if wrong := (*json.SyntaxError)(nil); errors.As(err, &wrong) && f.format == formatAuto {
				err = fmt.Errorf("%w; format = \"text\" takes any file for text", err)
			}
		}
		if err = errors.Join(invalid, err); err != nil {
			yield(row{}, err)
		}
	}
}

// jsonRows reads an object a line; lines may be blank.
func jsonRows(u *unpacked, columns []string, more func(place, []string) bool) error {
	at := place{unit: "line"}
	var line []byte
	for end := error(nil); end == nil; {
		at.number++
		if line, end = readLine(u, line[:0]); end == errLong {
			return fmt.Errorf("has a record in %s that is %w", at, end)
		} else if end != nil && end != io.EOF {
			return end
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		values, err := jsonValues(line, columns)
		if wrong := (*json.SyntaxError)(nil); errors.As(err, &wrong) {
			return fmt.Errorf("is not JSON Lines, an object a line: %s: %w", at, err)
		} else if err != nil {
			return fmt.Errorf("in %s %w", at, err)
		}
		if !more(at, values) {
			return nil
		}
	}
	return nil
}

// readLine appends a line with its end to buffer. The last line comes with io.EOF.
func readLine(u *unpacked, buffer []byte) ([]byte, error) {
	for {
		part, err := u.ReadSlice('\n')
		if len(buffer)+len(part) > maxRecord {
			return nil, errLong
		}
		buffer = append(buffer, part...)
		if err != bufio.ErrBufferFull {
			return buffer, err
		}
	}
}

// separatedRows reads records of RFC 4180, after one of the columns' names, with the separator given.
func separatedRows(u *unpacked, name string, separator rune, columns []string, more func(place, []string) bool) error {
	bounded := &bounded{r: u}
	r := csv.NewReader(bounded)
	r.Comma, r.ReuseRecord = separator, true
	var indices []int
	at := place{"line", 1}
	for {
		bounded.left = maxRecord
		record, err := r.Read()
		if wrong := (*csv.ParseError)(nil); errors.As(err, &wrong) {
			return fmt.Errorf("is not %s, records of as many fields as the first, quoted as RFC 4180 has it: %w", name, err)
		} else if err == errLong {
			return fmt.Errorf("has a record behind %s that is %w; is a quote missing?", at, err)
		} else if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if indices == nil {
			for _, column := range columns {
				i := slices.Index(record, column)
				if i < 0 {
					return &artifacts.MissingColumn{Name: column, Have: slices.Clone(record)}
				}
				indices = append(indices, i)
			}
			continue
		}
		line, _ := r.FieldPos(0)
		at.number = int64(line)
		values := make([]string, len(indices))
		for i, index := range indices {
			values[i] = record[index]
		}
		if !more(at, values) {
			return nil
		}
	}
}

// bounded reads a record, and no more than one may have.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// parquetRows reads rows of Parquet, which is read from its end: what is compressed besides is decompressed into a file.
func (f files) parquetRows(u *unpacked, columns []string, more func(place, []string) bool) error {
	file := u.file
	if u.packed {
		spool, err := f.spool()
		if err != nil {
			return err
		}
		defer spool.Close()
		if _, err := io.Copy(spool, u); err != nil {
			return err
		}
		file = spool
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	at := place{"row", -1}
	for found, err := range artifacts.Columns(file, info.Size(), columns) {
		at.number++
		if missing := (*artifacts.MissingColumn)(nil); errors.As(err, &missing) {
			return err
		} else if err != nil {
			return fmt.Errorf("cannot be read as Parquet: %w", err)
		}
		values := make([]string, len(found))
		for i, value := range found {
			if value == nil {
				return fmt.Errorf("in %s has %w as %q", at, errNull, columns[i])
			}
			if len(*value) > maxRecord {
				return fmt.Errorf("has a record in %s that is %w", at, errLong)
			}
			values[i] = *value
		}
		if !more(at, values) {
			return nil
		}
	}
	return nil
}

// jsonValues returns columns of an object.
func jsonValues(line []byte, columns []string) ([]string, error) {
	var object map[string]json.RawMessage
	err := json.Unmarshal(line, &object)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return nil, fmt.Errorf("has %s, where JSON Lines have an object", wrong.Value)
	} else if err == nil && object == nil {
		return nil, errors.New("has null, where JSON Lines have an object")
	} else if err != nil {
		return nil, err
	}
	values := make([]string, len(columns))
	for i, name := range columns {
		value, ok := object[name]
		if !ok {
			return nil, &artifacts.MissingColumn{Name: name, Have: slices.Sorted(maps.Keys(object))}
		}
		if values[i], err = textOf(value); err != nil {
			return nil, fmt.Errorf("has %w as %q", err, name)
		}
	}
	return values, nil
}
