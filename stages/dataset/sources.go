package dataset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// notes are what there is to say of a source that was read.
type notes struct {
	documents int64
	empty     int64 // documents without text, left out
	marks     int64 // files with a byte order mark
	replaced  int64 // bytes that were no UTF-8
}

// documents returns the documents of the sources. Each time that they are ranged over, found is filled in anew.
func (d *Dataset) documents(ctx context.Context, t *pipeline.Task, found []notes) documents {
	f := files{d.Format, d.InvalidUTF8, filepath.Dir(t.Output("train"))}
	return func(yield func(document, error) bool) {
		for i, file := range d.Source {
			found[i] = notes{}
			for doc, err := range f.documents(ctx, t.File(file), file.Name, d.Column, &found[i]) {
				if ctx.Err() != nil {
					err = context.Cause(ctx)
				} else if err != nil {
					err = pipeline.Errorf("source", "names %s %q, element %d, %s", file.Source, file.Name, i, err)
				}
				if doc.source = i; !yield(doc, err) || err != nil {
					return
				}
			}
		}
	}
}

// documents returns the documents of a source, a file or a folder of files in the order of their paths. An error completes a
// sentence that starts with the source's name and a comma.
func (f files) documents(ctx context.Context, root, name, column string, n *notes) documents {
	return func(yield func(document, error) bool) {
		paths, err := filesIn(root)
		if err != nil {
			yield(document{}, fmt.Errorf("which cannot be read: %w", err))
			return
		}
		texts := int64(0)
		for _, path := range paths {
			subject := "which"
			if path != "." {
				name, subject = path, fmt.Sprintf("of which %q", path)
			}
			for doc, err := range f.documentsOf(ctx, filepath.Join(root, path), column, n) {
				if missing := (*artifacts.MissingColumn)(nil); errors.As(err, &missing) {
					err = fmt.Errorf("%w; column says which one holds the text", err)
				}
				if err != nil {
					err = fmt.Errorf("%s %w", subject, err)
				}
				texts++
				doc.file, doc.alone = name, doc.alone && len(paths) == 1
				if !yield(doc, err) || err != nil {
					return
				}
			}
		}
		if texts == 0 {
			yield(document{}, errors.New("which is empty: it has no document with text"))
		}
	}
}

// filesIn lists the files of a folder in the order of their paths; a file's own path is ".".
func filesIn(root string) (paths []string, err error) {
	root, err = filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		relative, err := filepath.Rel(root, path)
		paths = append(paths, relative)
		return err
	})
	slices.Sort(paths)
	return paths, err
}

// documentsOf returns the documents of a file that have text.
func (f files) documentsOf(ctx context.Context, path, column string, n *notes) documents {
	return func(yield func(document, error) bool) {
		if err := f.readDocuments(ctx, path, column, n, func(d document) bool { return yield(d, nil) }); err != nil {
			yield(document{}, err)
		}
	}
}

// readDocuments hands out documents until more says that it wants none.
func (f files) readDocuments(ctx context.Context, path, column string, n *notes, more func(document) bool) error {
	u, err := unpack(ctx, path)
	if err != nil {
		return err
	}
	defer u.Close()
	format, mark, err := f.detect(u)
	if err != nil {
		return err
	}
	if mark > 0 {
		n.marks++
	}
	if format == formatText {
		return f.readText(u, mark, n, more)
	}
	var last document // waits until it is known whether another follows
	documents := 0
	for r, err := range f.rows(u, format, []string{column}) {
		if err != nil {
			return err
		}
		index := n.documents
		n.documents++
		n.replaced += r.replaced
		text := r.values[0]
		if text == "" {
			n.empty++
			continue
		}
		if documents > 0 && !more(last) {
			return nil
		}
		documents++
		last = document{index: index, at: r.place, text: io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))}
	}
	if documents > 0 {
		last.alone = documents == 1
		more(last)
	}
	return nil
}

// readText hands out a file as one document: in place where that has the bytes, and otherwise from a copy.
func (f files) readText(u *unpacked, mark int, n *notes, more func(document) bool) error {
	file, from, w := u.file, int64(mark), bufio.NewWriter(io.Discard)
	if u.packed || f.invalid == replaceInvalid {
		spool, err := f.spool()
		if err != nil {
			return err
		}
		defer spool.Close()
		file, from, w = spool, 0, bufio.NewWriterSize(spool, readBuffer)
	}
	size, replaced, err := copyValid(w, u, int64(mark), f.invalid)
	if err = errors.Join(err, w.Flush()); err != nil {
		return err
	}
	index := n.documents
	n.documents++
	n.replaced += replaced
	if size == 0 {
		n.empty++
		return nil
	}
	more(document{index: index, alone: true, text: io.NewSectionReader(file, from, size)})
	return nil
}
