package artifacts

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"anneal/lm/bpe"
)

// idsFile is the file of a "tokens" artifact that holds its ids; its vocabulary is VocabularyFile.
const idsFile = "ids.arrow"

// maxSmall is the largest vocabulary whose ids fit 16 bits.
const maxSmall = 1 << 16

// Tokens is a "tokens" artifact opened for reading: a stream of token ids and the vocabulary they belong to. The ids lie
// in a memory map; slices of them hold until Close.
type Tokens struct {
	Vocabulary *bpe.Definition

	small []uint16
	large []uint32
	file  *mapped
}

// WriteTokens writes a "tokens" artifact into the folder dir, which it makes. Ids take two bytes each where the
// vocabulary has at most 65,536, four otherwise. An id outside the vocabulary is an error.
func WriteTokens(dir string, ids []uint32, vocabulary *bpe.Definition) error {
	size := vocabulary.Size()
	for i, id := range ids {
		if int(id) >= size {
			return fmt.Errorf("%s: token %d has id %d, outside the vocabulary of %d", dir, i, id, size)
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := WriteVocabulary(filepath.Join(dir, VocabularyFile), vocabulary); err != nil {
		return err
	}
	bytes := arrow.Uint32Traits.CastToBytes(ids)
	if size <= maxSmall {
		small := make([]uint16, len(ids))
		for i, id := range ids {
			small[i] = uint16(id)
		}
		bytes = arrow.Uint16Traits.CastToBytes(small)
	}
	schema := idsSchema(size)
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(bytes)}
	data := array.NewData(schema.Field(0).Type, len(ids), buffers, nil, 0, 0)
	record := array.NewRecord(schema, []arrow.Array{array.MakeFromData(data)}, int64(len(ids)))
	return writeArrow(filepath.Join(dir, idsFile), schema, func(put func(arrow.Record) error) error { return put(record) })
}

// idsSchema is the one column of the ids of a vocabulary of the given size.
func idsSchema(size int) *arrow.Schema {
	t := arrow.PrimitiveTypes.Uint32
	if size <= maxSmall {
		t = arrow.PrimitiveTypes.Uint16
	}
	return arrow.NewSchema([]arrow.Field{{Name: "ids", Type: t}}, nil)
}

// OpenTokens opens the "tokens" artifact in the folder dir.
func OpenTokens(dir string) (*Tokens, error) {
	vocabulary, err := ReadVocabulary(filepath.Join(dir, VocabularyFile))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, idsFile)
	file, err := mapArrow(path, idsSchema(vocabulary.Size()))
	if err != nil {
		return nil, err
	}
	if len(file.records) != 1 {
		file.Close()
		return nil, fmt.Errorf("%s: has %d records, want 1", path, len(file.records))
	}
	t := &Tokens{Vocabulary: vocabulary, file: file}
	switch ids := file.records[0].Column(0).(type) {
	case *array.Uint16:
		t.small = ids.Uint16Values()
	case *array.Uint32:
		t.large = ids.Uint32Values()
	}
	return t, nil
}

// Len returns the number of tokens.
func (t *Tokens) Len() int { return max(len(t.small), len(t.large)) }

// VocabularySize returns the number of ids.
func (t *Tokens) VocabularySize() int { return t.Vocabulary.Size() }

// Uint16 returns the ids where they are stored in 16 bits: those of a vocabulary of at most 65,536. Otherwise it
// returns nil.
func (t *Tokens) Uint16() []uint16 { return t.small }

// Uint32 returns the ids where they are stored in 32 bits, nil otherwise.
func (t *Tokens) Uint32() []uint32 { return t.large }

// Close ends the memory map that the ids lie in.
func (t *Tokens) Close() error { return t.file.Close() }
