package bpe

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// cutAnywhere yields texts in parts of any length, all in one buffer.
func cutAnywhere(r *rand.Rand, texts [][]byte, longest int) func(yield func([]byte, bool) bool) {
	return func(yield func([]byte, bool) bool) {
		var buffer []byte
		for _, text := range texts {
			for more := true; more; {
				n := min(r.IntN(longest+1), len(text))
				buffer = append(buffer[:0], text[:n]...)
				text = text[n:]
				more = len(text) > 0 || r.IntN(10) == 0
				if !yield(buffer, more) {
					return
				}
			}
		}
	}
}

func collect(v *Vocabulary, parts func(yield func([]byte, bool) bool), workers int) [][]uint32 {
	var all [][]uint32
	open := false
	for ids, more := range v.EncodeParallel(parts, workers) {
		if !open {
			all = append(all, nil)
		}
		last := &all[len(all)-1]
		*last = append(*last, ids...)
		open = more
	}
	return all
}

func TestEncodeParallel(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	book := opticks(t)
	texts := [][]byte{nil, book, []byte(" "), nil, slices.Repeat([]byte("a"), 3*jobBytes), slices.Repeat([]byte("\r\n!"), jobBytes/2)}
	for range 2 * jobSpans {
		texts = append(texts, randomText(r, r.IntN(10)))
	}
	for _, v := range vocabularies(t) {
		var want [][]uint32
		for _, text := range texts {
			want = append(want, v.Encode(nil, text))
		}
		for _, workers := range []int{1, 3} {
			for _, longest := range []int{1000, 10 * jobBytes} {
				got := collect(v, cutAnywhere(r, texts, longest), workers)
				if len(got) != len(want) {
					t.Fatalf("%s, %d workers: %d texts came back as %d", name(v), workers, len(want), len(got))
				}
				for i := range want {
					if !slices.Equal(got[i], want[i]) {
						t.Fatalf("%s, %d workers: text %d, %.60q, is encoded otherwise than alone", name(v), workers, i, texts[i])
					}
				}
			}
		}
	}
}

func TestEncodeParallelStops(t *testing.T) {
	v := vocabularies(t)[0]
	given := 0
	for range v.EncodeParallel(func(yield func([]byte, bool) bool) {
		for yield(slices.Repeat([]byte("some text "), jobBytes), false) {
			given++
		}
	}, 2) {
		break
	}
	if given > 10 {
		t.Errorf("%d texts were read after nobody wanted more", given)
	}
}

// Whatever the cuts, the parts of a text have the ids of the whole.
func TestEncodeSome(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for _, v := range vocabularies(t) {
		for range 300 {
			checkCuts(t, v, r, randomText(r, 1+r.IntN(60)))
		}
	}
}

func checkCuts(t *testing.T, v *Vocabulary, r *rand.Rand, text []byte) {
	t.Helper()
	want := v.Encode(nil, text)
	var got []uint32
	rest := v.AddPrefix(text)
	begun := 0
	for end := 0; end < len(rest); {
		end = min(end+1+r.IntN(12), len(rest))
		ids, n := v.EncodeSome(got, rest[begun:end], end < len(rest))
		got, begun = ids, begun+n
	}
	if begun != len(rest) || !slices.Equal(got, want) {
		t.Fatalf("%s: %q in parts: got %v, want %v", name(v), text, got, want)
	}
}

// vocabularies are one of each way to encode.
func vocabularies(t testing.TB) []*Vocabulary {
	var all []*Vocabulary
	text := append(opticks(t)[:60_000:60_000], randomText(rand.New(rand.NewPCG(7, 7)), 3000)...)
	for _, pattern := range []Pattern{GPT2, Llama3, Qwen2} {
		v, err := TrainWith(t.Context(), slices.Values([][]byte{text}), 1000, TrainOptions{Pattern: pattern, Special: []string{"<end>"}})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	ranks := all[1].Definition()
	ranks.Merges, ranks.ByID, ranks.Whole, ranks.Prefix = nil, true, true, PrefixMissing
	for _, d := range []*Definition{ranks, sentencePiece(all[0])} {
		v, err := Build(d)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func name(v *Vocabulary) string {
	return fmt.Sprintf("pattern %q, whole %v, by id %v, prefix %q", v.pattern, v.whole, v.byID, v.prefix)
}

// sentencePiece returns a definition with the characters and merges of v that are valid UTF-8.
func sentencePiece(v *Vocabulary) *Definition {
	d := &Definition{Pattern: SentencePiece, Prefix: PrefixAlways}
	for b := range 256 {
		d.Tokens = append(d.Tokens, Token{[]byte{byte(b)}, Fallback})
	}
	d.Tokens = append(d.Tokens, Token{[]byte("<s>"), Special})
	ids := map[string]uint32{}
	add := func(s string) uint32 {
		if id, ok := ids[s]; ok {
			return id
		}
		id := uint32(len(d.Tokens))
		ids[s] = id
		d.Tokens = append(d.Tokens, Token{[]byte(s), Text})
		return id
	}
	for r := range 0x80 {
		add(string(rune(r)))
	}
	for _, r := range "éω語日本" {
		add(string(r))
	}
	for _, m := range v.merges {
		left, okLeft := ids[string(v.Bytes(m.Left))]
		right, okRight := ids[string(v.Bytes(m.Right))]
		if okLeft && okRight {
			add(string(v.Bytes(m.Left)) + string(v.Bytes(m.Right)))
			d.Merges = append(d.Merges, Merge{left, right})
		}
	}
	return d
}
