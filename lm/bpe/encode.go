package bpe

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// Encode appends the ids of text to dst and returns the extended slice. A space goes before text where the vocabulary's Prefix says
// so. Each piece of text starts as its bytes, or its characters; then, as long as some neighbours have a merge, the neighbours whose
// merge has the lowest rank are merged, leftmost first. Any bytes can be encoded, and Decode gives exactly them back, except that
// SentencePiece has "▁" come back as a space, and PrefixMissing loses a space that was there. The names of special tokens are
// encoded as any text. Pieces end where text ends: two halves encoded apart may differ from the whole; see EncodeSome.
func (v *Vocabulary) Encode(dst []uint32, text []byte) []uint32 {
	dst, _ = v.EncodeSome(dst, v.AddPrefix(text), false)
	return dst
}

// AddPrefix returns text with the space before it that the vocabulary's Prefix asks for; text itself where that is none.
func (v *Vocabulary) AddPrefix(text []byte) []byte {
	if !v.wantsSpace(text) {
		return text
	}
	return append([]byte{' '}, text...)
}

// wantsSpace tells whether a space goes before a text that starts so.
func (v *Vocabulary) wantsSpace(text []byte) bool {
	switch v.prefix {
	case PrefixAlways:
		return len(text) > 0
	case PrefixMissing:
		return len(text) > 0 && text[0] != ' '
	}
	return false
}

// EncodeSome appends the ids of the pieces at the start of text that nothing behind it can change, and says how many bytes these
// were; without more behind it, of all text. So a text of any size is encoded in the memory of its longest piece: what is left of a
// part is put before the next part. No prefix is put before text: its first part is to come from AddPrefix.
func (v *Vocabulary) EncodeSome(dst []uint32, text []byte, more bool) (ids []uint32, n int) {
	if len(v.pairs.entries) == 1 && !v.whole && v.pattern != SentencePiece { // no merges
		dst = slices.Grow(dst, len(text))
		for _, b := range text {
			dst = append(dst, v.bytes[b])
		}
		return dst, len(text)
	}
	end := len(text)
	if more {
		end = settled(text)
	}
	e, _ := v.encoders.Get().(*encoder)
	if e == nil {
		e = new(encoder)
	}
	for n < len(text) {
		rest := text[n:]
		length := v.piece(rest)
		if n+length > end {
			break
		}
		switch {
		case length <= maxCached:
			dst = e.cached(v, dst, rest, length)
		default:
			dst = e.encode(v, dst, rest[:length])
		}
		n += length
	}
	v.encoders.Put(e)
	return dst, n
}

// settled returns up to where the pieces of a text that goes on are known: to its last character that is no space, if that is whole.
// A piece that ends there or before depends on no character but those up to this one, and on the two behind an apostrophe.
func settled(text []byte) int {
	for end := len(text) - utf8.UTFMax; end > 0; end-- {
		if !utf8.RuneStart(text[end]) {
			continue
		}
		if r, _ := utf8.DecodeRune(text[end:]); !unicode.IsSpace(r) {
			return end
		}
	}
	return 0
}

const (
	// maxScanned is the number of ids up to which looking at all neighbours for each merge is quicker than keeping a queue.
	maxScanned = 128
	// cacheBits makes a cache of 2^15 slots, 1.8 MB: it holds the words of a book and the common ones of a language.
	cacheBits = 15
)

// An encoder is what one Encode needs beside the vocabulary: a cache of the pieces seen lately, kept from call to call, and room
// to work in.
type encoder struct {
	slots [1 << cacheBits]slot
	ids   []uint32
	ranks [maxScanned]uint32
}

// A slot remembers the ids of one piece, if they are few enough. Each piece has one slot, which it takes from another.
type slot struct {
	key
	n   uint32
	ids [8]uint32
}

// cached appends the ids of the piece text[:n].
func (e *encoder) cached(v *Vocabulary, dst []uint32, text []byte, n int) []uint32 {
	k := keyOf(text, n)
	s := &e.slots[k.hash()>>(64-cacheBits)]
	if s.key == k {
		return append(dst, s.ids[:s.n]...)
	}
	old := len(dst)
	dst = e.encode(v, dst, text[:n])
	if ids := dst[old:]; len(ids) <= len(s.ids) {
		s.key, s.n = k, uint32(len(ids))
		copy(s.ids[:], ids)
	}
	return dst
}

// encode appends the ids of a piece.
func (e *encoder) encode(v *Vocabulary, dst []uint32, piece []byte) []uint32 {
	if v.whole {
		if id := v.wholes.get(v, piece); id != none {
			return append(dst, id)
		}
	}
	e.ids = v.symbols(e.ids[:0], piece)
	if len(e.ids) > maxScanned {
		return v.queue(dst, e.ids)
	}
	return e.scan(v, dst, e.ids)
}

// symbols appends the ids that the merges of a piece start from.
func (v *Vocabulary) symbols(dst []uint32, piece []byte) []uint32 {
	if v.joints != nil {
		return v.joints.symbols(dst, v, piece)
	}
	for _, b := range piece {
		dst = append(dst, v.bytes[b])
	}
	return dst
}

// scan merges ids, of which there are 1 to maxScanned, and appends what is left. It looks for the lowest rank among all neighbours
// each time.
func (e *encoder) scan(v *Vocabulary, dst, ids []uint32) []uint32 {
	ranks := e.ranks[:len(ids)-1] // ranks[i] is that of the merge of ids[i] and ids[i+1]
	for i := range ranks {
		ranks[i] = v.pairs.get(ids[i], ids[i+1])
	}
	for {
		best, at := none, 0
		for i, rank := range ranks {
			if rank < best {
				best, at = rank, i
			}
		}
		if best == none {
			return append(dst, ids...)
		}
		ids[at] = v.made[best]
		ids = slices.Delete(ids, at+1, at+2)
		ranks = slices.Delete(ranks, at, at+1)
		if at > 0 {
			ranks[at-1] = v.pairs.get(ids[at-1], ids[at])
		}
		if at < len(ranks) {
			ranks[at] = v.pairs.get(ids[at], ids[at+1])
		}
	}
}

// positionBits leaves room for a rank below MaxMerges in a word of the queue.
const positionBits = 44

// queue merges ids, of which there is one at least, in O(n log n) for n of them, and appends what is left.
func (v *Vocabulary) queue(dst, ids []uint32) []uint32 {
	n := len(ids)
	// Where the tokens before and after one stand, by its first position; those merged into another are none.
	prev, next := make([]int, n), make([]int, n)
	for i := range ids {
		prev[i], next[i] = i-1, i+1
	}
	// An entry is a rank and, below it, the position of the left neighbour: the least is merged next. Entries whose neighbours have
	// changed since stay, and are passed over.
	merges := heap[uint64]{before: func(a, b uint64) bool { return a < b }}
	propose := func(left, right int) {
		if rank := v.pairs.get(ids[left], ids[right]); rank != none {
			merges.push(uint64(rank)<<positionBits | uint64(left))
		}
	}
	for i := range n - 1 {
		propose(i, i+1)
	}
	for len(merges.items) > 0 {
		rank, left := uint32(merges.items[0]>>positionBits), int(merges.items[0]&(1<<positionBits-1))
		merges.pop()
		if ids[left] == none {
			continue
		}
		right := next[left]
		if right == n || v.pairs.get(ids[left], ids[right]) != rank {
			continue
		}
		ids[left], ids[right] = v.made[rank], none
		next[left] = next[right]
		if next[left] < n {
			prev[next[left]] = left
			propose(left, next[left])
		}
		if left > 0 {
			propose(prev[left], left)
		}
	}
	for _, id := range ids {
		if id != none {
			dst = append(dst, id)
		}
	}
	return dst
}
