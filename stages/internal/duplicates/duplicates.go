// Package duplicates finds the documents of a stream that are there before, exactly or nearly, in memory that their text
// does not enter. Three readings of the stream, of which the first two are here:
//
//  1. Each document's SHA-256 and the keys of its signature's bands (bands.go) go to files, one a column.
//  2. Of documents that share a key with another the shingles are compared (shingles.go).
//  3. The caller leaves out what was found.
//
// Every document of the stream that repeats an earlier one to the byte is an exact duplicate. Of the others, in the order of
// the stream, one is a near duplicate if it is a candidate with an earlier one that is none itself, and their shingles have
// at least the Jaccard similarity asked for. So each that is found has one that stays, and which these are depends on the
// stream and the options alone.
//
// With n documents, b bands and m documents found, memory is at most 20·n + 2·b·n + 24·m bytes, beside 40 MB for buffers
// and what is compared: 16 bytes a document while a column is sorted and 4 for its groups, then 4 bytes a group, of which
// there are at most n/2 a band; a document that shares a key and stays takes 16, and 4 for each such key that another has
// already. Files take 32 + 12·b bytes a document, and 8 for each different shingle of one that shares a key and stays.
package duplicates

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"slices"
)

// Documents hands out texts, each of which can be read until the next one is asked for. Ranging over them again gives the
// same. After an error there are no more.
type Documents = iter.Seq2[*io.SectionReader, error]

// Options say what counts as a duplicate, and what finding them may take.
type Options struct {
	Near    float64    // Jaccard similarity from which on documents are near duplicates; 0: none are
	Shingle int        // words of a shingle
	Scratch string     // a folder for files, which are gone afterwards
	Cores   func() int // how many may be used now
}

// Duplicate is a document that repeats an earlier one. Documents are counted from 0.
type Duplicate struct {
	Document, Of uint32
	Exact        bool    // to the byte: Of is the first such
	Jaccard      float64 // of a near one's shingles with those of Of, the first that stays of which it is a near duplicate
}

// finder is one search.
type finder struct {
	Options
	ctx    context.Context
	docs   Documents
	scheme scheme
	dir    string

	count int
	found []Duplicate
	twice bits // documents that are exact duplicates
}

// Find returns the duplicates among documents, ascending, and how many documents there are.
func Find(ctx context.Context, docs Documents, o Options) (found []Duplicate, count int, err error) {
	dir, err := os.MkdirTemp(o.Scratch, "duplicates-")
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(dir)
	f := &finder{Options: o, ctx: ctx, docs: docs, dir: dir}
	if o.Near > 0 {
		f.scheme = schemeFor(o.Near)
	}
	for _, step := range []func() error{f.hash, f.exact, f.near} {
		if err := step(); err != nil {
			return nil, 0, err
		}
	}
	slices.SortFunc(f.found, func(a, b Duplicate) int { return cmp.Compare(a.Document, b.Document) })
	return f.found, f.count, nil
}

// hash reads all documents and writes the columns of digests and keys.
func (f *finder) hash() error {
	digests, err := createColumn(f.path("digests"))
	if err != nil {
		return err
	}
	defer digests.close()
	keys := make([]*column, f.scheme.bands)
	for band := range keys {
		if keys[band], err = createColumn(f.keys(band)); err != nil {
			return err
		}
		defer keys[band].close()
	}
	err = each(f, func(uint32) bool { return true },
		func() func(io.Reader) (hashed, error) { return newHasher(f.scheme, f.Shingle).read },
		func(_ uint32, h hashed) error {
			f.count++
			digests.write(h.digest[:])
			for band, key := range h.keys {
				keys[band].writeUint64(key)
			}
			return nil
		})
	if err != nil {
		return err
	}
	for _, c := range append(keys, digests) {
		if err := c.flush(); err != nil {
			return err
		}
	}
	return nil
}

// exact finds the documents with the digest of an earlier one.
func (f *finder) exact() error {
	f.twice = newBits(f.count)
	digests, err := os.Open(f.path("digests"))
	if err != nil {
		return err
	}
	defer digests.Close()
	entries, err := readEntries(digests, digestBytes, f.count, nil)
	if err != nil {
		return err
	}
	for group := range groupsOf(entries) {
		first := map[[digestBytes]byte]uint32{}
		for _, e := range group {
			var digest [digestBytes]byte
			if _, err := digests.ReadAt(digest[:], int64(e.document)*digestBytes); err != nil {
				return err
			}
			of, known := first[digest]
			if !known {
				first[digest] = e.document
				continue
			}
			f.twice.set(e.document)
			f.found = append(f.found, Duplicate{Document: e.document, Of: of, Exact: true})
		}
	}
	return context.Cause(f.ctx)
}

// near finds near duplicates among the documents that are not exact ones.
func (f *finder) near() error {
	candidates, groups, err := f.group()
	if err != nil || groups == 0 {
		return err
	}
	c, err := newComparison(f, groups)
	if err != nil {
		return err
	}
	defer c.close()
	return each(f, candidates.has,
		func() func(io.Reader) (set, error) {
			collector, buffer := newCollector(f.Shingle, mostHashes), make([]byte, bufferBytes)
			return func(text io.Reader) (set, error) { return collector.read(text, buffer) }
		}, c.compare)
}

// group numbers the groups of documents that share a key, band by band and from 1 on, and writes each document's group in
// each band, 0 where it is alone. It returns the documents that are in a group, and how many groups there are.
func (f *finder) group() (candidates bits, groups int, err error) {
	candidates = newBits(f.count)
	var entries []entry
	of := make([]uint32, f.count)
	for band := range f.scheme.bands {
		if err := f.ctx.Err(); err != nil {
			return nil, 0, context.Cause(f.ctx)
		}
		keys, err := os.Open(f.keys(band))
		if err != nil {
			return nil, 0, err
		}
		entries, err = readEntries(keys, keyBytes, f.count, entries)
		keys.Close()
		if err != nil {
			return nil, 0, err
		}
		entries = slices.DeleteFunc(entries, func(e entry) bool { return e.key == noKey || f.twice.has(e.document) })
		clear(of)
		for group := range groupsOf(entries) {
			if groups++; groups > math.MaxUint32 {
				return nil, 0, fmt.Errorf("there are more than %d groups of documents that may be near duplicates", uint32(math.MaxUint32))
			}
			for _, e := range group {
				candidates.set(e.document)
				of[e.document] = uint32(groups)
			}
		}
		c, err := createColumn(f.groups(band))
		if err != nil {
			return nil, 0, err
		}
		for _, g := range of {
			c.writeUint32(g)
		}
		if err := c.close(); err != nil {
			return nil, 0, err
		}
	}
	return candidates, groups, nil
}
