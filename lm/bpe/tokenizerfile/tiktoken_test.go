package tokenizerfile

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"anneal/lm/bpe"
)

// ranks returns a rank file of the 256 bytes and more tokens.
func ranks(more ...string) string {
	var b strings.Builder
	for i := range 256 {
		fmt.Fprintf(&b, "%s %d\n", base64.StdEncoding.EncodeToString([]byte{byte(i)}), i)
	}
	for i, token := range more {
		fmt.Fprintf(&b, "%s %d\n", base64.StdEncoding.EncodeToString([]byte(token)), 256+i)
	}
	return b.String()
}

func TestTiktoken(t *testing.T) {
	for _, file := range []string{ranks("ab", "bc", "abc"), strings.ReplaceAll(ranks("ab", "bc", "abc"), "\n", "\r\n") + "\r\n"} {
		d, err := ReadTiktoken(strings.NewReader(file), bpe.Llama3, []string{"", "<|end|>"})
		if err != nil {
			t.Fatal(err)
		}
		if got := encoded(t, d, "abc bcd"); !slices.Equal(got, []uint32{258, ' ', 257, 'd'}) {
			t.Errorf("ids are %v", got)
		}
		if d.Size() != 261 || d.Tokens[259].Kind != bpe.Unused || d.Tokens[260].Kind != bpe.Special || d.Pattern != bpe.Llama3 {
			t.Errorf("the last tokens are %v", d.Tokens[258:])
		}
		var b bytes.Buffer
		if err := WriteTiktoken(&b, d); err != nil {
			t.Fatal(err)
		}
		if want := ranks("ab", "bc", "abc"); b.String() != want {
			t.Error("written it is another file")
		}
		// A tokenizer.json lists what ranks say.
		b.Reset()
		if err := WriteHuggingFace(&b, d); err != nil {
			t.Fatal(err)
		}
		again, err := ReadHuggingFace(&b)
		if err != nil {
			t.Fatal(err)
		}
		if got := encoded(t, again, "abc bcd"); !slices.Equal(got, []uint32{258, ' ', 257, 'd'}) {
			t.Errorf("as a tokenizer.json ids are %v", got)
		}
		if err := WriteTiktoken(new(bytes.Buffer), again); err != nil {
			t.Errorf("its merges are those of ranks, but %v", err)
		}
	}
}

func TestTiktokenRefuses(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"", "holds no token"},
		{"YQ==\n", `line 1 is "YQ=="; expected are a token in base64, a space and its rank`},
		{ranks() + "\nYQ== 300\n", `line 258 repeats the token "a" of rank 97`},
		{ranks() + "YWI= 97\n", `line 257 has id 97, which "a" has too`},
		{ranks() + "YWI= -1\n", `line 257 has the rank "-1"; supported are whole numbers below 262144`},
		{ranks() + "YWI= 262144\n", `line 257 has the rank "262144"`},
		{ranks() + "YWI= 99999999999999999999\n", `line 257 has the rank`},
		{ranks() + "YWI 256\n", `line 257 has "YWI" where a token in base64 is expected`},
		{ranks() + " 256\n", `line 257 has ""`},
		{ranks() + strings.Repeat("YWFh", 500) + " 256\n", "line 257 has a token of more than 1024 bytes"},
		{"YQ== 0\n", "no token is the byte 0x00"},
	} {
		if _, err := ReadTiktoken(strings.NewReader(c.file), bpe.GPT2, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %.300v, want %s", err, c.want)
		}
	}
	if _, err := ReadTiktoken(strings.NewReader(ranks()), bpe.GPT2, slices.Repeat([]string{""}, bpe.MaxSize)); err == nil || !strings.Contains(err.Error(), "no id left") {
		t.Errorf("more special tokens than ids: %v", err)
	}
}

func TestWhatARankFileCannotHold(t *testing.T) {
	order := &bpe.Definition{Tokens: bpe.Plain([]bpe.Merge{{Left: 'a', Right: 'b'}, {Left: 'b', Right: 'c'}}).Tokens, Merges: []bpe.Merge{{Left: 'b', Right: 'c'}, {Left: 'a', Right: 'b'}}}
	unmade := &bpe.Definition{Tokens: order.Tokens, Merges: order.Merges[:1]}
	spaced := bpe.Plain(nil)
	spaced.Prefix = bpe.PrefixMissing
	for _, c := range []struct {
		d    *bpe.Definition
		want string
	}{
		{order, "merge 1 makes token 256, out of the order of ids"},
		{unmade, "1 tokens are made by no merge"},
		{spaced, "without a space before the text"},
	} {
		if err := WriteTiktoken(new(bytes.Buffer), c.d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// TestRanksAreMerges trains vocabularies and demands equal ids of their merges, of their ranks and of their tokenizer.json.
func TestRanksAreMerges(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, letters := range []int{2, 3, 8} {
		text := make([]byte, 20000)
		for i := range text {
			text[i] = byte('a' + r.IntN(letters))
			if r.IntN(12) == 0 {
				text[i] = ' '
			}
		}
		v, err := bpe.TrainWith(t.Context(), slices.Values([][]byte{text}), 400, bpe.TrainOptions{Special: []string{"<|end|>"}})
		if err != nil {
			t.Fatal(err)
		}
		var ranks, file bytes.Buffer
		if err := WriteTiktoken(&ranks, v.Definition()); err != nil {
			t.Fatal(err)
		}
		if err := WriteHuggingFace(&file, v.Definition()); err != nil {
			t.Fatal(err)
		}
		byRank, err := ReadTiktoken(&ranks, bpe.GPT2, []string{"<|end|>"})
		if err != nil {
			t.Fatal(err)
		}
		byMerge, err := ReadHuggingFace(&file)
		if err != nil || !byMerge.Equal(v.Definition()) {
			t.Fatalf("a trained vocabulary comes back as another, %v", err)
		}
		for range 50 {
			at := r.IntN(len(text) - 200)
			piece := string(text[at : at+1+r.IntN(200)])
			want := v.Encode(nil, []byte(piece))
			if got := encoded(t, byRank, piece); !slices.Equal(got, want) {
				t.Fatalf("%q is %v by ranks, %v by merges", piece, got, want)
			}
		}
	}
}

func FuzzTiktoken(f *testing.F) {
	f.Add([]byte(ranks("ab", "abc")))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ReadTiktoken(bytes.NewReader(data), bpe.GPT2, nil)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteTiktoken(&b, d); err != nil {
			t.Fatal(err)
		}
		if back, err := ReadTiktoken(&b, bpe.GPT2, nil); err != nil || !back.Equal(d) {
			t.Errorf("written and read again it is another, %v", err)
		}
	})
}
