package bpe

import (
	"unicode"
	"unicode/utf8"
)

// The pattern that cuts text into pieces is GPT-2's (Radford et al. 2019), alternatives tried in order:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// Written out by hand: Go's regexp has no lookahead. \s is Unicode's White_Space. A byte that is no part of valid UTF-8 counts
// as a character of the class [^\s\p{L}\p{N}], as U+FFFD would.

// class is the part a character plays in the pattern.
type class uint8

const (
	mark   class = iota // [^\s\p{L}\p{N}]
	letter              // \p{L}
	number              // \p{N}
	space               // \s
)

// wide stands for the bytes of longer characters, which say no class by themselves.
const wide class = 255

// classes has the classes of bytes that are characters.
var classes = func() (t [alphabet]class) {
	for b := range t {
		if t[b] = wide; b < utf8.RuneSelf {
			t[b] = classOf(rune(b))
		}
	}
	return t
}()

func classOf(r rune) class {
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	case unicode.IsSpace(r):
		return space
	}
	return mark
}

// first returns the class and the width in bytes of the first character of text, which must not be empty.
func first(text []byte) (class, int) {
	if c := classes[text[0]]; c != wide {
		return c, 1
	}
	r, width := utf8.DecodeRune(text)
	return classOf(r), width
}

// run returns the length of the characters of class c at the start of text.
func run(text []byte, c class) int {
	n := 0
	for {
		for n < len(text) && classes[text[n]] == c {
			n++
		}
		if n == len(text) || text[n] < utf8.RuneSelf {
			return n
		}
		next, width := first(text[n:])
		if next != c {
			return n
		}
		n += width
	}
}

// piece returns the length of the first piece of text, which must not be empty. It is at least 1.
func piece(text []byte) int {
	n := contraction(text)
	if n > 0 {
		return n
	}
	if text[0] == ' ' {
		n = 1
	}
	if n < len(text) {
		c, width := first(text[n:])
		if c != space {
			n += width
			return n + run(text[n:], c)
		}
	}
	return whitespace(text)
}

// contraction returns the length of the English ending 's, 't, 're, 've, 'm, 'll or 'd that text begins with, or 0.
func contraction(text []byte) int {
	if len(text) < 2 || text[0] != '\'' {
		return 0
	}
	switch text[1] {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if len(text) > 2 && text[2] == 'e' {
			return 3
		}
	case 'l':
		if len(text) > 2 && text[2] == 'l' {
			return 3
		}
	}
	return 0
}

// whitespace returns the length of the piece that the whitespace at the start of text makes: the whole run at the end of text,
// otherwise all but the last character, which is left to what follows, unless it is alone.
func whitespace(text []byte) int {
	n, last := 0, 0
	for n < len(text) {
		c, width := first(text[n:])
		if c != space {
			if n > last {
				return n - last
			}
			return n
		}
		n, last = n+width, width
	}
	return n
}
