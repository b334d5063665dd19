package tokenize

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"unicode"
	"unicode/utf8"

	"anneal/artifacts"
	"anneal/lm/bpe"
	"anneal/pipeline"
)

// A part is some of a passage, in the order of the text.
type part struct {
	text string
	more bool // the next part goes on with the passage
}

// passages reads the texts that a field names. It can be read several times. After an error there are no more.
func passages(ctx context.Context, t *pipeline.Task, refs []pipeline.Ref) iter.Seq2[part, error] {
	return func(yield func(part, error) bool) {
		for _, ref := range refs {
			var last artifacts.Block
			for b, err := range artifacts.Blocks(t.Input(ref).Path) {
				if err == nil && ctx.Err() != nil {
					err = context.Cause(ctx)
				}
				if err != nil {
					yield(part{}, err)
					return
				}
				if b.Text == "" {
					continue
				}
				if last.Text != "" && !yield(part{last.Text, last.Continues(b)}, nil) {
					return
				}
				last = b
			}
			if last.Text != "" && !yield(part{text: last.Text}, nil) {
				return
			}
		}
	}
}

// demand refuses a field whose texts are empty.
func demand(field string, text iter.Seq2[part, error]) error {
	for _, err := range text {
		return err
	}
	return pipeline.Errorf(field, "has not one byte of text")
}

// A writer encodes passages.
type writer struct {
	v          *bpe.Vocabulary
	definition *bpe.Definition
	between    []uint32 // ids between two passages
	after      []uint32 // ids after each
}

// write encodes passages and writes them as an output.
func (w *writer) write(t *pipeline.Task, output string, text iter.Seq2[part, error]) error {
	tokens, err := artifacts.CreateTokens(t.Output(output), w.definition)
	if err != nil {
		return err
	}
	read, count, written := 0, 0, 0
	var failure error
	parts := func(yield func([]byte, bool) bool) {
		for p, err := range text {
			if failure = err; err != nil || !yield([]byte(p.text), p.more) {
				return
			}
			if read += len(p.text); !p.more {
				count++
			}
		}
	}
	before := []uint32(nil) // ids that belong before what comes next
	for ids, more := range w.v.EncodeParallel(parts, t.Cores()) {
		after := w.after
		if more {
			after = nil
		}
		for _, ids := range [][]uint32{before, ids, after} {
			err = tokens.Write(ids)
			written += len(ids)
		}
		if err != nil { // which Close returns
			break
		}
		if before = nil; !more {
			before = w.between
		}
	}
	if err := errors.Join(failure, tokens.Close()); err != nil {
		return err
	}
	fmt.Fprintf(t.Log, "%s: %d bytes in %d passages are %d tokens\n", output, read, count, written)
	return nil
}

// joined is how much of a passage is held in memory at once, to count its pieces.
const joined = 16 << 20

// texts yields passages as texts of bounded length, whose pieces are those of the passages. An error ends it and stands in failure.
func texts(text iter.Seq2[part, error], failure *error) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var held []byte
		limit := joined
		for p, err := range text {
			if *failure = err; err != nil {
				return
			}
			held = append(held, p.text...)
			n := len(held)
			if p.more {
				if n < limit {
					continue
				}
				if n = cut(held); n == 0 {
					limit *= 2
					continue
				}
			}
			if !yield(held[:n]) {
				return
			}
			held = append(held[:0], held[n:]...)
			limit = joined
		}
	}
}

// cut returns the last place in text at which a piece begins for sure, whatever is behind text: where letters or digits end, which
// every pattern keeps together with nothing that follows them. It is 0 where there is none.
func cut(text []byte) int {
	for n := len(text) - utf8.UTFMax; n > 0; n-- {
		if !utf8.RuneStart(text[n]) {
			continue
		}
		before, _ := utf8.DecodeLastRune(text[:n])
		after, _ := utf8.DecodeRune(text[n:])
		if unicode.IsLetter(before) && !unicode.IsLetter(after) || unicode.IsNumber(before) && !unicode.IsNumber(after) {
			return n
		}
	}
	return 0
}
