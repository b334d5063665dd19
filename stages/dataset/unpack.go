package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// unpacked is what a file holds, decompressed where the file is compressed, read from its start.
type unpacked struct {
	*bufio.Reader
	file   *os.File
	packed bool
	close  func()
}

// codec is a way to compress files, which their first bytes tell.
type codec struct {
	name  string
	magic []byte
	open  func(io.Reader) (r io.Reader, close func(), err error)
}

var codecs = []codec{
	{"gzip", []byte{0x1f, 0x8b}, func(r io.Reader) (io.Reader, func(), error) {
		g, err := gzip.NewReader(r)
		return g, func() {}, err
	}},
	{"zstd", []byte{0x28, 0xb5, 0x2f, 0xfd}, func(r io.Reader) (io.Reader, func(), error) {
		// One goroutine, which reads no further than it decodes, so that damage has a place. The window is the largest that
		// the zstd program takes by itself.
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}},
	{"xz", []byte{0xfd, '7', 'z', 'X', 'Z', 0}, func(r io.Reader) (io.Reader, func(), error) {
		x, err := xz.NewReader(r)
		return x, func() {}, err
	}},
}

// readBuffer is how many bytes are read at once.
const readBuffer = 64 << 10

// unpack opens a file. A reader that it hands out stops with the context. Errors, those of reading too, complete a sentence
// that starts with the file's name.
func unpack(ctx context.Context, path string) (*unpacked, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	raw := &counted{Reader: bufio.NewReaderSize(interruptible{ctx, f}, readBuffer)}
	u := &unpacked{Reader: raw.Reader, file: f, close: func() {}}
	head, _ := raw.Peek(8)
	for _, c := range codecs {
		if !bytes.HasPrefix(head, c.magic) {
			continue
		}
		d := &decompressor{codec: c.name, raw: raw}
		if d.r, u.close, err = c.open(raw); err != nil {
			f.Close()
			return nil, d.explain(err)
		}
		u.packed, u.Reader = true, bufio.NewReaderSize(d, readBuffer)
		break
	}
	return u, nil
}

// unread puts what was read back in front.
func (u *unpacked) unread(b []byte) {
	u.Reader = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(b), u.Reader), readBuffer)
}

// Close ends the reading.
func (u *unpacked) Close() {
	u.close()
	u.file.Close()
}

// interruptible reads until a context ends.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptible) Read(b []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	n, err := i.r.Read(b)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("cannot be read: %w", err)
	}
	return n, err
}

// counted counts what is taken from a buffered reader: decompressors that read byte by byte take no more than they need.
type counted struct {
	*bufio.Reader
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	return n, err
}

func (c *counted) ReadByte() (byte, error) {
	b, err := c.Reader.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// decompressor says where a compressed file is damaged.
type decompressor struct {
	codec string
	raw   *counted
	r     io.Reader
}

func (d *decompressor) Read(b []byte) (int, error) {
	n, err := d.r.Read(b)
	if err != nil && err != io.EOF {
		err = d.explain(err)
	}
	return n, err
}

func (d *decompressor) explain(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("is cut off: it ends at byte %d, within its %s data; fetch or compress it again", d.raw.n, d.codec)
	}
	return fmt.Errorf("is damaged %s data, or has other data behind it: %w, found at byte %d; fetch or compress it again", d.codec, err, d.raw.n)
}
