package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// entry is one file of a tree. The tree's manifest has a line for each: digest, size and name, parted by blanks.
type entry struct {
	digest Digest
	size   int64
	name   string // relative, with slashes
}

func encodeManifest(entries []entry) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&b, "%s %d %s\n", e.digest, e.size, e.name)
	}
	return b.Bytes()
}

// TreeDigest returns the digest of the manifest of files, in the order given.
func TreeDigest(files []Object) Digest {
	entries := make([]entry, len(files))
	for i, f := range files {
		entries[i] = entry{f.Digest, f.Size, f.Name}
	}
	return sha256.Sum256(encodeManifest(entries))
}

func decodeManifest(data []byte) ([]entry, error) {
	var entries []entry
	for line := range strings.Lines(string(data)) {
		line, ended := strings.CutSuffix(line, "\n")
		digest, rest, _ := strings.Cut(line, " ")
		size, name, named := strings.Cut(rest, " ")
		if !ended || !named {
			return nil, errors.New("a line of the manifest is cut off")
		}
		e := entry{name: name}
		var err error
		if e.digest, err = ParseDigest(digest); err != nil {
			return nil, err
		}
		if e.size, err = strconv.ParseInt(size, 10, 64); err != nil {
			return nil, err
		}
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("an entry leaves its folder: %q", name)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// manifest reads the entries of a tree and checks them against its digest.
func (s *Store) manifest(b Blob) ([]entry, error) {
	path := s.object(b.Digest)
	data, release, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	defer release()
	if sha256.Sum256(data) != b.Digest {
		return nil, &DamagedError{path, "its manifest does not have the digest of its name"}
	}
	entries, err := decodeManifest(data)
	if err != nil {
		return nil, &DamagedError{path, err.Error()}
	}
	return entries, nil
}
