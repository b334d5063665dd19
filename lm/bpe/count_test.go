package bpe

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// manyPieces are texts of more distinct pieces than a worker counts apart, of common ones, of one longer than a batch, and of more texts
// than a batch has.
func manyPieces() [][]byte {
	r := rand.New(rand.NewPCG(8, 8))
	texts := [][]byte{randomLetters(r, "abcdefgh ", 3*maxApart), bytes.Repeat([]byte("x"), 2*jobBytes+1), nil}
	for range jobSpans + 10 {
		texts = append(texts, randomText(r, r.IntN(12)))
	}
	return append(texts, bytes.Repeat([]byte("again and again "), jobBytes/8), bytes.Repeat([]byte("long enough for no cache "), 10))
}

func TestCount(t *testing.T) {
	texts := manyPieces()
	want := naiveCount(texts, piece)
	for _, workers := range []int{1, 2, 5} {
		counted, err := count(t.Context(), bare(0), slices.Values(texts), workers, maxDistinct)
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]int64)
		for i := range counted {
			for k, times := range counted[i].times {
				if p := string(counted[i].piece(k)); got[p] != 0 {
					t.Fatalf("%d workers: %.40q is there twice", workers, p)
				} else {
					got[p] = times
				}
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%d workers: %d pieces, want %d; or other counts", workers, len(got), len(want))
		}
	}
}

// TestCountLimit finds the limit to be of the distinct pieces of all texts, whoever counts them.
func TestCountLimit(t *testing.T) {
	texts := manyPieces()
	limit := int64(0)
	for p := range naiveCount(texts, piece) {
		limit += int64(len(p)) + 1
	}
	for _, workers := range []int{1, 3} {
		if _, err := count(t.Context(), bare(0), slices.Values(texts), workers, limit); err != nil {
			t.Errorf("%d workers, at the limit: %v", workers, err)
		}
		_, err := count(t.Context(), bare(0), slices.Values(texts), workers, limit-1)
		if want := "the distinct pieces of the text come to 1 MiB: learn from a part of it"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d workers, above the limit: got %v, want %s", workers, err, want)
		}
	}
}

// TestCountStops demands that a text without an end is left when the limit is reached.
func TestCountStops(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	endless := func(yield func([]byte) bool) {
		for yield(randomLetters(r, "abcdefgh ", 1<<16)) {
		}
	}
	if _, err := count(t.Context(), bare(0), endless, 2, 1<<20); err == nil {
		t.Error("no error")
	}
}
