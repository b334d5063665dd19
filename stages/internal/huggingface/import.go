package huggingface

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"anneal/artifacts"
	"anneal/lm/bpe"
	"anneal/lm/bpe/tokenizerfile"
	"anneal/stages/internal/weights"
)

// Files of a folder, beside those of safetensors.
const (
	configFile          = "config.json"
	generationFile      = "generation_config.json"
	tokenizerFile       = "tokenizer.json"
	tokenizerConfigFile = "tokenizer_config.json"
)

// mostConfig is the length in bytes up to which a config.json is read.
const mostConfig = 1 << 20

// Import writes the model of the folder from to the folder to, as a "weights" artifact of one save point: after no step of ours, and without
// losses. The model is used with so many positions of those it has; 0: with all. One tensor is in memory at a time. Errors name a file of
// from by its name there.
func Import(ctx context.Context, from, to string, positions int, progress func(done, total int)) error {
	err := imported(ctx, from, to, positions, progress)
	if err != nil && ctx.Err() == nil {
		err = errors.New(strings.ReplaceAll(err.Error(), from+string(filepath.Separator), ""))
	}
	return err
}

func imported(ctx context.Context, from, to string, positions int, progress func(done, total int)) error {
	text, err := readConfigFile(filepath.Join(from, configFile))
	if err != nil {
		return err
	}
	m, vocab, most, err := readConfig(text)
	if err != nil {
		return fmt.Errorf("%s: %w", configFile, err)
	}
	if positions == 0 {
		positions = most
	}
	if positions > most {
		return fmt.Errorf("%s: max_position_embeddings is %d, and a context of %d is asked for", configFile, most, positions)
	}
	published, err := artifacts.OpenSafetensorsFolder(from)
	if err != nil {
		return err
	}
	defer published.Close()
	all, found, err := match(published, m, vocab)
	if err != nil {
		return err
	}
	vocabulary, err := readTokenizer(filepath.Join(from, tokenizerFile), vocab)
	if err != nil {
		return err
	}
	w, err := weights.CreateShape(to, m, positions, vocabulary)
	if err != nil {
		return err
	}
	return errors.Join(w.SaveEach(artifacts.Save{}, parameters(ctx, all, found, progress)), w.Close())
}

// parameters reads tensors one by one, each to where the one before it was.
func parameters(ctx context.Context, all []tensor, found []artifacts.Tensor, progress func(done, total int)) iter.Seq2[artifacts.Parameter, error] {
	return func(yield func(artifacts.Parameter, error) bool) {
		var most int
		for _, t := range found {
			most = max(most, t.Size())
		}
		values := make([]float32, most)
		var rows []float32
		for i, t := range all {
			progress(i, len(all))
			err := context.Cause(ctx)
			p := artifacts.Parameter{Name: t.ours.Name, Shape: t.ours.Dims, Values: values[:found[i].Size()]}
			switch {
			case err != nil:
			case t.transposed:
				rows, err = readTransposed(p.Values, rows, found[i])
			default:
				err = found[i].Read(p.Values, 0)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// readTransposed reads a matrix (rows,columns) to to, transposed, some rows at a time by way of rows, which it returns.
func readTransposed(to, rows []float32, t artifacts.Tensor) ([]float32, error) {
	stride, columns := t.Shape[0], t.Shape[1]
	if len(rows) < band*columns {
		rows = make([]float32, band*columns)
	}
	for first := 0; first < stride; first += band {
		part := rows[:min(band, stride-first)*columns]
		if err := t.Read(part, first*columns); err != nil {
			return rows, err
		}
		transpose(to[first:], stride, part, columns)
	}
	return rows, nil
}

func readConfigFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s", configFile)
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > mostConfig {
		return nil, fmt.Errorf("%s has %d bytes, and at most %d are read", configFile, info.Size(), mostConfig)
	}
	return os.ReadFile(path)
}

// readTokenizer reads the vocabulary, whose ids are rows of the model's matrix. That often has more of them than there are tokens.
func readTokenizer(path string, vocab int) (*bpe.Definition, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s; of a model that has its tokenizer in another form alone, convert that with transformers", tokenizerFile)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := tokenizerfile.ReadHuggingFace(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tokenizerFile, err)
	}
	if d.Size() > vocab {
		return nil, fmt.Errorf("%s has ids up to %d, and vocab_size of %s is %d", tokenizerFile, d.Size()-1, configFile, vocab)
	}
	for d.Size() < vocab {
		d.Tokens = append(d.Tokens, bpe.Token{Kind: bpe.Unused})
	}
	return d, nil
}
