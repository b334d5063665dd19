package huggingface

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/lm/bpe"
	"anneal/stages/internal/weights"
)

// shapes have all that folders can say: both families, shared keys, tied matrices, norms and positions of their own.
var shapes = map[string]lm.Model{
	"llama":        {Family: "llama", Layers: 2, Width: 40, Heads: 4, FF: 24, NormEps: 1e-5, RopeTheta: 10000},
	"llama shared": {Family: "llama", Layers: 1, Width: 8, Heads: 4, KVHeads: 2, FF: 12, Tied: true, NormEps: 1e-6, RopeTheta: 500000},
	"olmo2":        {Family: "olmo2", Layers: 2, Width: 8, Heads: 2, KVHeads: 1, FF: 20, NormEps: 1e-6, RopeTheta: 500000},
	"olmo2 tied":   {Family: "olmo2", Layers: 1, Width: 8, Heads: 2, FF: 12, Tied: true, NormEps: 1e-5, RopeTheta: 10000},
}

// vocabulary is of bytes, a merge and the end of a text.
func vocabulary() *bpe.Definition {
	d := bpe.Plain([]bpe.Merge{{Left: 'a', Right: 'b'}})
	d.Tokens = append(d.Tokens, bpe.Token{Bytes: []byte("<|endoftext|>"), Kind: bpe.Special})
	return d
}

// written leaves a "weights" artifact of a new model.
func written(t *testing.T, m lm.Model) string {
	t.Helper()
	d := vocabulary()
	net, err := lm.New(m, d.Size(), 16, 1)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "weights")
	w, err := weights.Create(path, net, d)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Save(artifacts.Save{Step: 7}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func quiet(int, int) {}

// exported leaves the folder of a "weights" artifact.
func exported(t *testing.T, path, dtype string, shard int64) string {
	t.Helper()
	w, err := artifacts.OpenWeights(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "folder")
	if err := Export(t.Context(), w, w.Last(), to, dtype, shard, quiet); err != nil {
		t.Fatal(err)
	}
	return to
}

// imported leaves the "weights" artifact of a folder.
func importedFolder(t *testing.T, folder string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "weights")
	if err := Import(t.Context(), folder, to, 0, quiet); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestRoundTrip: what is exported and imported is the same model, to the bit in float32; what is rounded once is rounded no more.
func TestRoundTrip(t *testing.T) {
	for name, m := range shapes {
		for dtype := range dtypes {
			for _, shard := range []int64{1, 1000, 1 << 30} {
				path := written(t, m)
				folder := exported(t, path, dtype, shard)
				back := importedFolder(t, folder)
				want, err1 := weights.Load(path)
				got, err2 := weights.Load(back)
				if err1 != nil || err2 != nil {
					t.Fatalf("%s as %s: %v %v", name, dtype, err1, err2)
				}
				if got.Net.Model() != m || got.Net.Context() != 16 || !got.Definition.Equal(want.Definition) || got.Save.Step != 0 {
					t.Errorf("%s as %s: came back as %+v of context %d", name, dtype, got.Net.Model(), got.Net.Context())
				}
				for i, p := range want.Net.Parameters() {
					if dtype == "float32" && !slices.Equal(p.Value.Data().([]float32), got.Net.Parameters()[i].Value.Data().([]float32)) {
						t.Errorf("%s: %s has other numbers", name, p.Name)
					}
				}
				if diff := differing(t, folder, exported(t, back, dtype, shard)); diff != "" {
					t.Errorf("%s as %s, shards of %d: %s is another the second time", name, dtype, shard, diff)
				}
			}
		}
	}
}

// differing names a file that two folders do not share, or "".
func differing(t *testing.T, a, b string) string {
	t.Helper()
	for _, dirs := range [][2]string{{a, b}, {b, a}} {
		entries, err := os.ReadDir(dirs[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			one, err1 := os.ReadFile(filepath.Join(dirs[0], e.Name()))
			other, err2 := os.ReadFile(filepath.Join(dirs[1], e.Name()))
			if err1 != nil || err2 != nil || !slices.Equal(one, other) {
				return e.Name()
			}
		}
	}
	return ""
}

// TestMoreRowsThanTokens: rows of the matrix that no token has are kept, and their ids never used.
func TestMoreRowsThanTokens(t *testing.T) {
	d := vocabulary()
	for range 6 {
		d.Tokens = append(d.Tokens, bpe.Token{Kind: bpe.Unused})
	}
	net, err := lm.New(shapes["olmo2"], d.Size(), 16, 1)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "weights")
	w, err := weights.Create(path, net, d)
	if err == nil {
		err = w.Save(artifacts.Save{})
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := weights.Load(importedFolder(t, exported(t, path, "float32", 1<<30)))
	if err != nil || got.Net.Vocab() != 264 || !got.Definition.Equal(d) {
		t.Fatalf("came back with %d rows: %v", got.Net.Vocab(), err)
	}
}

// TestMarks: which tokens begin and end a text, by the names that published vocabularies give them.
func TestMarks(t *testing.T) {
	for _, c := range []struct{ special, bos, eos string }{
		{"", "", ""},
		{"<|endoftext|>", "", "<|endoftext|>"},
		{"<unk> <s> </s>", "<s>", "</s>"},
		{"<|begin_of_text|> <|end_of_text|> <|eot_id|>", "<|begin_of_text|>", "<|end_of_text|>"},
		{"[END]", "", "[END]"},
		{"[A] [B]", "", ""},
	} {
		d := bpe.Plain(nil)
		for _, name := range strings.Fields(c.special) {
			d.Tokens = append(d.Tokens, bpe.Token{Bytes: []byte(name), Kind: bpe.Special})
		}
		bos, eos := marks(d)
		if name(bos) != c.bos || name(eos) != c.eos {
			t.Errorf("%q: begins with %q, ends with %q", c.special, name(bos), name(eos))
		}
	}
}

// edited changes fields of a folder's config.json; nil takes one out.
func edited(t *testing.T, folder string, fields map[string]any) {
	t.Helper()
	path := filepath.Join(folder, configFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	for name, v := range fields {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	text, err = json.Marshal(c)
	if err == nil {
		err = os.WriteFile(path, text, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestConfigs: what transformers takes for granted holds here too, and what would make another model is refused.
func TestConfigs(t *testing.T) {
	folder := exported(t, written(t, shapes["llama"]), "float32", 1<<30)
	text, err := os.ReadFile(filepath.Join(folder, configFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		fields map[string]any
		want   string // of the error; "": none
	}{
		{map[string]any{"rms_norm_eps": nil, "num_key_value_heads": nil, "hidden_act": nil, "head_dim": nil, "tie_word_embeddings": nil}, ""},
		{map[string]any{"head_dim": 10, "attention_bias": false, "mlp_bias": false, "attention_dropout": 0, "something_new": []int{1}}, ""},
		{map[string]any{"rope_theta": nil, "rope_parameters": map[string]any{"rope_type": "default", "rope_theta": 10000}}, ""},
		{map[string]any{"eos_token_id": []int{1, 2}, "pad_token_id": -1, "model_type": nil}, ""},
		{map[string]any{"sliding_window": 16}, ""},
		{map[string]any{"sliding_window": 8, "use_sliding_window": false}, ""},
		{map[string]any{"sliding_window": 8}, "sliding_window is 8, and attention here sees all positions before its own"},
		{map[string]any{"model_type": "mistral"}, "config.json: model_type is mistral, and that of LlamaForCausalLM is llama"},
		{map[string]any{"num_attention_heads": 3}, "config.json: num_attention_heads must divide width 40"},
		{map[string]any{"num_key_value_heads": 3}, "config.json: num_key_value_heads must divide heads 4, is 3"},
		{map[string]any{"rms_norm_eps": 0}, "config.json: rms_norm_eps must be above 0"},
		{map[string]any{"rope_theta": 1}, "config.json: rope_theta must be above 1, is 1"},
		{map[string]any{"architectures": []string{"GPT2LMHeadModel"}}, "config.json: architectures is GPT2LMHeadModel: what can be read is LlamaForCausalLM and Olmo2ForCausalLM"},
		{map[string]any{"architectures": nil}, "config.json: architectures is [], want one"},
		{map[string]any{"rope_scaling": map[string]any{"rope_type": "llama3", "factor": 32}}, `rope_scaling is of type "llama3", and positions here are not scaled`},
		{map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 2}}, `rope_scaling is of type "linear"`},
		{map[string]any{"rope_parameters": map[string]any{"rope_type": "yarn"}}, `rope_parameters is of type "yarn"`},
		{map[string]any{"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"},
		{map[string]any{"attention_bias": true}, "attention_bias is true, and models here have no biases"},
		{map[string]any{"mlp_bias": true}, "mlp_bias is true"},
		{map[string]any{"hidden_act": "gelu"}, "hidden_act is gelu"},
		{map[string]any{"head_dim": 12}, "head_dim is 12"},
		{map[string]any{"quantization_config": map[string]any{"bits": 4}}, "quantized weights cannot be read"},
		{map[string]any{"num_hidden_layers": 1 << 40}, "there are 21 tensors, too few for num_hidden_layers of 1099511627776"},
		{map[string]any{"num_hidden_layers": 0}, "num_hidden_layers is 0, must be at least 1"},
		{map[string]any{"num_key_value_heads": 0}, "num_key_value_heads is 0"},
		{map[string]any{"hidden_size": 1 << 60}, "tensor model.embed_tokens.weight is of shape [258 40], config.json asks for [258 1152921504606846976]"},
		{map[string]any{"max_position_embeddings": 0}, "max_position_embeddings is 0, must be 1 to 1048576"},
		{map[string]any{"vocab_size": 0}, "vocab_size is 0"},
		{map[string]any{"vocab_size": "many"}, "config.json: vocab_size is of another type than it should be, string"},
		{map[string]any{"num_hidden_layers": 1}, "tensor model.layers.1.input_layernorm.weight belongs to no part of the model that config.json describes"},
		{map[string]any{"num_hidden_layers": 3}, "tensor model.layers.2.input_layernorm.weight is missing"},
		{map[string]any{"tie_word_embeddings": true}, "tensor lm_head.weight is another than model.embed_tokens.weight, with which tie_word_embeddings makes it one"},
		{map[string]any{"architectures": []string{"Olmo2ForCausalLM"}, "model_type": "olmo2"}, "tensor model.layers.0.self_attn.q_norm.weight is missing"},
		{map[string]any{"vocab_size": 257}, "tensor model.embed_tokens.weight is of shape [258 40], config.json asks for [257 40]"},
	} {
		if err := os.WriteFile(filepath.Join(folder, configFile), text, 0o666); err != nil {
			t.Fatal(err)
		}
		edited(t, folder, c.fields)
		to := filepath.Join(t.TempDir(), "weights")
		err := Import(t.Context(), folder, to, 0, quiet)
		switch {
		case c.want == "":
			if err != nil {
				t.Errorf("%v: %v", c.fields, err)
			}
		case err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), folder):
			t.Errorf("%v: error %v, want %q", c.fields, err, c.want)
		}
	}
}

// TestBadFolders: files that are missing or of another kind are named, by their names in the folder.
func TestBadFolders(t *testing.T) {
	path := written(t, shapes["llama shared"])
	for _, c := range []struct {
		name  string
		spoil func(folder string) error
		want  string
	}{
		{"no configuration", func(f string) error { return os.Remove(filepath.Join(f, configFile)) }, "there is no config.json"},
		{"a large configuration", func(f string) error { return os.Truncate(filepath.Join(f, configFile), 1<<21) }, "config.json has 2097152 bytes, and at most 1048576 are read"},
		{"no weights", func(f string) error { return os.Remove(filepath.Join(f, "model.safetensors")) }, "there is no model.safetensors, and no model.safetensors.index.json"},
		{"weights cut short", func(f string) error { return os.Truncate(filepath.Join(f, "model.safetensors"), 3000) }, "model.safetensors: "},
		{"no tokenizer", func(f string) error { return os.Remove(filepath.Join(f, tokenizerFile)) }, "there is no tokenizer.json"},
		{"another tokenizer", func(f string) error {
			return os.WriteFile(filepath.Join(f, tokenizerFile), []byte(`{"model": {"type": "Unigram"}}`), 0o666)
		}, `tokenizer.json: model.type is "Unigram"`},
	} {
		folder := exported(t, path, "float32", 1<<30)
		if err := c.spoil(folder); err != nil {
			t.Fatal(err)
		}
		err := Import(t.Context(), folder, filepath.Join(t.TempDir(), "weights"), 0, quiet)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), folder+"/") {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	err := Import(t.Context(), exported(t, path, "float32", 1<<30), filepath.Join(t.TempDir(), "weights"), 17, quiet)
	if want := "config.json: max_position_embeddings is 16, and a context of 17 is asked for"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

// TestStopped: a stop ends both ways between two tensors.
func TestStopped(t *testing.T) {
	path := written(t, shapes["olmo2"])
	folder := exported(t, path, "float32", 1<<30)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := Import(ctx, folder, filepath.Join(t.TempDir(), "weights"), 0, quiet); !errors.Is(err, context.Canceled) {
		t.Errorf("import: %v", err)
	}
	w, err := artifacts.OpenWeights(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Export(ctx, w, w.Last(), filepath.Join(t.TempDir(), "folder"), "float32", 1<<30, quiet); !errors.Is(err, context.Canceled) {
		t.Errorf("export: %v", err)
	}
}

// TestRefusedExports: what transformers has no class for, and numbers that a type cannot hold.
func TestRefusedExports(t *testing.T) {
	d := vocabulary()
	classes := shapes["llama"].OfClasses(1)
	for _, c := range []struct {
		m     lm.Model
		value float32
		want  string
	}{
		{classes, 0, "its output matrix tells 1 classes apart"},
		{shapes["llama"], 1e6, "tensor model.norm.weight: "},
	} {
		net, err := lm.New(c.m, d.Size(), 16, 1)
		if err != nil {
			t.Fatal(err)
		}
		net.Parameter("norm").Data().([]float32)[0] = c.value
		path := filepath.Join(t.TempDir(), "weights")
		w, err := weights.Create(path, net, d)
		if err == nil {
			err = w.Save(artifacts.Save{})
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		from, err := artifacts.OpenWeights(path)
		if err != nil {
			t.Fatal(err)
		}
		err = Export(t.Context(), from, from.Last(), filepath.Join(t.TempDir(), "folder"), "float16", 1<<30, quiet)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// TestTranspose compares with the definition, across bands of rows.
func TestTranspose(t *testing.T) {
	for _, rows := range []int{1, band - 1, band, 2*band + 3} {
		for _, columns := range []int{1, 5} {
			from, to := make([]float32, rows*columns), make([]float32, rows*columns)
			for i := range from {
				from[i] = float32(i)
			}
			transpose(to, rows, from, columns)
			for i := range rows {
				for j := range columns {
					if to[j*rows+i] != from[i*columns+j] {
						t.Fatalf("%d×%d: element (%d,%d) is %g", rows, columns, i, j, to[j*rows+i])
					}
				}
			}
		}
	}
}
