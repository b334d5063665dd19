package bpe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The worked example of Sennrich et al. 2016 (figure 1: low ×5, lower ×2, newest ×6, widest ×3), by hand under our order of ties:
//
//	e+s 9 (as s+t; e first)     l+o 7 (as o+w)     e+w 6 (as n+e, w+est)     d+est 3 (as w+i, i+d)     e+r 2 (as low+e)
//	es+t 9                      lo+w 7             ew+est 6 (as n+ew)        i+dest 3 (as w+i)         low+er 2
//	                                               n+ewest 6                 w+idest 3
func TestTrainSennrich(t *testing.T) {
	var texts [][]byte
	for _, word := range []struct {
		text  string
		times int
	}{{"low", 5}, {"lower", 2}, {"newest", 6}, {"widest", 3}} {
		for range word.times {
			texts = append(texts, []byte(word.text))
		}
	}
	want := []string{
		"e+s", "es+t", "l+o", "lo+w", "e+w", "ew+est", "n+ewest", "d+est", "i+dest", "w+idest", "e+r", "low+er",
	}
	v := train(t, 300, texts...)
	if got := tokens(v); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if v.Size() != 256+len(want) {
		t.Errorf("size %d: no pair is left that occurs twice", v.Size())
	}
	if got := tokens(train(t, 259, texts...)); !slices.Equal(got, want[:3]) {
		t.Errorf("size 259: got %v", got)
	}
}

func TestTrain(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"no pair twice", "abc", ""},
		{"a pair twice", "ab 1ab", "a+b"},
		{"overlaps count", "aaa", "a+a"},
		{"then merge from the left", "aaaa aaaa!", "a+a aa+aa"}, // " "+aaaa stands once
		{"spaces are bytes", "x a a a", " +a"},
		{"ties: smaller left bytes", "zy1ba1zy1ba", "b+a z+y"},
		{"ties: then smaller right bytes", "ac1ab1ac1ab", "a+b a+c"},
		{"ties: bytes, not ids", "bc1bc1bcx1bcx1cy1cy", "b+c bc+x c+y"},
		{"invalid bytes", "\xff\xfe1\xff\xfe", "\xff+\xfe"},
		{"no merge across pieces", "a\nb\na\nb", ""},
	} {
		if got := strings.Join(tokens(train(t, 1000, []byte(test.text))), " "); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestTrainLongTokens(t *testing.T) {
	v := train(t, 400, bytes.Repeat([]byte("a"), 100_000))
	last := uint32(v.Size() - 1)
	for id := range last + 1 {
		if n := len(v.Bytes(id)); n > MaxToken {
			t.Fatalf("id %d has %d bytes", id, n)
		}
	}
	if _, err := New(v.Merges()); err != nil {
		t.Error(err)
	}
}

func TestTrainRefuses(t *testing.T) {
	for _, size := range []int{-1, 0, 255, MaxSize + 1} {
		_, err := Train(context.Background(), slices.Values([][]byte{}), size)
		if want := fmt.Sprintf("bpe: a vocabulary has from 256 to 262144 ids, not %d", size); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestTrainEnds(t *testing.T) {
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	texts := func(yield func([]byte) bool) {
		for i := 0; yield([]byte("more and more ")); i++ {
			if i == 10_000 {
				cancel(stop)
			}
		}
	}
	if _, err := Train(ctx, texts, 300); !errors.Is(err, stop) {
		t.Errorf("while counting: %v", err)
	}
	if _, err := Train(ctx, slices.Values([][]byte{[]byte("aa aa aa")}), 300); !errors.Is(err, stop) {
		t.Errorf("while merging: %v", err)
	}
}

// naiveCount counts pieces in a map.
func naiveCount(texts [][]byte, piece func([]byte) int) map[string]int64 {
	times := make(map[string]int64)
	for _, text := range texts {
		for len(text) > 0 {
			n := piece(text)
			times[string(text[:n])]++
			text = text[n:]
		}
	}
	return times
}

// naiveTrain counts all pairs anew for each merge.
func naiveTrain(texts [][]byte, piece func([]byte) int, size int) []Merge {
	times := naiveCount(texts, piece)
	words := make(map[string][]uint32)
	token := make(map[uint32]string)
	for id := range uint32(256) {
		token[id] = string([]byte{byte(id)})
	}
	for p := range times {
		for _, b := range []byte(p) {
			words[p] = append(words[p], uint32(b))
		}
	}
	var merges []Merge
	for id := uint32(256); int(id) < size; id++ {
		counts := make(map[Merge]int64)
		for p, ids := range words {
			for i := range len(ids) - 1 {
				counts[Merge{ids[i], ids[i+1]}] += times[p]
			}
		}
		var best Merge
		most := int64(1)
		for m, n := range counts {
			tie := strings.Compare(token[m.Left], token[best.Left])
			if tie == 0 {
				tie = strings.Compare(token[m.Right], token[best.Right])
			}
			if len(token[m.Left])+len(token[m.Right]) <= MaxToken && (n > most || n > 1 && n == most && tie < 0) {
				best, most = m, n
			}
		}
		if most == 1 {
			break
		}
		merges = append(merges, best)
		token[id] = token[best.Left] + token[best.Right]
		for p, ids := range words {
			words[p] = replace(ids, best, id)
		}
	}
	return merges
}

func TestTrainReference(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	patterns := []struct {
		name  Pattern
		piece func([]byte) int
	}{{GPT2, piece}, {Llama3, pieceLlama3}, {Qwen2, pieceQwen2}}
	for round := range 180 {
		var texts [][]byte
		for range 1 + r.IntN(10) {
			switch round % 4 {
			case 0:
				texts = append(texts, randomText(r, 1+r.IntN(200)))
			case 1:
				texts = append(texts, randomLetters(r, "ab", 1+r.IntN(200)))
			case 2:
				texts = append(texts, randomLetters(r, "aab  ", 1+r.IntN(300)))
			case 3:
				texts = append(texts, randomLetters(r, "abcdefgh ", 1+r.IntN(300)))
			}
		}
		pattern := patterns[round%len(patterns)]
		options := TrainOptions{Pattern: pattern.name, Workers: r.IntN(4), Special: []string{"ab", "<end>"}[:r.IntN(3)]}
		merges := r.IntN(150)
		v, err := TrainWith(t.Context(), slices.Values(texts), 256+merges+len(options.Special), options)
		if err != nil {
			t.Fatal(err)
		}
		want := naiveTrain(texts, pattern.piece, 256+merges)
		if got := v.Merges(); !slices.Equal(got, want) {
			t.Fatalf("%q, %d merges, %+v:\n got %v\nwant %v", texts, merges, options, got, want)
		}
		for i, name := range options.Special {
			if id, ok := v.Special(name); !ok || int(id) != 256+len(want)+i {
				t.Fatalf("%q has id %d, %v; %d merges", name, id, ok, len(want))
			}
		}
		// What it learned is what it encodes by, and New has nothing against it.
		if _, err := New(v.Merges()); err != nil {
			t.Fatal(err)
		}
		text := bytes.Join(texts, nil)
		if got, want := roundTrip(t, v, text), naiveEncode(v, text); !slices.Equal(got, want) {
			t.Fatalf("%q: got %v, want %v", text, got, want)
		}
	}
}

// The vocabulary depends on the counts of pieces alone.
func TestTrainOrder(t *testing.T) {
	lines := bytes.SplitAfter(opticks(t)[:150_000], []byte("\n"))
	want := train(t, 700, lines...).Merges()
	r := rand.New(rand.NewPCG(4, 4))
	for range 3 {
		r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		if !slices.Equal(train(t, 700, lines...).Merges(), want) {
			t.Fatal("texts in another order gave another vocabulary")
		}
	}
	// Train may not keep what the iterator hands it.
	var buffer []byte
	reused, err := Train(context.Background(), func(yield func([]byte) bool) {
		for _, line := range lines {
			buffer = append(buffer[:0], line...)
			if !yield(buffer) {
				return
			}
		}
	}, 700)
	if err != nil || !slices.Equal(reused.Merges(), want) {
		t.Errorf("texts in one buffer gave another vocabulary (%v)", err)
	}
}

func BenchmarkTrain(b *testing.B) {
	text := opticks(b)
	for _, size := range []int{512, 4096, 10000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				train(b, size, text)
			}
		})
	}
}
