// Package store keeps what stages make: immutable objects named by the SHA-256 of their bytes, and results named by
// the SHA-256 of the facts they depend on. A store is a folder of plain files that any number of processes share:
//
//	objects/<2>/<digest>    one file, or the manifest of a tree; read-only, written once. <digest>.dropped in its
//	                        place says that it was dropped on purpose
//	results/<2>/<key>       what a stage made, written last
//	states/<key>/<step>     what several stages pass through, found by the key of what it depends on; written like a result
//	work/<key>/<attempt>/   a stage that runs, or the log and the snapshot of one that failed or was stopped
//	work/locks              each key's lock is that of a byte; where there are no such locks, that of work/<key>.lock
//	work/spare-<key>/       empty folders of an attempt that succeeded, for another
//	rerun/<key>/            what a stage made when it ran again to be compared
//	fetch/<digest>          a file from elsewhere, whole or as far as it has come, by a digest of what it is to be, whose lock
//	                        is held by whoever writes; gc clears those that were not used lately
//	results-<key>/          files on their way to the user; the lock of the key is held
//	damaged/<name>          objects and results whose bytes no longer match their name
//	sweep.lock, sweep.gate  held together by commits, alone by a sweep
//	runs/                   journals, kept by the pipeline
//
// Whatever can be read is either complete or reported as damaged: objects and results appear by rename, after fsync.
package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Store is a content-addressed folder of objects and results.
type Store struct {
	dir string

	mu       sync.Mutex
	verified map[Digest]bool // objects that this process has hashed
	spares   []string        // folders of attempts that are over

	fault func(step, path string) error // of tests: what becomes of a step of a commit
}

// Open returns the store in the folder dir. It writes nothing: folders appear with their first file.
func Open(dir string) *Store {
	return &Store{dir: dir, verified: map[Digest]bool{}}
}

// Dir returns the folder of the store.
func (s *Store) Dir() string { return s.dir }

// DamagedError reports an entry whose bytes do not match its name.
type DamagedError struct{ Path, Reason string }

func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %s", e.Path, e.Reason) }

// intact is the modification time of an object whose bytes have been checked. Any later write moves it, which makes a
// changed object visible to a stat.
var intact = time.Unix(1, 0)

func (s *Store) object(d Digest) string { return s.shard("/objects/", d) }

func (s *Store) resultPath(key Digest) string { return s.shard("/results/", key) }

// shard is the path of d in a folder whose entries are spread over 256, by their first two digits.
func (s *Store) shard(folder string, d Digest) string {
	b := make([]byte, 0, 256)
	b = append(append(b, s.dir...), folder...)
	b = append(hex.AppendEncode(b, d[:1]), '/')
	return string(hex.AppendEncode(b, d[:]))
}

// Result returns what is stored under key: an error that is fs.ErrNotExist where nothing is, a *DamagedError where
// the entry cannot be trusted.
func (s *Store) Result(key Digest) (*Result, error) {
	path := s.resultPath(key)
	data, release, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	defer release()
	r, err := decode(data)
	if err != nil {
		return nil, &DamagedError{path, err.Error()}
	}
	if Key(r.Key) != key {
		return nil, &DamagedError{path, "its facts belong to another key"}
	}
	return r, nil
}

// Results iterates over every readable result, in the order of keys. Several are read at once.
func (s *Store) Results() iter.Seq2[Digest, *Result] {
	type keyed struct {
		key    Digest
		result *Result
	}
	read := func(shard string) (all []keyed) {
		entries, _ := os.ReadDir(filepath.Join(s.dir, "results", shard))
		for _, e := range entries {
			if key, err := ParseDigest(e.Name()); err == nil {
				if r, err := s.Result(key); err == nil {
					all = append(all, keyed{key, r})
				}
			}
		}
		return all
	}
	return func(yield func(Digest, *Result) bool) {
		shards, _ := os.ReadDir(filepath.Join(s.dir, "results"))
		ahead := make(chan chan []keyed, runtime.GOMAXPROCS(0))
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			defer close(ahead)
			for _, shard := range shards {
				one := make(chan []keyed, 1)
				select {
				case ahead <- one:
					go func() { one <- read(shard.Name()) }()
				case <-stop:
					return
				}
			}
		}()
		for one := range ahead {
			for _, k := range <-one {
				if !yield(k.key, k.result) {
					return
				}
			}
		}
	}
}

// Present checks that the object of b is there and has not been written to since it was last hashed. It hashes only
// what has. The error is fs.ErrNotExist or a *DamagedError.
func (s *Store) Present(b Blob) error {
	return s.each(b, func(d Digest, size int64) error {
		info, err := os.Stat(s.object(d))
		if err != nil {
			return err
		}
		if info.ModTime().Equal(intact) && info.Size() == size {
			return nil
		}
		return s.rehash(d)
	})
}

// Verify checks every byte of b against its digest, once a process.
func (s *Store) Verify(b Blob) error {
	return s.each(b, func(d Digest, size int64) error {
		s.mu.Lock()
		done := s.verified[d]
		s.mu.Unlock()
		if done {
			info, err := os.Stat(s.object(d))
			if err == nil && info.ModTime().Equal(intact) && info.Size() == size {
				return nil
			}
		}
		return s.rehash(d)
	})
}

// each calls check for every file that b consists of. A tree's manifest is hashed on the way.
func (s *Store) each(b Blob, check func(d Digest, size int64) error) error {
	if !b.Tree {
		return check(b.Digest, b.Size)
	}
	entries, err := s.manifest(b)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := check(e.digest, e.size); err != nil {
			return err
		}
	}
	return nil
}

// rehash hashes an object. One that is whole gets the time that says so, where it has another and the store is ours to
// write to.
func (s *Store) rehash(d Digest) error {
	path := s.object(d)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	got, _, err := hashReader(f)
	if err != nil {
		return err
	}
	if got != d {
		return &DamagedError{path, "its bytes have the digest " + got.Short()}
	}
	if info, err := f.Stat(); err == nil && !info.ModTime().Equal(intact) {
		os.Chtimes(path, intact, intact)
	}
	s.mu.Lock()
	s.verified[d] = true
	s.mu.Unlock()
	return nil
}

// SetAside moves the damaged files of b into damaged/, so that they can be made again and looked at.
func (s *Store) SetAside(b Blob) error {
	unlock, err := s.alone() // a commit may be putting a whole file in the place of the damaged one
	if err != nil {
		return err
	}
	defer unlock()
	aside := func(d Digest) error {
		if err := s.rehash(d); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return s.setAside(s.object(d))
	}
	entries, err := s.manifest(b)
	if !b.Tree || err != nil {
		return aside(b.Digest)
	}
	for _, e := range entries {
		if err := aside(e.digest); err != nil {
			return err
		}
	}
	return nil
}

// setAside moves a file of the store into damaged/.
func (s *Store) setAside(path string) error {
	dir := filepath.Join(s.dir, "damaged")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	name := filepath.Base(path)
	if _, err := ParseDigest(name); err != nil { // a kept state is named by its step alone
		name = filepath.Base(filepath.Dir(path)) + "-" + name
	}
	return os.Rename(path, filepath.Join(dir, name))
}

// Stage checks the bytes of b and puts them at path, which must not exist: a read-only file, or a folder of them. The
// files share the store's bytes where the file system allows.
func (s *Store) Stage(b Blob, path string) error {
	if err := s.Verify(b); err != nil {
		return err
	}
	if !b.Tree {
		return link(s.object(b.Digest), path)
	}
	entries, err := s.manifest(b)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	for _, e := range entries {
		to := filepath.Join(path, filepath.FromSlash(e.name))
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return err
		}
		if err := link(s.object(e.digest), to); err != nil {
			return err
		}
	}
	return nil
}

// link makes to the same file as from, or a copy of it where the file system has no links.
func link(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
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
