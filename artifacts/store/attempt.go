package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Attempt is a folder in which one result is being made. Whoever holds one holds the lock of its key.
type Attempt struct {
	// Dir is the folder: in/ for staged inputs, out/ for outputs, log for the stage's words.
	Dir string
	// Replace makes Commit put its result in the place of one that stands.
	Replace bool

	store *Store
	key   Digest
}

// Attempt starts a new attempt at key, whose lock the caller holds, and clears away earlier ones.
func (s *Store) Attempt(key Digest) (*Attempt, error) {
	parent := filepath.Join(s.dir, "work", key.String())
	last := 0
	earlier, _ := os.ReadDir(parent)
	for _, e := range earlier {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			last = max(last, n)
		}
		if err := os.RemoveAll(filepath.Join(parent, e.Name())); err != nil {
			return nil, err
		}
	}
	a := &Attempt{Dir: filepath.Join(parent, strconv.Itoa(last+1)), store: s, key: key}
	for _, sub := range []string{"in", "out"} {
		if err := os.MkdirAll(filepath.Join(a.Dir, sub), 0o777); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Log is the path of the attempt's log.
func (a *Attempt) Log() string { return filepath.Join(a.Dir, "log") }

// Out is the path at which the output name is to be written, as a file or as a folder.
func (a *Attempt) Out(name string) string { return filepath.Join(a.Dir, "out", name) }

// Abandon leaves only the log of an attempt that failed.
func (a *Attempt) Abandon() error {
	return errors.Join(os.RemoveAll(filepath.Join(a.Dir, "in")), os.RemoveAll(filepath.Join(a.Dir, "out")))
}

// Commit moves the outputs, given by name with their types, into the store and then writes the result. Where another
// process was first, its result stands and is returned, unless Replace says otherwise.
func (a *Attempt) Commit(facts []Fact, types map[string]string, made Made) (*Result, error) {
	if Key(facts) != a.key {
		panic("store: commit under facts of another key")
	}
	if r, err := a.store.Result(a.key); err == nil && !a.Replace && a.store.Complete(r) == nil {
		return r, os.RemoveAll(filepath.Dir(a.Dir))
	}
	r := &Result{Key: facts, Outputs: map[string]Blob{}, Made: made}
	for name, kind := range types {
		b, err := a.store.take(a.Out(name), kind)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the stage left no output %q", name)
		}
		if err != nil {
			return nil, err
		}
		r.Outputs[name] = b
	}
	if info, err := os.Stat(a.Log()); err == nil && info.Size() > 0 {
		b, err := a.store.take(a.Log(), "log")
		if err != nil {
			return nil, err
		}
		r.Made.Log = &b
	}
	if err := a.store.writeResult(a.key, r, filepath.Join(a.Dir, "result")); err != nil {
		return nil, err
	}
	return r, os.RemoveAll(filepath.Dir(a.Dir))
}

// PutResult writes r, whose outputs are stored, under its key, whose lock the caller holds.
func (s *Store) PutResult(r *Result) error {
	return s.writeResult(Key(r.Key), r, s.resultPath(Key(r.Key))+".part")
}

func (s *Store) writeResult(key Digest, r *Result, scratch string) error {
	if err := os.MkdirAll(filepath.Dir(scratch), 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(scratch, r.encode(), 0o666); err != nil {
		return err
	}
	return settle(scratch, s.resultPath(key))
}

// take moves the file or folder at path into objects/.
func (s *Store) take(path, kind string) (Blob, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Blob{}, err
	}
	if !info.IsDir() {
		d, size, err := s.takeFile(path)
		return Blob{Digest: d, Size: size, Type: kind}, err
	}
	var manifest bytes.Buffer
	var total int64
	err = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error { // in lexical order
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(path, p)
		if err != nil {
			return err
		}
		if strings.Contains(name, "\n") {
			return fmt.Errorf("a file name in a tree has a line break: %q", name)
		}
		d, size, err := s.takeFile(p)
		total += size
		fmt.Fprintf(&manifest, "%s %d %s\n", d, size, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return Blob{}, err
	}
	list := path + ".manifest"
	if err := os.WriteFile(list, manifest.Bytes(), 0o666); err != nil {
		return Blob{}, err
	}
	d, _, err := s.takeFile(list)
	if err == nil {
		if err = os.Remove(s.marker(d)); errors.Is(err, fs.ErrNotExist) { // it was dropped and is here again
			err = nil
		}
	}
	return Blob{Digest: d, Size: total, Type: kind, Tree: true}, err
}

func (s *Store) takeFile(path string) (Digest, int64, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Digest{}, 0, err
	}
	if !info.Mode().IsRegular() {
		return Digest{}, 0, fmt.Errorf("%s is not a regular file", path)
	}
	d, size, err := HashFile(path)
	if err != nil {
		return d, size, err
	}
	return d, size, errors.Join(os.Chmod(path, 0o444), os.Chtimes(path, intact, intact), settle(path, s.object(d)))
}

// settle makes the file at from durable and renames it to to, durably.
func settle(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	dir := filepath.Dir(to)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
