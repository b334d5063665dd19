package dataset

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"unicode/utf8"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Split says which of a text's blocks are held out for validation.
type Split struct {
	Unit       string  `hcl:"unit,optional" values:"block" doc:"what is held out"`
	Size       int     `hcl:"size,optional" doc:"bytes of a block, at least 4; a character is never cut, so a block may have up to 3 less"`
	Validation float64 `hcl:"validation,optional" doc:"share of each document's blocks that is held out, above 0 and at most 0.5; one block at least, where the document has two"`
	Seed       int64   `hcl:"seed,optional" doc:"which blocks: a document is divided into as many equal stretches as blocks are held out, and of each stretch one is drawn"`
}

// Check tells whether the split is possible.
func (s *Split) Check() error {
	var errs []error
	if s.Size < utf8.UTFMax {
		errs = append(errs, pipeline.Errorf("size", "must be at least %d, the bytes of the longest character, is %d", utf8.UTFMax, s.Size))
	}
	if !(s.Validation > 0 && s.Validation <= 0.5) {
		errs = append(errs, pipeline.Errorf("validation", "must be above 0 and at most 0.5, is %g", s.Validation))
	}
	return errors.Join(errs...)
}

// runText reads the sources, of one document each, and splits them.
func (d *Dataset) runText(ctx context.Context, t *pipeline.Task) error {
	var train, validation []artifacts.Block
	total := 0
	for i, file := range d.Source {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		text, err := readSource(t.File(file))
		if err != nil {
			return pipeline.Errorf("source", "names %s %q, element %d, which %s", file.Source, file.Name, i, err)
		}
		kept, held := d.Split.split(text, i)
		train, validation = append(train, kept...), append(validation, held...)
		total += len(text)
		fmt.Fprintf(t.Log, "source %d, %s %q: %d bytes, %d blocks for training, %d for validation\n",
			i, file.Source, file.Name, len(text), len(kept), len(held))
	}
	if len(validation) == 0 {
		return pipeline.Errorf("split.size", "is %d, which leaves nothing for validation: no source is longer than one block, and all have %d bytes together", d.Split.Size, total)
	}
	if err := artifacts.WriteText(t.Output("train"), train); err != nil {
		return err
	}
	return artifacts.WriteText(t.Output("validation"), validation)
}

// readSource returns a file's text. The error completes a sentence that starts with the file's name.
func readSource(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", err)
	}
	if len(b) == 0 {
		return "", errors.New("is empty")
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return "", fmt.Errorf("is not UTF-8: byte %d, 0x%02x, belongs to no character", i, b[i])
		}
		i += n
	}
	return string(b), nil
}

// split cuts a source of one document into blocks, for training and for validation.
func (s *Split) split(text string, source int) (train, validation []artifacts.Block) {
	var blocks []artifacts.Block
	for from := 0; from < len(text); {
		to := min(from+s.Size, len(text))
		for to < len(text) && !utf8.RuneStart(text[to]) {
			to--
		}
		blocks = append(blocks, artifacts.Block{Source: int64(source), Offset: int64(from), Text: text[from:to]})
		from = to
	}
	held := 0
	if len(blocks) > 1 {
		held = max(1, int(math.RoundToEven(s.Validation*float64(len(blocks)))))
	}
	from := 0
	for i := range held {
		to := len(blocks) * (i + 1) / held
		const document = 0
		at := from + int(below(uint64(to-from), draw(s.Seed, "hold out", uint64(source), document, uint64(i))))
		train = append(train, blocks[from:at]...)
		validation = append(validation, blocks[at])
		train = append(train, blocks[at+1:to]...)
		from = to
	}
	return append(train, blocks[from:]...), validation
}
