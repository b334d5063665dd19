package artifacts

import (
	"fmt"
	"slices"
)

// Merge makes a token of two earlier ones, by id.
type Merge struct{ Left, Right uint32 }

// token is a row of a "vocabulary" artifact: ids 0 to 255 are the bytes, each later one is a merge.
type token struct {
	ID    int64  `parquet:"id"`
	Bytes []byte `parquet:"bytes"`
	Left  *int64 `parquet:"left"` // null for the 256 bytes
	Right *int64 `parquet:"right"`
}

// alphabet is the number of ids that are bytes.
const alphabet = 256

// WriteVocabulary writes a "vocabulary" artifact: the 256 bytes, then a token a merge, in order.
func WriteVocabulary(path string, merges []Merge) error {
	tokens := make([]token, 0, alphabet+len(merges))
	for i := range alphabet {
		tokens = append(tokens, token{ID: int64(i), Bytes: []byte{byte(i)}})
	}
	for i, m := range merges {
		id := len(tokens)
		if int(m.Left) >= id || int(m.Right) >= id {
			return fmt.Errorf("%s: merge %d is of tokens %d and %d, of which one comes later", path, i, m.Left, m.Right)
		}
		left, right := int64(m.Left), int64(m.Right)
		bytes := append(append([]byte{}, tokens[left].Bytes...), tokens[right].Bytes...)
		tokens = append(tokens, token{int64(id), bytes, &left, &right})
	}
	return WriteRows(path, tokens)
}

// ReadVocabulary reads a "vocabulary" artifact: its merges in order. The vocabulary has 256 ids more than that.
func ReadVocabulary(path string) ([]Merge, error) {
	tokens, err := ReadRows[token](path)
	if err != nil {
		return nil, err
	}
	if len(tokens) < alphabet {
		return nil, fmt.Errorf("%s: a vocabulary has at least %d tokens, this one %d", path, alphabet, len(tokens))
	}
	merges := make([]Merge, 0, len(tokens)-alphabet)
	for i, t := range tokens {
		switch {
		case t.ID != int64(i):
			return nil, fmt.Errorf("%s: row %d has id %d", path, i, t.ID)
		case (t.Left == nil) != (i < alphabet) || (t.Right == nil) != (i < alphabet):
			return nil, fmt.Errorf("%s: token %d: only tokens from %d on are merges", path, i, alphabet)
		case i < alphabet:
			if len(t.Bytes) != 1 || t.Bytes[0] != byte(i) {
				return nil, fmt.Errorf("%s: token %d is %q, not that byte", path, i, t.Bytes)
			}
		case *t.Left < 0 || *t.Left >= t.ID || *t.Right < 0 || *t.Right >= t.ID:
			return nil, fmt.Errorf("%s: token %d is of tokens %d and %d, of which one comes later", path, i, *t.Left, *t.Right)
		default:
			merges = append(merges, Merge{uint32(*t.Left), uint32(*t.Right)})
		}
	}
	return merges, nil
}

// ReadVocabularySize returns the number of ids of a "vocabulary" artifact.
func ReadVocabularySize(path string) (int, error) {
	merges, err := ReadVocabulary(path)
	return alphabet + len(merges), err
}

// Spell returns the bytes of every token of a vocabulary: the 256 bytes, then one a merge.
func Spell(merges []Merge) [][]byte {
	tokens := make([][]byte, alphabet, alphabet+len(merges))
	for i := range tokens {
		tokens[i] = []byte{byte(i)}
	}
	for _, m := range merges {
		tokens = append(tokens, slices.Concat(tokens[m.Left], tokens[m.Right]))
	}
	return tokens
}
