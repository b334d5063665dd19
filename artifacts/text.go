package artifacts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/parquet-go/parquet-go"
)

// Block is a piece of text: a row of a "text" artifact. Consecutive blocks of one document continue one another where
// the second starts at the byte at which the first ends.
type Block struct {
	Source   int64  `parquet:"source" unit:"index" doc:"in the list of sources of the dataset"`
	Document int64  `parquet:"document" unit:"index" doc:"of the document in its source"`
	Offset   int64  `parquet:"offset" unit:"bytes" doc:"where in the document the block begins"`
	Text     string `parquet:"text" doc:"UTF-8; a block never ends inside a character"`
}

// bytesBlock is a Block whose text need not be UTF-8, which a column of strings may not hold.
type bytesBlock struct {
	Source   int64  `parquet:"source"`
	Document int64  `parquet:"document"`
	Offset   int64  `parquet:"offset"`
	Text     []byte `parquet:"text"`
}

// TextWriter writes a "text" artifact block by block. Memory holds a row group.
type TextWriter struct {
	f     *os.File
	buf   *bufio.Writer
	p     *parquet.GenericWriter[Block]
	batch []Block // that wait to be written together
	group int     // bytes of text in the row group
}

// textGroup is how many bytes of text a row group has, if a block more is not to be cut off: little enough that readers
// who take a group at a time need not have memory for it, and enough to read several at once.
const textGroup = 16 << 20

// batchRows is how many rows the library looks at together when it closes pages: what is written in other portions has
// other bytes.
const batchRows = 64

// CreateText starts a "text" artifact at path, in the place of what is there. The caller closes the writer.
func CreateText(path string) (*TextWriter, error) { return createText(path, rowSchema[Block]()) }

// CreateBytesText is CreateText for text that need not be UTF-8: its column is of bytes, not of strings.
func CreateBytesText(path string) (*TextWriter, error) {
	return createText(path, rowSchema[bytesBlock]())
}

func createText(path string, schema *parquet.Schema) (*TextWriter, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := &TextWriter{f: f, buf: bufio.NewWriterSize(f, 1<<20), batch: make([]Block, 0, batchRows)}
	w.p = parquet.NewGenericWriter[Block](w.buf, parquetOptions(schema, &parquet.Uncompressed)...)
	return w, nil
}

// Write adds a block.
func (w *TextWriter) Write(b Block) error {
	w.batch = append(w.batch, b)
	if len(w.batch) < batchRows {
		return nil
	}
	return w.flush()
}

// flush writes the blocks that wait, and ends the row group if it is full.
func (w *TextWriter) flush() error {
	for _, b := range w.batch {
		w.group += len(b.Text)
	}
	_, err := w.p.Write(w.batch)
	clear(w.batch)
	w.batch = w.batch[:0]
	if err == nil && w.group >= textGroup {
		w.group, err = 0, w.p.Flush()
		freeBounds(w.p.File())
	}
	if err != nil {
		return at(w.f.Name(), err)
	}
	return nil
}

// Close completes the artifact.
func (w *TextWriter) Close() error {
	if err := errors.Join(w.flush(), w.p.Close(), w.buf.Flush(), w.f.Close()); err != nil {
		return at(w.f.Name(), err)
	}
	return nil
}

// WriteText writes a "text" artifact.
func WriteText(path string, blocks []Block) error {
	w, err := CreateText(path)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		err = errors.Join(err, w.Write(b))
	}
	return errors.Join(err, w.Close())
}

// Blocks reads a "text" artifact block by block, whether its text is of strings or of bytes. After an error there are no more.
func Blocks(path string) iter.Seq2[Block, error] {
	return func(yield func(Block, error) bool) {
		if err := readBlocks(path, func(b Block) bool { return yield(b, nil) }); err != nil {
			yield(Block{}, at(path, err))
		}
	}
}

// readBlocks hands out blocks until more says that it wants none.
func readBlocks(path string, more func(Block) bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := openParquet(f)
	if err != nil {
		return err
	}
	if sameColumns(p.Schema(), rowSchema[bytesBlock]()) != nil {
		if err := sameColumns(p.Schema(), rowSchema[Block]()); err != nil {
			return err
		}
	}
	r := parquet.NewGenericReader[Block](p)
	defer r.Close()
	batch := make([]Block, batchRows)
	for left := r.NumRows(); left > 0; {
		n, err := r.Read(batch[:min(left, batchRows)])
		for _, b := range batch[:n] {
			if !more(b) {
				return nil
			}
		}
		if left -= int64(n); left > 0 && (err != nil || n == 0) {
			return fmt.Errorf("%d of %d rows are missing: %w", left, r.NumRows(), errors.Join(err, io.ErrUnexpectedEOF))
		}
	}
	return nil
}

// ReadText reads a "text" artifact.
func ReadText(path string) ([]Block, error) {
	var blocks []Block
	for b, err := range Blocks(path) {
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// Join merges blocks that continue one another: the passages of text without a gap, in the order of blocks.
func Join(blocks []Block) []Block {
	var passages []Block
	for i := 0; i < len(blocks); {
		first, end, length := blocks[i], i+1, len(blocks[i].Text)
		for end < len(blocks) && blocks[end-1].Continues(blocks[end]) {
			length += len(blocks[end].Text)
			end++
		}
		text := make([]byte, 0, length)
		for _, b := range blocks[i:end] {
			text = append(text, b.Text...)
		}
		first.Text = string(text)
		passages = append(passages, first)
		i = end
	}
	return passages
}

// Continues tells whether next begins where b ends.
func (b Block) Continues(next Block) bool {
	return next.Source == b.Source && next.Document == b.Document && next.Offset == b.Offset+int64(len(b.Text))
}
