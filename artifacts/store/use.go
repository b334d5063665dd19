package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Put stores data as an object of the type kind, durably.
func (s *Store) Put(data []byte, kind string) (Blob, error) {
	b := Blob{Digest: sha256.Sum256(data), Size: int64(len(data)), Type: kind}
	path := s.object(b.Digest)
	unlock, err := s.share()
	if err != nil {
		return Blob{}, err
	}
	defer unlock()
	if s.Present(b) == nil && os.Chtimes(path, intact, intact) == nil { // so that a sweep sees that it is used
		return b, nil
	}
	if _, err := makeDir(filepath.Dir(path)); err != nil {
		return Blob{}, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "*"+partial)
	if err != nil {
		return Blob{}, err
	}
	f.Close()
	if err = s.write(f.Name(), data, 0o666); err == nil {
		if err = errors.Join(os.Chmod(f.Name(), 0o444), os.Chtimes(f.Name(), intact, intact)); err == nil {
			err = s.settle([]move{{f.Name(), path}})
		}
	}
	if err != nil {
		return Blob{}, errors.Join(err, os.Remove(f.Name()))
	}
	return b, nil
}

// Read returns the bytes of b, checked against its digest. A tree has none of its own.
func (s *Store) Read(b Blob) ([]byte, error) {
	if b.Tree {
		return nil, fmt.Errorf("%s is a folder: it is read file by file", b.Digest.Short())
	}
	path := s.object(b.Digest)
	data, err := os.ReadFile(path)
	if err == nil && Digest(sha256.Sum256(data)) != b.Digest {
		return nil, &DamagedError{path, "its bytes do not have the digest of its name"}
	}
	return data, err
}

// useEvery is how often the use of a result is noted: seldom enough that a run over thousands of stored results writes
// next to nothing, and often enough for a grace of hours.
const useEvery = time.Hour

// Touch notes in the time of the result's file that it is used now. Where a store is only to be read nothing is noted.
func (s *Store) Touch(key Digest) { touch(s.resultPath(key)) }

// touch notes in the time of a file that it is used now, at most once an hour.
func touch(path string) {
	now := time.Now()
	if info, err := os.Stat(path); err == nil && now.Sub(info.ModTime()) >= useEvery {
		os.Chtimes(path, now, now)
	}
}

// Check looks at every output of r. dropped names those that were dropped on purpose; err tells of the first, by name,
// that is damaged or lost.
func (s *Store) Check(r *Result) (dropped []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(r.Outputs)) {
		b := r.Outputs[name]
		switch err := s.Present(b); {
		case err == nil:
		case errors.Is(err, fs.ErrNotExist) && s.Dropped(b):
			dropped = append(dropped, name)
		case errors.Is(err, fs.ErrNotExist):
			return dropped, &missingError{name, b, err}
		default:
			return dropped, fmt.Errorf("output %s: %w", name, err)
		}
	}
	return dropped, nil
}

// missingError says which output is not there; err names the file.
type missingError struct {
	output string
	blob   Blob
	err    error
}

func (e *missingError) Error() string {
	if name := filepath.Base(pathOf(e.err)); name != e.blob.Digest.String() {
		return fmt.Sprintf("output %s is missing in part (object %.12s)", e.output, name)
	}
	return fmt.Sprintf("output %s is missing (object %s)", e.output, e.blob.Digest.Short())
}

func (e *missingError) Unwrap() error { return e.err }

func pathOf(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Path
	}
	return ""
}

// Complete checks that every output of r is there: an error that is fs.ErrNotExist where one is not.
func (s *Store) Complete(r *Result) error {
	dropped, err := s.Check(r)
	if err == nil && len(dropped) > 0 {
		return fmt.Errorf("output %s was dropped: %w", dropped[0], fs.ErrNotExist)
	}
	return err
}

// markerSuffix ends the name of a marker.
const markerSuffix = ".dropped"

// marker is the file that says that the object d was dropped on purpose.
func (s *Store) marker(d Digest) string { return s.object(d) + markerSuffix }

// Dropped tells whether b is missing because it was dropped on purpose.
func (s *Store) Dropped(b Blob) bool {
	_, err := os.Lstat(s.marker(b.Digest))
	return err == nil && errors.Is(s.Present(b), fs.ErrNotExist)
}
