package bpe

import (
	"slices"
	"testing"
)

func TestBuildRefuses(t *testing.T) {
	text := func(tokens ...string) []Token {
		all := slices.Clone(Plain(nil).Tokens)
		for _, token := range tokens {
			all = append(all, Token{Bytes: []byte(token)})
		}
		return all
	}
	and := func(kind TokenKind, names ...string) []Token {
		all := text()
		for _, name := range names {
			all = append(all, Token{[]byte(name), kind})
		}
		return all
	}
	var fallbacks []Token
	for b := range alphabet {
		fallbacks = append(fallbacks, Token{[]byte{byte(b)}, Fallback})
	}
	a, b := uint32('a'), uint32('b')
	for _, test := range []struct {
		name string
		d    Definition
		want string
	}{
		{"another pattern", Definition{Tokens: text(), Pattern: "words"}, `the pattern "words" is not known`},
		{"another prefix", Definition{Tokens: text(), Prefix: "two"}, `the prefix "two" is not known`},
		{"whole pieces of a text that has none", Definition{Tokens: fallbacks, Pattern: SentencePiece, Whole: true}, `the pattern "sentencepiece" does not go with Whole or ByID`},
		{"merges beside all merges", Definition{Tokens: text("ab"), Merges: []Merge{{a, b}}, ByID: true}, "merges are listed beside ByID, which stands for all of them"},
		{"too many merges", Definition{Tokens: text("ab"), Merges: make([]Merge, MaxMerges+1), Whole: true}, "there are 1048577 merges; at most 1048576 are allowed"},
		{"too many tokens", Definition{Tokens: make([]Token, MaxSize+1)}, "there are 262145 tokens; a vocabulary has at most 262144 ids"},
		{"a long token", Definition{Tokens: text(string(make([]byte, MaxToken+1)))}, "token 256 has 1025 bytes; at most 1024 are allowed"},
		{"an empty token", Definition{Tokens: text(""), Whole: true}, "token 256 has no bytes"},
		{"a token twice", Definition{Tokens: text("ab", "ab"), Whole: true}, `token 257 is "ab", which token 256 is already`},
		{"a special token without a name", Definition{Tokens: and(Special, "")}, "token 256 is special and has no name"},
		{"a special token twice", Definition{Tokens: and(Special, "<s>", "<s>")}, `token 257 is the special token "<s>", which token 256 is already`},
		{"a fallback among bytes", Definition{Tokens: and(Fallback, "a")}, `token 256 is a byte's fallback, which only the pattern "sentencepiece" has`},
		{"an unused token with bytes", Definition{Tokens: and(Unused, "a")}, `token 256 is unused and has bytes: "a"`},
		{"another kind", Definition{Tokens: and(4, "a")}, "token 256 is of kind 4, which is not known"},
		{"no byte 7", Definition{Tokens: slices.Delete(text(), 7, 8)}, "no token is the byte 0x07"},
		{"a fallback of two bytes", Definition{Tokens: []Token{{[]byte("ab"), Fallback}}, Pattern: SentencePiece}, "token 0 is a byte's fallback and has 2 bytes"},
		{"a fallback twice", Definition{Tokens: append(slices.Clone(fallbacks), fallbacks[7]), Pattern: SentencePiece}, "token 256 is the fallback of the byte 0x07, which token 7 is already"},
		{"no fallback of byte 255", Definition{Tokens: fallbacks[:255], Pattern: SentencePiece}, "no token is the fallback of the byte 0xff"},
		{"a merge of what is not there", Definition{Tokens: text("ab"), Merges: []Merge{{a, 257}}}, "merge 0: id 257 is no token of text"},
		{"a merge of a special token", Definition{Tokens: and(Special, "b"), Merges: []Merge{{a, 256}}, Whole: true}, "merge 0: id 256 is no token of text"},
		{"a merge of fallbacks", Definition{Tokens: fallbacks, Merges: []Merge{{a, b}}, Pattern: SentencePiece}, "merge 0: id 97 is no token of text"},
		{"a merge that makes nothing", Definition{Tokens: text("ab"), Merges: []Merge{{b, a}}}, `merge 0 makes "ba", which no token is`},
		{"a merge twice", Definition{Tokens: text("ab", "bc"), Merges: []Merge{{a, b}, {a, b}}, Pattern: Llama3}, "merge 1 is merge 0 again"},
	} {
		if _, err := Build(&test.d); err == nil || err.Error() != "bpe: "+test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}
