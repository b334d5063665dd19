package artifacts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"

	"anneal/lm/bpe"
)

// token is a row of a "vocabulary" artifact, a row an id.
type token struct {
	ID    int64  `parquet:"id" unit:"index" doc:"of the token, which is its row"`
	Bytes []byte `parquet:"bytes" doc:"what it decodes to, a special token's name, or nothing"`
	Left  *int64 `parquet:"left" unit:"index" null:"no merge makes it" doc:"id of the left side of the merge of lowest rank that makes it"`
	Right *int64 `parquet:"right" unit:"index" null:"no merge makes it" doc:"id of its right side"`
}

// tokenizerKey is the key of the file's metadata under which a tokenizer stands. A vocabulary of plain bytes and merges
// in the order of their ids needs no such words.
const tokenizerKey = "anneal.tokenizer"

// tokenizer is what the rows of a vocabulary leave open, as JSON.
type tokenizer struct {
	Pattern  bpe.Pattern `json:"pattern,omitempty"`
	Whole    bool        `json:"whole,omitempty"`
	ByID     bool        `json:"by_id,omitempty"`
	Prefix   bpe.Prefix  `json:"prefix,omitempty"`
	Special  []uint32    `json:"special,omitempty"` // ids
	Fallback []uint32    `json:"fallback,omitempty"`
	Unused   []uint32    `json:"unused,omitempty"`
	Merges   [][2]uint32 `json:"merges,omitempty"` // all of them in order of rank, where the rows do not tell
}

// kinds are the lists of ids by their kind.
func (t *tokenizer) kinds() map[bpe.TokenKind]*[]uint32 {
	return map[bpe.TokenKind]*[]uint32{bpe.Special: &t.Special, bpe.Fallback: &t.Fallback, bpe.Unused: &t.Unused}
}

// WriteVocabulary writes a "vocabulary" artifact.
func WriteVocabulary(path string, d *bpe.Definition) error {
	if _, err := bpe.Build(d); err != nil {
		return at(path, err)
	}
	rows := make([]token, len(d.Tokens))
	ids := map[string]int{}
	more := tokenizer{Pattern: d.Pattern, Whole: d.Whole, ByID: d.ByID, Prefix: d.Prefix}
	for i, t := range d.Tokens {
		rows[i] = token{ID: int64(i), Bytes: t.Bytes}
		if t.Kind == bpe.Text {
			ids[string(t.Bytes)] = i
		} else {
			list := more.kinds()[t.Kind]
			*list = append(*list, uint32(i))
		}
	}
	for _, m := range d.Merges {
		made := &rows[ids[string(d.Tokens[m.Left].Bytes)+string(d.Tokens[m.Right].Bytes)]]
		if left, right := int64(m.Left), int64(m.Right); made.Left == nil {
			made.Left, made.Right = &left, &right
		}
	}
	if !slices.Equal(mergesOf(rows), d.Merges) {
		for _, m := range d.Merges {
			more.Merges = append(more.Merges, [2]uint32{m.Left, m.Right})
		}
	}
	options := parquetOptions(rowSchema[token](), &parquet.Uncompressed)
	words, err := json.Marshal(more)
	if err != nil {
		return at(path, err)
	}
	if string(words) != "{}" {
		options = append(options, parquet.KeyValueMetadata(tokenizerKey, string(words)))
	}
	return create(path, func(w io.Writer) error {
		p := parquet.NewGenericWriter[token](w, options...)
		if _, err := p.Write(rows); err != nil {
			return err
		}
		return p.Close()
	})
}

// mergesOf returns the merges that rows have, in the order of ids.
func mergesOf(rows []token) []bpe.Merge {
	var merges []bpe.Merge
	for _, t := range rows {
		if t.Left != nil {
			merges = append(merges, bpe.Merge{Left: uint32(*t.Left), Right: uint32(*t.Right)})
		}
	}
	return merges
}

// ReadVocabulary reads a "vocabulary" artifact.
func ReadVocabulary(path string) (*bpe.Definition, error) {
	d, err := readVocabulary(path)
	if err != nil {
		return nil, at(path, err)
	}
	return d, nil
}

func readVocabulary(path string) (*bpe.Definition, error) {
	rows, err := ReadRows[token](path)
	if err != nil {
		return nil, err
	}
	words, err := metadata(path, tokenizerKey)
	if err != nil {
		return nil, err
	}
	var more tokenizer
	if words != "" {
		d := json.NewDecoder(bytes.NewReader([]byte(words)))
		d.DisallowUnknownFields()
		if err := d.Decode(&more); err != nil {
			return nil, fmt.Errorf("%s of its metadata: %w", tokenizerKey, err)
		}
	}
	d := &bpe.Definition{Tokens: make([]bpe.Token, len(rows)), Pattern: more.Pattern, Whole: more.Whole, ByID: more.ByID, Prefix: more.Prefix}
	for i, t := range rows {
		switch {
		case t.ID != int64(i):
			return nil, fmt.Errorf("row %d has id %d", i, t.ID)
		case (t.Left == nil) != (t.Right == nil):
			return nil, fmt.Errorf("token %d has one side of a merge", i)
		case t.Left != nil && (*t.Left < 0 || *t.Left >= int64(len(rows)) || *t.Right < 0 || *t.Right >= int64(len(rows))):
			return nil, fmt.Errorf("token %d is of tokens %d and %d, of which one is not there", i, *t.Left, *t.Right)
		}
		d.Tokens[i].Bytes = t.Bytes
	}
	for kind, ids := range more.kinds() {
		for _, id := range *ids {
			if int(id) >= len(rows) {
				return nil, fmt.Errorf("%s of its metadata names id %d, which is not there", tokenizerKey, id)
			}
			d.Tokens[id].Kind = kind
		}
	}
	d.Merges = mergesOf(rows)
	if more.Merges != nil {
		d.Merges = nil
		for _, m := range more.Merges {
			d.Merges = append(d.Merges, bpe.Merge{Left: m[0], Right: m[1]})
		}
	}
	_, err = bpe.Build(d)
	return d, err
}

// metadata returns the value of a key of a Parquet file's metadata, "" where there is none.
func metadata(path, key string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	p, err := openParquet(f)
	if err != nil {
		return "", err
	}
	value, _ := p.Lookup(key)
	return value, nil
}

// KindOf names the kind of a token.
func KindOf(t bpe.Token) string {
	switch t.Kind {
	case bpe.Special:
		return "special"
	case bpe.Fallback:
		return "fallback"
	case bpe.Unused:
		return "unused"
	}
	return "text"
}

// ReadVocabularySize returns the number of ids of a "vocabulary" artifact.
func ReadVocabularySize(path string) (int, error) {
	d, err := ReadVocabulary(path)
	if err != nil {
		return 0, err
	}
	return d.Size(), nil
}
