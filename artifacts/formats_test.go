package artifacts

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"anneal/lm/bpe"
)

func TestSchemas(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name  string
		write func(path string) error
		want  string
	}{
		{"text", func(p string) error { return WriteText(p, nil) }, `message anneal {
	required int64 source (INT(64,true));
	required int64 document (INT(64,true));
	required int64 offset (INT(64,true));
	required binary text (STRING);
}`},
		{"examples", func(p string) error { return WriteExamples(p, nil) }, `message anneal {
	required binary prompt (STRING);
	required binary response (STRING);
	required binary answer (STRING);
	required binary stop (STRING);
	required binary extract (STRING);
	optional int64 label (INT(64,true));
}`},
		{"passages", func(p string) error { return WritePassages(p, nil) }, `message anneal {
	required binary text (STRING);
	required int64 label (INT(64,true));
	required binary split (STRING);
}`},
		{"vocabulary", func(p string) error { return WriteVocabulary(p, bpe.Plain(nil)) }, `message anneal {
	required int64 id (INT(64,true));
	required binary bytes;
	optional int64 left (INT(64,true));
	optional int64 right (INT(64,true));
}`},
	} {
		path := filepath.Join(dir, c.name)
		if err := c.write(path); err != nil {
			t.Fatal(err)
		}
		if got := schemaOf(t, path); got != c.want {
			t.Errorf("schema of %s is\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestJoin(t *testing.T) {
	blocks := []Block{
		{0, 0, 0, "ab"}, {0, 0, 2, "cé"}, {0, 0, 5, "d"}, // é has two bytes
		{0, 0, 7, "gap before"},
		{0, 1, 0, "next document"},
		{1, 1, 13, "next source"},
	}
	want := []Block{
		{0, 0, 0, "abcéd"},
		{0, 0, 7, "gap before"},
		{0, 1, 0, "next document"},
		{1, 1, 13, "next source"},
	}
	if got := Join(blocks); !reflect.DeepEqual(got, want) {
		t.Errorf("Join gives %+v, want %+v", got, want)
	}
	if got := Join(nil); len(got) != 0 {
		t.Errorf("Join(nil) gives %+v", got)
	}
}

func TestExtractAnswer(t *testing.T) {
	for _, c := range []struct{ extract, response, stop, want string }{
		{ExtractAll, "abc\n\n", "\n\n", "abc"},
		{ExtractAll, "a\nb\n\nc\n\n", "\n\n", "a\nb"},
		{ExtractAll, " abc", "\n\n", "abc"},
		{ExtractAll, "", "\n\n", ""},
		{ExtractAll, "abc", "", "abc"},
		{ExtractLastLine, "7+5=12\n112\n\n", "\n\n", "112"},
		{ExtractLastLine, "7+5=12\n112\n", "\n\n", "112"},
		{ExtractLastLine, "112", "\n\n", "112"},
		{ExtractLastLine, "\n\n", "\n\n", ""},
		{"after:#### ", "5*2=10\n#### 10 \n\n", "\n\n", "10"},
		{"after:#### ", "#### 9\nno,\n#### 10\nor so", "", "10"},
		{"after:so: ", "so: 1:2\n\nso: 3", "\n\n", "1:2"},
		{"after:#### ", "10", "\n\n", ""},
		{"after:#### ", "####\n10", "\n\n", ""},
	} {
		if got := ExtractAnswer(c.extract, c.response, c.stop); got != c.want {
			t.Errorf("%s of %q with stop %q is %q, want %q", c.extract, c.response, c.stop, got, c.want)
		}
	}
}

func TestExamplesHoldTheirAnswer(t *testing.T) {
	good := Example{Prompt: "p", Response: "work\n7\n\n", Answer: "7", Stop: "\n\n", Extract: ExtractLastLine}
	path := filepath.Join(t.TempDir(), "examples.parquet")
	if err := WriteExamples(path, []Example{good}); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadExamples(path); err != nil || !reflect.DeepEqual(got, []Example{good}) {
		t.Errorf("read %+v, %v", got, err)
	}
	unanswered, endless := good, good
	unanswered.Answer = "8"
	endless.Response = "work\n7"
	for _, e := range []Example{unanswered, endless} {
		if err := WriteExamples(path, []Example{good, e}); err == nil || !strings.Contains(err.Error(), path+": example 1") {
			t.Errorf("writing %+v: %v", e, err)
		}
	}
}

// merges returns n different merges of bytes.
func merges(n int) []bpe.Merge {
	all := make([]bpe.Merge, n)
	for i := range all {
		pair := uint32(i*40503) % (1 << 16)
		all[i] = bpe.Merge{Left: pair >> 8, Right: pair & 255}
	}
	return all
}

func TestVocabularyComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vocabulary.parquet")
	want := bpe.Plain(append(merges(20), bpe.Merge{Left: 256, Right: 257}, bpe.Merge{Left: 276, Right: 10}))
	if err := WriteVocabulary(path, want); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadVocabulary(path); err != nil || !got.Equal(want) {
		t.Errorf("read %v, %v, want %v", got, err, want)
	}
	tokens, err := ReadRows[token](path)
	if err != nil {
		t.Fatal(err)
	}
	joined := slices.Concat(tokens[256].Bytes, tokens[257].Bytes)
	if !bytes.Equal(tokens[276].Bytes, joined) {
		t.Errorf("token 276 is %q, want %q", tokens[276].Bytes, joined)
	}
	if err := WriteVocabulary(path, bpe.Plain([]bpe.Merge{{Left: 1, Right: 256}})); err == nil {
		t.Error("a merge of itself is written")
	}
}

func TestDamagedVocabulary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vocabulary.parquet")
	for _, damage := range []func([]token) []token{
		func(v []token) []token { return v[:200] },
		func(v []token) []token { v[7].ID = 8; return v },
		func(v []token) []token { v[7].Bytes = []byte("x"); return v },
		func(v []token) []token { v[256].Left = nil; return v },
		func(v []token) []token { v[3].Left = ptr(int64(1)); return v },
		func(v []token) []token { v[257].Right = ptr(int64(257)); return v },
		func(v []token) []token { v[257].Right = ptr(int64(-1)); return v },
	} {
		if err := WriteVocabulary(path, bpe.Plain(merges(3))); err != nil {
			t.Fatal(err)
		}
		tokens, err := ReadRows[token](path)
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteRows(path, damage(tokens)); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadVocabulary(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("a damaged vocabulary is read: %v", err)
		}
	}
}

func TestTokensComeBack(t *testing.T) {
	for _, c := range []struct {
		merges, tokens int
		small          bool
	}{
		{0, 0, true}, {0, 1, true}, {0, 100003, true}, {65536 - 256, 999, true}, {65536 - 256 + 1, 999, false},
	} {
		dir := filepath.Join(t.TempDir(), "tokens")
		vocabulary := bpe.Plain(merges(c.merges))
		r := rand.New(rand.NewPCG(3, 4))
		ids := make([]uint32, c.tokens)
		for i := range ids {
			ids[i] = r.Uint32N(uint32(256 + c.merges))
		}
		if err := WriteTokens(dir, ids, vocabulary); err != nil {
			t.Fatal(err)
		}
		tokens, err := OpenTokens(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Clone(tokens.Uint32())
		for _, id := range tokens.Uint16() {
			got = append(got, uint32(id))
		}
		if !slices.Equal(got, ids) || !tokens.Vocabulary.Equal(vocabulary) {
			t.Errorf("%d tokens of %d merges do not come back", c.tokens, c.merges)
		}
		if c.tokens > 0 && c.small != (tokens.Uint16() != nil) || c.small && tokens.Uint32() != nil {
			t.Errorf("%d merges: small is %v", c.merges, !c.small)
		}
		if tokens.Len() != c.tokens || tokens.VocabularySize() != 256+c.merges {
			t.Errorf("%d tokens of %d, want %d of %d", tokens.Len(), tokens.VocabularySize(), c.tokens, 256+c.merges)
		}
		if err := tokens.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Opening tokens reads nothing of them into memory.
func TestTokensAreMapped(t *testing.T) {
	const n = 1 << 22
	dir := filepath.Join(t.TempDir(), "tokens")
	if err := WriteTokens(dir, make([]uint32, n), bpe.Plain(nil)); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tokens, err := OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tokens.Close()
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > n { // half of their bytes
		t.Errorf("opening %d tokens of 2 bytes allocates %d bytes", n, grown)
	}
}

func TestTokensAreEqualBytes(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	for _, dir := range []string{a, b} {
		if err := WriteTokens(dir, []uint32{1, 2, 258}, bpe.Plain(merges(3))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{idsFile, VocabularyFile} {
		if !bytes.Equal(read(t, filepath.Join(a, name)), read(t, filepath.Join(b, name))) {
			t.Errorf("two writings of %s differ", name)
		}
	}
}

func TestTokensOutsideTheVocabulary(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	err := WriteTokens(dir, []uint32{7, 259}, bpe.Plain(merges(3)))
	if err == nil || !strings.Contains(err.Error(), "token 1 has id 259, outside the vocabulary of 259") {
		t.Errorf("error %v", err)
	}
}

func TestDamagedTokens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	if err := WriteTokens(dir, make([]uint32, 1000), bpe.Plain(nil)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, idsFile)
	whole := read(t, path)
	for _, b := range [][]byte{nil, whole[:100], whole[:len(whole)-1], whole[500:]} {
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenTokens(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%d bytes of a file of %d are read: %v", len(b), len(whole), err)
		}
	}
}
