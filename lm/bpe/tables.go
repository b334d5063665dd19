package bpe

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// pairTable maps pairs to numbers: open addressing, at most half full.
type pairTable struct {
	entries []pairEntry
	shift   int // a hash's home is its high bits
}

type pairEntry struct {
	Merge
	value uint32 // none in an empty entry
}

func newPairTable(n int) pairTable {
	size := bits.Len(uint(2 * n))
	t := pairTable{make([]pairEntry, 1<<size), 64 - size}
	for i := range t.entries {
		t.entries[i].value = none
	}
	return t
}

// home returns the entry where m is, or else the empty one where it belongs.
func (t *pairTable) home(m Merge) *pairEntry {
	i := hash(uint64(m.Left), uint64(m.Right)) >> t.shift
	for {
		e := &t.entries[i]
		if e.Merge == m || e.value == none {
			return e
		}
		i = (i + 1) & uint64(len(t.entries)-1)
	}
}

func (t *pairTable) put(m Merge, value uint32) { *t.home(m) = pairEntry{m, value} }

// get returns the value of left and right, or none.
func (t *pairTable) get(left, right uint32) uint32 {
	if e := t.home(Merge{left, right}); e.value != none {
		return e.value
	}
	return none
}

// maxCached is the length of the longest piece that caches hold: with its length it fills two words.
const maxCached = 15

// A key is a piece of 1 to maxCached bytes: the bytes, little-endian, and their number in the highest byte. None is zero.
type key struct{ low, high uint64 }

// keyOf returns the key of text[:n].
func keyOf(text []byte, n int) key {
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
	return key{low, high | uint64(n)<<56}
}

// appendPiece appends the bytes of the piece.
func (k key) appendPiece(dst []byte) []byte {
	n := len(dst) + int(k.high>>56)
	dst = binary.LittleEndian.AppendUint64(dst, k.low)
	return binary.LittleEndian.AppendUint64(dst, k.high)[:n]
}

func (k key) hash() uint64 { return hash(k.low, k.high) }

// hash mixes two words; its high bits are the best mixed.
func hash(a, b uint64) uint64 {
	const odd1, odd2 = 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9 // from splitmix64
	return (bits.RotateLeft64(a*odd1, 32) ^ b) * odd2
}

// index finds the tokens of a vocabulary by their bytes: open addressing, at most half full. Its seed is the process's own, so that
// no list of tokens can be made to collide.
type index struct {
	ids  []uint32 // none in an empty entry
	seed maphash.Seed
}

func newIndex(n int) index {
	x := index{make([]uint32, 1<<bits.Len(uint(2*n))), maphash.MakeSeed()}
	for i := range x.ids {
		x.ids[i] = none
	}
	return x
}

// home returns the entry where the token of these bytes is, or else the empty one where it belongs.
func (x *index) home(v *Vocabulary, b []byte) *uint32 {
	mask := uint64(len(x.ids) - 1)
	for i := maphash.Bytes(x.seed, b) & mask; ; i = (i + 1) & mask {
		if id := x.ids[i]; id == none || bytes.Equal(v.Bytes(id), b) {
			return &x.ids[i]
		}
	}
}

// get returns the id of the token of these bytes, or none.
func (x *index) get(v *Vocabulary, b []byte) uint32 { return *x.home(v, b) }

// put adds a token, and returns the id of the one that has its bytes: its own, unless there was one.
func (x *index) put(v *Vocabulary, id uint32) uint32 {
	entry := x.home(v, v.Bytes(id))
	if *entry == none {
		*entry = id
	}
	return *entry
}
