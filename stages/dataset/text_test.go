package dataset

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"anneal/artifacts"
)

// prose returns n bytes or a little more, of characters of all lengths.
func prose(n int) string {
	r := rand.New(rand.NewPCG(5, uint64(n)))
	words := []string{"light", "größer", "the ", "日本", "🌱", "\n", "\r\n", ". "}
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[r.IntN(len(words))])
	}
	return b.String()
}

// textOfString is a document's text.
func textOfString(text string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))
}

// divided returns the blocks of a document for training and for validation.
func divided(s Split, d document) (train, validation []artifacts.Block) {
	err := s.divide(d, func(b artifacts.Block, held bool) error {
		if held {
			validation = append(validation, b)
		} else {
			train = append(train, b)
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	return train, validation
}

func TestSplitKeepsEveryByteOnce(t *testing.T) {
	for _, c := range []struct {
		bytes, size int
		share       float64
	}{
		{1, 4, 0.05}, {4, 4, 0.5}, {9, 4, 0.5}, {1000, 4, 0.05}, {5000, 64, 0.05}, {5000, 64, 0.5}, {5000, 63, 0.33}, {100, 4096, 0.5},
	} {
		text := prose(c.bytes)
		s := Split{Unit: unitAuto, Size: c.size, Validation: c.share, Seed: 1}
		train, validation := divided(s, document{source: 3, alone: true, text: textOfString(text)})
		all := slices.Concat(train, validation)
		slices.SortFunc(all, func(a, b artifacts.Block) int { return int(a.Offset - b.Offset) })
		var joined strings.Builder
		for _, b := range all {
			if b.Source != 3 || b.Document != 0 || b.Offset != int64(joined.Len()) {
				t.Fatalf("%+v: block at %d follows %d bytes", c, b.Offset, joined.Len())
			}
			if len(b.Text) > c.size || !utf8.ValidString(b.Text) || b.Text == "" {
				t.Errorf("%+v: block %q", c, b.Text)
			}
			joined.WriteString(b.Text)
		}
		if joined.String() != text {
			t.Errorf("%+v: the blocks are not the text", c)
		}
		want := max(1, int(math.RoundToEven(c.share*float64(len(all)))))
		if len(all) == 1 {
			want = 0
		}
		if len(validation) != want {
			t.Errorf("%+v: %d of %d blocks are held out, want %d", c, len(validation), len(all), want)
		}
		inOrder := func(a, b artifacts.Block) int { return int(a.Offset - b.Offset) }
		if !slices.IsSortedFunc(train, inOrder) || !slices.IsSortedFunc(validation, inOrder) {
			t.Errorf("%+v: blocks are out of order", c)
		}
	}
}

func TestSplitHoldsOutAllOverTheDocument(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 4000) // 1000 blocks
	s := Split{Unit: unitAuto, Size: 64, Validation: 0.05, Seed: 1}
	one := document{alone: true, text: textOfString(text)}
	_, validation := divided(s, one)
	for i, b := range validation {
		if block := int(b.Offset / 64); block/20 != i {
			t.Errorf("of each 20 blocks one is held out; number %d is block %d", i, block)
		}
	}
	_, again := divided(s, one)
	_, other := divided(s, document{source: 1, alone: true, text: one.text})
	s.Seed = 2
	_, reseeded := divided(s, one)
	if !reflect.DeepEqual(validation, again) {
		t.Error("equal seeds hold out different blocks")
	}
	for i := range other {
		other[i].Source = 0
	}
	if reflect.DeepEqual(validation, reseeded) || reflect.DeepEqual(validation, other) {
		t.Error("another seed or source holds out the same blocks")
	}
}

// TestSplitOfDocuments: a document is held out by its content, so that others move none, and equal ones are together.
func TestSplitOfDocuments(t *testing.T) {
	side := func(s Split, d document) bool {
		train, validation := divided(s, d)
		if len(train) > 0 == (len(validation) > 0) {
			t.Fatalf("%d blocks are for training and %d for validation", len(train), len(validation))
		}
		return len(validation) > 0
	}
	s := Split{Unit: unitAuto, Size: 64, Validation: 0.2, Seed: 1}
	other := Split{Unit: unitDocument, Size: 64, Validation: 0.2, Seed: 2}
	held, moved := 0, 0
	for i := range 2000 {
		text := textOfString(prose(100 + i))
		is := side(s, document{index: int64(i), text: text})
		if is != side(s, document{source: 3, index: 7, text: text}) {
			t.Errorf("document %d is on another side elsewhere", i)
		}
		if s.Validation = 0.4; is && !side(s, document{text: text}) {
			t.Errorf("document %d is held out of few, and not of more", i)
		}
		if s.Validation = 0.2; is != side(other, document{text: text, alone: true}) {
			moved++
		}
		if is {
			held++
		}
	}
	if held < 320 || held > 480 {
		t.Errorf("%d of 2000 documents are held out, where a fifth should be", held)
	}
	if moved < 400 {
		t.Errorf("another seed moves %d of 2000 documents", moved)
	}
}

// TestUnits: what is divided, by the unit.
func TestUnits(t *testing.T) {
	text := textOfString(strings.Repeat("0123456789", 100))
	for _, c := range []struct {
		unit            string
		alone, byBlocks bool
	}{{unitAuto, true, true}, {unitAuto, false, false}, {unitBlock, true, true}, {unitBlock, false, true}, {unitDocument, true, false}, {unitDocument, false, false}} {
		train, validation := divided(Split{Unit: c.unit, Size: 10, Validation: 0.25}, document{alone: c.alone, text: text})
		if both := len(train) > 0 && len(validation) > 0; both != c.byBlocks {
			t.Errorf("%+v: %d blocks for training, %d for validation", c, len(train), len(validation))
		}
	}
}

// TestSplitOfBytes: bytes of no character, however many, are cut anywhere, and all are there.
func TestSplitOfBytes(t *testing.T) {
	text := strings.Repeat("\x80", 1000) + "é" + strings.Repeat("\xff", 33)
	train, validation := divided(Split{Unit: unitBlock, Size: 7, Validation: 0.1}, document{text: textOfString(text)})
	all := slices.Concat(train, validation)
	slices.SortFunc(all, func(a, b artifacts.Block) int { return int(a.Offset - b.Offset) })
	if joined := artifacts.Join(all); len(joined) != 1 || joined[0].Text != text {
		t.Errorf("the blocks are %d texts", len(joined))
	}
}

func TestSplitCheck(t *testing.T) {
	good := Split{Unit: unitAuto, Size: 4096, Validation: 0.05}
	for _, c := range []struct {
		change func(*Split)
		want   string
	}{
		{func(s *Split) {}, ""},
		{func(s *Split) { s.Validation = 0.5 }, ""},
		{func(s *Split) { s.Size = 3 }, "size: must be at least 4"},
		{func(s *Split) { s.Validation = 0 }, "validation: must be above 0"},
		{func(s *Split) { s.Validation = 0.51 }, "validation: must be above 0"},
		{func(s *Split) { s.Validation = math.NaN() }, "validation: must be above 0"},
	} {
		s := good
		c.change(&s)
		if err := s.Check(); fmt.Sprint(err) == "<nil>" != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v gives error %v, want %q", s, err, c.want)
		}
	}
}
