package probe

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"anneal/artifacts"
)

// scanned looks for examples in the blocks of a text.
func scanned(t *testing.T, ngram, characters int, examples []string, blocks []artifacts.Block) []*asked {
	t.Helper()
	path := t.TempDir() + "/text"
	if err := artifacts.WriteText(path, blocks); err != nil {
		t.Fatal(err)
	}
	x := newOverlaps(ngram, characters)
	var all []*asked
	for _, e := range examples {
		all = append(all, x.ask(e))
	}
	if err := x.scan(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOverlap(t *testing.T) {
	const text = "Call me Ishmael. Some years ago — never mind how long precisely — having little or no money, I thought I would SAIL about a little. Überall ist Mittelerde"
	tests := []struct {
		name, example, run, overlap string
	}{
		{"all of a run, in other case and layout", "call me ISHMAEL some\nyears ago", "words", "call me ishmael some years ago"},
		{"runs that go on", "x: some years ago never mind how long, y", "words", "some years ago never mind how long"},
		{"the longer of two stretches", "Call me Ishmael. Some years? never mind how long precisely having!", "words", "never mind how long precisely having"},
		{"a word less than a run", "me Ishmael some years before", "words", ""},
		{"a run over a word's end", "all me ishmael some years", "words", ""},
		{"characters of few words", "precisely having hobbies", "characters", "precisely having"},
		{"characters from inside of a word", "imprecisely having", "characters", "precisely having"},
		{"a character less", "recisely hax", "characters", ""},
		{"code points count, not bytes", "überall ist", "whole", "überall ist"},
		{"characters that are not ASCII", "xüberall ist mx", "characters", "überall ist m"},
		{"whole words", "About a!", "whole", "about a"},
		{"part of a word is no word", "bout a", "whole", ""},
		{"one word", "I", "whole", "i"},
		{"no words", "…", "", ""},
	}
	var examples []string
	for _, test := range tests {
		examples = append(examples, test.example)
	}
	// Cut anywhere, the text is the same.
	for _, size := range []int{1, 7, 64, 1000} {
		var blocks []artifacts.Block
		for from := 0; from < len(text); {
			to := min(from+size, len(text))
			for to < len(text) && !utf8.RuneStart(text[to]) {
				to++
			}
			blocks = append(blocks, artifacts.Block{Source: 1, Document: 2, Offset: int64(from), Text: text[from:to]})
			from = to
		}
		for i, a := range scanned(t, 5, 12, examples, blocks) {
			test := tests[i]
			if got, there := a.overlap(); a.run != test.run || got != test.overlap || there != (test.overlap != "") {
				t.Errorf("%s, in blocks of %d: %q of %s, want %q of %s", test.name, size, got, a.run, test.overlap, test.run)
			}
		}
	}
}

// No run goes from one document into another, nor over what is held out.
func TestOverlapStaysWithinText(t *testing.T) {
	const example = "one two three"
	whole := artifacts.Block{Text: "one two three"}
	first := artifacts.Block{Text: "one two"}
	for _, c := range []struct {
		name   string
		blocks []artifacts.Block
		want   bool
	}{
		{"in one block", []artifacts.Block{whole}, true},
		{"in two", []artifacts.Block{first, {Offset: 7, Text: " three"}}, true},
		{"behind another document", []artifacts.Block{first, {Document: 1, Text: "one two three"}}, true},
		{"in two documents", []artifacts.Block{first, {Document: 1, Offset: 7, Text: " three"}}, false},
		{"in two sources", []artifacts.Block{first, {Source: 1, Offset: 7, Text: " three"}}, false},
		{"over a gap", []artifacts.Block{first, {Offset: 8, Text: " three"}}, false},
		{"over a gap in a word", []artifacts.Block{{Text: "one two th"}, {Offset: 20, Text: "ree"}}, false},
	} {
		for _, ngram := range []int{3, 10} {
			_, got := scanned(t, ngram, 50, []string{example}, c.blocks)[0].overlap()
			if got != c.want {
				t.Errorf("%s, runs of %d: found is %t", c.name, ngram, got)
			}
		}
	}
}

// Every run that a text has is found, and no other, as strings alone tell.
func TestOverlapByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	few := []string{"a", "b", "ab", "über"}
	draw := func(n int) string {
		var all []string
		for range n {
			all = append(all, few[r.IntN(len(few))])
		}
		return strings.Join(all, " ")
	}
	for round := range 20 {
		text := draw(60)
		var examples []string
		for range 200 {
			examples = append(examples, draw(1+r.IntN(9)))
		}
		const ngram, characters = 6, 11
		for i, a := range scanned(t, ngram, characters, examples, []artifacts.Block{{Text: text}}) {
			e, want := examples[i], false
			words, letters := strings.Fields(e), []rune(e)
			switch {
			case len(words) >= ngram:
				for j := range len(words) - ngram + 1 {
					want = want || strings.Contains(" "+text+" ", " "+strings.Join(words[j:j+ngram], " ")+" ")
				}
			case len(letters) >= characters:
				for j := range len(letters) - characters + 1 {
					want = want || strings.Contains(text, string(letters[j:j+characters]))
				}
			default:
				want = strings.Contains(" "+text+" ", " "+e+" ")
			}
			if overlap, got := a.overlap(); got != want || got && !strings.Contains(e, overlap) {
				t.Fatalf("round %d: found of %q in %q: %q, %t, want %t", round, e, text, overlap, got, want)
			}
		}
	}
}

// A text without spaces is read in bounded memory, and still found.
func TestOverlapOfEndlessWord(t *testing.T) {
	long := strings.Repeat("abcdefghij", 30_000)
	var blocks []artifacts.Block
	for from := 0; from < len(long); from += 1000 {
		blocks = append(blocks, artifacts.Block{Offset: int64(from), Text: long[from : from+1000]})
	}
	all := scanned(t, 2, 40, []string{long, strings.Repeat("jabcdefghi", 5)}, blocks)
	for i, run := range []string{"words", "characters"} {
		if _, there := all[i].overlap(); !there || all[i].run != run {
			t.Errorf("example %d, by %s: found is %t", i, all[i].run, there)
		}
	}
}
