package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
)

// Digest is the SHA-256 of some bytes. The zero digest names nothing.
type Digest [sha256.Size]byte

// IsZero tells whether d names nothing.
func (d Digest) IsZero() bool { return d == Digest{} }

// String prints d as 64 hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Short prints the first 12 hexadecimal digits of d, enough for people.
func (d Digest) Short() string { return d.String()[:12] }

// MarshalText writes d as 64 hexadecimal digits.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 64 hexadecimal digits.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDigest(string(text))
	return err
}

// ParseDigest reads a digest as String prints it.
func ParseDigest(s string) (d Digest, err error) {
	if len(s) != 2*len(d) {
		return d, fmt.Errorf("a digest has %d hexadecimal digits, not %d", 2*len(d), len(s))
	}
	for i := range d {
		high, low := digit(s[2*i]), digit(s[2*i+1])
		if high|low > 15 {
			return Digest{}, fmt.Errorf("%q is no digest: it has other characters than 0-9 and a-f", s)
		}
		d[i] = high<<4 | low
	}
	return d, nil
}

// digit is the value of a hexadecimal digit, more than 15 where c is none.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// HashFile returns the digest and the size of the file at path.
func HashFile(path string) (Digest, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return Digest{}, 0, err
	}
	defer f.Close()
	return hashReader(f)
}

// buffers are what files are read into to be hashed.
var buffers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// readSmall reads a file that is expected to be small, with as few calls as can be: a plan reads tens of thousands. The
// data are valid until release is called.
func readSmall(path string) (data []byte, release func(), err error) {
	f, err := openRaw(path)
	if err != nil {
		return nil, nil, err
	}
	buffer := buffers.Get().(*[128 << 10]byte)
	release = func() { buffers.Put(buffer) }
	n, err := f.read(buffer[:])
	if n == len(buffer) { // not so small
		f.close()
		release()
		data, err = os.ReadFile(path)
		return data, func() {}, err
	}
	f.close()
	if err != nil {
		release()
		return nil, nil, &os.PathError{Op: "read", Path: path, Err: err}
	}
	return buffer[:n], release, nil
}

func hashReader(r io.Reader) (Digest, int64, error) {
	h := sha256.New()
	buffer := buffers.Get().(*[128 << 10]byte)
	defer buffers.Put(buffer)
	var total int64
	for {
		n, err := r.Read(buffer[:])
		h.Write(buffer[:n])
		total += int64(n)
		if err == io.EOF {
			return Digest(h.Sum(nil)), total, nil
		}
		if err != nil {
			return Digest{}, 0, err
		}
	}
}
