package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
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

func TestSplitKeepsEveryByteOnce(t *testing.T) {
	for _, c := range []struct {
		bytes, size int
		share       float64
	}{
		{1, 4, 0.05}, {4, 4, 0.5}, {9, 4, 0.5}, {1000, 4, 0.05}, {5000, 64, 0.05}, {5000, 64, 0.5}, {5000, 63, 0.33}, {100, 4096, 0.5},
	} {
		text := prose(c.bytes)
		s := Split{Unit: "block", Size: c.size, Validation: c.share, Seed: 1}
		train, validation := s.split(text, 3)
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
	s := Split{Unit: "block", Size: 64, Validation: 0.05, Seed: 1}
	_, validation := s.split(text, 0)
	for i, b := range validation {
		if block := int(b.Offset / 64); block/20 != i {
			t.Errorf("of each 20 blocks one is held out; number %d is block %d", i, block)
		}
	}
	_, again := s.split(text, 0)
	_, other := s.split(text, 1)
	s.Seed = 2
	_, reseeded := s.split(text, 0)
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

func TestReadSource(t *testing.T) {
	for _, c := range []struct{ content, want string }{
		{"a\r\nb\x00é\u2028\ufffd\ufeff", ""},
		{"", "is empty"},
		{"abc\xff", "byte 3, 0xff"},
		{"é\xc3", "byte 2, 0xc3"},
		{"\xed\xa0\x80", "byte 0, 0xed"},
	} {
		path := filepath.Join(t.TempDir(), "source")
		if err := os.WriteFile(path, []byte(c.content), 0o666); err != nil {
			t.Fatal(err)
		}
		text, err := readSource(path)
		if c.want == "" {
			if err != nil || text != c.content {
				t.Errorf("%q is read as %q, %v", c.content, text, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives error %v, want %q", c.content, err, c.want)
		}
	}
}

func TestSplitCheck(t *testing.T) {
	good := Split{Unit: "block", Size: 4096, Validation: 0.05}
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
