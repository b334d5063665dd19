package artifacts

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"anneal/lm/bpe"
)

// TokensWriter writes a "tokens" artifact id by id. The ids of the one Arrow record go straight to where they belong in the
// file; what stands around them, which says how many there are, is written last. Memory holds a portion.
type TokensWriter struct {
	f     *os.File
	size  int   // of the vocabulary
	start int64 // of the ids in the file
	ids   int   // written and waiting
	wait  []byte
	err   error
}

// portion is how many bytes of ids are written at once.
const portion = 1 << 20

// CreateTokens starts a "tokens" artifact in the folder dir, which it makes. Ids take two bytes each where the vocabulary has
// at most 65,536, four otherwise. The caller closes the writer.
func CreateTokens(dir string, vocabulary *bpe.Definition) (*TokensWriter, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	if err := WriteVocabulary(filepath.Join(dir, VocabularyFile), vocabulary); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(dir, idsFile))
	if err != nil {
		return nil, err
	}
	w := &TokensWriter{f: f, size: vocabulary.Size()}
	w.start, err = w.around(1, make([]byte, w.width()))
	_, seek := f.Seek(w.start, io.SeekStart)
	if err = errors.Join(err, f.Truncate(w.start), seek); err != nil {
		return nil, errors.Join(at(f.Name(), err), f.Close(), os.Remove(f.Name()))
	}
	return w, nil
}

// width is how many bytes an id takes.
func (w *TokensWriter) width() int {
	if w.size <= maxSmall {
		return 2
	}
	return 4
}

// Write adds ids. One outside the vocabulary is an error, which Close returns too.
func (w *TokensWriter) Write(ids []uint32) error {
	for part := range slices.Chunk(ids, portion) {
		for i, id := range part {
			if int(id) >= w.size && w.err == nil {
				w.err = fmt.Errorf("%s: token %d has id %d, outside the vocabulary of %d", w.f.Name(), w.ids+i, id, w.size)
			}
		}
		if w.ids += len(part); w.width() == 2 {
			for _, id := range part {
				w.wait = append(w.wait, byte(id), byte(id>>8))
			}
		} else {
			w.wait = append(w.wait, arrow.Uint32Traits.CastToBytes(part)...)
		}
		if len(w.wait) >= portion {
			w.flush()
		}
	}
	return w.err
}

func (w *TokensWriter) flush() {
	if w.err == nil {
		_, w.err = w.f.Write(w.wait)
	}
	w.wait = w.wait[:0]
}

// Close completes the artifact, or removes the ids after an error.
func (w *TokensWriter) Close() error {
	if w.flush(); w.err == nil {
		if err := w.finish(); err != nil {
			w.err = at(w.f.Name(), err)
		}
	}
	if err := errors.Join(w.err, w.f.Close()); err != nil {
		return errors.Join(err, os.Remove(w.f.Name()))
	}
	return nil
}

// finish puts what belongs around the ids that are in the file. It maps them, so as to have a place in memory that stands for
// them, and touches none.
func (w *TokensWriter) finish() error {
	data, unmap, err := mapFile(w.f.Name())
	if err != nil {
		return err
	}
	if _, err = w.f.Seek(0, io.SeekStart); err == nil {
		_, err = w.around(w.ids, data[min(int(w.start), len(data)):])
	}
	return errors.Join(err, unmap())
}

// around writes the file from its beginning but leaves out the n ids themselves, and returns where they stand.
func (w *TokensWriter) around(n int, ids []byte) (int64, error) {
	schema := idsSchema(w.size)
	hole := &hole{File: w.f, start: math.MaxInt64}
	if n > 0 {
		hole.body = &ids[0]
	} else if err := w.f.Truncate(0); err != nil {
		return 0, err
	}
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(ids)}
	data := array.NewData(schema.Field(0).Type, n, buffers, nil, 0, 0)
	record := array.NewRecord(schema, []arrow.Array{array.MakeFromData(data)}, int64(n))
	p, err := ipc.NewFileWriter(hole, ipc.WithSchema(schema))
	if err != nil {
		return 0, err
	}
	err = errors.Join(p.Write(record), p.Close())
	if err == nil && n > 0 && w.start > 0 && hole.start != w.start {
		err = fmt.Errorf("the ids belong at byte %d and are at %d", hole.start, w.start)
	}
	return hole.start, err
}

// hole passes over what begins at body.
type hole struct {
	*os.File
	body  *byte
	start int64 // where that belongs
}

func (h *hole) Write(p []byte) (n int, err error) {
	if len(p) == 0 || &p[0] != h.body {
		return h.File.Write(p)
	}
	end, err := h.Seek(int64(len(p)), io.SeekCurrent)
	h.start = end - int64(len(p))
	return len(p), err
}

// WriteTokens writes a "tokens" artifact, as CreateTokens has it.
func WriteTokens(dir string, ids []uint32, vocabulary *bpe.Definition) error {
	w, err := CreateTokens(dir, vocabulary)
	if err != nil {
		return err
	}
	w.Write(ids)
	return w.Close()
}
