package tokenize

import (
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"anneal/lm/bpe"
)

// TestCutsAreBetweenPieces demands of both sides of a cut, encoded apart, the ids of the whole, by each pattern.
func TestCutsAreBetweenPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("aab'ste  \n\t\r12²½éß日ー،-.\u00a0\u0301😀")
	random := func() string {
		var b strings.Builder
		for range 1 + r.IntN(40) {
			b.WriteRune(alphabet[r.IntN(len(alphabet))])
		}
		if r.IntN(4) == 0 {
			return b.String() + "\xe6\x97" // half a character
		}
		return b.String()
	}
	var sample [][]byte
	for range 300 {
		sample = append(sample, []byte(random()))
	}
	for _, pattern := range []bpe.Pattern{bpe.GPT2, bpe.Llama3} {
		v, err := bpe.TrainWith(t.Context(), slices.Values(sample), 500, bpe.TrainOptions{Pattern: pattern})
		if err != nil {
			t.Fatal(err)
		}
		cuts := 0
		for range 3000 {
			known, behind := random(), random()
			n := cut([]byte(known))
			if n == 0 {
				continue
			}
			cuts++
			text := []byte(known + behind)
			if got, want := v.Encode(v.Encode(nil, text[:n]), text[n:]), v.Encode(nil, text); !slices.Equal(got, want) {
				t.Fatalf("pattern %q: %q cut at %d is %v, want %v", pattern, text, n, got, want)
			}
		}
		if cuts < 1000 {
			t.Errorf("only %d texts were cut", cuts)
		}
	}
}

// TestTextsAreBounded reads a passage of several times what is held, with and without a place to cut.
func TestTextsAreBounded(t *testing.T) {
	for _, c := range []struct {
		name, word string
		most       int // bytes of a text
	}{
		{"words", strings.Repeat("word ", 1<<15), joined + 5<<15},
		{"no place to cut", strings.Repeat("-", 1<<18), 1 << 40},
	} {
		var failure error
		passage := func(yield func(part, error) bool) {
			for i := range 3 * joined / len(c.word) {
				if !yield(part{c.word, i+1 < 3*joined/len(c.word)}, nil) {
					return
				}
			}
		}
		total, longest := 0, 0
		for text := range texts(iter.Seq2[part, error](passage), &failure) {
			total += len(text)
			longest = max(longest, len(text))
		}
		if want := 3 * joined / len(c.word) * len(c.word); failure != nil || total != want || longest > c.most {
			t.Errorf("%s: %d bytes of %d, in texts of up to %d, %v", c.name, total, want, longest, failure)
		}
	}
}
