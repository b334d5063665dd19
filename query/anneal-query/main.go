// anneal-query asks DuckDB about the tables of the folder that it is started in: it runs the folder's load.sql and then one
// statement, whose rows it prints. `anneal query` starts it. It is a module of its own, as DuckDB is many times as large as
// all of anneal.
package main

import (
	"database/sql"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/duckdb/duckdb-go/v2"
)

func main() {
	lines := flag.Bool("jsonlines", false, "print a JSON object a row")
	comma := flag.Bool("csv", false, "print CSV")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, "usage: anneal-query [-jsonlines|-csv] SQL\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 || *lines && *comma {
		flag.Usage()
		os.Exit(3)
	}
	print := table
	switch {
	case *lines:
		print = jsonLines
	case *comma:
		print = csvLines
	}
	if err := query(os.Stdout, flag.Arg(0), print); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// result is what a statement gave: names of columns and their types, and rows one by one.
type result struct {
	names, types []string
	next         func() ([]any, error) // nil at the end; what it returns holds until the next
}

func query(w io.Writer, statement string, print func(io.Writer, *result) error) error {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	script, err := os.ReadFile("load.sql")
	if err != nil {
		return err
	}
	if _, err := db.Exec(string(script)); err != nil {
		return fmt.Errorf("load.sql: %w", err)
	}
	rows, err := db.Query(statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	r := &result{}
	for _, c := range columns {
		r.names, r.types = append(r.names, c.Name()), append(r.types, c.DatabaseTypeName())
	}
	values, to := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		to[i] = &values[i]
	}
	r.next = func() ([]any, error) {
		if !rows.Next() {
			return nil, rows.Err()
		}
		return values, rows.Scan(to...)
	}
	return print(w, r)
}

// each hands the rows on, until one fails.
func (r *result) each(do func([]any) error) error {
	for {
		row, err := r.next()
		if err != nil || row == nil {
			return err
		}
		if err := do(row); err != nil {
			return err
		}
	}
}

// table prints aligned columns under their names and types.
func table(w io.Writer, r *result) error {
	lines := [][]string{r.names, r.types}
	err := r.each(func(row []any) error {
		line := make([]string, len(row))
		for i, v := range row {
			if line[i] = text(v); v == nil {
				line[i] = "NULL"
			}
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		return err
	}
	widths := make([]int, len(r.names))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		var b strings.Builder
		for i, cell := range line {
			b.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// csvLines prints CSV with a line of names; null is an empty field.
func csvLines(w io.Writer, r *result) error {
	out := csv.NewWriter(w)
	if err := out.Write(r.names); err != nil {
		return err
	}
	line := make([]string, len(r.names))
	err := r.each(func(row []any) error {
		for i, v := range row {
			line[i] = text(v)
		}
		return out.Write(line)
	})
	out.Flush()
	if err != nil {
		return err
	}
	return out.Error()
}

// jsonLines prints an object a row, with members in the order of the columns.
func jsonLines(w io.Writer, r *result) error {
	return r.each(func(row []any) error {
		var b strings.Builder
		for i, v := range row {
			name, err := json.Marshal(r.names[i])
			if err != nil {
				return err
			}
			value, err := json.Marshal(plain(v))
			if err != nil {
				return fmt.Errorf("column %s: %w", r.names[i], err)
			}
			fmt.Fprintf(&b, ",%s:%s", name, value)
		}
		_, err := fmt.Fprintf(w, "{%s}\n", strings.TrimPrefix(b.String(), ","))
		return err
	})
}

// plain makes of a value what JSON has.
func plain(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return text(v)
		}
	case float32: // left as it is, JSON prints no more digits than it has
		if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
			return text(x)
		}
	case []byte, time.Time:
		return text(v)
	case duckdb.Decimal:
		return json.Number(v.String())
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = plain(e)
		}
		return list
	case map[string]any:
		members := make(map[string]any, len(v))
		for name, e := range v {
			members[name] = plain(e)
		}
		return members
	}
	return v
}

// text prints a value; null is nothing.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []byte:
		return hex.EncodeToString(v)
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05.999999")
	case []any, map[string]any:
		if s, err := json.Marshal(plain(v)); err == nil {
			return string(s)
		}
	}
	return fmt.Sprint(v)
}
