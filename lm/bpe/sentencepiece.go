package bpe

import (
	"bytes"
	"unicode/utf8"
)

// SentencePiece cuts no text: all of it is one piece, and merges start from its characters, those that are tokens. But where no token
// has one byte right after another, no merge joins them, and what stands on the two sides never meets. Cutting there leaves all ids as
// they are; published vocabularies have no token with a space after anything else than a space, so that pieces are words.

// metaspace stands for a space, in these vocabularies' files and in text.
const metaspace = "▁"

// joints has which bytes stand side by side in a token.
type joints struct {
	pairs      [alphabet][alphabet / 64]uint64
	characters pairTable // the token of each character, beside none
}

func newJoints(v *Vocabulary) *joints {
	j := new(joints)
	type character struct {
		r  rune
		id uint32
	}
	var characters []character
	for i, kind := range v.kinds {
		if kind != Text {
			continue
		}
		b := v.Bytes(uint32(i))
		for k := 1; k < len(b); k++ {
			j.pairs[b[k-1]][b[k]/64] |= 1 << (b[k] % 64)
		}
		if r, n := utf8.DecodeRune(b); n == len(b) && (n > 1 || r != utf8.RuneError) {
			characters = append(characters, character{r, uint32(i)})
		}
	}
	j.characters = newPairTable(len(characters))
	for _, c := range characters {
		j.characters.put(Merge{uint32(c.r), none}, c.id)
	}
	return j
}

// joined tells whether a token has the bytes beside each other between which text[n], the start of a character, begins.
func (j *joints) joined(text []byte, n int) bool {
	before, after := text[n-1], text[n]
	if bytes.HasSuffix(text[:n], []byte(metaspace)) {
		before = ' '
	}
	if bytes.HasPrefix(text[n:], []byte(metaspace)) {
		after = ' '
	}
	return j.pairs[before][after/64]&(1<<(after%64)) != 0
}

// piece returns the length of the stretch at the start of text that merges cannot leave.
func (j *joints) piece(text []byte) int {
	for n := 1; n < len(text); n++ {
		if utf8.RuneStart(text[n]) && !j.joined(text, n) {
			return n
		}
	}
	return len(text)
}

// symbols appends the ids that merges start from: those of the characters of a piece, or else of their bytes.
func (j *joints) symbols(dst []uint32, v *Vocabulary, piece []byte) []uint32 {
	for len(piece) > 0 {
		r, n := utf8.DecodeRune(piece)
		if r == '▁' {
			r = ' '
		}
		id := none
		if n > 1 || r != utf8.RuneError {
			id = j.characters.get(uint32(r), none)
		}
		if id != none {
			dst = append(dst, id)
		} else {
			for _, b := range piece[:n] {
				dst = append(dst, v.bytes[b])
			}
		}
		piece = piece[n:]
	}
	return dst
}
