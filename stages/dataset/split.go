package dataset

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"math"
	"unicode/utf8"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Split says which of a text is held out for validation: whole documents, or blocks of each.
type Split struct {
	Unit       string  `hcl:"unit,optional" values:"auto,block,document" doc:"what is held out: blocks of each document, whole documents, or auto: blocks of a source that is one document, documents of others"`
	Size       int     `hcl:"size,optional" doc:"bytes of a block, at least 4; a character is never cut, so a block may have up to 3 less"`
	Validation float64 `hcl:"validation,optional" doc:"share that is held out, above 0 and at most 0.5: of each document's blocks, one block at least where it has two; or of documents, each by a draw of its own, so that the share is met on average"`
	Seed       int64   `hcl:"seed,optional" doc:"which blocks: a document is divided into as many equal stretches as blocks are held out, and of each stretch one is drawn; which documents: those whose content draws below validation, whatever others there are"`
}

// Units of a split.
const (
	unitAuto     = "auto"
	unitBlock    = "block"
	unitDocument = "document"
)

// Check tells whether the split is possible.
func (s *Split) Check() error {
	var errs []error
	if s.Size < utf8.UTFMax {
		errs = append(errs, pipeline.Errorf("size", "must be at least %d, the bytes of the longest character, is %d", utf8.UTFMax, s.Size))
	}
	if !(s.Validation > 0 && s.Validation <= 0.5) {
		errs = append(errs, pipeline.Errorf("validation", "must be above 0 and at most 0.5, is %g", s.Validation))
	}
	return errors.Join(errs...)
}

// byBlock tells whether blocks of a document are held out, rather than the whole or nothing.
func (s *Split) byBlock(d document) bool {
	return s.Unit == unitBlock || s.Unit == unitAuto && d.alone
}

// divide hands out the blocks of a document in their order, with whether each is held out. It reads the document twice.
func (s *Split) divide(d document, each func(b artifacts.Block, held bool) error) error {
	held := func(int) bool { return false }
	var err error
	if s.byBlock(d) {
		held, err = s.heldBlocks(d)
	} else {
		var whole bool
		whole, err = s.heldDocument(d)
		held = func(int) bool { return whole }
	}
	if err != nil {
		return err
	}
	b, i := artifacts.Block{Source: int64(d.source), Document: d.index}, 0
	for text, err := range s.cut(d.text) {
		if err != nil {
			return err
		}
		b.Text = string(text)
		if err := each(b, held(i)); err != nil {
			return err
		}
		b.Offset += int64(len(text))
		i++
	}
	return nil
}

// heldDocument draws whether a document is held out, by its content alone: what else there is moves none, and equal ones
// are on one side.
func (s *Split) heldDocument(d document) (bool, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(d.text, 0, d.text.Size())); err != nil {
		return false, err
	}
	var words [sha256.Size / 8]uint64
	for digest, i := hash.Sum(nil), 0; i < len(words); i++ {
		words[i] = binary.LittleEndian.Uint64(digest[8*i:])
	}
	const fractions = 1 << 53
	return float64(below(fractions, draw(s.Seed, "hold out document", words[:]...))) < s.Validation*fractions, nil
}

// heldBlocks draws which blocks of a document are held out. They are to be asked for in their order.
func (s *Split) heldBlocks(d document) (held func(i int) bool, err error) {
	blocks := 0
	for _, err := range s.cut(d.text) {
		if err != nil {
			return nil, err
		}
		blocks++
	}
	stretches := 0
	if blocks > 1 {
		stretches = max(1, int(math.RoundToEven(s.Validation*float64(blocks))))
	}
	stretch, at, to := -1, -1, 0
	return func(i int) bool {
		if i == to && stretches > 0 {
			stretch++
			to = blocks * (stretch + 1) / stretches
			at = i + int(below(uint64(to-i), draw(s.Seed, "hold out", uint64(d.source), uint64(d.index), uint64(stretch))))
		}
		return i == at
	}, nil
}

// cut cuts a text into blocks, which are overwritten by the next one.
func (s *Split) cut(text *io.SectionReader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		left := text.Size()
		most := min(int64(s.Size), left) // so that one more byte can be looked at without overflow
		r := bufio.NewReaderSize(io.NewSectionReader(text, 0, left), int(min(left, max(most+1, readBuffer))))
		for left > 0 {
			next, err := r.Peek(int(min(most+1, left)))
			if err != nil {
				yield(nil, err)
				return
			}
			if int64(len(next)) > most {
				next = next[:boundary(next)]
			}
			if !yield(next, nil) {
				return
			}
			r.Discard(len(next))
			left -= int64(len(next))
		}
	}
}

// boundary returns where a block ends that is to be followed by the last byte of next: there, or before the character that
// this byte goes on with. Bytes of no character may be cut anywhere.
func boundary(next []byte) int {
	end := len(next) - 1
	for to := end; to > end-utf8.UTFMax; to-- {
		if utf8.RuneStart(next[to]) {
			return to
		}
	}
	return end
}
