package bpe

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// opticks returns Newton's book, which comes with Go.
func opticks(t testing.TB) []byte {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src/testdata/Isaac.Newton-Opticks.txt"))
	if err != nil {
		t.Skipf("this Go came without its testdata: %v", err)
	}
	return text
}

func train(t testing.TB, size int, texts ...[]byte) *Vocabulary {
	t.Helper()
	v, err := Train(context.Background(), slices.Values(texts), size)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// tokens renders merges as "left+right".
func tokens(v *Vocabulary) []string {
	var all []string
	for _, m := range v.Merges() {
		all = append(all, string(v.Bytes(m.Left))+"+"+string(v.Bytes(m.Right)))
	}
	return all
}

func roundTrip(t testing.TB, v *Vocabulary, text []byte) []uint32 {
	t.Helper()
	ids := v.Encode(nil, text)
	back, err := v.Decode(nil, ids)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back, text) {
		t.Fatalf("%q came back as %q", text, back)
	}
	return ids
}

func TestNew(t *testing.T) {
	v, err := New([]Merge{{'a', 'b'}, {256, 'c'}, {257, 257}})
	if err != nil {
		t.Fatal(err)
	}
	if v.Size() != 259 {
		t.Errorf("size %d, want 259", v.Size())
	}
	for id, want := range map[uint32]string{0: "\x00", 'a': "a", 255: "\xff", 256: "ab", 257: "abc", 258: "abcabc"} {
		if got := string(v.Bytes(id)); got != want {
			t.Errorf("id %d is %q, want %q", id, got, want)
		}
	}
	merges := v.Merges()
	merges[0] = Merge{}
	if v.Merges()[0] != (Merge{'a', 'b'}) {
		t.Error("Merges is no copy")
	}
}

func TestNewRefuses(t *testing.T) {
	double := []Merge{{'a', 'a'}}
	for i := range uint32(10) {
		double = append(double, Merge{256 + i, 256 + i})
	}
	tooMany := make([]Merge, MaxSize-256+1)
	for i := range tooMany { // all tokens of two bytes, then of three
		n := uint32(i)
		if tooMany[i] = (Merge{n >> 8, n & 255}); n>>16 > 0 {
			tooMany[i] = Merge{256 + n&0xffff, n >> 16}
		}
	}
	for _, test := range []struct {
		name   string
		merges []Merge
		want   string
	}{
		{"itself", []Merge{{'a', 256}}, "merge 0: id 256 does not exist yet: ids before it end at 255"},
		{"a later id", []Merge{{'a', 'b'}, {300, 'c'}}, "merge 1: id 300 does not exist yet: ids before it end at 256"},
		{"twice the same", []Merge{{'a', 'b'}, {'b', 'c'}, {'a', 'b'}}, `merge 2: makes "ab", which id 256 is already`},
		{"the same bytes", []Merge{{'a', 'b'}, {'b', 'c'}, {256, 'c'}, {'a', 257}}, `merge 3: makes "abc", which id 258 is already`},
		{"too long", double, "merge 10: makes a token of 2048 bytes; at most 1024 are allowed"},
		{"too many", tooMany, "merge 261888: a vocabulary has at most 262144 ids"},
	} {
		if _, err := New(test.merges); err == nil || err.Error() != "bpe: "+test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	if _, err := New(tooMany[:len(tooMany)-1]); err != nil {
		t.Errorf("a vocabulary of MaxSize: %v", err)
	}
}

func TestDecode(t *testing.T) {
	v, err := New([]Merge{{'a', 'b'}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Decode([]byte("<"), []uint32{256, 'c', 256})
	if err != nil || string(got) != "<abcab" {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = v.Decode([]byte("<"), []uint32{'a', 257})
	if err == nil || err.Error() != "bpe: token 1 has id 257, outside the vocabulary of 257" || string(got) != "<" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEncode(t *testing.T) {
	v, err := New([]Merge{{'a', 'a'}, {'b', 'c'}, {'a', 'b'}, {256, 256}, {' ', 'a'}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		text string
		want []uint32
	}{
		{"", nil},
		{"a", []uint32{'a'}},
		{"abc", []uint32{'a', 257}}, // b+c has a lower rank than a+b
		{"ab", []uint32{258}},
		{"aaa", []uint32{256, 'a'}}, // leftmost first
		{"aaaaa", []uint32{259, 'a'}},
		{"a a", []uint32{'a', 260}}, // the space is the second word's
		{"b a1", []uint32{'b', 260, '1'}},
		{"a  a", []uint32{'a', ' ', 260}},
		{"b\nc", []uint32{'b', '\n', 'c'}}, // no merge across pieces
		{"\xffab", []uint32{0xff, 258}},
		{"ab\xe6", []uint32{258, 0xe6}},
		{"aa a!", []uint32{256, 260, '!'}},
		{"cab", []uint32{'c', 258}},
		{"abcaa", []uint32{'a', 257, 256}},
		{"aaaabab", []uint32{259, 'b', 258}}, // aa+aa comes last, but a+b has taken no a before
	} {
		if got := v.Encode(nil, []byte(test.text)); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %v, want %v", test.text, got, test.want)
		}
	}
	if got := v.Encode([]uint32{7}, []byte("ab")); !slices.Equal(got, []uint32{7, 258}) {
		t.Errorf("appended: got %v", got)
	}
}

func TestPlainBytes(t *testing.T) {
	v, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 256)
	want := make([]uint32, 256)
	for i := range text {
		text[i], want[i] = byte(i), uint32(i)
	}
	if got := roundTrip(t, v, text); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// naiveEncode merges all neighbours of lowest rank, from left to right, until none has a merge.
func naiveEncode(v *Vocabulary, text []byte) []uint32 {
	rank := make(map[Merge]uint32)
	for i, m := range v.Merges() {
		rank[m] = uint32(256 + i)
	}
	var all []uint32
	for len(text) > 0 {
		n := v.piece(text)
		var ids []uint32
		for _, b := range text[:n] {
			ids = append(ids, uint32(b))
		}
		for {
			best := none
			for i := range len(ids) - 1 {
				if id, ok := rank[Merge{ids[i], ids[i+1]}]; ok {
					best = min(best, id)
				}
			}
			if best == none {
				break
			}
			ids = replace(ids, v.Merges()[best-256], best)
		}
		all = append(all, ids...)
		text = text[n:]
	}
	return all
}

// replace returns ids with m merged everywhere, from left to right.
func replace(ids []uint32, m Merge, id uint32) []uint32 {
	var out []uint32
	for i := 0; i < len(ids); i++ {
		if i+1 < len(ids) && ids[i] == m.Left && ids[i+1] == m.Right {
			out = append(out, id)
			i++
		} else {
			out = append(out, ids[i])
		}
	}
	return out
}

// randomMerges returns a vocabulary that no training would give: unreachable tokens, ranks in any order.
func randomMerges(t testing.TB, r *rand.Rand, letters string, n int) *Vocabulary {
	var sides []uint32
	for _, b := range []byte(letters) {
		sides = append(sides, uint32(b))
	}
	v, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		m := Merge{sides[r.IntN(len(sides))], sides[r.IntN(len(sides))]}
		if grown, err := New(append(v.Merges(), m)); err == nil { // or else these bytes are taken
			sides = append(sides, uint32(v.Size()))
			v = grown
		}
	}
	return v
}

func randomLetters(r *rand.Rand, letters string, n int) []byte {
	text := make([]byte, n)
	for i := range text {
		text[i] = letters[r.IntN(len(letters))]
	}
	return text
}

// The cache, the scan and the queue take pieces of different lengths and must all do what the definition says.
func TestEncodeReference(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 30 {
		v := randomMerges(t, r, "ab\xe6", 40)
		for range 20 {
			for _, text := range [][]byte{
				randomLetters(r, "ab\xe6", 1+r.IntN(3*maxScanned)),
				randomLetters(r, "ab a", 1+r.IntN(200)),
				bytes.Repeat([]byte("a"), 1+r.IntN(3*maxScanned)),
			} {
				got, want := roundTrip(t, v, text), naiveEncode(v, text)
				if !slices.Equal(got, want) {
					t.Fatalf("%q by %v:\n got %v\nwant %v", text, v.Merges(), got, want)
				}
			}
		}
	}
}

func TestEncodeConcurrently(t *testing.T) {
	text := opticks(t)[:100_000]
	v := train(t, 600, text)
	want := naiveEncode(v, text)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if !slices.Equal(v.Encode(nil, text), want) {
				t.Error("encodes otherwise beside others")
			}
		})
	}
	wait.Wait()
}

func TestOpticks(t *testing.T) {
	text := opticks(t)
	v := train(t, 512, text)
	if v.Size() != 512 {
		t.Errorf("size %d", v.Size())
	}
	again, err := New(v.Merges())
	if err != nil {
		t.Fatal(err)
	}
	ids := roundTrip(t, v, text)
	if !slices.Equal(again.Encode(nil, text), ids) {
		t.Error("the vocabulary made again from its merges encodes otherwise")
	}
	ratio := float64(len(ids)) / float64(len(text))
	t.Logf("%d bytes, %d tokens, %.3f tokens a byte", len(text), len(ids), ratio)
	if ratio < 0.40 || ratio > 0.55 {
		t.Errorf("%.3f tokens a byte", ratio)
	}
}

func FuzzRoundTrip(f *testing.F) {
	v := train(f, 400, []byte(strings.Repeat("the theory of the others' thirst, 12 121 \xff\xfe\xff\xfe  \n\n 日本 日本", 3)))
	plain, err := New(nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"", " ", "the other", "it's  \n they'll", "\xff\xfe\xff", "\xe6\x97", "日本語", "\xed\xa0\x80", strings.Repeat("th", 100), "\r\n\t\x00 ",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if ids := roundTrip(t, plain, text); len(ids) != len(text) {
			t.Errorf("%d bytes made %d plain tokens", len(text), len(ids))
		}
		ids := roundTrip(t, v, text)
		if len(text) < 1000 && !slices.Equal(ids, naiveEncode(v, text)) {
			t.Errorf("%q: got %v, want %v", text, ids, naiveEncode(v, text))
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	text := opticks(b)
	for _, test := range []struct {
		name string
		size int
	}{{"256", 256}, {"512", 512}, {"4096", 4096}, {"10000", 10000}} {
		b.Run(test.name, func(b *testing.B) {
			v := train(b, test.size, text)
			b.SetBytes(int64(len(text)))
			var ids []uint32
			for b.Loop() {
				ids = v.Encode(ids[:0], text)
			}
		})
	}
}

// One piece that is as long as the text: the worst case.
func BenchmarkEncodeUnbroken(b *testing.B) {
	text := opticks(b)
	v := train(b, 4096, text)
	unbroken := bytes.Map(func(r rune) rune {
		if c := classOf(r); c != letter {
			return -1
		}
		return r
	}, text)
	b.SetBytes(int64(len(unbroken)))
	var ids []uint32
	for b.Loop() {
		ids = v.Encode(ids[:0], unbroken)
	}
}
