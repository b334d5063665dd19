package dataset

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// tally is what became of a source's documents.
type tally struct {
	documents, bytes, crlf int64
	blocks                 [2]int64 // for training, and held out
}

// runText reads the sources and splits their documents.
func (d *Dataset) runText(ctx context.Context, t *pipeline.Task) error {
	create := artifacts.CreateText
	if d.InvalidUTF8 == keepInvalid {
		create = artifacts.CreateBytesText
	}
	train, err := create(t.Output("train"))
	if err != nil {
		return err
	}
	validation, err := create(t.Output("validation"))
	if err != nil {
		return errors.Join(err, train.Close())
	}
	err = d.splitText(ctx, t, [2]*artifacts.TextWriter{train, validation})
	return errors.Join(err, train.Close(), validation.Close())
}

// splitText writes each block to one of the outputs.
func (d *Dataset) splitText(ctx context.Context, t *pipeline.Task, outputs [2]*artifacts.TextWriter) error {
	found := make([]notes, len(d.Source))
	tallies := make([]tally, len(d.Source))
	whole := int64(0) // documents that are not divided
	docs := d.documents(ctx, t, found)
	if d.Deduplicate != nil {
		var err error
		if docs, err = d.Deduplicate.filter(ctx, t, docs); err != nil {
			return err
		}
	}
	for doc, err := range docs {
		if err != nil {
			return err
		}
		if !d.Split.byBlock(doc) {
			whole++
		}
		n := &tallies[doc.source]
		n.documents++
		n.bytes += doc.text.Size()
		cr := false // whether the block before ended in one
		err = d.Split.divide(doc, func(b artifacts.Block, held bool) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			n.crlf += int64(strings.Count(b.Text, "\r\n"))
			if cr && b.Text[0] == '\n' {
				n.crlf++
			}
			cr = strings.HasSuffix(b.Text, "\r")
			side := 0
			if held {
				side = 1
			}
			n.blocks[side]++
			return outputs[side].Write(b)
		})
		if err != nil {
			return err
		}
	}
	var all tally
	for i, n := range tallies {
		d.tell(t, i, found[i], n)
		all.documents, all.bytes = all.documents+n.documents, all.bytes+n.bytes
		all.blocks[0], all.blocks[1] = all.blocks[0]+n.blocks[0], all.blocks[1]+n.blocks[1]
	}
	switch {
	case all.blocks[0] == 0:
		return pipeline.Errorf("split.validation", "is %g, which leaves nothing for training: all of %d documents are held out; with so few, say unit = \"block\"", d.Split.Validation, all.documents)
	case all.blocks[1] == 0 && whole > 0:
		return pipeline.Errorf("split.validation", "is %g, which leaves nothing for validation: none of %d documents is held out; with so few, say unit = \"block\"", d.Split.Validation, all.documents)
	case all.blocks[1] == 0:
		return pipeline.Errorf("split.size", "is %d, which leaves nothing for validation: no document is longer than one block, and all have %d bytes together", d.Split.Size, all.bytes)
	}
	return nil
}

// tell says of a source what was read, what was left out or altered, and what was not.
func (d *Dataset) tell(t *pipeline.Task, source int, found notes, n tally) {
	file := d.Source[source]
	fmt.Fprintf(t.Log, "source %d, %s %q: %d bytes in %d documents, %d blocks for training, %d for validation\n",
		source, file.Source, file.Name, n.bytes, n.documents, n.blocks[0], n.blocks[1])
	for _, c := range []struct {
		count int64
		text  string
	}{
		{found.empty, "documents are empty and were left out"},
		{found.marks, "files start with a byte order mark, which was dropped"},
		{found.replaced, "bytes are no UTF-8, and each was replaced by U+FFFD"},
		{n.crlf, "lines end in CRLF, which was kept"},
	} {
		if c.count > 0 {
			fmt.Fprintf(t.Log, "source %d: %d %s\n", source, c.count, c.text)
		}
	}
}
