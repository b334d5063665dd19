// Package words reads text as words, in bounded memory, so that texts compare whatever their case, punctuation and layout.
//
// A word is a run of letters, marks and digits (Unicode's categories L, M and N) in lower case; all else stands between
// words. Writing without spaces, such as Chinese, so has a word where a clause is. Unicode is not normalised: a letter with
// an accent of its own is another than one with an accent behind it. Bytes that are not UTF-8 stand between words.
package words

import (
	"unicode"
	"unicode/utf8"
)

// Longest is how many bytes a word has at most: of a longer run each so many count as a word, so that memory is bounded
// where text has no spaces at all.
const Longest = 1024

// Splitter finds the words of text that is written to it piece by piece, cut anywhere. The zero Splitter must be given
// what takes the words.
type Splitter struct {
	Word func(word []byte) // takes each word, whose bytes are only lent

	have []byte // of the word that has begun
	cut  []byte // a character's bytes at the end of what was written, of which some are missing
}

// Write finds words in more text. It returns no error.
func (s *Splitter) Write(text []byte) (int, error) {
	n := len(text)
	if len(s.cut) > 0 {
		text = append(s.cut, text...)
	}
	i := 0
	for i < len(text) {
		if c := text[i]; c < utf8.RuneSelf {
			i++
			l := lower[c]
			if l == 0 || len(s.have) == Longest {
				s.end()
			}
			if l != 0 {
				s.have = append(s.have, l)
			}
			continue
		}
		if !utf8.FullRune(text[i:]) {
			break
		}
		r, size := utf8.DecodeRune(text[i:])
		s.character(r)
		i += size
	}
	s.cut = append(s.cut[:0], text[i:]...)
	return n, nil
}

// End ends the text: what is written next is another's.
func (s *Splitter) End() {
	s.cut = s.cut[:0]
	s.end()
}

func (s *Splitter) character(r rune) {
	if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r) { // as U+FFFD is not, which stands for what is not UTF-8
		s.end()
		return
	}
	if r = unicode.ToLower(r); len(s.have)+utf8.RuneLen(r) > Longest {
		s.end()
	}
	s.have = utf8.AppendRune(s.have, r)
}

func (s *Splitter) end() {
	if len(s.have) > 0 {
		s.Word(s.have)
		s.have = s.have[:0]
	}
}

// lower has the ASCII letters and digits in lower case, and 0 for the rest.
var lower = func() (table [utf8.RuneSelf]byte) {
	for c := range table {
		if r := rune(c); unicode.IsLetter(r) || unicode.IsDigit(r) {
			table[c] = byte(unicode.ToLower(r))
		}
	}
	return table
}()
