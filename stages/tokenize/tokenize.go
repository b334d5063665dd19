// Package tokenize turns text into token ids, with a byte-pair encoding that it trains, takes from another tokenize or reads
// from a published file.
//
// A stream of ids is that of the text's passages in order, parted by a blank line ("\n\n"), which is encoded on its own:
// no token crosses the end of a passage. A passage is a stretch of a document that the text holds without a gap, so a
// document of which blocks were held out for validation is several. A vocabulary of plain bytes has no other sign for
// the end of a document; one with special tokens may have one of them after each passage instead.
//
// Text and ids pass through in portions: memory holds a vocabulary and a few megabytes a core, however long the text is.
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

const doc = `Text into token ids: byte-pair encoding, its vocabulary trained here, taken from another tokenize, or imported from a published tokenizer. 256 ids are plain bytes.

Passages are parted by a blank line, or each is followed by the special token of end_of_document, and no token crosses the end of one.`

// Tokenize is one tokenization.
type Tokenize struct {
	Text    []pipeline.Ref `hcl:"text" artifact:"text" doc:"to encode, and to train the vocabulary on"`
	HeldOut []pipeline.Ref `hcl:"held_out,optional" artifact:"text" doc:"only to encode"`

	VocabSize  int           `hcl:"vocab_size,optional" doc:"number of ids: 256 plain bytes, merges, and special tokens"`
	Vocabulary pipeline.Ref  `hcl:"vocabulary,optional" artifact:"vocabulary" doc:"taken instead of training one"`
	Import     pipeline.File `hcl:"import,optional" doc:"read instead of training one: a tokenizer.json of Hugging Face, or a rank file of tiktoken"`

	Pattern string   `hcl:"pattern,optional" values:"gpt2,llama3" doc:"how text is cut into pieces, which no token crosses: gpt2 where a vocabulary is trained and nothing is said; of a rank file it must be said"`
	Special []string `hcl:"special,optional" doc:"names of special tokens, which are never made from text: they take the last ids of a vocabulary that is trained, and those after the ranks of a rank file, where an empty name skips an id"`

	EndOfDocument string   `hcl:"end_of_document,optional" doc:"special token of the vocabulary that follows each passage, instead of a blank line between them"`
	Export        []string `hcl:"export,optional" values:"huggingface,tiktoken" doc:"files of the vocabulary in the output tokenizer: tokenizer.json, and the rank file tokenizer.tiktoken"`
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
	if len(z.Export) > 0 {
		outputs = append(outputs, pipeline.Output{Name: "tokenizer", Type: "folder", Doc: "the files of export, where that is given"})
	}
	return outputs
}

// imports tells whether a file is given.
func (z *Tokenize) imports() bool { return z.Import != pipeline.File{} }

// Check tells whether the vocabulary is possible.
func (z *Tokenize) Check() error {
	var errs []error
	if len(z.Text) == 0 {
		errs = append(errs, pipeline.Errorf("text", "names no text"))
	}
	if least := plainBytes + len(z.Special); z.VocabSize < plainBytes || z.VocabSize > bpe.MaxSize {
		errs = append(errs, pipeline.Errorf("vocab_size", "must lie within %d, plain bytes, and %d, is %d", plainBytes, bpe.MaxSize, z.VocabSize))
	} else if z.Vocabulary.IsZero() && !z.imports() && z.VocabSize < least {
		errs = append(errs, pipeline.Errorf("vocab_size", "must be at least %d, is %d: plain bytes and the special tokens", least, z.VocabSize))
	}
	from := "from the file " + z.Import.Name
	if !z.Vocabulary.IsZero() {
		from = "from " + z.Vocabulary.String()
		if z.imports() {
			errs = append(errs, pipeline.Errorf("import", "cannot stand beside vocabulary: there is one vocabulary, and this one is taken %s", from))
		}
		if z.Pattern != "" {
			errs = append(errs, pipeline.Errorf("pattern", "is that of a vocabulary to be trained, or of a rank file; this one is taken %s", from))
		}
		if len(z.Special) > 0 {
			errs = append(errs, pipeline.Errorf("special", "names tokens of a vocabulary to be trained, or of a rank file; this one is taken %s", from))
		}
	}
	if (!z.Vocabulary.IsZero() || z.imports()) && z.VocabSize != plainBytes {
		errs = append(errs, pipeline.Errorf("vocab_size", "is the size of a vocabulary to be trained; this one is taken %s", from))
	}
	for i, name := range z.Special {
		if name == "" && !z.imports() {
			errs = append(errs, pipeline.Errorf("special", "has an empty name, element %d", i))
		}
		if name != "" && slices.Contains(z.Special[:i], name) {
			errs = append(errs, pipeline.Errorf("special", "names %q twice", name))
		}
		if len(name) > bpe.MaxToken {
			errs = append(errs, pipeline.Errorf("special", "has a name of %d bytes, element %d; at most %d are allowed", len(name), i, bpe.MaxToken))
		}
	}
	if z.EndOfDocument != "" && z.Vocabulary.IsZero() && !z.imports() && !slices.Contains(z.Special, z.EndOfDocument) {
		errs = append(errs, pipeline.Errorf("end_of_document", "is %q, which special does not name", z.EndOfDocument))
	}
	for i, format := range z.Export {
		if slices.Contains(z.Export[:i], format) {
			errs = append(errs, pipeline.Errorf("export", "names %q twice", format))
		}
	}
	return errors.Join(errs...)
}

// Run settles the vocabulary and encodes the text.
func (z *Tokenize) Run(ctx context.Context, t *pipeline.Task) error {
	text, heldOut := passages(ctx, t, z.Text), passages(ctx, t, z.HeldOut)
	if err := demand("text", text); err != nil {
		return err
	}
	if len(z.HeldOut) > 0 {
		if err := demand("held_out", heldOut); err != nil {
			return err
		}
	}
	v, err := z.vocabulary(ctx, t, text)
	if err != nil {
		return err
	}
	definition := v.Definition()
	if err := artifacts.WriteVocabulary(t.Output("vocabulary"), definition); err != nil {
		return err
	}
	if len(z.Export) > 0 {
		if err := export(t.Output("tokenizer"), definition, z.Export); err != nil {
			return err
		}
	}
	w := &writer{v: v, definition: definition}
	if z.EndOfDocument == "" {
		// A text begins with the space of a vocabulary's prefix, what parts two does not.
		w.between, _ = v.EncodeSome(nil, []byte("\n\n"), false)
	} else if id, ok := v.Special(z.EndOfDocument); ok {
		w.after = []uint32{id}
	} else {
		return pipeline.Errorf("end_of_document", "is %q, which is no special token of the vocabulary%s", z.EndOfDocument, specials(definition))
	}
	if err := w.write(t, "tokens", text); err != nil || len(z.HeldOut) == 0 {
		return err
	}
	return w.write(t, "held_out", heldOut)
}

// specials says which special tokens there are.
func specials(d *bpe.Definition) string {
	const shown = 8
	var names []string
	for _, t := range d.Tokens {
		if t.Kind == bpe.Special {
			names = append(names, string(t.Bytes))
		}
	}
	switch n := len(names); {
	case n == 0:
		return "; it has none"
	case n > shown:
		return fmt.Sprintf("; it has %q and %d more", names[:shown], n-shown)
	}
	return fmt.Sprintf("; it has %q", names)
}
