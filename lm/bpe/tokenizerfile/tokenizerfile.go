// Package tokenizerfile reads and writes the files in which tokenizers are published: tokenizer.json of Hugging Face's
// tokenizers, of its model BPE, and the rank files of tiktoken.
//
// What is read gives the ids that the libraries give, for all text in which no added token's name stands: here, as in
// tiktoken's encode_ordinary, a special token is never made from text. Nothing is placed before or after a text either
// (post_processor): whoever makes a stream of ids places the ends of its documents. Whatever else would change an id is
// refused, by its place in the file: other models than BPE, dropout, normalizers such as NFC, other regular expressions.
//
// Files are taken as hostile: one of more than [MaxBytes] is refused, and what is made of it is bounded too.
package tokenizerfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"anneal/lm/bpe"
)

// MaxBytes is the longest file that is read. Those of the largest vocabularies, of 262,144 ids, have 35 MB.
const MaxBytes = 100 << 20

// readAll returns what r holds, if that is no more than MaxBytes.
func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("is longer than %d MB, which no tokenizer is", MaxBytes>>20)
	}
	return data, nil
}

// definer collects the tokens of a definition by their ids.
type definer struct {
	tokens []bpe.Token
	taken  []bool
}

// put gives an id its token, and demands that it had none.
func (d *definer) put(id int, t bpe.Token) error {
	for len(d.tokens) <= id {
		d.tokens = append(d.tokens, bpe.Token{Kind: bpe.Unused})
		d.taken = append(d.taken, false)
	}
	if d.taken[id] {
		return fmt.Errorf("has id %d, which %q has too", id, d.tokens[id].Bytes)
	}
	d.tokens[id], d.taken[id] = t, true
	return nil
}

// define completes a definition and demands that it is one of a vocabulary. Ids without a token are Unused.
func (d *definer) define(rest bpe.Definition) (*bpe.Definition, error) {
	if len(d.tokens) == 0 {
		return nil, errors.New("holds no token")
	}
	rest.Tokens = d.tokens
	if _, err := bpe.Build(&rest); err != nil {
		return nil, err
	}
	return &rest, nil
}

// splits lists the merges of any two tokens of text into a third, by the id of the third, then by those of the two: what
// bpe.Definition's ByID stands for.
func splits(d *bpe.Definition) []bpe.Merge {
	ids := make(map[string]uint32, len(d.Tokens))
	for id, t := range d.Tokens {
		if t.Kind == bpe.Text {
			ids[string(t.Bytes)] = uint32(id)
		}
	}
	var merges []bpe.Merge
	for _, t := range d.Tokens {
		if t.Kind != bpe.Text {
			continue
		}
		first := len(merges)
		for i := 1; i < len(t.Bytes); i++ {
			left, okLeft := ids[string(t.Bytes[:i])]
			right, okRight := ids[string(t.Bytes[i:])]
			if okLeft && okRight {
				merges = append(merges, bpe.Merge{Left: left, Right: right})
			}
		}
		slices.SortFunc(merges[first:], func(a, b bpe.Merge) int {
			return cmp.Or(cmp.Compare(a.Left, b.Left), cmp.Compare(a.Right, b.Right))
		})
	}
	return merges
}
