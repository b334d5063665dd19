package words

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// split returns the words of text that is written in pieces of so many bytes.
func split(text string, piece int) (all []string) {
	s := &Splitter{Word: func(w []byte) { all = append(all, string(w)) }}
	for piece < len(text) {
		s.Write([]byte(text[:piece]))
		text = text[piece:]
	}
	s.Write([]byte(text))
	s.End()
	return all
}

func TestWords(t *testing.T) {
	long := strings.Repeat("x", Longest-1)
	tests := []struct {
		text string
		want []string
	}{
		{"", nil},
		{" .,\n-", nil},
		{"Don't PANIC: 42 times!", []string{"don", "t", "panic", "42", "times"}},
		{"ÄRGER, Ωmega; Привет", []string{"ärger", "ωmega", "привет"}},
		{"नमस्ते दुनिया", []string{"नमस्ते", "दुनिया"}}, // vowel signs are marks
		{"e\u0301te\u0301 été", []string{"e\u0301te\u0301", "été"}},
		{"天地玄黃,宇宙洪荒", []string{"天地玄黃", "宇宙洪荒"}},
		{"a\xffb\xe2\x82c\xe2", []string{"a", "b", "c"}}, // what is no UTF-8 stands between words
		{long + "éa", []string{long, "éa"}},              // no character is cut
	}
	for _, test := range tests {
		for piece := 1; piece <= 5; piece++ {
			if got := split(test.text, piece); !slices.Equal(got, test.want) {
				t.Errorf("words of %.40q in pieces of %d are %.40q, want %.40q", test.text, piece, got, test.want)
			}
		}
	}
}

// A piece that ends inside a character says nothing of the next text.
func TestEnd(t *testing.T) {
	var all []string
	s := &Splitter{Word: func(w []byte) { all = append(all, string(w)) }}
	for _, text := range []string{"one tw\xc3", "\xa9o"} {
		s.Write([]byte(text))
		s.End()
	}
	if want := []string{"one", "tw", "o"}; !slices.Equal(all, want) {
		t.Errorf("words are %q, want %q", all, want)
	}
}

// Each run's hash is that of its elements alone, wherever it stands.
func TestRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	sequence := make([]uint64, 60)
	for i := range sequence {
		sequence[i] = r.Uint64() % 3 // so that runs repeat
	}
	for _, n := range []int{1, 2, 5, 13} {
		runs := NewRuns(n)
		hashes := map[uint64]string{}
		seen := map[string]uint64{}
		for round := range 2 {
			for i, x := range sequence {
				h, ok := runs.Add(x)
				if ok != (i >= n-1) {
					t.Fatalf("runs of %d: element %d ends one: %t", n, i, ok)
				}
				if !ok {
					continue
				}
				var b strings.Builder
				for _, y := range sequence[i-n+1 : i+1] {
					b.WriteByte(byte('0' + y))
				}
				run := b.String()
				if other, known := hashes[h]; known && other != run {
					t.Errorf("runs %s and %s of %d have one hash", run, other, n)
				}
				if other, known := seen[run]; known && other != h {
					t.Errorf("run %s of %d has two hashes, in round %d", run, n, round)
				}
				hashes[h], seen[run] = run, h
			}
			runs.Reset()
		}
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add("Ein Wört, e\u0301\xff zwei\xe2\x82", 2)
	f.Fuzz(func(t *testing.T, text string, piece int) {
		if piece < 1 {
			return
		}
		whole := split(text, len(text)+1)
		if got := split(text, piece); !slices.Equal(got, whole) {
			t.Errorf("in pieces of %d words are %q, in one %q", piece, got, whole)
		}
		if got := split(strings.Join(whole, " "), 7); !slices.Equal(got, whole) {
			t.Errorf("words of words are %q, not %q", got, whole)
		}
	})
}
