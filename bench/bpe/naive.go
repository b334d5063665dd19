package main

import (
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"anneal/lm/bpe"
)

// pattern is GPT-2's without its lookahead.
var pattern = regexp.MustCompile(`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\v\x{85}\p{Z}\p{L}\p{N}]+|[\s\v\x{85}\p{Z}]+`)

// naive learns as short programs do: it counts the pairs of all distinct pieces anew for each merge. It reports what learn does, of
// the seconds only those of that loop.
func naive(text []byte, size int) error {
	times := map[string]int{}
	for len(text) > 0 {
		n := pattern.FindIndex(text)[1]
		if _, last := utf8.DecodeLastRune(text[:n]); n > last && n < len(text) && isSpace.Match(text[:n]) {
			n -= last // which is left to what follows
		}
		times[string(text[:n])]++
		text = text[n:]
	}
	type word struct {
		ids   []uint32
		times int
	}
	var words []word
	for piece, n := range times {
		w := word{times: n}
		for i := range len(piece) {
			w.ids = append(w.ids, uint32(piece[i]))
		}
		words = append(words, w)
	}
	token := make([]string, 256, size)
	for b := range token {
		token[b] = string([]byte{byte(b)})
	}

	start := time.Now()
	var merged []uint32
	for len(token) < size {
		counts := map[bpe.Merge]int{}
		for _, w := range words {
			for i := range len(w.ids) - 1 {
				counts[bpe.Merge{Left: w.ids[i], Right: w.ids[i+1]}] += w.times
			}
		}
		var best bpe.Merge
		most := 1
		for m, n := range counts {
			if n > most || n == most && n > 1 && before(token, m, best) {
				best, most = m, n
			}
		}
		if most == 1 {
			break
		}
		id := uint32(len(token))
		token = append(token, token[best.Left]+token[best.Right])
		merged = append(merged, best.Left, best.Right)
		for i := range words {
			ids := words[i].ids
			for k := 0; k+1 < len(ids); k++ {
				if ids[k] == best.Left && ids[k+1] == best.Right {
					ids[k] = id
					ids = slices.Delete(ids, k+1, k+2)
				}
			}
			words[i].ids = ids
		}
	}
	return report(start, merged)
}

var isSpace = regexp.MustCompile(`^[\s\v\x{85}\p{Z}]+$`)

// before is the order of pairs that are as frequent.
func before(token []string, a, b bpe.Merge) bool {
	if token[a.Left] != token[b.Left] {
		return token[a.Left] < token[b.Left]
	}
	return token[a.Right] < token[b.Right]
}
