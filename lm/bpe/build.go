package bpe

import (
	"bytes"
	"fmt"
	"slices"
)

// Build returns the vocabulary that d defines. Errors name the token or the merge by its index: a token of text is empty, longer than
// [MaxToken] or there twice; a byte has no token; a merge is there twice, or is of tokens, or makes one, that are not there as
// text; there are more than [MaxSize] ids or [MaxMerges] merges; or fields contradict each other. Those of a plain definition are
// New's.
func Build(d *Definition) (*Vocabulary, error) {
	if d.isPlain() {
		return New(d.Merges)
	}
	v := &Vocabulary{
		merges:  slices.Clone(d.Merges),
		start:   make([]uint32, 1, len(d.Tokens)+1),
		kinds:   make([]TokenKind, 0, len(d.Tokens)),
		pattern: d.Pattern,
		whole:   d.Whole,
		byID:    d.ByID,
		prefix:  d.Prefix,
		special: map[string]uint32{},
	}
	if err := v.settings(); err != nil {
		return nil, err
	}
	if len(d.Tokens) > MaxSize {
		return nil, fmt.Errorf("bpe: there are %d tokens; a vocabulary has at most %d ids", len(d.Tokens), MaxSize)
	}
	words, err := v.addTokens(d.Tokens)
	if err != nil {
		return nil, err
	}
	if err := v.findBytes(words); err != nil {
		return nil, err
	}
	if v.byID {
		err = v.allMerges(words)
	} else {
		err = v.listedMerges(words)
	}
	if err != nil {
		return nil, err
	}
	if v.whole {
		v.wholes = words
	}
	if v.pattern == SentencePiece {
		v.joints = newJoints(v)
		v.piece = v.joints.piece
	}
	return v, nil
}

// isPlain tells whether a definition is Plain of its merges.
func (d *Definition) isPlain() bool {
	if len(d.Tokens) != alphabet+len(d.Merges) || d.Pattern != GPT2 || d.Whole || d.ByID || d.Prefix != NoPrefix {
		return false
	}
	for i, t := range d.Tokens {
		made := t.Bytes
		switch {
		case t.Kind != Text:
			return false
		case i < alphabet:
			if len(made) != 1 || made[0] != byte(i) {
				return false
			}
		default:
			m := d.Merges[i-alphabet]
			if int(m.Left) >= i || int(m.Right) >= i {
				if len(made) > 0 {
					return false
				}
				continue
			}
			right, ok := bytes.CutPrefix(made, d.Tokens[m.Left].Bytes)
			if !ok || !bytes.Equal(right, d.Tokens[m.Right].Bytes) {
				return false
			}
		}
	}
	return true
}

// settings checks the fields that are not lists, and finds the pattern.
func (v *Vocabulary) settings() error {
	switch v.pattern {
	case GPT2:
		v.piece = piece
	case Llama3:
		v.piece = pieceLlama3
	case Qwen2:
		v.piece = pieceQwen2
	case SentencePiece:
		if v.whole || v.byID {
			return fmt.Errorf("bpe: the pattern %q does not go with Whole or ByID", v.pattern)
		}
	default:
		return fmt.Errorf("bpe: the pattern %q is not known", v.pattern)
	}
	switch v.prefix {
	case NoPrefix, PrefixAlways, PrefixMissing:
	default:
		return fmt.Errorf("bpe: the prefix %q is not known", v.prefix)
	}
	if v.byID && len(v.merges) > 0 {
		return fmt.Errorf("bpe: merges are listed beside ByID, which stands for all of them")
	}
	if len(v.merges) > MaxMerges {
		return fmt.Errorf("bpe: there are %d merges; at most %d are allowed", len(v.merges), MaxMerges)
	}
	return nil
}

// addTokens takes over the tokens and returns the index of those of text.
func (v *Vocabulary) addTokens(tokens []Token) (index, error) {
	words := newIndex(len(tokens))
	for i, t := range tokens {
		id := uint32(i)
		if len(t.Bytes) > MaxToken {
			return words, fmt.Errorf("bpe: token %d has %d bytes; at most %d are allowed", i, len(t.Bytes), MaxToken)
		}
		v.text = append(v.text, t.Bytes...)
		v.start = append(v.start, uint32(len(v.text)))
		v.kinds = append(v.kinds, t.Kind)
		switch t.Kind {
		case Text:
			if len(t.Bytes) == 0 {
				return words, fmt.Errorf("bpe: token %d has no bytes", i)
			}
			if earlier := words.put(v, id); earlier != id {
				return words, fmt.Errorf("bpe: token %d is %q, which token %d is already", i, t.Bytes, earlier)
			}
		case Special:
			if len(t.Bytes) == 0 {
				return words, fmt.Errorf("bpe: token %d is special and has no name", i)
			}
			if earlier, ok := v.special[string(t.Bytes)]; ok {
				return words, fmt.Errorf("bpe: token %d is the special token %q, which token %d is already", i, t.Bytes, earlier)
			}
			v.special[string(t.Bytes)] = id
		case Fallback:
			if v.pattern != SentencePiece {
				return words, fmt.Errorf("bpe: token %d is a byte's fallback, which only the pattern %q has", i, SentencePiece)
			}
			if len(t.Bytes) != 1 {
				return words, fmt.Errorf("bpe: token %d is a byte's fallback and has %d bytes", i, len(t.Bytes))
			}
		case Unused:
			if len(t.Bytes) > 0 {
				return words, fmt.Errorf("bpe: token %d is unused and has bytes: %q", i, t.Bytes)
			}
		default:
			return words, fmt.Errorf("bpe: token %d is of kind %d, which is not known", i, t.Kind)
		}
	}
	return words, nil
}

// findBytes finds the token of each byte.
func (v *Vocabulary) findBytes(words index) error {
	if v.pattern != SentencePiece {
		for b := range v.bytes {
			if v.bytes[b] = words.get(v, []byte{byte(b)}); v.bytes[b] == none {
				return fmt.Errorf("bpe: no token is the byte %#02x", b)
			}
		}
		return nil
	}
	for b := range v.bytes {
		v.bytes[b] = none
	}
	for i, kind := range v.kinds {
		if kind != Fallback {
			continue
		}
		b := v.Bytes(uint32(i))[0]
		if v.bytes[b] != none {
			return fmt.Errorf("bpe: token %d is the fallback of the byte %#02x, which token %d is already", i, b, v.bytes[b])
		}
		v.bytes[b] = uint32(i)
	}
	if b := slices.Index(v.bytes[:], none); b >= 0 {
		return fmt.Errorf("bpe: no token is the fallback of the byte %#02x", b)
	}
	return nil
}

// listedMerges ranks the merges as they are listed.
func (v *Vocabulary) listedMerges(words index) error {
	v.pairs = newPairTable(len(v.merges))
	v.made = make([]uint32, len(v.merges))
	var joined []byte
	for i, m := range v.merges {
		for _, id := range []uint32{m.Left, m.Right} {
			if int(id) >= v.Size() || v.kinds[id] != Text {
				return fmt.Errorf("bpe: merge %d: id %d is no token of text", i, id)
			}
		}
		joined = append(append(joined[:0], v.Bytes(m.Left)...), v.Bytes(m.Right)...)
		if v.made[i] = words.get(v, joined); v.made[i] == none {
			return fmt.Errorf("bpe: merge %d makes %q, which no token is", i, joined)
		}
		if earlier := v.pairs.get(m.Left, m.Right); earlier != none {
			return fmt.Errorf("bpe: merge %d is merge %d again", i, earlier)
		}
		v.pairs.put(m, uint32(i))
	}
	return nil
}

// allMerges ranks every two tokens that make a third by the id of that.
func (v *Vocabulary) allMerges(words index) error {
	// Every place within every token is looked at, in time of the square of its length: 16 MiB keep that to seconds.
	const maxText = 1 << 24
	if len(v.text) > maxText {
		return fmt.Errorf("bpe: the tokens of ranks have %d bytes; at most %d are allowed", len(v.text), maxText)
	}
	type entry struct {
		Merge
		id uint32
	}
	var all []entry
	v.made = make([]uint32, v.Size())
	for i, kind := range v.kinds {
		id := uint32(i)
		v.made[i] = id
		if kind != Text {
			continue
		}
		b := v.Bytes(id)
		for cut := 1; cut < len(b); cut++ {
			left := words.get(v, b[:cut])
			if left == none {
				continue
			}
			if right := words.get(v, b[cut:]); right != none {
				all = append(all, entry{Merge{left, right}, id})
			}
		}
		if len(all) > MaxMerges {
			return fmt.Errorf("bpe: tokens up to %d can be made in more than %d ways", i, MaxMerges)
		}
	}
	v.pairs = newPairTable(len(all))
	for _, e := range all {
		v.pairs.put(e.Merge, e.id)
	}
	return nil
}

// Definition returns what defines v. The caller must not change the bytes of its tokens.
func (v *Vocabulary) Definition() *Definition {
	d := &Definition{
		Tokens:  make([]Token, v.Size()),
		Merges:  v.Merges(),
		Pattern: v.pattern,
		Whole:   v.whole,
		ByID:    v.byID,
		Prefix:  v.prefix,
	}
	for i := range d.Tokens {
		d.Tokens[i] = Token{Bytes: v.Bytes(uint32(i)), Kind: v.kind(uint32(i))}
	}
	return d
}
