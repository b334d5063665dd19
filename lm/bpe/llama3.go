package bpe

import (
	"bytes"
	"unicode/utf8"
)

// Llama 3's pattern is that of cl100k, alternatives tried in order:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// Qwen 2's has \p{N} in place of \p{N}{1,3}.

// pieceLlama3 returns the length of the first piece of text, which must not be empty. It is at least 1.
func pieceLlama3(text []byte) int { return pieceOfDigits(text, 3) }

// pieceQwen2 is the same for Qwen 2.
func pieceQwen2(text []byte) int { return pieceOfDigits(text, 1) }

func pieceOfDigits(text []byte, digits int) int {
	if text[0] == '\'' {
		if n := contractionInAnyCase(text); n > 0 {
			return n
		}
	}
	c, n := first(text)
	switch c {
	case letter:
		return n + run(text[n:], letter)
	case number:
		for ; digits > 1 && n < len(text); digits-- {
			next, width := first(text[n:])
			if next != number {
				break
			}
			n += width
		}
		return n
	}
	if n < len(text) && !isNewline(text[0]) {
		next, width := first(text[n:])
		if next == letter {
			n += width
			return n + run(text[n:], letter)
		}
		if c == mark || text[0] == ' ' && next == mark {
			n += run(text[n:], mark)
			for n < len(text) && isNewline(text[n]) {
				n++
			}
			return n
		}
	}
	if c == mark {
		return n
	}
	spaces := text[:run(text, space)]
	if last := bytes.LastIndexAny(spaces, "\r\n"); last >= 0 {
		return last + 1
	}
	return whitespace(text)
}

func isNewline(b byte) bool { return b == '\n' || b == '\r' }

// contractionInAnyCase returns the length of the English ending 's, 't, 're, 've, 'm, 'll or 'd in letters of any case that text
// begins with, or 0. The long s, U+017F, is an s in another case.
func contractionInAnyCase(text []byte) int {
	var lower [3]byte
	switch n := copy(lower[:], text); {
	case n > 2 && lower[1] == "ſ"[0] && lower[2] == "ſ"[1]:
		return len("'ſ")
	default:
		for i := range lower[:n] {
			if lower[i] < utf8.RuneSelf {
				lower[i] |= 0x20
			}
		}
		lower[0] = text[0]
		return contraction(lower[:n])
	}
}
