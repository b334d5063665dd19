package duplicates

import (
	"io"
	"math"
	"slices"

	"anneal/stages/internal/words"
)

// shingler hands on the hash of each shingle of a text: each run of so many of its words, or all of them where they are fewer.
type shingler struct {
	split words.Splitter
	runs  *words.Runs
	take  func(hash uint64)
}

func newShingler(n int, take func(hash uint64)) *shingler {
	s := &shingler{runs: words.NewRuns(n), take: take}
	s.split.Word = func(word []byte) {
		if h, ok := s.runs.Add(words.Hash(word)); ok {
			s.take(h)
		}
	}
	return s
}

// Write takes more of the text. It returns no error.
func (s *shingler) Write(text []byte) (int, error) { return s.split.Write(text) }

// end ends the text, and tells whether it had any words.
func (s *shingler) end() bool {
	s.split.End()
	seen, h, short := s.runs.Rest()
	if short && seen > 0 {
		s.take(h)
	}
	s.runs.Reset()
	return seen > 0
}

// mostHashes is how many shingles of a document are compared at most: 2 MB of them, those of some 1.5 MB of English.
const mostHashes = 1 << 18

// set is a document's shingles as hashes, ascending: all of them, or if there are more than most the least ones, which
// are a random sample.
type set struct {
	hashes []uint64
	whole  bool
}

// jaccard returns |A∩B|/|A∪B|. Where a set is a sample, it is that of the most least elements of the union (Broder 1997),
// whose standard error is √(J(1−J)/most), at most 0.001.
func jaccard(a, b set, most int) float64 {
	if a.whole && b.whole {
		most = math.MaxInt
	}
	both, all := 0, 0
	for i, j := 0, 0; (i < len(a.hashes) || j < len(b.hashes)) && all < most; all++ {
		switch {
		case j == len(b.hashes) || i < len(a.hashes) && a.hashes[i] < b.hashes[j]:
			i++
		case i == len(a.hashes) || b.hashes[j] < a.hashes[i]:
			j++
		default:
			i, j, both = i+1, j+1, both+1
		}
	}
	return float64(both) / float64(all)
}

// collector gathers the set of a text, in bounded memory.
type collector struct {
	*shingler
	most   int
	hashes []uint64
	bound  uint64 // no greater hash is among the least
	whole  bool
}

func newCollector(n, most int) *collector {
	c := &collector{most: most, bound: math.MaxUint64, whole: true}
	c.shingler = newShingler(n, func(hash uint64) {
		if hash > c.bound {
			return
		}
		if c.hashes = append(c.hashes, hash); len(c.hashes) == 2*most {
			c.tidy()
		}
	})
	return c
}

// tidy leaves each hash once, and the least ones alone.
func (c *collector) tidy() {
	slices.Sort(c.hashes)
	c.hashes = slices.Compact(c.hashes)
	if len(c.hashes) > c.most {
		c.hashes, c.whole = c.hashes[:c.most], false
		c.bound = c.hashes[c.most-1]
	}
}

// read returns the set of a text.
func (c *collector) read(text io.Reader, buffer []byte) (set, error) {
	if _, err := io.CopyBuffer(c, text, buffer); err != nil {
		return set{}, err
	}
	c.end()
	c.tidy()
	s := set{slices.Clone(c.hashes), c.whole}
	c.hashes, c.bound, c.whole = c.hashes[:0], math.MaxUint64, true
	return s, nil
}
