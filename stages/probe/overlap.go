package probe

import (
	"context"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"anneal/artifacts"
	"anneal/stages/internal/words"
)

// What is looked for of an example.
const (
	runWords      = "words"
	runCharacters = "characters"
	runWhole      = "whole"
)

// asked is an example of which runs are looked for.
type asked struct {
	run    string  // "" where there are no words, and nothing is
	text   string  // its words, a space between two
	starts []int32 // where each unit starts, a word or a character, and where one more would
	gap    int     // bytes between units
	length int     // units of a run
	found  []bool  // by a run's first unit: it stands in the text
}

// part returns units from one on.
func (a *asked) part(from, units int) string {
	return a.text[a.starts[from] : int(a.starts[from+units])-a.gap]
}

// overlap returns the longest stretch of which all runs have been found, the first of equally long ones.
func (a *asked) overlap() (text string, any bool) {
	from, most := 0, 0
	for i := 0; i < len(a.found); i++ {
		n := 0
		for i+n < len(a.found) && a.found[i+n] {
			n++
		}
		if n > most {
			from, most = i, n
		}
		i += n
	}
	if most == 0 {
		return "", false
	}
	return strings.TrimSpace(a.part(from, most-1+a.length)), true
}

// overlaps finds runs of examples in text. Their hashes stand in tables; those of the text's runs are looked up as it passes
// by once (Karp and Rabin 1987), and where one is there the runs are compared. Memory is of the examples: some 50 bytes a run.
type overlaps struct {
	ngram, characters int

	split   words.Splitter
	stretch []byte // the end of the text's stretch, as words with a space between two
	dropped int    // bytes of the stretch before
	words   sequence
	runes   sequence
}

// sequence is a stretch of text as units, words or characters.
type sequence struct {
	starts []int // of the last units, in a ring: where they start in the stretch
	units  int   // of the stretch
	tables []*table
}

// table is the runs of one length that are looked for.
type table struct {
	hash   *words.Runs
	length int
	first  map[uint64]int32 // by hash: the first of a list of places
	places []place          // from 1 on
	filter []uint64         // a bit for each last digits of a hash, clear if no run has these: most runs of a text are told apart by it
}

// place is a run of an example by its first unit.
type place struct {
	of       *asked
	at, next int32
}

func newOverlaps(ngram, characters int) *overlaps {
	x := &overlaps{ngram: ngram, characters: characters}
	x.words.starts, x.runes.starts = make([]int, ngram), make([]int, characters)
	x.split.Word = x.word
	return x
}

// ask looks for an example in the texts that are scanned from now on.
func (x *overlaps) ask(text string) *asked {
	a := &asked{}
	var joined []byte
	var starts []int32
	var hashes []uint64
	split := words.Splitter{Word: func(word []byte) {
		if len(joined) > 0 {
			joined = append(joined, ' ')
		}
		starts, hashes = append(starts, int32(len(joined))), append(hashes, words.Hash(word))
		joined = append(joined, word...)
	}}
	split.Write([]byte(text))
	split.End()
	a.text = string(joined)
	units := &x.words
	switch {
	case len(hashes) == 0:
		return a
	case len(hashes) >= x.ngram:
		a.run, a.length, a.gap = runWords, x.ngram, len(" ")
	case utf8.RuneCount(joined) < x.characters:
		a.run, a.length, a.gap = runWhole, len(hashes), len(" ")
	default:
		a.run, a.length, units = runCharacters, x.characters, &x.runes
		starts, hashes = nil, nil
		for i, r := range a.text {
			starts, hashes = append(starts, int32(i)), append(hashes, hashRune(r))
		}
	}
	a.starts = append(starts, int32(len(a.text)+a.gap))
	a.found = make([]bool, len(hashes)-a.length+1)
	units.table(a.length).add(a, hashes)
	return a
}

func hashRune(r rune) uint64 { return words.Mix(uint64(r)) }

// table returns that of runs of so many units.
func (s *sequence) table(length int) *table {
	for _, t := range s.tables {
		if t.length == length {
			return t
		}
	}
	t := &table{hash: words.NewRuns(length), length: length, first: map[uint64]int32{}, places: make([]place, 1)}
	s.tables = append(s.tables, t)
	return t
}

// add adds the runs of an example, given its units' hashes.
func (t *table) add(a *asked, hashes []uint64) {
	t.hash.Reset()
	for i, h := range hashes {
		if run, ok := t.hash.Add(h); ok {
			t.places = append(t.places, place{a, int32(i - t.length + 1), t.first[run]})
			t.first[run] = int32(len(t.places) - 1)
		}
	}
	t.hash.Reset()
}

// sift makes the filter anew, of 16 to 32 bits a hash.
func (t *table) sift() {
	t.filter = make([]uint64, 1<<bits.Len(uint(len(t.first)/4)))
	for run := range t.first {
		t.filter[t.word(run)] |= 1 << (run % 64)
	}
}

// word returns the place in the filter of a hash's bit.
func (t *table) word(run uint64) uint64 { return run / 64 & uint64(len(t.filter)-1) }

// wanted tells whether runs of this hash are looked for.
func (t *table) wanted(run uint64) bool {
	if t.filter[t.word(run)]>>(run%64)&1 == 0 {
		return false
	}
	_, ok := t.first[run]
	return ok
}

// find notes that a run is in the text, which is then looked for no longer.
func (t *table) find(hash uint64, run []byte) {
	var others int32
	for at := t.first[hash]; at > 0; {
		p := &t.places[at]
		next := p.next
		if p.of.part(int(p.at), t.length) == string(run) {
			p.of.found[p.at] = true
		} else {
			p.next, others = others, at
		}
		at = next
	}
	if others == 0 {
		delete(t.first, hash)
	} else {
		t.first[hash] = others
	}
}

// scan reads a "text" artifact.
func (x *overlaps) scan(ctx context.Context, path string) error {
	for _, t := range slices.Concat(x.words.tables, x.runes.tables) {
		t.sift()
	}
	var last artifacts.Block
	for b, err := range artifacts.Blocks(path) {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if b.Source != last.Source || b.Document != last.Document || b.Offset != last.Offset+int64(len(last.Text)) {
			x.end()
		}
		x.split.Write([]byte(b.Text))
		last = b
	}
	x.end()
	return nil
}

// end ends a stretch of text: no run goes on behind it.
func (x *overlaps) end() {
	x.split.End()
	x.stretch, x.dropped = x.stretch[:0], 0
	for _, s := range []*sequence{&x.words, &x.runes} {
		s.units = 0
		for _, t := range s.tables {
			t.hash.Reset()
		}
	}
}

// word takes the next word of the stretch.
func (x *overlaps) word(word []byte) {
	before := len(x.stretch)
	if before > 0 {
		x.stretch = append(x.stretch, ' ')
	}
	start := len(x.stretch)
	x.stretch = append(x.stretch, word...)
	if len(x.words.tables) > 0 {
		x.next(&x.words, words.Hash(word), start, len(x.stretch))
	}
	if len(x.runes.tables) > 0 {
		for before < len(x.stretch) {
			r, size := utf8.DecodeRune(x.stretch[before:])
			x.next(&x.runes, hashRune(r), before, before+size)
			before += size
		}
	}
	if keep := max(x.ngram*(words.Longest+1), x.characters*utf8.UTFMax); len(x.stretch) > 2*keep {
		x.dropped += len(x.stretch) - keep
		x.stretch = append(x.stretch[:0], x.stretch[len(x.stretch)-keep:]...)
	}
}

// next takes a unit of the stretch, from and to bytes of what is held of it, and looks for the runs that end with it.
func (x *overlaps) next(s *sequence, hash uint64, from, to int) {
	s.starts[s.units%len(s.starts)] = x.dropped + from
	s.units++
	for _, t := range s.tables {
		run, ok := t.hash.Add(hash)
		if !ok {
			continue
		}
		if t.wanted(run) {
			t.find(run, x.stretch[s.starts[(s.units-t.length)%len(s.starts)]-x.dropped:to])
		}
	}
}
