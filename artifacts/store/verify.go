package store

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Verification is what a check of every byte found.
type Verification struct {
	Results, Objects int
	States           int // kept states
	Bytes            int64
	Damage           []Damage // in the order of paths
}

// Damage is something wrong with a file of the store.
type Damage struct {
	Path   string // relative to the store
	Reason string
	Aside  bool  // it was moved into damaged/
	Of     []Use // what it belongs to
}

// Use is a result, or one of its outputs: "" means the result itself, or its log. Or it is a kept state.
type Use struct {
	Key    Digest // of a kept state, its trajectory
	Output string
	Step   int // of a kept state
}

// VerifyAll checks every byte of every result that only names, or of all there are where it is nil, and of every object
// that they name, or of all there are. What is damaged is set aside, so that it will be made again. progress hears, from
// several goroutines, of the bytes that were read and of how many there are.
func (s *Store) VerifyAll(ctx context.Context, only func(Digest) bool, progress func(done, total int64)) (*Verification, error) {
	v := &verification{store: s, uses: map[Digest][]Use{}, trajectories: map[Digest]bool{}, found: new(Verification)}
	if err := v.results(only); err != nil {
		return nil, err
	}
	if err := v.states(only == nil); err != nil {
		return nil, err
	}
	if err := v.objects(only == nil); err != nil {
		return nil, err
	}
	if err := v.hash(ctx, progress); err != nil {
		return nil, err
	}
	slices.SortFunc(v.found.Damage, func(a, b Damage) int { return strings.Compare(a.Path, b.Path) })
	return v.found, nil
}

// verification is one in progress.
type verification struct {
	store *Store
	uses  map[Digest][]Use // of objects
	queue []queued         // objects to be hashed

	trajectories map[Digest]bool // of results that were read

	mu    sync.Mutex
	found *Verification
}

type queued struct {
	digest Digest
	size   int64
}

// wrong notes damage, and sets the file aside if check still finds it damaged when nobody else can be replacing it.
func (v *verification) wrong(path, reason string, of []Use, check func() error) {
	d := Damage{Path: path, Reason: reason, Of: of}
	if check != nil {
		unlock, err := v.store.alone()
		if err == nil {
			defer unlock()
			var damaged *DamagedError
			if err := check(); !errors.As(err, &damaged) {
				return
			}
			err = v.store.setAside(filepath.Join(v.store.dir, path))
		}
		if d.Aside = err == nil; err != nil { // a store that may only be read
			d.Reason += "; it cannot be set aside: " + err.Error()
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.found.Damage = append(v.found.Damage, d)
}

// stray notes a file that has no business where it stands.
func (v *verification) stray(path, holds string) {
	v.wrong(path, "no "+holds+" has such a name", nil, nil)
}

func (v *verification) relative(path string) string {
	name, err := filepath.Rel(v.store.dir, path)
	if err != nil {
		return path
	}
	return name
}

// results reads all results, and learns what belongs to which.
func (v *verification) results(only func(Digest) bool) error {
	return v.store.shards("results", func(path string, e fs.DirEntry) error {
		key, err := ParseDigest(e.Name())
		switch {
		case strings.HasSuffix(path, partial):
			return nil
		case err != nil || path != v.store.resultPath(key) || !e.Type().IsRegular():
			if only == nil {
				v.stray(v.relative(path), "result")
			}
			return nil
		case only != nil && !only(key):
			return nil
		}
		v.found.Results++
		r, err := v.store.Result(key)
		var damaged *DamagedError
		switch {
		case errors.As(err, &damaged):
			v.wrong(v.relative(path), damaged.Reason, []Use{{Key: key}}, func() error { _, err := v.store.Result(key); return err })
			return nil
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			v.wrong(v.relative(path), "it cannot be read: "+err.Error(), []Use{{Key: key}}, nil)
			return nil
		}
		v.trajectories[r.Made.Trajectory] = true
		return outputs(r, func(name string, b Blob) error {
			v.used(b, Use{Key: key, Output: name})
			return nil
		})
	})
}

// used notes what the objects of b belong to.
func (v *verification) used(b Blob, use Use) {
	v.uses[b.Digest] = append(v.uses[b.Digest], use)
	if !b.Tree || v.store.Dropped(b) {
		return
	}
	entries, _ := v.store.manifest(b) // where it is damaged or missing that is found with the objects
	for _, e := range entries {
		v.uses[e.digest] = append(v.uses[e.digest], use)
	}
}

// states reads the kept states of those trajectories, or all there are.
func (v *verification) states(all bool) error {
	return v.store.shards("states", func(path string, _ fs.DirEntry) error {
		trajectory, step, ok := v.store.stateAt(path)
		if !ok {
			if all {
				v.stray(v.relative(path), "kept state")
			}
			return nil
		}
		if !all && !v.trajectories[trajectory] {
			return nil
		}
		v.found.States++
		use := Use{Key: trajectory, Output: stateOutput, Step: step}
		b, err := v.store.State(trajectory, step)
		var damaged *DamagedError
		switch {
		case err == nil:
			v.used(b, use)
		case errors.As(err, &damaged):
			v.wrong(v.relative(path), damaged.Reason, []Use{use}, func() error { _, err := v.store.State(trajectory, step); return err })
		case !errors.Is(err, fs.ErrNotExist):
			v.wrong(v.relative(path), "it cannot be read: "+err.Error(), []Use{use}, nil)
		}
		return nil
	})
}

// objects lists what is to be hashed, and finds what is missing.
func (v *verification) objects(all bool) error {
	there := map[Digest]bool{}
	dropped := map[Digest]bool{}
	err := v.store.shards("objects", func(path string, e fs.DirEntry) error {
		name, marks := strings.CutSuffix(e.Name(), markerSuffix)
		d, err := ParseDigest(name)
		switch {
		case strings.HasSuffix(path, partial):
			return nil
		case err == nil && marks && path == v.store.marker(d):
			dropped[d] = true
			return nil
		case err != nil || path != v.store.object(d) || !e.Type().IsRegular():
			if all {
				v.stray(v.relative(path), "object")
			}
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		there[d] = true
		if all || v.uses[d] != nil {
			v.queue = append(v.queue, queued{d, info.Size()})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for d, uses := range v.uses {
		if !slices.ContainsFunc(uses, func(u Use) bool { return u.Output != "" }) {
			continue // a log: nothing can make it again, and nothing depends on it
		}
		// A commit may have put it there since.
		if _, err := os.Lstat(v.store.object(d)); !there[d] && !dropped[d] && errors.Is(err, fs.ErrNotExist) {
			v.wrong(v.relative(v.store.object(d)), "it is missing", uses, nil)
		}
	}
	return nil
}

// hash reads every byte, on all cores, the largest objects first.
func (v *verification) hash(ctx context.Context, progress func(done, total int64)) error {
	slices.SortFunc(v.queue, func(a, b queued) int { return cmp.Compare(b.size, a.size) })
	var total int64
	for _, q := range v.queue {
		total += q.size
	}
	var next, done atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(v.queue) || ctx.Err() != nil {
					return
				}
				q := v.queue[n]
				v.object(ctx, q.digest, func(n int) { progress(done.Add(int64(n)), total) })
			}
		})
	}
	all.Wait()
	v.found.Objects, v.found.Bytes = len(v.queue), done.Load()
	return ctx.Err()
}

func (v *verification) object(ctx context.Context, d Digest, read func(n int)) {
	path := v.store.object(d)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return // removed since it was listed
	}
	var got Digest
	if err == nil {
		got, _, err = hashReader(&watched{f, ctx, read})
		f.Close()
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		v.wrong(v.relative(path), "it cannot be read: "+err.Error(), v.uses[d], nil)
	case got != d:
		v.wrong(v.relative(path), "its bytes have the digest "+got.Short(), v.uses[d], func() error { return v.store.rehash(d) })
	}
}

// watched tells how much is read of a file, until ctx ends.
type watched struct {
	*os.File
	ctx  context.Context
	read func(n int)
}

func (w *watched) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.File.Read(b)
	w.read(n)
	return n, err
}
