package tokenize

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"unicode"

	"anneal/artifacts"
	"anneal/lm/bpe"
	"anneal/lm/bpe/tokenizerfile"
	"anneal/pipeline"
)

// patterns are the words of the attribute pattern.
var patterns = map[string]bpe.Pattern{"": bpe.GPT2, "gpt2": bpe.GPT2, "llama3": bpe.Llama3}

// vocabulary takes, reads or trains the vocabulary.
func (z *Tokenize) vocabulary(ctx context.Context, t *pipeline.Task, text iter.Seq2[part, error]) (*bpe.Vocabulary, error) {
	var d *bpe.Definition
	var err error
	switch {
	case !z.Vocabulary.IsZero():
		d, err = artifacts.ReadVocabulary(t.Input(z.Vocabulary).Path)
	case z.imports():
		d, err = z.read(t.File(z.Import))
	default:
		return z.train(ctx, text, t.Cores())
	}
	if err != nil {
		return nil, err
	}
	return bpe.Build(d)
}

// train learns a vocabulary of exactly vocab_size ids.
func (z *Tokenize) train(ctx context.Context, text iter.Seq2[part, error], workers int) (*bpe.Vocabulary, error) {
	var failure error
	v, err := bpe.TrainWith(ctx, texts(text, &failure), z.VocabSize, bpe.TrainOptions{Pattern: patterns[z.Pattern], Special: z.Special, Workers: workers})
	if err := errors.Join(failure, err); err != nil {
		return nil, err
	}
	if reached := v.Size(); reached < z.VocabSize {
		return nil, pipeline.Errorf("vocab_size", "must be at most %d for this text, is %d: after that no pair of tokens occurs twice", reached, z.VocabSize)
	}
	return v, nil
}

// read reads a published tokenizer, of the format that its first character tells: a tokenizer.json is an object.
func (z *Tokenize) read(path string) (*bpe.Definition, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.IsDir() {
		return nil, pipeline.Errorf("import", "names %s %q, a folder; a tokenizer is one file of it: tokenizer.json, say", z.Import.Source, z.Import.Name)
	}
	r := bufio.NewReader(f)
	object, err := startsObject(r)
	if err != nil {
		return nil, err
	}
	var d *bpe.Definition
	if object {
		if z.Pattern != "" {
			return nil, pipeline.Errorf("pattern", "is that of a rank file; %s %q is a tokenizer.json, which has its own", z.Import.Source, z.Import.Name)
		}
		if len(z.Special) > 0 {
			return nil, pipeline.Errorf("special", "names tokens of a rank file; %s %q is a tokenizer.json, which has its own", z.Import.Source, z.Import.Name)
		}
		d, err = tokenizerfile.ReadHuggingFace(r)
	} else {
		if z.Pattern == "" {
			return nil, pipeline.Errorf("pattern", "is needed: %s %q is a rank file, which does not say how text is cut into pieces; that of r50k and p50k is gpt2, that of cl100k is llama3", z.Import.Source, z.Import.Name)
		}
		d, err = tokenizerfile.ReadTiktoken(r, patterns[z.Pattern], z.Special)
	}
	if err != nil {
		return nil, pipeline.Errorf("import", "names %s %q, which cannot be taken as a tokenizer: %v", z.Import.Source, z.Import.Name, err)
	}
	return d, nil
}

// startsObject tells whether the first character that is no space is that of a JSON object.
func startsObject(r *bufio.Reader) (bool, error) {
	for {
		c, _, err := r.ReadRune()
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		case !unicode.IsSpace(c):
			return c == '{', r.UnreadRune()
		}
	}
}

// export writes a vocabulary into files that others read.
func export(dir string, d *bpe.Definition, formats []string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, format := range formats {
		name, write := "tokenizer.json", tokenizerfile.WriteHuggingFace
		if format == "tiktoken" {
			name, write = "tokenizer.tiktoken", tokenizerfile.WriteTiktoken
		}
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		err = write(f, d)
		if closed := f.Close(); closed != nil {
			return closed
		}
		if err != nil {
			return pipeline.Errorf("export", "names %q, in which this vocabulary cannot be written: %v", format, err)
		}
	}
	return nil
}
