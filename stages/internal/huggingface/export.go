package huggingface

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"anneal/artifacts"
	"anneal/lm/bpe"
	"anneal/lm/bpe/tokenizerfile"
	"anneal/stages/internal/weights"
)

// dtypes are those of the files, by torch's names.
var dtypes = map[string]artifacts.DType{"float32": artifacts.F32, "float16": artifacts.F16, "bfloat16": artifacts.BF16}

// Export writes one save point of from to the folder to, which it makes: config.json, generation_config.json, tokenizer.json with its
// tokenizer_config.json, and the weights, in files of at most shard bytes, as numbers of a dtype: float32, float16 or bfloat16.
// One tensor is in memory at a time.
func Export(ctx context.Context, from *artifacts.Weights, save artifacts.Save, to, dtype string, shard int64, progress func(done, total int)) error {
	m, err := weights.Shape(from)
	if err != nil {
		return err
	}
	if m.Classes > 0 {
		return fmt.Errorf("its output matrix tells %d classes apart, and only models whose outputs are tokens can be exported", m.Classes)
	}
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	bos, eos := marks(from.Vocabulary)
	c := configOf(m, from.VocabularySize, from.Context, dtype, id(bos), id(eos))
	tokenizer := tokenizerConfig{Class: "PreTrainedTokenizerFast", MaxLength: from.Context, BOS: name(bos), EOS: name(eos)}
	for file, content := range map[string]any{configFile: c, generationFile: generation{c.BOS, c.EOS}, tokenizerConfigFile: tokenizer} {
		if err := writeJSON(filepath.Join(to, file), content); err != nil {
			return err
		}
	}
	if err := writeTokenizer(filepath.Join(to, tokenizerFile), from.Vocabulary); err != nil {
		return err
	}
	stored, err := from.Parameters(save)
	if err != nil {
		return err
	}
	defer stored.Close()
	all := tensorsOf(m, from.VocabularySize)
	var shapes []artifacts.TensorShape
	for i, t := range all {
		if i >= len(stored.List) || stored.List[i].Name != t.ours.Name || !slices.Equal(stored.List[i].Shape, t.ours.Dims) {
			return fmt.Errorf("parameter %s is not where its model has it", t.ours.Name)
		}
		shapes = append(shapes, t.theirs)
	}
	done := 0
	return artifacts.WriteSafetensorsFolder(to, dtypes[dtype], shard, shapes, func(i int, values []float32) error {
		progress(done, len(all))
		done++
		if all[i].transposed {
			transpose(values, all[i].ours.Dims[0], stored.List[i].Values, all[i].ours.Dims[1])
		} else {
			copy(values, stored.List[i].Values)
		}
		return context.Cause(ctx)
	})
}

// generation is what generation_config.json says: where a text ends.
type generation struct {
	BOS *uint32 `json:"bos_token_id,omitempty"`
	EOS *uint32 `json:"eos_token_id,omitempty"`
}

// tokenizerConfig is what tokenizer_config.json says.
type tokenizerConfig struct {
	Class     string `json:"tokenizer_class"`
	MaxLength int    `json:"model_max_length"`
	BOS       string `json:"bos_token,omitempty"`
	EOS       string `json:"eos_token,omitempty"`
	CleanUp   bool   `json:"clean_up_tokenization_spaces"` // of text that is decoded: it stays as it is
}

func writeJSON(path string, content any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // names of tokens are full of angle brackets
	if err := e.Encode(content); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o666)
}

func writeTokenizer(path string, d *bpe.Definition) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(tokenizerfile.WriteHuggingFace(f, d), f.Close())
}

// special is a special token by its id and name.
type special struct {
	id   uint32
	name string
}

// marks returns the tokens that stand at the beginnings and ends of texts, by the names that published vocabularies give them; one that is not
// there is nil. A vocabulary with a single special token of another name ends texts with it.
func marks(d *bpe.Definition) (bos, eos *special) {
	var all []special
	for id, t := range d.Tokens {
		if t.Kind == bpe.Special {
			all = append(all, special{uint32(id), string(t.Bytes)})
		}
	}
	find := func(names ...string) *special {
		for _, name := range names {
			if i := slices.IndexFunc(all, func(s special) bool { return s.name == name }); i >= 0 {
				return &all[i]
			}
		}
		return nil
	}
	bos, eos = find("<|begin_of_text|>", "<s>"), find("<|endoftext|>", "<|end_of_text|>", "</s>")
	if eos == nil && len(all) == 1 && bos == nil {
		eos = &all[0]
	}
	return bos, eos
}

func id(s *special) *uint32 {
	if s == nil {
		return nil
	}
	return &s.id
}

func name(s *special) string {
	if s == nil {
		return ""
	}
	return s.name
}
