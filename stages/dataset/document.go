package dataset

import (
	"fmt"
	"io"
	"iter"
)

// document is a text with a beginning and an end of its own: a file of plain text, or one column of a row.
type document struct {
	source int   // index in the data set's list of sources
	index  int64 // in its source, those that are left out counted too
	file   string
	at     place // of the row in the file; zero where the file is one document
	alone  bool  // whether its source has no other

	// text is what the document says, as it enters blocks: UTF-8, unless invalid bytes are kept. It is never empty, may be
	// larger than memory and can be read from any place, any number of times, until the next document is asked for.
	text *io.SectionReader
}

// String names the document for people.
func (d document) String() string {
	if d.at == (place{}) {
		return fmt.Sprintf("%q", d.file)
	}
	return fmt.Sprintf("%s of %q", d.at, d.file)
}

// documents are the documents of all sources, in the order of these. Ranging over them again reads the sources again, and
// gives the same. After an error there are no more.
//
// A filter, such as one that leaves out duplicates, takes documents and returns documents: it hands on those that it keeps
// as they are, with their index, so that a document's place does not depend on what is left out before it.
type documents = iter.Seq2[document, error]

// place is where a row stands in its file.
type place struct {
	unit   string // "line", counted from 1, or "row", from 0
	number int64
}

func (p place) String() string { return fmt.Sprintf("%s %d", p.unit, p.number) }
