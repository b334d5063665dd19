package duplicates

import (
	"crypto/sha256"
	"hash"
	"io"
)

// hashed is what the first reading leaves of a document.
type hashed struct {
	digest [digestBytes]byte
	keys   []uint64 // by band; all noKey where there are no words
}

// hasher reads documents.
type hasher struct {
	scheme    scheme
	digest    hash.Hash
	shingler  *shingler
	signature signature
	buffer    []byte
}

func newHasher(s scheme, shingle int) *hasher {
	h := &hasher{scheme: s, digest: sha256.New(), signature: make(signature, s.bands*s.rows), buffer: make([]byte, bufferBytes)}
	h.shingler = newShingler(shingle, h.signature.add)
	return h
}

func (h *hasher) read(text io.Reader) (hashed, error) {
	h.digest.Reset()
	h.signature.reset()
	to := io.Writer(h.digest)
	if h.scheme.bands > 0 {
		to = io.MultiWriter(h.digest, h.shingler)
	}
	if _, err := io.CopyBuffer(to, text, h.buffer); err != nil {
		return hashed{}, err
	}
	out := hashed{keys: make([]uint64, h.scheme.bands)}
	h.digest.Sum(out.digest[:0])
	if h.shingler.end() {
		for band := range out.keys {
			out.keys[band] = h.signature.key(band, h.scheme.rows)
		}
	}
	return out, nil
}
