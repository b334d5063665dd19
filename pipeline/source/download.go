package source

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"anneal/artifacts/store"
)

// Downloads fetches files from elsewhere into the folder of a store, where what has come stays: the next one who wants it, in
// whatever process, goes on from there, also where this one was killed.
type Downloads struct {
	Store    *store.Store
	Tell     func(text string)            // hears of what goes otherwise than it should
	Progress func(done, total, new int64) // hears often of bytes: there, to come in all (0: not known), and come over the network
}

// remote is a file elsewhere, which its digest identifies.
type remote struct {
	address string
	size    int64            // -1: not known
	key     store.Digest     // names it in the store's folder
	sum     func() hash.Hash // over its bytes
	digest  string           // that they have, in hexadecimal digits
}

// fetch makes a read-only file at the path to of r.
func (d *Downloads) fetch(ctx context.Context, c *client, r remote, to string) error {
	unlock, err := d.Store.Lock(ctx, r.key, func() { d.Tell(place(r.address) + " is being fetched already; waiting") })
	if err != nil {
		return err
	}
	defer unlock()
	p := &part{remote: r, path: d.Store.FetchPath(r.key), progress: d.Progress}
	if err := p.open(); err != nil {
		return err
	}
	if !p.whole() {
		if p.have > 0 {
			d.Tell(fmt.Sprintf("%s: %d bytes are there already; goes on behind them", place(r.address), p.have))
		}
		err := c.get(ctx, r.address, p.ask, p.take)
		if err = errors.Join(err, p.close()); err != nil {
			return err
		}
	}
	return p.hand(to)
}

// part is a file on its way: what has come of it, at the path.
type part struct {
	remote
	path     string
	progress func(done, total, new int64)

	f      *os.File // nil until something is written
	have   int64    // bytes at the path
	most   int64    // of these, ever
	fresh  int64    // bytes that came over the network
	so     hash.Hash
	pieced bool // what is there came in several answers, which may have been of different files
}

// open looks at what is there.
func (p *part) open() error {
	p.so = p.sum()
	f, err := os.Open(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if p.have, err = io.Copy(p.so, f); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if done := info.Mode()&0o200 == 0; done && !p.whole() || p.size >= 0 && p.have > p.size { // damaged
		err = p.restart()
	}
	p.most = p.have
	return err
}

// whole tells whether the bytes that are there are those that are wanted.
func (p *part) whole() bool { return hex.EncodeToString(p.so.Sum(nil)) == p.digest }

// ask completes a request for what is missing.
func (p *part) ask(r *http.Request) {
	r.Header.Set("Accept-Encoding", "identity")
	if p.have > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", p.have))
	}
}

// take adds what an answer brings to what is there.
func (p *part) take(r *http.Response) error {
	from := int64(0)
	if r.StatusCode == http.StatusPartialContent {
		if n, _ := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-", &from); n != 1 || from != p.have {
			return p.again("answers with other bytes than those asked for")
		}
		p.pieced = true
	} else if p.have > 0 { // the server cannot go on in the middle, or has nothing behind what is there
		if err := p.restart(); err != nil {
			return err
		}
	}
	if r.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return p.again("has nothing behind what is there, which is not all")
	}
	total := p.size
	if total < 0 && r.ContentLength >= 0 {
		total = from + r.ContentLength
	}
	if err := p.copy(r.Body, max(total, 0)); err != nil {
		return err
	}
	if p.size >= 0 && p.have < p.size {
		return p.cut(fmt.Errorf("ends after %d bytes, and has %d", p.have, p.size))
	}
	if p.whole() {
		return nil
	}
	if p.pieced {
		return p.again("came in pieces that do not fit each other")
	}
	got := hex.EncodeToString(p.so.Sum(nil))
	return errors.Join(p.restart(), fmt.Errorf("%s came with the digest %s, and was to have %s", place(p.address), got, p.digest))
}

// copy writes what comes.
func (p *part) copy(body io.Reader, total int64) error {
	buffer := make([]byte, 256<<10)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			if err := p.write(buffer[:n]); err != nil {
				return err
			}
			p.progress(p.have, total, p.fresh)
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return p.cut(err)
		case p.size >= 0 && p.have > p.size && !p.pieced:
			return errors.Join(p.restart(), fmt.Errorf("%s came with more than the %d bytes that it has", place(p.address), p.size))
		}
	}
}

func (p *part) write(b []byte) error {
	if p.f == nil {
		if err := os.MkdirAll(filepath.Dir(p.path), 0o777); err != nil {
			return err
		}
		f, err := os.OpenFile(p.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
		if err != nil {
			return err
		}
		p.f = f
	}
	if _, err := p.f.Write(b); err != nil {
		return err
	}
	p.so.Write(b)
	p.have += int64(len(b))
	p.fresh += int64(len(b))
	return nil
}

// cut says that an answer ended early; another one may bring the rest.
func (p *part) cut(err error) error {
	moved := p.have > p.most
	p.most = max(p.most, p.have)
	return &transientError{error: fmt.Errorf("%s: %w", place(p.address), err), moved: moved}
}

// again starts over with nothing.
func (p *part) again(why string) error {
	if err := p.restart(); err != nil {
		return err
	}
	return &transientError{error: fmt.Errorf("%s %s", place(p.address), why)}
}

// restart forgets what has come.
func (p *part) restart() error {
	err := p.close()
	p.so, p.have, p.pieced = p.sum(), 0, false
	if gone := os.Remove(p.path); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

func (p *part) close() error {
	if p.f == nil {
		return nil
	}
	f := p.f
	p.f = nil
	return f.Close()
}

// hand makes the whole file readable at the path to, and by nobody writable.
func (p *part) hand(to string) error {
	if p.have == 0 { // of an empty file nothing came
		return os.WriteFile(to, nil, 0o444)
	}
	if err := os.Chmod(p.path, 0o444); err != nil {
		return err
	}
	if os.Link(p.path, to) == nil {
		return nil
	}
	return Copy(to, p.path)
}

// Copy makes a read-only file at the path to with what is in the file from, as cheaply as the file system can.
func Copy(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
