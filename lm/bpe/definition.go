package bpe

import (
	"bytes"
	"slices"
)

// A Definition is all that makes a tokenizer what it is, in the form in which artifacts hold it. Build makes it ready to use. The zero
// values of all fields but Tokens and Merges are those of a vocabulary that Train learns without further wishes: see Plain.
type Definition struct {
	Tokens []Token // by id

	// Merges, in order of rank: the bytes of the two tokens joined are those of a third. Several may make one token.
	Merges []Merge

	Pattern Pattern // how text is cut into pieces, which no token crosses

	// Whole takes a piece that is a token as a whole as that token, whatever merges would make of it ("ignore_merges").
	Whole bool

	// ByID stands for all merges that there could be: any two tokens of text whose bytes joined are a third, in order of the id they
	// make, all that make one token of equal rank. That is what tiktoken's files of ranks mean. Merges is then empty.
	ByID bool

	Prefix Prefix // whether a space goes before a text
}

// A Token is what one id stands for.
type Token struct {
	Bytes []byte // what it decodes to; a special token's name; none where no text has the id
	Kind  TokenKind
}

// TokenKind says how an id comes into a stream.
type TokenKind uint8

const (
	Text     TokenKind = iota // from text: a byte or what merges make; of the pattern SentencePiece a character or what merges make
	Special                   // never from text: the end of a document, say
	Fallback                  // a byte of a character that no token is, of the pattern SentencePiece
	Unused                    // never: it fills the model's matrix up
)

// Pattern names the way in which text is cut into pieces.
type Pattern string

// Patterns.
const (
	GPT2          Pattern = ""              // of GPT-2, r50k and p50k; without merges nothing is cut
	Llama3        Pattern = "llama3"        // of Llama 3 and OLMo 2, which is cl100k's too
	Qwen2         Pattern = "qwen2"         // as Llama3, with every digit a piece
	SentencePiece Pattern = "sentencepiece" // of Llama 2: all text is one piece, "▁" is a space, and merges start from characters
)

// Prefix says whether Encode puts a space before a text, which Decode takes away again.
type Prefix string

// Prefixes.
const (
	NoPrefix      Prefix = ""
	PrefixAlways  Prefix = "always"  // before every text that has a byte: Llama 2 and sentencepiece's add_dummy_prefix
	PrefixMissing Prefix = "missing" // before a text that begins with none: add_prefix_space
)

// Plain returns the definition of the 256 bytes, of ids 0 to 255, and a token a merge after them. A merge of a token that
// does not exist before it makes an empty one, which Build refuses.
func Plain(merges []Merge) *Definition {
	d := &Definition{Tokens: make([]Token, alphabet, alphabet+len(merges)), Merges: merges}
	for i := range d.Tokens {
		d.Tokens[i].Bytes = []byte{byte(i)}
	}
	for _, m := range merges {
		var made []byte
		if n := uint32(len(d.Tokens)); m.Left < n && m.Right < n {
			made = slices.Concat(d.Tokens[m.Left].Bytes, d.Tokens[m.Right].Bytes)
		}
		d.Tokens = append(d.Tokens, Token{Bytes: made})
	}
	return d
}

// Size returns the number of ids.
func (d *Definition) Size() int { return len(d.Tokens) }

// Equal tells whether two definitions say the same.
func (d *Definition) Equal(other *Definition) bool {
	same := func(a, b Token) bool { return a.Kind == b.Kind && bytes.Equal(a.Bytes, b.Bytes) }
	return slices.EqualFunc(d.Tokens, other.Tokens, same) && slices.Equal(d.Merges, other.Merges) &&
		d.Pattern == other.Pattern && d.Whole == other.Whole && d.ByID == other.ByID && d.Prefix == other.Prefix
}
