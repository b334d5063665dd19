package tokenizerfile

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"anneal/lm/bpe"
)

// ReadTiktoken reads a rank file of tiktoken: a line a token, its bytes in base64, a space and its rank, which is its id. The
// file names neither the pattern nor the special tokens; these take the ids after the greatest rank, in their order, and an
// empty name leaves its id unused. Any two tokens whose bytes joined are a token merge into it, the least rank first, and a
// piece that is a token is taken as that. Errors name the line.
func ReadTiktoken(r io.Reader, pattern bpe.Pattern, special []string) (*bpe.Definition, error) {
	data, err := readAll(r)
	if err != nil {
		return nil, err
	}
	var d definer
	ids := map[string]uint32{}
	for line, number := range lines(data) {
		token, id, err := parseRank(line)
		if err == nil {
			if other, ok := ids[string(token)]; ok {
				err = fmt.Errorf("repeats the token %q of rank %d", token, other)
			} else {
				err = d.put(id, bpe.Token{Bytes: token})
			}
		}
		if err != nil {
			return nil, fmt.Errorf("line %d %w", number, err)
		}
		ids[string(token)] = uint32(id)
	}
	for _, name := range special {
		id := len(d.tokens)
		if id >= bpe.MaxSize {
			return nil, fmt.Errorf("has no id left below %d for the special token %q", bpe.MaxSize, name)
		}
		t := bpe.Token{Bytes: []byte(name), Kind: bpe.Special}
		if name == "" {
			t = bpe.Token{Kind: bpe.Unused}
		}
		if err := d.put(id, t); err != nil {
			return nil, err
		}
	}
	return d.define(bpe.Definition{Pattern: pattern, Whole: true, ByID: true})
}

// lines yields the lines of data that are not empty, with their numbers from 1.
func lines(data []byte) func(yield func([]byte, int) bool) {
	return func(yield func([]byte, int) bool) {
		number := 0
		for line := range bytes.Lines(data) {
			number++
			if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 && !yield(line, number) {
				return
			}
		}
	}
}

// parseRank reads a line. The error completes a sentence that starts with its number.
func parseRank(line []byte) (token []byte, id int, err error) {
	coded, rank, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return nil, 0, fmt.Errorf("is %.60q; expected are a token in base64, a space and its rank", line)
	}
	if len(coded) > base64.StdEncoding.EncodedLen(bpe.MaxToken) {
		return nil, 0, fmt.Errorf("has a token of more than %d bytes", bpe.MaxToken)
	}
	token, err = base64.StdEncoding.AppendDecode(nil, coded)
	if err != nil || len(token) == 0 {
		return nil, 0, fmt.Errorf("has %.60q where a token in base64 is expected", coded)
	}
	n, err := strconv.ParseUint(string(rank), 10, 32)
	if err != nil || n >= bpe.MaxSize {
		return nil, 0, fmt.Errorf("has the rank %.40q; supported are whole numbers below %d", rank, bpe.MaxSize)
	}
	return token, int(n), nil
}

// WriteTiktoken writes the tokens of a byte-level definition as a rank file. Such a file cannot hold its pattern and its special
// tokens: whoever reads it must name them. It is an error where ranks would give other ids than the merges do: their order
// must be that of the ids that they make.
func WriteTiktoken(w io.Writer, d *bpe.Definition) error {
	if _, err := bpe.Build(d); err != nil {
		return err
	}
	if d.Pattern == bpe.SentencePiece || d.Prefix != bpe.NoPrefix {
		return errors.New("a rank file holds a byte-level tokenizer without a space before the text")
	}
	if err := ranked(d); err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	for id, t := range d.Tokens {
		if t.Kind == bpe.Text {
			fmt.Fprintf(b, "%s %d\n", base64.StdEncoding.EncodeToString(t.Bytes), id)
		}
	}
	return b.Flush()
}

// ranked tells whether ranks say what merges do. They do where the merges are all that there can be, as those of a rank
// file are; and where each token is made once, of earlier ones, in the order of ids: then two neighbours that together are
// a token have become what they are by the very merges that lead to that token, for any other merge of lower rank in its
// bytes would have come before.
func ranked(d *bpe.Definition) error {
	if d.ByID || slices.Equal(splits(d), d.Merges) {
		return nil
	}
	long := map[string]int{} // tokens that are no byte
	for id, t := range d.Tokens {
		if t.Kind == bpe.Text && len(t.Bytes) > 1 {
			long[string(t.Bytes)] = id
		}
	}
	last := -1
	for i, m := range d.Merges {
		left, right := d.Tokens[m.Left].Bytes, d.Tokens[m.Right].Bytes
		made := long[string(left)+string(right)]
		if made <= last || long[string(left)] > made || long[string(right)] > made {
			return fmt.Errorf("merge %d makes token %d, out of the order of ids: ranks, which are ids, would give other tokens", i, made)
		}
		last = made
	}
	if len(d.Merges) < len(long) {
		return fmt.Errorf("%d tokens are made by no merge: ranks would make them", len(long)-len(d.Merges))
	}
	return nil
}
