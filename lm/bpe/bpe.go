// Package bpe is byte-pair encoding: text in, token ids out, and the exact bytes back.
//
// A vocabulary of our own starts as the 256 bytes and grows by merges (Sennrich, Haddow & Birch 2016, "Neural Machine Translation of
// Rare Words with Subword Units"): merge i names two ids that exist already and makes id 256+i of their bytes joined. Because the
// alphabet is bytes and not characters (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"), every byte
// string has an encoding, valid UTF-8 or not, and no id means "unknown".
//
// Published vocabularies have ids in other orders, special tokens, merges by rank of what they make, or characters as their
// alphabet, with bytes for the others. A Definition says all this, and Build makes a Vocabulary of it.
//
// Text is first cut into pieces by a pattern (piece.go, llama3.go, sentencepiece.go); no token crosses a piece, so a word is encoded
// the same wherever it stands. A vocabulary without merges is plain bytes: ids are the bytes and nothing is cut.
//
// Nothing here depends on the machine, the order of texts or the number of cores. The classes of characters are those of
// [unicode.Version].
package bpe

import (
	"fmt"
	"slices"
	"sync"
)

const (
	// MaxSize is the largest vocabulary: published ones end near 200,000 ids, a few at 256,000.
	MaxSize = 1 << 18

	// MaxToken is the longest token in bytes. Merges can double a token's length each, so without a limit a list of 40 of them,
	// from a damaged file or learned from a long run of one byte, would ask for a terabyte. Published tokens end near 128 bytes.
	MaxToken = 1 << 10

	// MaxMerges is the largest number of merges, with all that ByID stands for. Published vocabularies end near 600,000. The encoder's
	// queue packs a rank beside a position in one word and relies on it.
	MaxMerges = 1 << 20
)

// alphabet is the number of bytes.
const alphabet = 256

// none is an id that no vocabulary has, and a rank that no merge has.
const none = ^uint32(0)

// A Merge makes a token of two others, the bytes of Left followed by those of Right.
type Merge struct{ Left, Right uint32 }

// A Vocabulary is a Definition made ready to use. It is immutable and safe for concurrent use.
type Vocabulary struct {
	merges  []Merge
	text    []byte      // the bytes of every token, by id
	start   []uint32    // token id is text[start[id]:start[id+1]]
	kinds   []TokenKind // by id; nil where all are Text
	pattern Pattern
	whole   bool
	byID    bool
	prefix  Prefix

	piece    func(text []byte) int // the length of the first piece of text, which is not empty
	bytes    [alphabet]uint32      // the id of each byte; of SentencePiece its fallback's
	pairs    pairTable             // the rank of each merge
	made     []uint32              // the id that each rank makes
	wholes   index                 // of the tokens of text, where pieces may be one as a whole
	special  map[string]uint32
	joints   *joints // of SentencePiece
	encoders sync.Pool
}

// New returns the vocabulary of the 256 bytes and the given merges, in order of rank, merge i making id 256+i; none at all gives
// plain bytes. It is an error, which names the merge by its index, when a side does not exist before its merge, when the bytes made
// are those of an earlier id (a repeated merge among them: the second could never be reached), when a token outgrows [MaxToken], or
// when there are more than [MaxSize] ids.
func New(merges []Merge) (*Vocabulary, error) {
	v := bare(len(merges))
	seen := make(map[string]uint32, len(merges))
	for i, m := range merges {
		id := uint32(v.Size())
		if id == MaxSize {
			return nil, fmt.Errorf("bpe: merge %d: a vocabulary has at most %d ids", i, MaxSize)
		}
		if m.Left >= id || m.Right >= id {
			return nil, fmt.Errorf("bpe: merge %d: id %d does not exist yet: ids before it end at %d", i, max(m.Left, m.Right), id-1)
		}
		if n := v.length(m.Left) + v.length(m.Right); n > MaxToken {
			return nil, fmt.Errorf("bpe: merge %d: makes a token of %d bytes; at most %d are allowed", i, n, MaxToken)
		}
		v.add(m)
		made := v.Bytes(id)
		if earlier, ok := seen[string(made)]; ok {
			return nil, fmt.Errorf("bpe: merge %d: makes %q, which id %d is already", i, made, earlier)
		}
		seen[string(made)] = id
	}
	v.index()
	return v, nil
}

// bare returns the 256 bytes, with room for n merges, for add to grow and index to finish.
func bare(n int) *Vocabulary {
	v := &Vocabulary{
		merges: make([]Merge, 0, n),
		text:   make([]byte, alphabet, alphabet+8*n),
		start:  make([]uint32, alphabet+1, alphabet+1+n),
		piece:  piece,
	}
	for i := range alphabet {
		v.text[i] = byte(i)
		v.start[i+1] = uint32(i + 1)
		v.bytes[i] = uint32(i)
	}
	return v
}

// add appends a merge whose sides exist, and the token that it makes.
func (v *Vocabulary) add(m Merge) {
	v.merges = append(v.merges, m)
	v.text = append(v.text, v.Bytes(m.Left)...)
	v.text = append(v.text, v.Bytes(m.Right)...)
	v.start = append(v.start, uint32(len(v.text)))
}

// index makes v ready to encode, where merge i makes id 256+i.
func (v *Vocabulary) index() {
	v.pairs = newPairTable(len(v.merges))
	v.made = make([]uint32, len(v.merges))
	for i, m := range v.merges {
		v.pairs.put(m, uint32(i))
		v.made[i] = uint32(alphabet + i)
	}
}

// Merges returns a copy of the merges, in order of rank.
func (v *Vocabulary) Merges() []Merge { return slices.Clone(v.merges) }

// Size returns the number of ids.
func (v *Vocabulary) Size() int { return len(v.start) - 1 }

// Bytes returns the bytes of a token, at most MaxToken of them, which the caller must not change: what it decodes to, the name of a
// special one, nothing of an unused one. It panics if id is not below Size.
func (v *Vocabulary) Bytes(id uint32) []byte {
	from, to := v.start[id], v.start[id+1]
	return v.text[from:to:to]
}

// length returns len(v.Bytes(id)).
func (v *Vocabulary) length(id uint32) uint32 { return v.start[id+1] - v.start[id] }

// kind returns the kind of a token.
func (v *Vocabulary) kind(id uint32) TokenKind {
	if v.kinds == nil {
		return Text
	}
	return v.kinds[id]
}

// Special returns the id of the special token of a name.
func (v *Vocabulary) Special(name string) (id uint32, ok bool) {
	id, ok = v.special[name]
	return id, ok
}

// Decode appends the bytes of ids to dst and returns the extended slice. Where a vocabulary has a Prefix, one space at the start of
// the text, after special tokens, is left out. An id outside the vocabulary is an error that names it and its index; dst is then
// returned at its old length.
func (v *Vocabulary) Decode(dst []byte, ids []uint32) ([]byte, error) {
	old, begun := len(dst), v.prefix == NoPrefix
	for i, id := range ids {
		if int(id) >= v.Size() {
			return dst[:old], fmt.Errorf("bpe: token %d has id %d, outside the vocabulary of %d", i, id, v.Size())
		}
		b := v.Bytes(id)
		if !begun && v.kind(id) != Special {
			begun = true
			if len(b) > 0 && b[0] == ' ' {
				b = b[1:]
			}
		}
		dst = append(dst, b...)
	}
	return dst, nil
}
