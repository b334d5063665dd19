package bpe

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func pieces(text string) []string {
	var all []string
	for b := []byte(text); len(b) > 0; {
		n := piece(b)
		all = append(all, string(b[:n]))
		b = b[n:]
	}
	return all
}

// Each row is a text cut by hand, "|" standing at the cuts.
func TestPiece(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"empty", ""},
		{"words take the space before them", "Hello| world"},
		{"contractions", "I|'m| sure| they|'d|'ve| said| it|'s|,| we|'ll|'re| don|'t"},
		{"contractions need no word before", "'s|'t|'re|'ve|'m|'ll|'d"},
		{"a contraction ends where its letters do", "'s|even|'t|en"},
		{"contractions are lower case", "IT|'|S| HE|'|LL"},
		{"unfinished contractions are marks", "'|l|'|r|'|v|'"},
		{"no contraction after a space", "a| '|s"},
		{"no contraction after another mark", "x|!'|s| ''|s"},
		{"curly quotes are marks", "it|’|s"},
		{"digits", "in| 1704|,|12|.|5|%"},
		{"letters and digits part", "abc|123|def| x|86|_|64"},
		{"runs of marks", "(|a|+|b|);| //| --|end|..."},
		{"one space belongs to the next piece", "a| b"},
		{"several: the last belongs to the next piece", "a|  | b|   | 1|  | !"},
		{"trailing spaces stay together", "a|   "},
		{"one trailing space", "a| "},
		{"spaces alone", "   "},
		{"leading spaces", "  | a"},
		{"a newline belongs to nobody", "a|\n|b"},
		{"two newlines are two pieces", "a|\n|\n|b"},
		{"many newlines: all but the last", "a|\n\n\n|\n|b"},
		{"trailing newlines stay together", "a|\n\n"},
		{"an indented line", "a|\n   | b"},
		{"a space before a newline", "a| |\n|b"},
		{"tabs are not taken by words", "a|\t|b|\t|\t|c"},
		{"CRLF", "a|\r|\n|b|\r\n"},
		{"Unicode letters", "Ðé| naïve| ħē日本語| Ωμέγα"},
		{"a combining accent is a mark", "e|\u0301|a"},
		{"Unicode numbers", "x|²| ½Ⅷ| ٣"},
		{"no-break space is whitespace", "a|\u00a0|b|\u00a0| c"},
		{"wide whitespace", "a|\u3000\u2003|\u2028|b"},
		{"next line is whitespace", "a|\u0085|b"},
		{"zero-width space and BOM are marks", "\ufeff|a|\u200b|b"},
		{"control characters are marks", "a|\x00\x1c\x7f|b"},
		{"emoji", "ok| 🙂👍🏽|x"},
		{"invalid bytes are marks", "a|\xff\xfe|b| \xc3(\xed\xa0\x80|c"},
		{"a cut character is marks", "日|\xe6\x97"},
	} {
		text := strings.ReplaceAll(test.want, "|", "")
		if got := strings.Join(pieces(text), "|"); got != test.want {
			t.Errorf("%s:\n got %q\nwant %q", test.name, got, test.want)
		}
	}
}

// reference cuts with Go's regexp what needs no lookahead and does the rest by its definition.
type reference struct{ words, spaces *regexp.Regexp }

// newReference takes the alternatives before \s+(?!\S)|\s+.
func newReference(words string) reference {
	var s strings.Builder
	for r := range rune(unicode.MaxRune + 1) {
		if unicode.Is(unicode.White_Space, r) {
			s.WriteRune(r)
		}
	}
	class := s.String()
	return reference{
		regexp.MustCompile(`^(?:` + strings.NewReplacer(`[^\s`, `[^`+class, `\s`, `[`+class+`]`).Replace(words) + `)`),
		regexp.MustCompile(`^[` + class + `]+`),
	}
}

func (r reference) piece(text []byte) int {
	if m := r.words.Find(text); m != nil {
		return len(m)
	}
	n := len(r.spaces.Find(text))
	if _, width := utf8.DecodeLastRune(text[:n]); n < len(text) && n > width {
		return n - width
	}
	return n
}

// randomText strings together parts that bring out the pattern's corners.
func randomText(r *rand.Rand, parts int) []byte {
	choices := []string{
		"a", "B", "z", "the", "é", "ω", "語", "0", "7", "½", "٣", " ", " ", "  ", "\n", "\t", "\r\n", "\r", "\u00a0", "\u3000", "'", "'s",
		"'ll", "'lL", "'re", "'v", "'S", "'ſ", "!", "-", "…", "🙂", "\u0301", "\xff", "\xc3", "\xe6\x97", "\xed\xa0\x80", "\x00",
	}
	var b bytes.Buffer
	for range parts {
		b.WriteString(choices[r.IntN(len(choices))])
	}
	return b.Bytes()
}

func TestPieceReference(t *testing.T) {
	const llama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+`
	for _, test := range []struct {
		name  string
		piece func(text []byte) int
		words string
	}{
		{"GPT-2", piece, `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+`},
		{"Llama 3", pieceLlama3, llama3},
		{"Qwen 2", pieceQwen2, strings.Replace(llama3, "{1,3}", "", 1)},
	} {
		reference, r := newReference(test.words), rand.New(rand.NewPCG(1, 1))
		for range 2000 {
			for text := randomText(r, 1+r.IntN(40)); len(text) > 0; {
				got, want := test.piece(text), reference.piece(text)
				if got != want {
					t.Fatalf("%s: %q: got %q, want %q", test.name, text, text[:got], text[:want])
				}
				text = text[got:]
			}
		}
	}
}
