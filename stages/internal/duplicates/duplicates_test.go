package duplicates

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// stream hands out texts as documents.
func stream(texts []string) Documents {
	return func(yield func(*io.SectionReader, error) bool) {
		for _, t := range texts {
			if !yield(io.NewSectionReader(strings.NewReader(t), 0, int64(len(t))), nil) {
				return
			}
		}
	}
}

func find(t *testing.T, texts []string, near float64, cores int) []Duplicate {
	t.Helper()
	dir := t.TempDir()
	found, count, err := Find(t.Context(), stream(texts), Options{Near: near, Shingle: 5, Scratch: dir, Cores: func() int { return cores }})
	if err != nil {
		t.Fatal(err)
	}
	if count != len(texts) {
		t.Errorf("%d documents were counted of %d", count, len(texts))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("scratch holds %v afterwards, %v", left, err)
	}
	return found
}

// text makes words out of numbers.
func text(numbers []int) string {
	var b strings.Builder
	for _, n := range numbers {
		fmt.Fprintf(&b, "w%d ", n)
	}
	return b.String()
}

// random returns different numbers.
func random(r *rand.Rand, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = r.IntN(1 << 40)
	}
	return all
}

// alter replaces the end of a text of n words, so that its shingles have about the similarity given: of n−4, s stay, and
// s/(2(n−4)−s) is the similarity.
func alter(r *rand.Rand, numbers []int, similarity float64) []int {
	n := len(numbers)
	stay := int(math.Round(similarity*2*float64(n-4)/(1+similarity))) + 4
	return append(slices.Clone(numbers[:stay]), random(r, n-stay)...)
}

func TestFind(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	a, c := random(r, 200), random(r, 40)
	b := alter(r, a, 0.85)                              // near a
	d := append(slices.Clone(b[10:]), random(r, 10)...) // near b, and far from a
	short := "Only three words"
	texts := []string{
		text(a), text(c), text(a), text(b), text(d), text(b), strings.ToUpper(text(c)), short, "…", "…", "only THREE words!", "???", "",
	}
	want := []Duplicate{
		{Document: 2, Of: 0, Exact: true},
		{Document: 3, Of: 0},
		// 4 is near to 3 alone, which does not stay
		{Document: 5, Of: 3, Exact: true}, // its like is near to another, and this is like that to the byte
		{Document: 6, Of: 1, Jaccard: 1},
		{Document: 9, Of: 8, Exact: true},
		{Document: 10, Of: 7, Jaccard: 1}, // of fewer words than a shingle
	}
	got := find(t, texts, 0.8, 2)
	for i := range got {
		if i < len(want) && want[i].Jaccard == 0 && !want[i].Exact {
			if got[i].Jaccard < 0.8 || got[i].Jaccard > 0.9 {
				t.Errorf("similarity of %d is %g", got[i].Document, got[i].Jaccard)
			}
			want[i].Jaccard = got[i].Jaccard
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%+v, want\n%+v", got, want)
	}
	if got := find(t, texts, 0, 2); len(got) != 3 || !got[0].Exact || !got[1].Exact || !got[2].Exact {
		t.Errorf("exact ones alone are %+v", got)
	}
	if got := find(t, nil, 0.8, 2); len(got) != 0 {
		t.Errorf("of no documents %+v are found", got)
	}
}

// What is found is what the definition says, by all pairs and sets of strings, whatever the number of cores.
func TestFindByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var texts []string
	var roots [][]int
	for range 700 {
		numbers := random(r, 20+r.IntN(100))
		switch k := r.IntN(4); {
		case k > 0 && len(roots) > 0:
			numbers = roots[r.IntN(len(roots))]
			if k > 1 {
				numbers = alter(r, numbers, 0.5+0.5*r.Float64())
			}
		}
		roots = append(roots, numbers)
		texts = append(texts, text(numbers))
	}
	sets := make([]map[string]bool, len(texts))
	for i, t := range texts {
		sets[i] = map[string]bool{}
		w := strings.Fields(t)
		for j := range len(w) - 4 {
			sets[i][strings.Join(w[j:j+5], " ")] = true
		}
	}
	const near = 0.7
	var want []Duplicate
	gone := make([]bool, len(texts))
	for i, t := range texts {
		if of := slices.Index(texts[:i], t); of >= 0 {
			want, gone[i] = append(want, Duplicate{Document: uint32(i), Of: uint32(of), Exact: true}), true
			continue
		}
		for j := range i {
			if j := uint32(j); !gone[j] {
				both := 0
				for s := range sets[i] {
					if sets[j][s] {
						both++
					}
				}
				if s := float64(both) / float64(len(sets[i])+len(sets[j])-both); s >= near {
					want, gone[i] = append(want, Duplicate{Document: uint32(i), Of: j, Jaccard: s}), true
					break
				}
			}
		}
	}
	for _, cores := range []int{1, 2, 3, 8} {
		if got := find(t, texts, near, cores); !slices.Equal(got, want) {
			t.Errorf("on %d cores %d are found, want %d", cores, len(got), len(want))
		}
	}
}

// Pairs share a key as often as the formula says.
func TestCandidates(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	s := schemeFor(0.8)
	h := newHasher(s, 5)
	const pairs, size = 600, 104
	for _, similarity := range []float64{0.3, 0.5, 0.7, 0.8, 0.9} {
		shared := 0
		var exact float64
		for range pairs {
			numbers := random(r, size)
			a, err := h.read(strings.NewReader(text(numbers)))
			if err != nil {
				t.Fatal(err)
			}
			other := alter(r, numbers, similarity)
			b, err := h.read(strings.NewReader(text(other)))
			if err != nil {
				t.Fatal(err)
			}
			c := newCollector(5, mostHashes)
			x, _ := c.read(strings.NewReader(text(numbers)), nil)
			y, _ := c.read(strings.NewReader(text(other)), nil)
			exact = jaccard(x, y, mostHashes)
			for band := range a.keys {
				if a.keys[band] == b.keys[band] {
					shared++
					break
				}
			}
		}
		p := s.probability(exact)
		if got, se := float64(shared)/pairs, math.Sqrt(p*(1-p)/pairs); math.Abs(got-p) > 4*se+1.0/pairs {
			t.Errorf("at a similarity of %.3f, %.4f of the pairs share a key, want %.4f ± %.4f", exact, got, p, se)
		}
	}
}

// The share of a signature's elements that agree has the mean and the variance of MinHash.
func TestSignatures(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	const pairs = 400
	for _, size := range []int{5, 30, 500} {
		for _, similarity := range []float64{0.2, 0.5, 0.8} {
			both := int(math.Round(2 * similarity / (1 + similarity) * float64(size)))
			j := float64(both) / float64(2*size-both)
			sum, squares := 0.0, 0.0
			for range pairs {
				a, b := make(signature, permutations), make(signature, permutations)
				a.reset()
				b.reset()
				for i := range 2*size - both {
					h := r.Uint64()
					if i < size {
						a.add(h)
					}
					if i >= size-both {
						b.add(h)
					}
				}
				agree := 0.0
				for i := range a {
					if a[i] == b[i] {
						agree += 1.0 / permutations
					}
				}
				sum += agree - j
				squares += (agree - j) * (agree - j)
			}
			variance := j * (1 - j) / permutations
			if z := sum / pairs / math.Sqrt(variance/pairs); math.Abs(z) > 4 {
				t.Errorf("%d shingles at %.3f: the estimate is off by %.4f, %.1f standard errors", size, j, sum/pairs, z)
			}
			if ratio := squares / pairs / variance; ratio < 0.7 || ratio > 1.4 {
				t.Errorf("%d shingles at %.3f: the estimate varies %.2f times as much as it may", size, j, ratio)
			}
		}
	}
}

// The scheme misses few pairs at the threshold, and has as many rows as that allows.
func TestScheme(t *testing.T) {
	for _, test := range []struct {
		near float64
		want scheme
	}{{0.8, scheme{21, 6}}, {0.5, scheme{42, 3}}, {0.9, scheme{12, 10}}, {0.1, scheme{128, 1}}, {1, scheme{1, 128}}} {
		s := schemeFor(test.near)
		if s != test.want {
			t.Errorf("scheme at %g is %v, want %v", test.near, s, test.want)
		}
		if p := s.probability(test.near); p < found {
			t.Errorf("at %g %g are found", test.near, p)
		}
	}
	s := schemeFor(0.8)
	for _, c := range []struct{ j, want float64 }{{0.8, 0.998}, {0.9, 1}, {0.5, 0.28}, {0.3, 0.015}} { // what bands.go says
		if p := s.probability(c.j); math.Abs(p-c.want) > 0.02*c.want {
			t.Errorf("probability at %g is %.4f, want %g", c.j, p, c.want)
		}
	}
}

// Of a long text the least hashes are compared, which say the same of similarity.
func TestSampledSets(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	const most = 500
	numbers := random(r, 20*most)
	for _, similarity := range []float64{0.3, 0.8} {
		other := alter(r, numbers, similarity)
		all, some := newCollector(5, 1<<20), newCollector(5, most)
		var exact, sampled float64
		for _, c := range []struct {
			c    *collector
			most int
			to   *float64
		}{{all, 1 << 20, &exact}, {some, most, &sampled}} {
			a, _ := c.c.read(strings.NewReader(text(numbers)), nil)
			b, _ := c.c.read(strings.NewReader(text(other)), nil)
			if a.whole != (c.most > most) || len(a.hashes) > c.most {
				t.Errorf("of at most %d hashes %d are kept, whole: %t", c.most, len(a.hashes), a.whole)
			}
			*c.to = jaccard(a, b, c.most)
		}
		if se := math.Sqrt(exact * (1 - exact) / most); math.Abs(exact-sampled) > 4*se {
			t.Errorf("similarity %.4f is estimated as %.4f, with a standard error of %.4f", exact, sampled, se)
		}
	}
}

// Long texts, which are not held whole, are found as short ones are.
func TestLongTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	numbers := random(r, 100_000)
	texts := []string{"first", text(numbers), text(alter(r, numbers, 0.9)), text(numbers), text(alter(r, numbers, 0.6)), "first"}
	if len(texts[1]) <= wholeBytes {
		t.Fatalf("the texts have %d bytes alone", len(texts[1]))
	}
	got := find(t, texts, 0.8, 2)
	if len(got) != 3 || got[0].Document != 2 || got[0].Of != 1 || got[1] != (Duplicate{Document: 3, Of: 1, Exact: true}) || got[2] != (Duplicate{Document: 5, Of: 0, Exact: true}) {
		t.Errorf("found %+v", got)
	}
}

func TestFailures(t *testing.T) {
	broken := errors.New("cannot be read")
	dir := t.TempDir()
	o := Options{Near: 0.8, Shingle: 5, Scratch: dir, Cores: func() int { return 2 }}
	_, _, err := Find(t.Context(), func(yield func(*io.SectionReader, error) bool) {
		_ = yield(io.NewSectionReader(strings.NewReader("one"), 0, 3), nil) && yield(nil, broken)
	}, o)
	if !errors.Is(err, broken) {
		t.Errorf("a stream that breaks gives %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	if _, _, err := Find(ctx, stream([]string{"one", "two"}), o); !errors.Is(err, stopped) {
		t.Errorf("an interrupted search gives %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("scratch holds %v afterwards, %v", left, err)
	}
}

// Of 16 MB, or as many bytes as DOCUMENT_BYTES says, some tenth each of the documents are copies and near copies.
func BenchmarkFind(b *testing.B) {
	size := int64(16 << 20)
	if s := os.Getenv("DOCUMENT_BYTES"); s != "" {
		if _, err := fmt.Sscan(s, &size); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(size)
	for b.Loop() {
		found, count, err := Find(b.Context(), generated(size), Options{Near: 0.8, Shingle: 5, Scratch: b.TempDir(), Cores: func() int { return 2 }})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(count), "documents")
		b.ReportMetric(float64(len(found)), "duplicates")
	}
}

// generated hands out documents of some 3 kB of common words: of ten one is the copy of the one before, and one has 5 % of
// its words replaced at its end.
func generated(size int64) Documents {
	return func(yield func(*io.SectionReader, error) bool) {
		r := rand.New(rand.NewPCG(8, 8))
		zipf := rand.NewZipf(r, 1.1, 10, 50_000)
		drawn := make([]string, 1<<16)
		for i := range drawn {
			drawn[i] = fmt.Sprintf("%x ", zipf.Uint64()*2654435761%(1<<24))
		}
		var doc []byte
		for n := int64(0); n < size; n += int64(len(doc)) {
			switch r.IntN(10) {
			case 0:
			case 1:
				doc = doc[:len(doc)*19/20]
				fallthrough
			default:
				if len(doc) >= 3000 {
					doc = doc[:0]
				}
				for len(doc) < 3000 {
					doc = append(doc, drawn[r.IntN(len(drawn))]...)
				}
			}
			if !yield(io.NewSectionReader(bytes.NewReader(doc), 0, int64(len(doc))), nil) {
				return
			}
		}
	}
}
