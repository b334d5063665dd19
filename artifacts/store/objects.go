package store

import (
	"os"
	"path/filepath"
)

// Object is one file of the store that a blob consists of.
type Object struct {
	Digest Digest
	Size   int64
	Name   string // in the tree; "" of a single file, and of the manifest
}

// Objects lists the files that b consists of: of a tree, its manifest first.
func (s *Store) Objects(b Blob) ([]Object, error) {
	if !b.Tree {
		return []Object{{Digest: b.Digest, Size: b.Size}}, nil
	}
	entries, err := s.manifest(b)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(s.object(b.Digest))
	if err != nil {
		return nil, err
	}
	all := []Object{{Digest: b.Digest, Size: info.Size()}}
	for _, e := range entries {
		all = append(all, Object{e.digest, e.size, e.name})
	}
	return all, nil
}

// Path returns where the object d lies if it is there.
func (s *Store) Path(d Digest) string { return s.object(d) }

// ResultPath returns where the result of key lies if it is there.
func (s *Store) ResultPath(key Digest) string { return s.resultPath(key) }

// DroppedPath returns the file, empty, that says of b that it was dropped on purpose.
func (s *Store) DroppedPath(b Blob) string { return s.marker(b.Digest) }

// FetchPath returns where a file from elsewhere is kept while it comes and for a while after. Whoever uses it holds the lock of d.
func (s *Store) FetchPath(d Digest) string { return filepath.Join(s.dir, "fetch", d.String()) }
