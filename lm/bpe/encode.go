package bpe

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Encode appends the ids of text to dst and returns the extended slice. Each piece of text starts as its bytes; then, as long as
// some neighbours have a merge, the neighbours whose merge has the lowest rank are merged, leftmost first. Any bytes can be
// encoded, and Decode gives exactly them back. Pieces end where text ends: two halves encoded apart may differ from the whole.
func (v *Vocabulary) Encode(dst []uint32, text []byte) []uint32 {
	if len(v.merges) == 0 {
		dst = slices.Grow(dst, len(text))
		for _, b := range text {
			dst = append(dst, uint32(b))
		}
		return dst
	}
	e := v.encoders.Get().(*encoder)
	for len(text) > 0 {
		n := piece(text)
		switch {
		case n == 1:
			dst = append(dst, uint32(text[0]))
		case n <= maxCached:
			dst = e.cached(v, dst, text, n)
		case n <= maxScanned:
			dst = e.scan(v, dst, text[:n])
		default:
			dst = v.queue(dst, text[:n])
		}
		text = text[n:]
	}
	v.encoders.Put(e)
	return dst
}

const (
	// maxCached is the length of the longest piece the cache holds: with its length it fills two words.
	maxCached = 15
	// maxScanned is the length up to which looking at all neighbours for each merge is quicker than keeping a queue.
	maxScanned = 128
	// cacheBits makes a cache of 2^14 slots, 900 kB: it stays in a core's second-level cache and holds the common words of a
	// language.
	cacheBits = 14
)

// An encoder is what one Encode needs beside the vocabulary: a cache of the pieces seen lately, kept from call to call, and room
// to work in.
type encoder struct {
	slots     [1 << cacheBits]slot
	ids, made [maxScanned]uint32
}

// A slot remembers the ids of one piece, if they are few enough. Each piece has one slot, which it takes from another.
type slot struct {
	low, high uint64 // the bytes of the piece, little-endian, and its length in the highest byte: never 0
	n         uint32
	ids       [8]uint32
}

// cached appends the ids of the piece text[:n].
func (e *encoder) cached(v *Vocabulary, dst []uint32, text []byte, n int) []uint32 {
	var padded [maxCached + 1]byte
	if len(text) < len(padded) {
		copy(padded[:], text)
		text = padded[:]
	}
	low, high := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[8:])
	if n < 8 {
		low, high = low&(1<<(8*n)-1), 0
	} else {
		high &= 1<<(8*(n-8)) - 1
	}
	high |= uint64(n) << 56

	s := &e.slots[hash(low, high)>>(64-cacheBits)]
	if s.low == low && s.high == high {
		return append(dst, s.ids[:s.n]...)
	}
	old := len(dst)
	dst = e.scan(v, dst, text[:n])
	if ids := dst[old:]; len(ids) <= len(s.ids) {
		s.low, s.high, s.n = low, high, uint32(len(ids))
		copy(s.ids[:], ids)
	}
	return dst
}

// scan appends the ids of a piece of 2 to maxScanned bytes. It looks for the lowest rank among all neighbours each time.
func (e *encoder) scan(v *Vocabulary, dst []uint32, piece []byte) []uint32 {
	n := len(piece)
	ids, made := e.ids[:n], e.made[:n-1] // made[i] is the id that ids[i] and ids[i+1] merge into
	for i, b := range piece {
		ids[i] = uint32(b)
		if i > 0 {
			made[i-1] = v.pairs.get(ids[i-1], ids[i])
		}
	}
	for {
		best, at := none, 0
		for i, id := range made {
			if id < best {
				best, at = id, i
			}
		}
		if best == none {
			return append(dst, ids...)
		}
		ids[at] = best
		ids = slices.Delete(ids, at+1, at+2)
		made = slices.Delete(made, at, at+1)
		if at > 0 {
			made[at-1] = v.pairs.get(ids[at-1], best)
		}
		if at < len(made) {
			made[at] = v.pairs.get(best, ids[at+1])
		}
	}
}

// positionBits leaves room for an id below MaxSize in a word of the queue.
const positionBits = 46

// queue appends the ids of a piece of at least 2 bytes, in O(n log n) for a piece of n.
func (v *Vocabulary) queue(dst []uint32, piece []byte) []uint32 {
	n := len(piece)
	ids := make([]uint32, n) // by the position of a token's first byte; none elsewhere
	prev := make([]int, n+1) // where the token before begins
	for i, b := range piece {
		ids[i] = uint32(b)
		prev[i+1] = i
	}
	// An entry is the id that two neighbours would make and, below it, the position of the left one: the least is merged next.
	// Entries whose neighbours have changed since stay, and are passed over.
	merges := heap[uint64]{before: func(a, b uint64) bool { return a < b }}
	propose := func(left, right int) {
		if id := v.pairs.get(ids[left], ids[right]); id != none {
			merges.push(uint64(id)<<positionBits | uint64(left))
		}
	}
	for i := range n - 1 {
		propose(i, i+1)
	}
	for len(merges.items) > 0 {
		id, left := uint32(merges.items[0]>>positionBits), int(merges.items[0]&(1<<positionBits-1))
		merges.pop()
		if ids[left] == none {
			continue
		}
		right := left + int(v.length(ids[left]))
		if right == n || v.pairs.get(ids[left], ids[right]) != id {
			continue
		}
		ids[left], ids[right] = id, none
		next := left + int(v.length(id))
		prev[next] = left
		if left > 0 {
			propose(prev[left], left)
		}
		if next < n {
			propose(left, next)
		}
	}
	for _, id := range ids {
		if id != none {
			dst = append(dst, id)
		}
	}
	return dst
}

// pairTable maps merges to the ids they make: open addressing, at most half full.
type pairTable struct {
	entries []pairEntry
	shift   int // a hash's home is its high bits
}

type pairEntry struct {
	Merge
	id uint32 // none in an empty entry
}

func newPairTable(n int) pairTable {
	size := bits.Len(uint(2 * n))
	t := pairTable{make([]pairEntry, 1<<size), 64 - size}
	for i := range t.entries {
		t.entries[i].id = none
	}
	return t
}

// home returns the entry where m is, or else the empty one where it belongs.
func (t *pairTable) home(m Merge) *pairEntry {
	i := hash(uint64(m.Left), uint64(m.Right)) >> t.shift
	for {
		e := &t.entries[i]
		if e.Merge == m || e.id == none {
			return e
		}
		i = (i + 1) & uint64(len(t.entries)-1)
	}
}

func (t *pairTable) put(m Merge, id uint32) { *t.home(m) = pairEntry{m, id} }

// get returns the id that left and right make, or none.
func (t *pairTable) get(left, right uint32) uint32 { return t.home(Merge{left, right}).id }

// hash mixes two words; its high bits are the best mixed.
func hash(a, b uint64) uint64 {
	const odd1, odd2 = 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9 // from splitmix64
	return (bits.RotateLeft64(a*odd1, 32) ^ b) * odd2
}
