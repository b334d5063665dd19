package tokenizerfile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"anneal/lm/bpe"
)

// A spelling is how the vocabulary of a tokenizer.json writes tokens that come from text.
type spelling struct {
	write func(bpe.Token) (string, error)
	read  func(string) (bpe.Token, error) // the error completes a sentence that starts with the token's place
}

// byteLevel is GPT-2's (Radford et al. 2019, encoder.py): each byte has a character of its own. Those that print stand for
// themselves, the others, in their order, for U+0100 and what follows.
var byteLevel = spelling{
	write: func(t bpe.Token) (string, error) {
		var s strings.Builder
		for _, b := range t.Bytes {
			s.WriteRune(charOf[b])
		}
		return s.String(), nil
	},
	read: func(s string) (bpe.Token, error) {
		token := make([]byte, 0, len(s))
		for _, r := range s {
			b, ok := byteOf[r]
			if !ok {
				return bpe.Token{}, fmt.Errorf("has the character %q, which stands for no byte", r)
			}
			token = append(token, b)
		}
		return bpe.Token{Bytes: token}, nil
	},
}

var charOf, byteOf = func() (chars [256]rune, bytes map[rune]byte) {
	bytes = map[rune]byte{}
	next := rune(256)
	for b := range chars {
		if r := rune(b); r >= '!' && r <= '~' || r >= '¡' && r <= '¬' || r >= '®' {
			chars[b] = r
		} else {
			chars[b] = next
			next++
		}
		bytes[chars[b]] = byte(b)
	}
	return chars, bytes
}()

// space stands for one in a SentencePiece vocabulary.
const space = "▁"

// sentencePiece is Llama 2's: text as it is, with ▁ for spaces, and "<0x0A>" for a byte of a character that is no token.
var sentencePiece = spelling{
	write: func(t bpe.Token) (string, error) {
		s := string(t.Bytes)
		if t.Kind == bpe.Fallback {
			return fmt.Sprintf("<0x%02X>", s[0]), nil
		}
		if !utf8.ValidString(s) || strings.Contains(s, space) {
			return "", fmt.Errorf("token %q cannot be written: it must be whole characters, without %s", s, space)
		}
		return strings.ReplaceAll(s, " ", space), nil
	},
	read: func(s string) (bpe.Token, error) {
		if len(s) == len("<0x00>") && strings.HasPrefix(s, "<0x") && s[5] == '>' {
			if b, err := strconv.ParseUint(s[3:5], 16, 8); err == nil {
				return bpe.Token{Bytes: []byte{byte(b)}, Kind: bpe.Fallback}, nil
			}
		}
		return bpe.Token{Bytes: []byte(strings.ReplaceAll(s, space, " "))}, nil
	},
}
