package readers

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
)

// duckTypes are the names of truth.json by those of DuckDB.
var duckTypes = map[string]string{
	"BIGINT": "int64", "DOUBLE": "float64", "VARCHAR": "string", "BLOB": "binary", "BOOLEAN": "bool", "TIMESTAMP WITH TIME ZONE": "time",
}

// TestDuckDBReadsParquet reads every table by SQL. Arrow files DuckDB reads with an extension alone, which is not part of it.
func TestDuckDBReadsParquet(t *testing.T) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	each(t, ".parquet", func(t *testing.T, path string, want file) {
		for key, value := range want.Metadata {
			var have string
			err := db.QueryRow("select decode(value) from parquet_kv_metadata(?) where decode(key) = ?", path, key).Scan(&have)
			if err != nil || have != value {
				t.Errorf("metadata %q is %q, %v, want %q", key, have, err, value)
			}
		}
		repetition := map[string]string{}
		for _, row := range query(t, db, "select name, repetition_type from parquet_schema(?)", path) {
			repetition[fmt.Sprint(row[0])] = fmt.Sprint(row[1])
		}
		var have []column
		for _, row := range query(t, db, "describe from read_parquet(?, hive_partitioning = false)", path) {
			name, kind := fmt.Sprint(row[0]), fmt.Sprint(row[1])
			if named, ok := duckTypes[kind]; ok {
				kind = named
			}
			have = append(have, column{name, kind, repetition[name] == "OPTIONAL", []any{}})
		}
		rows := query(t, db, "from read_parquet(?, hive_partitioning = false)", path)
		for _, row := range rows {
			for i, v := range row {
				have[i].Values = append(have[i].Values, cell(t, v))
			}
		}
		compare(t, len(rows), have, want)
	})
}

// TestDuckDBReadsCSV takes every cell as text, and an empty one for null, as which a file of CSV cannot tell an empty string.
func TestDuckDBReadsCSV(t *testing.T) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	each(t, ".csv", func(t *testing.T, path string, want file) {
		have := make([]column, len(want.Columns))
		for i, c := range want.Columns {
			have[i] = column{Type: c.Type, Optional: c.Optional, Values: []any{}}
			for row, v := range c.Values {
				if v == "" {
					c.Values[row] = nil
				}
			}
		}
		for i, row := range query(t, db, "describe from read_csv(?, header = true, all_varchar = true)", path) {
			have[i].Name = fmt.Sprint(row[0])
		}
		rows := query(t, db, "from read_csv(?, header = true, all_varchar = true, max_line_size = 4000000)", path)
		for _, row := range rows {
			for i, v := range row {
				have[i].Values = append(have[i].Values, fromText(t, want.Columns[i].Type, v))
			}
		}
		compare(t, len(rows), have, want)
	})
}

// fromText is a cell of CSV in the form of truth.json.
func fromText(t *testing.T, kind string, v any) any {
	text, ok := v.(string)
	switch {
	case !ok || text == "":
		return nil
	case kind == "float64":
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Error(err)
		}
		return cell(t, x)
	case kind == "bool":
		return text == "true"
	}
	return text
}

// query returns the rows of a statement.
func query(t *testing.T, db *sql.DB, statement string, arguments ...any) (all [][]any) {
	t.Helper()
	rows, err := db.Query(statement, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		row := make([]any, len(names))
		places := make([]any, len(names))
		for i := range row {
			places[i] = &row[i]
		}
		if err := rows.Scan(places...); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// cell is a value in the form of truth.json.
func cell(t *testing.T, v any) any {
	switch v := v.(type) {
	case nil, bool, string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return fmt.Sprintf("%016x", math.Float64bits(v))
	case []byte:
		return hex.EncodeToString(v)
	case time.Time:
		return strconv.FormatInt(v.UnixMicro(), 10)
	}
	t.Fatalf("a value of type %T, which no artifact has", v)
	return nil
}
