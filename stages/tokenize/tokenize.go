// Package tokenize turns text into token ids, with a byte-level BPE vocabulary that it trains or takes from another
// tokenize.
//
// A stream of ids is that of the text's passages in order, parted by a blank line ("\n\n"), which is encoded on its own:
// no token crosses the end of a passage. A passage is a stretch of a document that the text holds without a gap, so a
// document of which blocks were held out for validation is several. A vocabulary of plain bytes has no other sign for
// the end of a document.
package tokenize

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"anneal/artifacts"
	"anneal/lm/bpe"
	"anneal/pipeline"
)

// Kind is the kind of stage that tokenizes text.
var Kind = &pipeline.Kind{Name: "tokenize", Version: 1, Doc: doc, New: func() pipeline.Stage {
	return &Tokenize{VocabSize: plainBytes}
}}

// plainBytes is the size of the vocabulary without merges.
const plainBytes = 256

// separator parts passages.
const separator = "\n\n"

const doc = `Text into token ids: byte-level BPE with GPT-2's pre-tokenisation, its vocabulary trained here or taken from another tokenize. 256 ids are plain bytes.

Passages are parted by a blank line, and no token crosses the end of one.`

// Tokenize is one tokenization.
type Tokenize struct {
	Text    []pipeline.Ref `hcl:"text" artifact:"text" doc:"to encode, and to train the vocabulary on"`
	HeldOut []pipeline.Ref `hcl:"held_out,optional" artifact:"text" doc:"only to encode"`

	VocabSize  int          `hcl:"vocab_size,optional" doc:"number of ids: 256 plain bytes, and merges"`
	Vocabulary pipeline.Ref `hcl:"vocabulary,optional" artifact:"vocabulary" doc:"taken instead of training one"`
}

// Outputs lists what the tokenization leaves.
func (z *Tokenize) Outputs() []pipeline.Output {
	outputs := []pipeline.Output{
		{Name: "tokens", Type: "tokens", Doc: "the ids of text"},
		{Name: "vocabulary", Type: "vocabulary", Doc: "the merges, trained or taken"},
	}
	if len(z.HeldOut) > 0 {
		outputs = append(outputs, pipeline.Output{Name: "held_out", Type: "tokens", Doc: "the ids of held_out, where that is given"})
	}
	return outputs
}

// Check tells whether the vocabulary is possible.
func (z *Tokenize) Check() error {
	var errs []error
	if len(z.Text) == 0 {
		errs = append(errs, pipeline.Errorf("text", "names no text"))
	}
	if z.VocabSize < plainBytes || z.VocabSize > bpe.MaxSize {
		errs = append(errs, pipeline.Errorf("vocab_size", "must lie within %d, plain bytes, and %d, is %d", plainBytes, bpe.MaxSize, z.VocabSize))
	}
	if !z.Vocabulary.IsZero() && z.VocabSize != plainBytes {
		errs = append(errs, pipeline.Errorf("vocab_size", "is the size of a vocabulary to be trained; this one is taken from %s", z.Vocabulary))
	}
	return errors.Join(errs...)
}

// Run reads the text, settles the vocabulary and encodes.
func (z *Tokenize) Run(ctx context.Context, t *pipeline.Task) error {
	text, err := read(t, "text", z.Text)
	if err != nil {
		return err
	}
	var vocabulary *bpe.Vocabulary
	if z.Vocabulary.IsZero() {
		vocabulary, err = train(ctx, text, z.VocabSize)
	} else {
		vocabulary, err = take(t.Input(z.Vocabulary).Path)
	}
	if err != nil {
		return err
	}
	if err := artifacts.WriteVocabulary(t.Output("vocabulary"), vocabulary.Definition()); err != nil {
		return err
	}
	if err := write(ctx, t, "tokens", text, vocabulary); err != nil || len(z.HeldOut) == 0 {
		return err
	}
	heldOut, err := read(t, "held_out", z.HeldOut)
	if err != nil {
		return err
	}
	return write(ctx, t, "held_out", heldOut, vocabulary)
}

// read returns the passages of the texts that a field names.
func read(t *pipeline.Task, field string, refs []pipeline.Ref) ([][]byte, error) {
	var passages [][]byte
	for _, ref := range refs {
		blocks, err := artifacts.ReadText(t.Input(ref).Path)
		if err != nil {
			return nil, err
		}
		for _, p := range artifacts.Join(blocks) {
			if p.Text != "" {
				passages = append(passages, []byte(p.Text))
			}
		}
	}
	if len(passages) == 0 {
		return nil, pipeline.Errorf(field, "has not one byte of text")
	}
	return passages, nil
}

// train learns the merges of a vocabulary of exactly size ids.
func train(ctx context.Context, text [][]byte, size int) (*bpe.Vocabulary, error) {
	vocabulary, err := bpe.Train(ctx, slices.Values(text), size)
	if err != nil {
		return nil, err
	}
	if reached := vocabulary.Size(); reached < size {
		return nil, pipeline.Errorf("vocab_size", "must be at most %d for this text, is %d: after that no pair of tokens occurs twice", reached, size)
	}
	return vocabulary, nil
}

// take reads a vocabulary made elsewhere.
func take(path string) (*bpe.Vocabulary, error) {
	d, err := artifacts.ReadVocabulary(path)
	if err != nil {
		return nil, err
	}
	return bpe.Build(d)
}

// write encodes passages and writes them as an output.
func write(ctx context.Context, t *pipeline.Task, output string, passages [][]byte, v *bpe.Vocabulary) error {
	parting := v.Encode(nil, []byte(separator))
	var ids []uint32
	read := 0
	for i, p := range passages {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if i > 0 {
			ids = append(ids, parting...)
			read += len(separator)
		}
		ids = v.Encode(ids, p)
		read += len(p)
	}
	fmt.Fprintf(t.Log, "%s: %d bytes in %d passages are %d tokens\n", output, read, len(passages), len(ids))
	return artifacts.WriteTokens(t.Output(output), ids, v.Definition())
}
