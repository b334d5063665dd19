package bpe

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// encodePlainly is what a definition says, word for word: the ids of each piece, of which text is one of the pattern SentencePiece.
func encodePlainly(v *Vocabulary, text []byte) []uint32 {
	d := v.Definition()
	words, ranks := map[string]uint32{}, map[Merge]int{}
	for id, t := range d.Tokens {
		if t.Kind == Text {
			words[string(t.Bytes)] = uint32(id)
		}
	}
	for i, m := range d.Merges {
		ranks[m] = i
	}
	rank := func(left, right uint32) (rank int, made uint32, ok bool) {
		made, ok = words[string(v.Bytes(left))+string(v.Bytes(right))]
		if !d.ByID {
			rank, ok = ranks[Merge{left, right}]
			return rank, made, ok
		}
		return int(made), made, ok
	}
	var all []uint32
	for text = v.AddPrefix(text); len(text) > 0; {
		n := len(text)
		if d.Pattern != SentencePiece {
			n = v.piece(text)
		}
		ids := startPlainly(d, words, text[:n])
		if id, ok := words[string(text[:n])]; d.Whole && ok {
			ids = []uint32{id}
		}
		for {
			at, best, joined := -1, 0, none
			for i := range max(len(ids), 1) - 1 {
				if rank, made, ok := rank(ids[i], ids[i+1]); ok && (at < 0 || rank < best) {
					at, best, joined = i, rank, made
				}
			}
			if at < 0 {
				break
			}
			ids = slices.Replace(ids, at, at+2, joined)
		}
		all = append(all, ids...)
		text = text[n:]
	}
	return all
}

// startPlainly returns the ids that the merges of a piece start from.
func startPlainly(d *Definition, words map[string]uint32, piece []byte) (ids []uint32) {
	if d.Pattern != SentencePiece {
		for i := range piece {
			ids = append(ids, words[string(piece[i:i+1])])
		}
		return ids
	}
	for len(piece) > 0 {
		r, n := utf8.DecodeRune(piece)
		c := piece[:n]
		if r == '▁' {
			c = []byte(" ")
		}
		if id, ok := words[string(c)]; ok && utf8.Valid(c) {
			ids = append(ids, id)
		} else {
			for _, b := range piece[:n] {
				ids = append(ids, uint32(slices.IndexFunc(d.Tokens, func(t Token) bool { return t.Kind == Fallback && t.Bytes[0] == b })))
			}
		}
		piece = piece[n:]
	}
	return ids
}

// checkText holds all ways to encode a text beside encodePlainly, and decodes what comes of it. It looks at every cut: into two parts,
// and into parts of one byte.
func checkText(t *testing.T, v *Vocabulary, text []byte) {
	t.Helper()
	ids := v.Encode(nil, text)
	if want := encodePlainly(v, text); !slices.Equal(ids, want) {
		t.Fatalf("%s: %q: got %v, want %v", name(v), text, ids, want)
	}
	back, err := v.Decode(nil, ids)
	if err != nil {
		t.Fatal(err)
	}
	want := text
	if v.pattern == SentencePiece {
		want = bytes.ReplaceAll(want, []byte(metaspace), []byte(" "))
	}
	if v.prefix == PrefixMissing {
		want = bytes.TrimPrefix(want, []byte(" "))
	}
	if !bytes.Equal(back, want) {
		t.Fatalf("%s: %q came back as %q", name(v), text, back)
	}

	text = v.AddPrefix(text)
	begun, single := 0, []uint32(nil)
	for cut := range len(text) + 1 {
		got, n := v.EncodeSome(nil, text[:cut], true)
		if got, _ = v.EncodeSome(got, text[n:], false); n > cut || !slices.Equal(got, ids) {
			t.Fatalf("%s: %q and %q: got %v, want %v", name(v), text[:cut], text[cut:], got, ids)
		}
		if n = v.boundary(text[:cut]); n > 0 {
			got, _ = v.EncodeSome(nil, text[:n], false)
			if got, _ = v.EncodeSome(got, text[n:], false); !slices.Equal(got, ids) {
				t.Fatalf("%s: no piece begins at byte %d of %q", name(v), n, text)
			}
		}
		single, n = v.EncodeSome(single, text[begun:cut], cut < len(text))
		begun += n
	}
	if begun != len(text) || !slices.Equal(single, ids) {
		t.Fatalf("%s: %q byte by byte: got %v, want %v", name(v), text, single, ids)
	}
}

func FuzzText(f *testing.F) {
	r := rand.New(rand.NewPCG(8, 8))
	for _, text := range []string{
		"", " ", "  ", "\n \n", "a \n  b", "'s", "it'S 'ſ", "the theory  of light", "\xff\xfe", "\xe6\x97", "日\xe6\x97本", "▁ a ▁▁ b", "e\u0301", "12345 ٣٤",
	} {
		f.Add([]byte(text))
	}
	for range 40 {
		f.Add(randomText(r, 1+r.IntN(25)))
	}
	all := vocabularies(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, v := range all {
			checkText(t, v, text[:min(len(text), 200)]) // the plain way takes the square of it
		}
	})
}

// FuzzBuild builds whatever definition bytes can be read as. Of each that is accepted the definition comes back, and checkText holds.
func FuzzBuild(f *testing.F) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 500 {
		recipe := make([]byte, 2+r.IntN(50))
		for i := range recipe {
			recipe[i] = byte(r.Uint32())
		}
		f.Add(recipe, randomLetters(r, "abc \xc3\xa9\n", r.IntN(20)))
	}
	f.Fuzz(func(t *testing.T, recipe, text []byte) {
		d := definition(recipe)
		v, err := Build(d)
		if err != nil {
			return
		}
		if !v.Definition().Equal(d) {
			t.Fatalf("the definition came back as another: %v", v.Definition())
		}
		checkText(t, v, text[:min(len(text), 100)])
	})
}

// definition reads a recipe, each byte of which is a choice: the settings, then tokens and merges, most of them as they should be.
func definition(recipe []byte) *Definition {
	next := func() int {
		if len(recipe) == 0 {
			return 0
		}
		b := recipe[0]
		recipe = recipe[1:]
		return int(b)
	}
	patterns := []Pattern{GPT2, Llama3, Qwen2, SentencePiece, SentencePiece, "unknown"}
	prefixes := []Prefix{NoPrefix, NoPrefix, PrefixAlways, PrefixMissing, "unknown"}
	d := &Definition{Pattern: patterns[next()%len(patterns)], Prefix: prefixes[next()%len(prefixes)]}
	settings := next()
	add := func(kind TokenKind, token string) uint32 {
		d.Tokens = append(d.Tokens, Token{[]byte(token), kind})
		return uint32(len(d.Tokens) - 1)
	}
	var sides []uint32
	kind, letters := Text, strings.Split("a|b|c| |\xc3|\xa9|\n|'", "|")
	if d.Pattern == SentencePiece {
		kind, letters = Fallback, strings.Split("a|b|c| |é|\n|'", "|")
	} else {
		d.Whole, d.ByID = settings&1 > 0, settings&2 > 0
	}
	for b := range alphabet {
		add(kind, string([]byte{byte(b)}))
	}
	for _, letter := range letters {
		if kind == Fallback {
			sides = append(sides, add(Text, letter))
		} else {
			sides = append(sides, uint32(letter[0]))
		}
	}
	side := func() uint32 { return sides[next()%len(sides)] }
	for len(recipe) > 0 {
		switch choice := next(); choice % 32 {
		case 0: // a token that nothing makes
			sides = append(sides, add(Text, string([]byte{byte(next()), byte(next())})))
		case 1:
			add(Special, "<"+string(rune('a'+next()))+">")
		case 2:
			add(Unused, "")
		case 3: // whatever it is
			add(TokenKind(next()%5), string(recipe[:min(next()%3, len(recipe))]))
		case 4: // a merge of ids that may not be
			d.Merges = append(d.Merges, Merge{uint32(next()), uint32(next() * 2)})
		case 5: // one that makes a token only if another does
			d.Merges = append(d.Merges, Merge{side(), side()})
		default:
			m := Merge{side(), side()}
			sides = append(sides, add(Text, string(d.Tokens[m.Left].Bytes)+string(d.Tokens[m.Right].Bytes)))
			if !d.ByID {
				d.Merges = append(d.Merges, m)
			}
		}
	}
	if settings&0xf0 == 0 { // in another order
		slices.Reverse(d.Merges)
	}
	return d
}
