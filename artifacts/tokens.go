package artifacts

import (
	"fmt"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

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
