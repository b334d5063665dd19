package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// Attempt is a folder in which one result is being made. Whoever holds one holds the lock of its key.
type Attempt struct {
	// Dir is the folder: in/ for staged inputs, out/ for outputs, log for the stage's words.
	Dir string
	// Replace makes Commit put its result in the place of one that stands.
	Replace bool

	store   *Store
	key     Digest
	adopted snapshot
	scratch bool // nothing goes on from it
}

// Attempt starts a new attempt at key, whose lock the caller holds, and clears away earlier ones, of which it adopts the
// newest sound snapshot.
func (s *Store) Attempt(key Digest) (*Attempt, error) {
	parent := filepath.Join(s.dir, "work", key.String())
	last := 0
	earlier, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		if spare, ok := s.spare(); ok && os.Rename(spare, parent) == nil {
			return &Attempt{Dir: filepath.Join(parent, "1"), store: s, key: key}, nil
		}
	}
	for _, e := range earlier {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			last = max(last, n)
		}
	}
	a, err := s.newAttempt(key, filepath.Join(parent, strconv.Itoa(last+1)))
	if err != nil {
		return nil, err
	}
	if len(earlier) > 0 {
		if one, ok := s.newest(key, true); ok {
			if err := a.adopt(one); err != nil {
				return nil, err
			}
		}
	}
	for _, e := range earlier {
		if err := os.RemoveAll(filepath.Join(parent, e.Name())); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Scratch starts an attempt at key, whose lock the caller holds, in rerun/<key>: its outputs are to be looked at, and
// enter the store by no means.
func (s *Store) Scratch(key Digest) (*Attempt, error) {
	dir := filepath.Join(s.dir, "rerun", key.String())
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	a, err := s.newAttempt(key, dir)
	if err == nil {
		a.scratch = true
	}
	return a, err
}

func (s *Store) newAttempt(key Digest, dir string) (*Attempt, error) {
	a := &Attempt{Dir: dir, store: s, key: key}
	if _, err := makeDir(dir); err != nil {
		return nil, err
	}
	return a, errors.Join(os.Mkdir(a.In(), 0o777), os.Mkdir(filepath.Join(dir, "out"), 0o777))
}

// clear removes what an attempt that succeeded leaves, and keeps its folders for another: making and removing some for
// each of many small stages takes longer than the stages.
func (a *Attempt) clear() error {
	parent := filepath.Dir(a.Dir)
	if filepath.Base(a.Dir) != "1" {
		return os.RemoveAll(parent)
	}
	for _, dir := range []string{a.In(), filepath.Join(a.Dir, "out"), a.Dir} {
		entries, err := ownEntries(dir)
		if err != nil {
			return os.RemoveAll(parent)
		}
		for _, e := range entries {
			if path := filepath.Join(dir, e.Name()); path != a.In() && path != filepath.Join(a.Dir, "out") {
				if err := os.RemoveAll(path); err != nil {
					return err
				}
			}
		}
	}
	spare := filepath.Join(filepath.Dir(parent), sparePrefix+filepath.Base(parent))
	if os.Rename(parent, spare) != nil { // another process has a spare folder of this key
		return os.RemoveAll(parent)
	}
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	a.store.spares = append(a.store.spares, spare)
	return nil
}

// ownEntries lists what is in a folder, and fails where the stage has put a link to another in its place.
func ownEntries(dir string) ([]fs.DirEntry, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

// sparePrefix starts the names of folders in work/ that wait for an attempt.
const sparePrefix = "spare-"

// spare takes the folder of an earlier attempt.
func (s *Store) spare() (path string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spares) == 0 {
		return "", false
	}
	path = s.spares[len(s.spares)-1]
	s.spares = s.spares[:len(s.spares)-1]
	return path, true
}

// Tidy removes the folders that were kept for further attempts.
func (s *Store) Tidy() error {
	var errs []error
	for path, ok := s.spare(); ok; path, ok = s.spare() {
		errs = append(errs, discard(path))
	}
	return errors.Join(errs...)
}

// discard removes a spare folder, unless an attempt takes it first: never one that an attempt is about to take.
func discard(path string) error {
	gone := path + "." + rand.Text() + partial
	if err := os.Rename(path, gone); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return os.RemoveAll(gone)
}

// Hash tells what the outputs, given by name with their types, would be in the store.
func (a *Attempt) Hash(types map[string]string) (map[string]Blob, error) {
	blobs, err := a.take(&intake{store: a.store}, types)
	for name, b := range blobs {
		if b.Tree {
			err = errors.Join(err, os.Remove(a.Out(name)+manifestSuffix))
		}
	}
	return blobs, err
}

// take hashes the outputs.
func (a *Attempt) take(in *intake, types map[string]string) (map[string]Blob, error) {
	blobs := make(map[string]Blob, len(types))
	for _, name := range slices.Sorted(maps.Keys(types)) {
		b, err := in.take(a.Out(name), types[name])
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the stage left no output %q", name)
		}
		if err != nil {
			return nil, err
		}
		blobs[name] = b
	}
	return blobs, nil
}

// Log is the path of the attempt's log.
func (a *Attempt) Log() string { return filepath.Join(a.Dir, "log") }

// In is the folder for what the stage reads.
func (a *Attempt) In() string { return filepath.Join(a.Dir, "in") }

// Out is the path at which the output name is to be written, as a file or as a folder.
func (a *Attempt) Out(name string) string { return filepath.Join(a.Dir, "out", name) }

// Abandon leaves only the log and the snapshot of an attempt that failed, and returns why: cause, unless the attempt's folder has gone,
// which explains whatever went wrong in it.
func (a *Attempt) Abandon(cause error) error {
	if err := a.lost(); err != nil {
		return err
	}
	return errors.Join(cause, os.RemoveAll(a.In()), os.RemoveAll(filepath.Join(a.Dir, "out")))
}

// lost reports that the attempt's folder has gone.
func (a *Attempt) lost() error {
	if _, err := os.Lstat(a.Dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is gone: somebody removed it, or the whole store, while the stage ran", a.Dir)
	}
	return nil
}

// Commit moves the outputs, given by name with their types, into the store and then writes the result. Where another
// process was first, its result stands and is returned, unless Replace says otherwise.
func (a *Attempt) Commit(facts []Fact, types map[string]string, made Made) (*Result, error) {
	if Key(facts) != a.key {
		panic("store: commit under facts of another key")
	}
	if r, err := a.store.Result(a.key); err == nil && !a.Replace && a.store.Complete(r) == nil {
		return r, a.clear()
	}
	if err := a.lost(); err != nil {
		return nil, err
	}
	facts = slices.Clone(facts)
	slices.SortFunc(facts, Fact.compare)
	in := &intake{store: a.store}
	outputs, err := a.take(in, types)
	if err != nil {
		return nil, err
	}
	r := &Result{Key: facts, Outputs: outputs, Made: made}
	stored := r
	if before, err := a.store.Result(a.key); err == nil && !a.Replace && maps.Equal(before.Outputs, outputs) {
		stored = before // what was lost or dropped is back: the store goes on telling how it was made at first
	} else if info, err := os.Stat(a.Log()); err == nil && info.Size() > 0 {
		kept := a.Log() + ".kept" // a second name: should the commit fail, the log stays where people are told to look
		if err := link(a.Log(), kept); err != nil {
			return nil, err
		}
		b, err := in.take(kept, "log")
		if err != nil {
			return nil, err
		}
		r.Made.Log = &b
	}
	scratch := filepath.Join(a.Dir, "result")
	if err := a.store.write(scratch, stored.encode(), 0o666); err != nil {
		return nil, err
	}
	if err := in.place(move{scratch, a.store.resultPath(a.key)}); err != nil {
		return nil, err
	}
	return r, a.clear()
}

// PutResult writes r, whose outputs are stored or were dropped, under its key, whose lock the caller holds.
func (s *Store) PutResult(r *Result) error {
	unlock, err := s.share()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := s.Check(r); err != nil { // a sweep may have come first
		return err
	}
	return s.replace(s.resultPath(Key(r.Key)), r.encode())
}

// Replace puts data at a path in the store's folder, durably, whole or not at all, beside sweeps.
func (s *Store) Replace(path string, data []byte) error {
	unlock, err := s.share()
	if err != nil {
		return err
	}
	defer unlock()
	return s.replace(path, data)
}

func (s *Store) replace(path string, data []byte) error {
	if _, err := makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := s.write(path+partial, data, 0o666); err != nil {
		return err
	}
	return s.settle([]move{{path + partial, path}})
}

// manifestSuffix ends the name of the list of a folder's files, beside the folder.
const manifestSuffix = ".manifest"

// intake collects files that are to become objects.
type intake struct {
	store *Store
	moves []move
	blobs []Digest
}

// take hashes the file or folder at path, of which every file is to become an object.
func (in *intake) take(path, kind string) (Blob, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Blob{}, err
	}
	if !info.IsDir() {
		d, size, err := in.file(path, info)
		in.blobs = append(in.blobs, d)
		return Blob{Digest: d, Size: size, Type: kind}, err
	}
	entries, err := walk(path, in.file)
	if err != nil {
		return Blob{}, err
	}
	var total int64
	for _, e := range entries {
		total += e.size
	}
	list := path + manifestSuffix
	if err := in.store.write(list, encodeManifest(entries), 0o666); err != nil {
		return Blob{}, err
	}
	if info, err = os.Lstat(list); err != nil {
		return Blob{}, err
	}
	d, _, err := in.file(list, info)
	in.blobs = append(in.blobs, d)
	return Blob{Digest: d, Size: total, Type: kind, Tree: true}, err
}

func (in *intake) file(path string, info fs.FileInfo) (Digest, int64, error) {
	if !info.Mode().IsRegular() {
		return Digest{}, 0, fmt.Errorf("%s is not a regular file", path)
	}
	d, size, err := HashFile(path)
	if err != nil {
		return d, size, err
	}
	in.moves = append(in.moves, move{path, in.store.object(d)})
	return d, size, errors.Join(os.Chmod(path, 0o444), os.Chtimes(path, intact, intact))
}

// place puts what was taken into the store, and then the result that names it. All bytes are durable before the first
// name changes, and all names when place returns. A killed process leaves the result with everything it names, or not
// at all. Where the power fails, a file system that does not keep the order of names may have the result alone: it is
// found incomplete then, and made again.
func (in *intake) place(result move) error {
	s := in.store
	moves := append(in.moves, result)
	paths := make([]string, len(moves))
	for i, m := range moves {
		paths[i] = m.from
	}
	if err := s.sync(paths); err != nil {
		return err
	}
	unlock, err := s.share()
	if err != nil {
		return err
	}
	defer unlock()
	for _, d := range in.blobs { // dropped once, and back now
		if err := os.Remove(s.marker(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return s.rename(moves)
}
