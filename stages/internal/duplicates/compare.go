package duplicates

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
)

// comparison goes through the candidates in the order of documents, and compares each with those before it that share a
// group with it and stay.
type comparison struct {
	f     *finder
	files []*os.File
	group []*bufio.Reader // by band: the documents' groups
	next  uint32          // the document whose groups come next there

	kept  []stored            // candidates that stay
	first []uint32            // by group: the first of them, as its place in kept, from 1 on
	more  map[uint32][]uint32 // by group: the places of the others
	sets  *os.File            // their shingles
	end   int64               // of sets, in bytes

	mine    []uint32 // space for the groups of a document,
	earlier []uint32 // for the places of those to compare it with,
	bytes   []byte   // and for their shingles
	other   []uint64
}

// stored is where the shingles of a candidate that stays lie.
type stored struct {
	at       int64 // in bytes
	document uint32
	hashes   uint32 // their number; sampled is added where they are not all
}

// sampled is far above any number of hashes.
const sampled = 1 << 31

func newComparison(f *finder, groups int) (*comparison, error) {
	c := &comparison{f: f, first: make([]uint32, groups+1), more: map[uint32][]uint32{}}
	sets, err := os.Create(f.path("sets"))
	if err != nil {
		return nil, err
	}
	c.sets, c.files = sets, []*os.File{sets}
	for band := range f.scheme.bands {
		file, err := os.Open(f.groups(band))
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.files = append(c.files, file)
		c.group = append(c.group, bufio.NewReaderSize(file, bufferBytes))
	}
	return c, nil
}

func (c *comparison) close() error {
	var err error
	for _, file := range c.files {
		err = errors.Join(err, file.Close())
	}
	return err
}

// compare decides on a candidate.
func (c *comparison) compare(document uint32, s set) error {
	if err := c.readGroups(document); err != nil {
		return err
	}
	c.earlier = c.earlier[:0]
	for _, g := range c.mine {
		if c.first[g] > 0 {
			c.earlier = append(append(c.earlier, c.first[g]), c.more[g]...)
		}
	}
	slices.Sort(c.earlier)
	for _, place := range slices.Compact(c.earlier) {
		other := c.kept[place-1]
		similarity, err := c.similarity(s, other)
		if err != nil {
			return err
		}
		if similarity >= c.f.Near {
			c.f.found = append(c.f.found, Duplicate{Document: document, Of: other.document, Jaccard: similarity})
			return nil
		}
	}
	return c.keep(document, s)
}

// readGroups finds the groups of a document in all bands.
func (c *comparison) readGroups(document uint32) error {
	c.mine = c.mine[:0]
	for _, r := range c.group {
		if _, err := r.Discard(groupBytes * int(document-c.next)); err != nil {
			return err
		}
		var value [groupBytes]byte
		if _, err := io.ReadFull(r, value[:]); err != nil {
			return err
		}
		if g := binary.LittleEndian.Uint32(value[:]); g > 0 {
			c.mine = append(c.mine, g)
		}
	}
	c.next = document + 1
	return nil
}

// similarity compares a document's shingles with those of one that stays. Where sizes alone rule a near duplicate out, it
// is what they leave possible.
func (c *comparison) similarity(s set, other stored) (float64, error) {
	n, whole := int(other.hashes&^sampled), other.hashes < sampled
	if s.whole && whole {
		if most := float64(min(n, len(s.hashes))) / float64(max(n, len(s.hashes))); most < c.f.Near {
			return most, nil
		}
	}
	c.bytes = slices.Grow(c.bytes[:0], keyBytes*n)[:keyBytes*n]
	if _, err := c.sets.ReadAt(c.bytes, other.at); err != nil {
		return 0, err
	}
	c.other = c.other[:0]
	for i := range n {
		c.other = append(c.other, binary.LittleEndian.Uint64(c.bytes[keyBytes*i:]))
	}
	return jaccard(s, set{c.other, whole}, mostHashes), nil
}

// keep notes that a document stays, for those behind it.
func (c *comparison) keep(document uint32, s set) error {
	k := stored{at: c.end, document: document, hashes: uint32(len(s.hashes))}
	if !s.whole {
		k.hashes |= sampled
	}
	c.bytes = c.bytes[:0]
	for _, h := range s.hashes {
		c.bytes = binary.LittleEndian.AppendUint64(c.bytes, h)
	}
	if _, err := c.sets.WriteAt(c.bytes, c.end); err != nil {
		return err
	}
	c.end += int64(len(c.bytes))
	c.kept = append(c.kept, k)
	place := uint32(len(c.kept))
	for _, g := range c.mine {
		if c.first[g] == 0 {
			c.first[g] = place
		} else {
			c.more[g] = append(c.more[g], place)
		}
	}
	return nil
}
