package artifacts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	flatbuffers "github.com/google/flatbuffers/go"
)

// writeArrow writes an Arrow IPC file of the records that each hands to put, uncompressed and without metadata of its
// own. It replaces what is at path and leaves nothing behind that is half written.
func writeArrow(path string, schema *arrow.Schema, each func(put func(arrow.Record) error) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w, err := ipc.NewFileWriter(f, ipc.WithSchema(schema))
	if err == nil {
		err = errors.Join(each(w.Write), w.Close())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(at(path, err), os.Remove(path))
	}
	return nil
}

// mapped is an Arrow IPC file in memory that the operating system reads as it is touched. The arrays of its records
// lie in the map itself: the reader of arrow v15 would copy them twice. That of v18 would not, but a damaged schema in
// the footer has it ask for more memory than there is, which ends the process.
type mapped struct {
	records []arrow.Record

	unmap func() error
}

// mapArrow maps the file at path, whose columns must be those of schema. Its records hold until Close.
func mapArrow(path string, schema *arrow.Schema) (*mapped, error) {
	data, unmap, err := mapFile(path)
	if err != nil {
		return nil, at(path, err)
	}
	records, err := readArrow(data, schema)
	if err != nil {
		return nil, errors.Join(at(path, err), unmap())
	}
	return &mapped{records, unmap}, nil
}

// Close gives the memory back. The records' arrays must not be touched after it.
func (m *mapped) Close() error {
	m.records = nil
	return m.unmap()
}

// Slots of the tables in Arrow's flatbuffers (format/File.fbs, format/Message.fbs), and sizes of their structs.
const (
	footerBatches = 10 // [Block]
	blockBytes    = 24 // offset int64, metaDataLength int32, padding, bodyLength int64

	messageHeaderType = 6
	messageHeader     = 8
	recordBatchHeader = 3 // of the union MessageHeader

	batchLength      = 4
	batchNodes       = 6 // [FieldNode]
	batchBuffers     = 8 // [Buffer]
	batchCompression = 10
	nodeBytes        = 16 // length, null_count int64
	bufferBytes      = 16 // offset, length int64

	arrowMagic = "ARROW1"
)

// readArrow returns the records of a file of writeArrow that lies in data. It reads the schema by comparing bytes, since
// arrow's own reader of a schema may ask for terabytes where a file is damaged. Flatbuffers panic there; that becomes an
// error.
func readArrow(data []byte, schema *arrow.Schema) (records []arrow.Record, err error) {
	defer func() {
		if r := recover(); r != nil {
			records, err = nil, fmt.Errorf("damaged Arrow file: %v", r)
		}
	}()
	head, err := arrowHead(schema)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(data, head) || !bytes.HasSuffix(data, []byte(arrowMagic)) {
		return nil, fmt.Errorf("not a whole Arrow file with the columns %v", schema.Fields())
	}

	// A file ends with the footer, its length and the magic word.
	end := len(data) - len(arrowMagic) - 4
	footer := rootTable(data[end-int(binary.LittleEndian.Uint32(data[end:])) : end])
	batches := flatbuffers.UOffsetT(footer.Offset(footerBatches))
	for i := range footer.VectorLen(batches) {
		at := footer.Vector(batches) + flatbuffers.UOffsetT(i*blockBytes)
		offset, meta, body := footer.GetInt64(at), footer.GetInt32(at+8), footer.GetInt64(at+16)
		message := data[offset : offset+int64(meta)]
		batch, err := readBatch(message[8:], data[offset+int64(meta):offset+int64(meta)+body], schema) // after a marker and the length
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
		records = append(records, batch)
	}
	return records, nil
}

// arrowHead is what a file of the schema begins with: the magic word and the schema, as in a stream of no records
// without the eight bytes that end it.
func arrowHead(schema *arrow.Schema) ([]byte, error) {
	b := bytes.NewBufferString(arrowMagic + "\x00\x00")
	if err := ipc.NewWriter(b, ipc.WithSchema(schema)).Close(); err != nil {
		return nil, err
	}
	return b.Bytes()[:b.Len()-8], nil
}

func rootTable(b []byte) flatbuffers.Table {
	return flatbuffers.Table{Bytes: b, Pos: flatbuffers.GetUOffsetT(b)}
}

// readBatch returns one record whose buffers lie in body.
func readBatch(message, body []byte, schema *arrow.Schema) (arrow.Record, error) {
	root := rootTable(message)
	if kind := root.GetByteSlot(messageHeaderType, 0); kind != recordBatchHeader {
		return nil, fmt.Errorf("its message is of kind %d, want a record batch", kind)
	}
	l := loader{body: body}
	root.Union(&l.batch, flatbuffers.UOffsetT(root.Offset(messageHeader)))
	if l.batch.Offset(batchCompression) != 0 {
		return nil, errors.New("it is compressed")
	}
	columns := make([]arrow.Array, schema.NumFields())
	for i, f := range schema.Fields() {
		data, err := l.load(f.Type)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		columns[i] = array.MakeFromData(data)
	}
	return array.NewRecord(schema, columns, l.batch.GetInt64Slot(batchLength, 0)), nil
}

// loader walks the nodes and buffers of a record batch, which stand in the order of the columns, parents first.
type loader struct {
	batch        flatbuffers.Table
	body         []byte
	node, buffer int
}

// load returns the next column's data. Columns have no nulls and are of fixed-width numbers, strings, and lists of
// these.
func (l *loader) load(t arrow.DataType) (arrow.ArrayData, error) {
	at := l.batch.Vector(flatbuffers.UOffsetT(l.batch.Offset(batchNodes))) + flatbuffers.UOffsetT(l.node*nodeBytes)
	l.node++
	length, nulls := l.batch.GetInt64(at), l.batch.GetInt64(at+8)
	if length < 0 || nulls != 0 {
		return nil, fmt.Errorf("it has %d values, %d of them null", length, nulls)
	}
	buffers := []*memory.Buffer{nil}
	l.take() // validity
	var children []arrow.ArrayData
	switch t := t.(type) {
	case *arrow.StringType:
		offsets, text := l.take(), l.take()
		if err := checkOffsets(offsets, length, text.Len()); err != nil {
			return nil, err
		}
		buffers = append(buffers, offsets, text)
	case *arrow.ListType:
		offsets := l.take()
		child, err := l.load(t.Elem())
		if err != nil {
			return nil, err
		}
		if err := checkOffsets(offsets, length, child.Len()); err != nil {
			return nil, err
		}
		buffers, children = append(buffers, offsets), append(children, child)
	case arrow.FixedWidthDataType:
		b := l.take()
		if have := int64(b.Len() / (t.BitWidth() / 8)); have < length {
			return nil, fmt.Errorf("it has %d values, want %d", have, length)
		}
		buffers = append(buffers, b)
	default:
		return nil, fmt.Errorf("its type is %v, which no artifact has", t)
	}
	return array.NewData(t, int(length), buffers, children, 0, 0), nil
}

// take returns the next buffer of the body.
func (l *loader) take() *memory.Buffer {
	at := l.batch.Vector(flatbuffers.UOffsetT(l.batch.Offset(batchBuffers))) + flatbuffers.UOffsetT(l.buffer*bufferBytes)
	l.buffer++
	offset, length := l.batch.GetInt64(at), l.batch.GetInt64(at+8)
	return memory.NewBufferBytes(l.body[offset : offset+length : offset+length])
}

// checkOffsets tells whether the offsets of length strings or lists ascend within n elements.
func checkOffsets(offsets *memory.Buffer, length int64, n int) error {
	all := arrow.Int32Traits.CastFromBytes(offsets.Bytes())
	if length == 0 {
		return nil
	}
	if int64(len(all)) <= length {
		return fmt.Errorf("it has %d offsets, want %d", len(all), length+1)
	}
	all = all[:length+1]
	if !slices.IsSorted(all) || all[0] < 0 || int(all[length]) > n {
		return fmt.Errorf("its offsets do not ascend within %d elements", n)
	}
	return nil
}
