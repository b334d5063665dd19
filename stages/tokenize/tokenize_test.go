package tokenize_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/lm/bpe"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
	"anneal/stages/tokenize"
)

// given is a kind that leaves texts as a test asks for them.
type given struct {
	Words []string `hcl:"words"` // each a document
	Gap   bool     `hcl:"gap,optional"`
}

func (*given) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "text", Type: "text"}} }

func (g *given) Run(_ context.Context, t *pipeline.Task) error {
	var blocks []artifacts.Block
	for i, words := range g.Words {
		for from := 0; from < len(words); from += 10 {
			blocks = append(blocks, artifacts.Block{Document: int64(i), Offset: int64(from), Text: words[from:min(from+10, len(words))]})
		}
	}
	if g.Gap {
		blocks = append(blocks[:1], blocks[2:]...)
	}
	return artifacts.WriteText(t.Output("text"), blocks)
}

var kinds = []*pipeline.Kind{
	{Name: "given", Version: 1, New: func() pipeline.Stage { return &given{} }},
	tokenize.Kind,
}

// texts are those that the tests tokenize.
var texts = fmt.Sprintf(`
given "train" { words = [%q, %q] }
given "held" { words = [%q] }
given "none" { words = [] }
`, strings.Repeat("The rays of light are bent by the prism. ", 40), "Größer 🌱\n\n日本", strings.Repeat("snow falls on snow ", 9))

// text returns what the tokens of an artifact spell.
func text(t *testing.T, tokens *artifacts.Tokens) string {
	t.Helper()
	var ids []uint32
	for _, id := range tokens.Uint16() {
		ids = append(ids, uint32(id))
	}
	v, err := bpe.Build(tokens.Vocabulary)
	if err != nil {
		t.Fatal(err)
	}
	b, err := v.Decode(nil, append(ids, tokens.Uint32()...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func open(t *testing.T, path string) *artifacts.Tokens {
	t.Helper()
	tokens, err := artifacts.OpenTokens(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tokens.Close() })
	return tokens
}

func TestTokensSpellTheText(t *testing.T) {
	train := strings.Repeat("The rays of light are bent by the prism. ", 40) + "\n\nGrößer 🌱\n\n日本"
	held := strings.Repeat("snow falls on snow ", 9)
	for _, c := range []struct {
		size   int
		tokens int // at most
	}{{256, len(train)}, {257, len(train) - 40}, {280, len(train) / 2}} {
		run := pipelinetest.Run(t, kinds, 1, texts+fmt.Sprintf(`
tokenize "t" {
  text       = [given.train.text]
  held_out   = [given.held.text]
  vocab_size = %d
}`, c.size), nil)
		tokens, heldOut := open(t, run.Path("tokenize.t", "tokens")), open(t, run.Path("tokenize.t", "held_out"))
		if got := text(t, tokens); got != train {
			t.Errorf("%d ids: the tokens spell %q, want %q", c.size, got, train)
		}
		if got := text(t, heldOut); got != held {
			t.Errorf("%d ids: the held-out tokens spell %q, want %q", c.size, got, held)
		}
		if tokens.VocabularySize() != c.size || heldOut.VocabularySize() != c.size || tokens.Len() > c.tokens {
			t.Errorf("%d tokens of %d ids, want at most %d of %d", tokens.Len(), tokens.VocabularySize(), c.tokens, c.size)
		}
		for _, path := range []string{run.Path("tokenize.t", "vocabulary"), filepath.Join(run.Path("tokenize.t", "held_out"), "vocabulary.parquet")} {
			if d, err := artifacts.ReadVocabulary(path); err != nil || !d.Equal(tokens.Vocabulary) {
				t.Errorf("%d ids: %s is another vocabulary than that of the tokens, %v", c.size, path, err)
			}
		}
	}
}

func TestPassagesArePartedByABlankLine(t *testing.T) {
	run := pipelinetest.Run(t, kinds, 1, `
given "a" {
  words = ["0123456789abcdefghijABCDEFGHIJ", "second"]
  gap   = true # the second block is missing
}
given "b" { words = ["third"] }
tokenize "t" { text = [given.a.text, given.b.text] }`, nil)
	want := "0123456789\n\nABCDEFGHIJ\n\nsecond\n\nthird"
	if got := text(t, open(t, run.Path("tokenize.t", "tokens"))); got != want {
		t.Errorf("the tokens spell %q, want %q", got, want)
	}
}

// TestHeldOutTextTeachesNothing trains on one text with and without another held out.
func TestHeldOutTextTeachesNothing(t *testing.T) {
	run := pipelinetest.Run(t, kinds, 2, texts+`
tokenize "alone" {
  text       = [given.train.text]
  vocab_size = 270
}
tokenize "beside" {
  text       = [given.train.text]
  held_out   = [given.held.text]
  vocab_size = 270
}`, nil)
	for _, output := range []string{"vocabulary", "tokens"} {
		if run.Blob("tokenize.alone", output) != run.Blob("tokenize.beside", output) {
			t.Errorf("held-out text changes %s", output)
		}
	}
}

func TestTakingAVocabulary(t *testing.T) {
	run := pipelinetest.Run(t, kinds, 2, texts+`
tokenize "first" {
  text       = [given.train.text]
  vocab_size = 270
}
tokenize "second" {
  text       = [given.held.text]
  vocabulary = tokenize.first.vocabulary
}`, nil)
	if run.Blob("tokenize.first", "vocabulary") != run.Blob("tokenize.second", "vocabulary") {
		t.Error("the vocabulary taken is not the vocabulary left")
	}
	tokens := open(t, run.Path("tokenize.second", "tokens"))
	if got, want := text(t, tokens), strings.Repeat("snow falls on snow ", 9); got != want || tokens.VocabularySize() != 270 {
		t.Errorf("tokens of %d ids spell %q, want %q", tokens.VocabularySize(), got, want)
	}
}

func TestWhatCannotBeTokenized(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`text = [given.none.text]`, "text: has not one byte of text"},
		{"text = [given.train.text]\nheld_out = [given.none.text]", "held_out: has not one byte of text"},
		{"text = [given.train.text]\nvocab_size = 5000", "vocab_size: must be at most 2"},
	} {
		run := pipelinetest.Run(t, kinds, 1, texts+"tokenize \"t\" {\n"+c.body+"\n}", nil)
		err := run.Err("tokenize.t")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s gives error %v, want %q", c.body, err, c.want)
			continue
		}
		var most int
		if _, text, ok := strings.Cut(err.Error(), "vocab_size: must be at most "); ok {
			fmt.Sscan(text, &most)
			run := pipelinetest.Run(t, kinds, 1, texts+fmt.Sprintf("tokenize \"t\" {\ntext = [given.train.text]\nvocab_size = %d\n}", most), nil)
			if err := run.Err("tokenize.t"); err != nil {
				t.Errorf("the %d ids offered are refused: %v", most, err)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`text = []`, "names no text"},
		{"text = [given.train.text]\nvocab_size = 255", "must lie within 256, plain bytes, and 262144, is 255"},
		{"text = [given.train.text]\nvocab_size = 262145", "must lie within 256, plain bytes, and 262144, is 262145"},
		{"text = [given.train.text]\nvocab_size = 300\nvocabulary = tokenize.u.vocabulary", "this one is taken from tokenize.u.vocabulary"},
	} {
		body := texts + "tokenize \"u\" { text = [given.held.text] }\ntokenize \"t\" {\n" + c.body + "\n}"
		if _, err := pipelinetest.Load(t, kinds, body, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s gives error %v, want %q", c.body, err, c.want)
		}
	}
}

// TestGolden pins the bytes. Where they change on purpose, the kind's Version must be raised with them.
func TestGolden(t *testing.T) {
	run := pipelinetest.Run(t, kinds, 1, texts+`
tokenize "t" {
  text       = [given.train.text]
  held_out   = [given.held.text]
  vocab_size = 280
}`, nil)
	for _, c := range []struct{ output, want string }{
		{"tokens", "3f3cbe85674cbbb3"},
		{"held_out", "e531ab01dd126ed9"},
		{"vocabulary", "bdabdd63c0c154f2"},
	} {
		if got := run.Blob("tokenize.t", c.output).Digest.String()[:16]; got != c.want {
			t.Errorf("%s is %s, want %s", c.output, got, c.want)
		}
	}
}
