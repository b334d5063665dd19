package readers

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pqfile "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

func TestArrowReadsParquet(t *testing.T) {
	each(t, ".parquet", func(t *testing.T, path string, want file) {
		f, err := pqfile.OpenParquetFile(path, false)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for key, value := range want.Metadata {
			if have := f.MetaData().KeyValueMetadata().FindValue(key); have == nil || *have != value {
				t.Errorf("metadata %q is %v, want %q", key, have, value)
			}
		}
		r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		table, err := r.ReadTable(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer table.Release()
		var have []column
		for i := range int(table.NumCols()) {
			c := ofField(table.Schema().Field(i))
			for _, chunk := range table.Column(i).Data().Chunks() {
				c.Values = append(c.Values, values(t, chunk)...)
			}
			have = append(have, c)
		}
		compare(t, int(table.NumRows()), have, want)
	})
}

func TestArrowReadsArrow(t *testing.T) {
	each(t, ".arrow", func(t *testing.T, path string, want file) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := ipc.NewFileReader(f)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for key, value := range want.Metadata {
			metadata := r.Schema().Metadata()
			if have, ok := metadata.GetValue(key); !ok || have != value {
				t.Errorf("metadata %q is %q, want %q", key, have, value)
			}
		}
		var have []column
		for _, field := range r.Schema().Fields() {
			have = append(have, ofField(field))
		}
		rows := 0
		for i := range r.NumRecords() {
			batch, err := r.RecordBatchAt(i)
			if err != nil {
				t.Fatal(err)
			}
			rows += int(batch.NumRows())
			for j := range have {
				have[j].Values = append(have[j].Values, values(t, batch.Column(j))...)
			}
			batch.Release()
		}
		compare(t, rows, have, want)
	})
}

// ofField is a column without its values, its type named as truth.json does.
func ofField(f arrow.Field) column { return column{f.Name, typeName(f.Type), f.Nullable, []any{}} }

func typeName(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.Float64Type:
		return "float64"
	case *arrow.Float32Type:
		return "float32"
	case *arrow.StringType:
		return "string"
	case *arrow.BinaryType:
		return "binary"
	case *arrow.BooleanType:
		return "bool"
	case *arrow.TimestampType:
		if t.Unit == arrow.Microsecond && t.TimeZone == "UTC" {
			return "time"
		}
	case *arrow.ListType:
		if !t.ElemField().Nullable {
			return "list<" + typeName(t.Elem()) + ">"
		}
	}
	return t.String()
}

// values are those of an array, in the form of truth.json.
func values(t *testing.T, a arrow.Array) []any {
	all := make([]any, a.Len())
	for i := range all {
		if a.IsNull(i) {
			continue
		}
		switch a := a.(type) {
		case *array.Int64:
			all[i] = strconv.FormatInt(a.Value(i), 10)
		case *array.Uint16:
			all[i] = fmt.Sprint(a.Value(i))
		case *array.Uint32:
			all[i] = fmt.Sprint(a.Value(i))
		case *array.Float64:
			all[i] = fmt.Sprintf("%016x", math.Float64bits(a.Value(i)))
		case *array.Float32:
			all[i] = fmt.Sprintf("%08x", math.Float32bits(a.Value(i)))
		case *array.String:
			all[i] = a.Value(i)
		case *array.Binary:
			all[i] = hex.EncodeToString(a.Value(i))
		case *array.Boolean:
			all[i] = a.Value(i)
		case *array.Timestamp:
			all[i] = strconv.FormatInt(int64(a.Value(i)), 10)
		case *array.List:
			from, to := a.ValueOffsets(i)
			part := array.NewSlice(a.ListValues(), from, to)
			all[i] = values(t, part)
			part.Release()
		default:
			t.Fatalf("an array of type %v, which no artifact has", a.DataType())
		}
	}
	return all
}
