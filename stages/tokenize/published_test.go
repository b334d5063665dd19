package tokenize_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/lm/bpe"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
)

// ids returns the ids of an artifact.
func ids(tokens *artifacts.Tokens) []uint32 {
	all := slices.Clone(tokens.Uint32())
	for _, id := range tokens.Uint16() {
		all = append(all, uint32(id))
	}
	return all
}

func TestEndOfDocument(t *testing.T) {
	run := pipelinetest.Run(t, kinds, 1, `
given "a" {
  words = ["0123456789abcdefghijABCDEFGHIJ", "second"]
  gap   = true # the second block is missing
}
given "b" { words = ["third"] }
tokenize "t" {
  text            = [given.a.text, given.b.text]
  held_out        = [given.b.text]
  vocab_size      = 258
  special         = ["<|pad|>", "<|end|>"]
  end_of_document = "<|end|>"
}`, nil)
	tokens := open(t, run.Path("tokenize.t", "tokens"))
	if got, want := text(t, tokens), "0123456789<|end|>ABCDEFGHIJ<|end|>second<|end|>third<|end|>"; got != want {
		t.Errorf("the tokens spell %q, want %q", got, want)
	}
	ends := 0
	for _, id := range ids(tokens) {
		if id == 257 {
			ends++
		}
	}
	if kind := tokens.Vocabulary.Tokens[257].Kind; ends != 4 || kind != bpe.Special {
		t.Errorf("%d ends of kind %d, want 4 of kind %d", ends, kind, bpe.Special)
	}
	if got := text(t, open(t, run.Path("tokenize.t", "held_out"))); got != "third<|end|>" {
		t.Errorf("the held-out tokens spell %q", got)
	}
}

func TestNamesOfSpecialTokensAreText(t *testing.T) {
	run := pipelinetest.Run(t, kinds, 1, `
given "a" { words = ["<|end|>"] }
tokenize "t" {
  text       = [given.a.text]
  vocab_size = 257
  special    = ["<|end|>"]
}`, nil)
	if got := ids(open(t, run.Path("tokenize.t", "tokens"))); len(got) != len("<|end|>") || slices.Contains(got, 256) {
		t.Errorf("ids are %v", got)
	}
}

// TestPattern trains on digits, which GPT-2's pattern leaves together and Llama 3's cuts into threes.
func TestPattern(t *testing.T) {
	for pattern, want := range map[string]bool{"gpt2": true, "llama3": false} {
		run := pipelinetest.Run(t, kinds, 1, fmt.Sprintf(`
given "a" { words = ["123456 123456 123456 123456 123456 123456"] }
tokenize "t" {
  text       = [given.a.text]
  vocab_size = 260
  pattern    = %q
}`, pattern), nil)
		d := open(t, run.Path("tokenize.t", "tokens")).Vocabulary
		longest := 0
		for _, token := range d.Tokens {
			longest = max(longest, len(strings.TrimSpace(string(token.Bytes))))
		}
		if got := longest > 3; got != want {
			t.Errorf("%s: the longest token has %d digits", pattern, longest)
		}
	}
}

// TestExportAndImport takes a trained vocabulary out as a file of each format, and back in.
func TestExportAndImport(t *testing.T) {
	first := pipelinetest.Run(t, kinds, 1, texts+`
tokenize "t" {
  text       = [given.train.text]
  vocab_size = 270
  special    = ["<|end|>"]
  export     = ["huggingface", "tiktoken"]
}`, nil)
	if out := fmt.Sprint(first.Err("tokenize.t")); out != "<nil>" {
		t.Fatal(out)
	}
	files := map[string]string{}
	for _, name := range []string{"tokenizer.json", "tokenizer.tiktoken"} {
		data, err := os.ReadFile(filepath.Join(first.Path("tokenize.t", "tokenizer"), name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	second := pipelinetest.Run(t, kinds, 1, texts+`
tokenize "huggingface" {
  text   = [given.train.text]
  import = "tokenizer.json"
}
tokenize "tiktoken" {
  text    = [given.train.text]
  import  = "tokenizer.tiktoken"
  pattern = "gpt2"
  special = ["<|end|>"]
}`, files)
	for _, output := range []string{"vocabulary", "tokens"} {
		if first.Blob("tokenize.t", output) != second.Blob("tokenize.huggingface", output) {
			t.Errorf("%s of the tokenizer.json is another", output)
		}
	}
	want := ids(open(t, first.Path("tokenize.t", "tokens")))
	if got := ids(open(t, second.Path("tokenize.tiktoken", "tokens"))); !slices.Equal(got, want) {
		t.Errorf("ids of the rank file are %v, want %v", got, want)
	}
}

func TestWhatCannotBeImported(t *testing.T) {
	files := map[string]string{
		"unigram.json": ` {"model": {"type": "Unigram"}}`,
		"plain.json":   `{"model": {"type": "BPE"}}`,
		"some.ranks":   "YQ== 0\n",
		"words.txt":    "once upon a time",
	}
	for _, c := range []struct{ body, want string }{
		{`import = "unigram.json"`, `unigram.json", which cannot be taken as a tokenizer: model.type is "Unigram"; supported is "BPE"`},
		{"import = \"plain.json\"\npattern = \"llama3\"", `pattern: is that of a rank file`},
		{"import = \"plain.json\"\nspecial = [\"<|end|>\"]", `special: names tokens of a rank file`},
		{`import = "some.ranks"`, `pattern: is needed`},
		{"import = \"some.ranks\"\npattern = \"gpt2\"", `no token is the byte 0x00`},
		{"import = \"words.txt\"\npattern = \"gpt2\"", `line 1 has the rank "upon a time"`},
		{"vocabulary = tokenize.u.vocabulary\nend_of_document = \"<|end|>\"", `end_of_document: is "<|end|>", which is no special token of the vocabulary; it has ["<|pad|>"]`},
	} {
		run := pipelinetest.Run(t, kinds, 1, texts+`
tokenize "u" {
  text       = [given.held.text]
  vocab_size = 257
  special    = ["<|pad|>"]
}
tokenize "t" {
  text = [given.train.text]
`+c.body+"\n}", files)
		if err := run.Err("tokenize.t"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s gives error %v, want %q", c.body, err, c.want)
		}
	}
}

func TestCheckPublished(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"vocab_size = 257\nspecial = [\"a\", \"b\"]", "must be at least 258, is 257: plain bytes and the special tokens"},
		{"vocab_size = 300\nspecial = [\"a\", \"a\"]", `special names "a" twice`},
		{"vocab_size = 300\nspecial = [\"\"]", "special has an empty name, element 0"},
		{"vocab_size = 300\nspecial = [\"a\"]\nend_of_document = \"b\"", `end_of_document is "b", which special does not name`},
		{"import = \"f\"\nvocab_size = 300", "this one is taken from the file"},
		{"import = \"f\"\nvocabulary = tokenize.u.vocabulary", "import cannot stand beside vocabulary"},
		{"pattern = \"gpt2\"\nvocabulary = tokenize.u.vocabulary", "pattern is that of a vocabulary to be trained"},
		{"special = [\"a\"]\nvocabulary = tokenize.u.vocabulary", "special names tokens of a vocabulary to be trained"},
		{`export = ["tiktoken", "tiktoken"]`, `export names "tiktoken" twice`},
		{`export = ["bert"]`, "bert"},
		{`pattern = "bert"`, "bert"},
	} {
		body := texts + "tokenize \"u\" { text = [given.held.text] }\ntokenize \"t\" {\ntext = [given.train.text]\n" + c.body + "\n}"
		if _, err := pipelinetest.Load(t, kinds, body, map[string]string{"f": "x"}); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "\n", " "), c.want) {
			t.Errorf("%s gives error %v, want %q", c.body, err, c.want)
		}
	}
}

// TestAnyBytes tokenizes bytes that are no text, by one core and by four: both give equal artifacts, which spell the bytes.
func TestAnyBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	documents := make([]string, 30)
	for i := range documents {
		b := make([]byte, r.IntN(60000))
		for k := range b {
			if b[k] = byte(r.Uint32()); r.IntN(3) > 0 {
				b[k] = " the\n12'é"[r.IntN(10)]
			}
		}
		documents[i] = string(b)
	}
	kind := &pipeline.Kind{Name: "binary", Version: 1, New: func() pipeline.Stage { return &binary{documents} }}
	body := `
binary "b" {}
tokenize "t" {
  text       = [binary.b.text]
  vocab_size = 600
  pattern    = "llama3"
}`
	one := pipelinetest.Run(t, append(kinds, kind), 1, body, nil)
	four := pipelinetest.Run(t, append(kinds, kind), 4, body, nil)
	for _, output := range []string{"vocabulary", "tokens"} {
		if one.Blob("tokenize.t", output) != four.Blob("tokenize.t", output) {
			t.Errorf("%s of four cores is another than of one", output)
		}
	}
	want := strings.Join(slices.DeleteFunc(documents, func(s string) bool { return s == "" }), "\n\n")
	if got := text(t, open(t, four.Path("tokenize.t", "tokens"))); got != want {
		t.Error("the tokens do not spell the bytes")
	}
}

// binary is a kind that leaves documents of any bytes.
type binary struct{ documents []string }

func (*binary) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "text", Type: "text"}} }

func (b *binary) Run(_ context.Context, t *pipeline.Task) error {
	w, err := artifacts.CreateBytesText(t.Output("text"))
	if err != nil {
		return err
	}
	for i, document := range b.documents {
		for from := 0; from < len(document); from += 7000 {
			err = errors.Join(err, w.Write(artifacts.Block{Document: int64(i), Offset: int64(from), Text: document[from:min(from+7000, len(document))]}))
		}
	}
	return errors.Join(err, w.Close())
}
