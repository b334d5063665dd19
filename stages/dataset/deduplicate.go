package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/stages/internal/duplicates"
)

// Deduplicate leaves out the documents of a text that repeat an earlier one, of any source. One is an exact duplicate if it
// has the bytes of an earlier one. Of the others, in their order, one is a near duplicate if the Jaccard similarity of its
// shingles, runs of so many words, with those of an earlier one that stays is at least near; pairs are looked for by
// MinHash (Broder 1997) and bands (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3).
type Deduplicate struct {
	Near    float64 `hcl:"near,optional" doc:"share of shingles in common, of those that either has, from which on documents are near duplicates: within 0.1 and 1; 0: none are, and only exact ones are left out"`
	Shingle int     `hcl:"shingle,optional" doc:"words of a shingle, within 1 and 100"`
}

// Check tells whether near duplicates can be told.
func (d *Deduplicate) Check() error {
	var errs []error
	if d.Near != 0 && !(d.Near >= 0.1 && d.Near <= 1) {
		errs = append(errs, pipeline.Errorf("near", "must lie within 0.1 and 1, or be 0 for exact duplicates alone, is %g", d.Near))
	}
	if d.Shingle < 1 || d.Shingle > 100 {
		errs = append(errs, pipeline.Errorf("shingle", "must lie within 1 and 100, is %d", d.Shingle))
	}
	return errors.Join(errs...)
}

// filter returns the documents that stay. Which ones these are is found before it returns.
func (d *Deduplicate) filter(ctx context.Context, t *pipeline.Task, all documents) (documents, error) {
	texts := func(yield func(*io.SectionReader, error) bool) {
		for doc, err := range all {
			if !yield(doc.text, err) {
				return
			}
		}
	}
	found, count, err := duplicates.Find(ctx, texts, duplicates.Options{
		Near: d.Near, Shingle: d.Shingle, Scratch: filepath.Dir(t.Output("duplicates")), Cores: t.Cores,
	})
	if err != nil {
		return nil, err
	}
	exact := 0
	for _, f := range found {
		if f.Exact {
			exact++
		}
	}
	fmt.Fprintf(t.Log, "duplicates: of %d documents %d are exact ones and %d near ones; %d stay\n", count, exact, len(found)-exact, count-len(found))
	return staying(all, found, t.Output("duplicates")), nil
}

// staying returns the documents but those found, which ascend. Whoever ranges over them to the end has the table of those
// written.
func staying(all documents, found []duplicates.Duplicate, path string) documents {
	return func(yield func(document, error) bool) {
		type place struct{ source, index int64 }
		originals := map[uint32]place{}
		for _, f := range found {
			originals[f.Of] = place{}
		}
		rows := make([]artifacts.DuplicateRow, 0, len(found))
		i := uint32(0)
		for doc, err := range all {
			if err != nil {
				yield(doc, err)
				return
			}
			at := place{int64(doc.source), doc.index}
			if _, is := originals[i]; is {
				originals[i] = at
			}
			if n := len(rows); n < len(found) && found[n].Document == i {
				f := found[n]
				of := originals[f.Of]
				row := artifacts.DuplicateRow{Source: at.source, Document: at.index, OfSource: of.source, OfDocument: of.index, Kind: artifacts.DuplicateExact}
				if !f.Exact {
					row.Kind, row.Jaccard = artifacts.DuplicateNear, new(f.Jaccard)
				}
				rows = append(rows, row)
			} else if !yield(doc, nil) {
				return
			}
			i++
		}
		if err := artifacts.WriteRows(path, rows); err != nil {
			yield(document{}, err)
		}
	}
}
