package store

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Retention says what a sweep leaves alone.
type Retention struct {
	Results map[Digest]bool      // results that stay, by key, and the work at them
	States  map[Digest]time.Time // trajectories whose kept states stay if they were used at this time or later
	Objects map[Digest]bool      // objects that stay though no result names them
	Trees   map[Digest]time.Time // of results by key: their trees go where they were last used before then; others stay
	Before  time.Time            // whatever was made or used at this time or later stays
}

// Swept is what a sweep found, or removed. Sizes count each object once, with the first that it goes with.
type Swept struct {
	Gone    []SweptResult // results that go, with what only they name
	Stay    []SweptResult // and those that stay
	Dropped []SweptTree   // trees that go while their results stay
	States  []SweptState  // kept states that go
	Kept    []SweptState  // and those that stay
	Loose   []SweptFile   // objects that no result names
	Debris  []SweptFile   // what stages and processes left unfinished, and what was set aside as damaged
}

// SweptResult is a result, with the size of what it names and no earlier one does.
type SweptResult struct {
	Key    Digest
	Result *Result
	Used   time.Time
	Size   int64
}

// SweptTree is an output of a result.
type SweptTree struct {
	Key    Digest
	Result *Result
	Output string
	Blob   Blob
	Size   int64
}

// SweptState is a kept state.
type SweptState struct {
	Trajectory Digest
	Step       int
	Used       time.Time
	Size       int64

	blob Blob
}

// SweptFile is a file or folder in the store's folder.
type SweptFile struct {
	Path string // relative to the store
	Size int64
}

// Now is the time by the clock of the store's file system, which may run behind the system's: files written later are
// not older.
func (s *Store) Now() (time.Time, error) {
	f, err := os.CreateTemp(s.dir, "*"+partial)
	if err != nil {
		return time.Time{}, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close(), removeFile(f.Name())); err != nil { // or another sweep has
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// Sweep finds what may go, and removes it if remove says so. No commit is under way meanwhile; stages run on. A process
// that loses what it was to read makes it again.
func (s *Store) Sweep(keep Retention, remove bool) (*Swept, error) {
	if remove {
		unlock, err := s.alone()
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	w := &sweep{store: s, keep: keep, found: new(Swept),
		objects: map[Digest]object{}, named: map[Digest]bool{}, going: map[Digest]bool{}, sound: map[string]bool{}}
	if err := w.list(); err != nil {
		return nil, err
	}
	if err := w.results(); err != nil {
		return nil, err
	}
	w.loose()
	if err := w.debris(); err != nil {
		return nil, err
	}
	if !remove {
		return w.found, nil
	}
	return w.found, w.remove()
}

// sweep is one in progress.
type sweep struct {
	store *Store
	keep  Retention
	found *Swept

	objects map[Digest]object // those there are
	named   map[Digest]bool   // by what stays
	going   map[Digest]bool
	sound   map[string]bool // files of kept states, by path
	markers []string        // paths
	paths   []string        // of whatever else goes
}

// object is a file in objects/.
type object struct {
	size    int64
	changed time.Time // made, staged or put again
}

// old tells whether the object d is there and nobody used it lately.
func (w *sweep) old(d Digest) bool {
	o, there := w.objects[d]
	return there && o.changed.Before(w.keep.Before)
}

// files lists the objects of b.
func (w *sweep) files(b Blob) ([]Digest, error) {
	all := []Digest{b.Digest}
	if _, there := w.objects[b.Digest]; !b.Tree || !there {
		return all, nil
	}
	entries, err := w.store.manifest(b)
	var damaged *DamagedError
	if err != nil && !errors.As(err, &damaged) {
		return nil, err
	}
	for _, e := range entries {
		all = append(all, e.digest)
	}
	return all, nil
}

// stays marks the objects of b as named, and returns the size of those that were not.
func (w *sweep) stays(b Blob) (size int64, err error) {
	all, err := w.files(b)
	for _, d := range all {
		if !w.named[d] {
			w.named[d] = true
			size += w.objects[d].size
		}
	}
	return size, err
}

// goes marks what nothing else names of b as going, and returns its size.
func (w *sweep) goes(b Blob) (size int64, err error) {
	all, err := w.files(b)
	for _, d := range all {
		if !w.named[d] && !w.going[d] && w.old(d) {
			w.going[d] = true
			size += w.objects[d].size
		}
	}
	return size, err
}

// outputs calls each for the blobs of a result, the log last.
func outputs(r *Result, each func(name string, b Blob) error) error {
	for _, name := range slices.Sorted(maps.Keys(r.Outputs)) {
		if err := each(name, r.Outputs[name]); err != nil {
			return err
		}
	}
	if r.Made.Log != nil {
		return each("", *r.Made.Log)
	}
	return nil
}

// results decides which results stay, and with them which objects.
func (w *sweep) results() error {
	for key, r := range w.store.Results() {
		info, err := os.Stat(w.store.resultPath(key))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		one := SweptResult{Key: key, Result: r, Used: info.ModTime()}
		if w.keep.Results[key] || !one.Used.Before(w.keep.Before) {
			w.found.Stay = append(w.found.Stay, one)
		} else {
			w.found.Gone = append(w.found.Gone, one)
		}
	}
	if err := w.states(); err != nil {
		return err
	}
	for d := range w.keep.Objects {
		w.named[d] = true
	}
	var idle []SweptTree
	for i := range w.found.Stay {
		one := &w.found.Stay[i]
		until, limited := w.keep.Trees[one.Key]
		err := outputs(one.Result, func(name string, b Blob) error {
			if b.Tree && limited && one.Used.Before(until) {
				if all, err := w.files(b); err != nil {
					return err
				} else if len(all) > 1 && !slices.ContainsFunc(all, func(d Digest) bool { return !w.old(d) }) {
					idle = append(idle, SweptTree{Key: one.Key, Result: one.Result, Output: name, Blob: b})
					return nil
				}
			}
			size, err := w.stays(b)
			one.Size += size
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, t := range idle {
		if w.named[t.Blob.Digest] || w.going[t.Blob.Digest] { // another result keeps it, or it is on the list already
			continue
		}
		var err error
		if t.Size, err = w.goes(t.Blob); err != nil {
			return err
		}
		w.found.Dropped = append(w.found.Dropped, t)
	}
	for i := range w.found.States {
		one := &w.found.States[i]
		var err error
		if one.Size, err = w.goes(one.blob); err != nil {
			return err
		}
	}
	for i := range w.found.Gone {
		one := &w.found.Gone[i]
		err := outputs(one.Result, func(_ string, b Blob) error {
			size, err := w.goes(b)
			one.Size += size
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// states decides which kept states stay, and with them which objects.
func (w *sweep) states() error {
	until := maps.Clone(w.keep.States) // by trajectory
	if until == nil {
		until = map[Digest]time.Time{}
	}
	for _, one := range w.found.Stay { // with a result those of its trajectory stay, as long as its trees
		trajectory := one.Result.Made.Trajectory
		if t, ok := until[trajectory]; !ok || w.keep.Trees[one.Key].Before(t) {
			until[trajectory] = w.keep.Trees[one.Key]
		}
	}
	return w.store.shards("states", func(path string, e fs.DirEntry) error {
		trajectory, step, ok := w.store.stateAt(path)
		if !ok {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		one := SweptState{Trajectory: trajectory, Step: step, Used: info.ModTime()}
		if one.blob, err = w.store.State(trajectory, step); err != nil {
			return nil // debris
		}
		w.sound[path] = true
		if t, ok := until[trajectory]; ok && !one.Used.Before(t) || !one.Used.Before(w.keep.Before) {
			one.Size, err = w.stays(one.blob)
			w.found.Kept = append(w.found.Kept, one)
			return err
		}
		w.found.States = append(w.found.States, one)
		return nil
	})
}

// list reads what stands in objects/.
func (w *sweep) list() error {
	return w.store.shards("objects", func(path string, e fs.DirEntry) error {
		info, err := e.Info()
		if err != nil {
			return err
		}
		if d, err := ParseDigest(e.Name()); err == nil && path == w.store.object(d) {
			w.objects[d] = object{info.Size(), changed(info)}
		} else if strings.HasSuffix(path, markerSuffix) {
			w.markers = append(w.markers, path)
		}
		return nil
	})
}

// loose finds objects that no result names, and markers that mark nothing.
func (w *sweep) loose() {
	for d, o := range w.objects {
		if !w.named[d] && !w.going[d] && w.old(d) {
			w.going[d] = true
			w.found.Loose = append(w.found.Loose, SweptFile{w.relative(w.store.object(d)), o.size})
		}
	}
	slices.SortFunc(w.found.Loose, func(a, b SweptFile) int { return strings.Compare(a.Path, b.Path) })
	marked := map[Digest]bool{}
	for _, one := range w.found.Stay {
		for _, b := range one.Result.Outputs {
			marked[b.Digest] = true
		}
	}
	for _, path := range w.markers {
		d, _ := ParseDigest(strings.TrimSuffix(filepath.Base(path), markerSuffix))
		if _, there := w.objects[d]; there || !marked[d] {
			w.paths = append(w.paths, path)
		}
	}
}

func (w *sweep) relative(path string) string {
	name, err := filepath.Rel(w.store.dir, path)
	if err != nil {
		return path
	}
	return name
}

// debris finds what is half done and has been left alone since.
func (w *sweep) debris() error {
	add := func(path string) error {
		size, newest, err := extent(path)
		if err == nil && newest.Before(w.keep.Before) {
			w.found.Debris = append(w.found.Debris, SweptFile{w.relative(path), size})
		}
		return err
	}
	dir := w.store.dir
	readable := map[Digest]bool{}
	for _, list := range [][]SweptResult{w.found.Stay, w.found.Gone} {
		for _, one := range list {
			readable[one.Key] = true
		}
	}
	var all []string
	work, _ := os.ReadDir(filepath.Join(dir, "work"))
	for _, e := range work {
		key, err := keyIn(e.Name())
		if err == nil && (!e.IsDir() || !w.keep.Results[key] || readable[key]) {
			all = append(all, filepath.Join(dir, "work", e.Name()))
		}
	}
	for _, pattern := range []string{"damaged/*", "work/" + sparePrefix + "*", "rerun/*", "fetch/*", resultsPrefix + "*", "cat-*", "*" + partial, "runs/*" + partial, "objects/*/*" + partial, "results/*/*" + partial} {
		paths, err := filepath.Glob(filepath.Join(escape(dir), pattern))
		if err != nil {
			return err
		}
		all = append(all, paths...)
	}
	err := w.store.shards("results", func(path string, e fs.DirEntry) error {
		if key, err := ParseDigest(e.Name()); err == nil && !readable[key] {
			all = append(all, path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = w.store.shards("states", func(path string, e fs.DirEntry) error {
		if !w.sound[path] {
			all = append(all, path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, path := range all {
		if key, err := keyIn(filepath.Base(path)); err == nil && w.store.locked(key) {
			continue // somebody works there
		}
		if err := add(path); err != nil {
			return err
		}
	}
	return nil
}

// escape makes a path one that a pattern matches literally.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// extent returns the size of a file, or of all files in a folder, and when the newest of them came or changed.
func extent(path string) (size int64, newest time.Time, err error) {
	err = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if t := changed(info); t.After(newest) {
			newest = t
		}
		if !e.IsDir() {
			size += info.Size()
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) { // its owner was faster
		return 0, time.Now(), nil
	}
	return size, newest, err
}

// remove removes what was found: results before what they name.
func (w *sweep) remove() error {
	for _, one := range w.found.Gone {
		if err := removeFile(w.store.resultPath(one.Key)); err != nil {
			return err
		}
	}
	for _, t := range w.found.Dropped {
		if err := os.WriteFile(w.store.marker(t.Blob.Digest), nil, 0o444); err != nil {
			return err
		}
	}
	for _, one := range w.found.States {
		path := w.store.StatePath(one.Trajectory, one.Step)
		if err := removeFile(path); err != nil {
			return err
		}
		os.Remove(filepath.Dir(path)) // if that was its last
	}
	for d := range w.going {
		if err := removeFile(w.store.object(d)); err != nil {
			return err
		}
	}
	for _, path := range w.paths {
		if err := removeFile(path); err != nil {
			return err
		}
	}
	for _, f := range w.found.Debris {
		if err := w.clear(filepath.Join(w.store.dir, f.Path)); err != nil {
			return err
		}
	}
	return nil
}

// clear removes debris: what a key guards under its lock, and nothing that is in use by now.
func (w *sweep) clear(path string) error {
	name := filepath.Base(path)
	if strings.HasPrefix(name, sparePrefix) {
		return discard(path)
	}
	key, err := keyIn(name)
	if err != nil {
		return os.RemoveAll(path)
	}
	unlock, free, err := w.store.TryLock(key)
	if err != nil || !free {
		return err
	}
	defer unlock()
	path = strings.TrimSuffix(path, lockSuffix)
	if _, newest, err := extent(path); err != nil || !newest.Before(w.keep.Before) {
		return err
	}
	return os.RemoveAll(path)
}

// resultsPrefix starts the name of a folder whose files are on their way to the user, before the key that guards it.
const resultsPrefix = "results-"

// keyIn returns the key whose lock is held by whoever works on what has the name.
func keyIn(name string) (Digest, error) {
	return ParseDigest(strings.TrimPrefix(strings.TrimSuffix(name, lockSuffix), resultsPrefix))
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// shards calls each for every file of a folder that is spread over 256, and for files that stand beside those.
func (s *Store) shards(folder string, each func(path string, e fs.DirEntry) error) error {
	root := filepath.Join(s.dir, folder)
	shards, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, shard := range shards {
		if !shard.IsDir() {
			if err := each(filepath.Join(root, shard.Name()), shard); err != nil {
				return err
			}
			continue
		}
		entries, err := os.ReadDir(filepath.Join(root, shard.Name()))
		if err != nil {
			return err
		}
		for _, e := range entries {
			err := each(filepath.Join(root, shard.Name(), e.Name()), e)
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // gone since it was listed
				return err
			}
		}
	}
	return nil
}
