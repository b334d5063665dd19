package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A snapshot is a folder of its attempt, snapshots/<step>/: what the stage wrote, in state/, and sum, which lists those
// files with their digests under a line that names the format and the digest of the list:
//
//	anneal snapshot 1 <digest>
//
// It takes its name when it is whole and durable, and only then the one before goes. So whatever ends the process leaves
// one of the two, and a reader that checks the digests takes nothing else for one.
const snapshotMagic = "anneal snapshot 1 "

// snapshot is one of an attempt's.
type snapshot struct {
	dir  string
	step int
}

func (s snapshot) state() string { return filepath.Join(s.dir, "state") }

// snapshots lists those in the folder of an attempt that have their final names.
func snapshots(attempt string) []snapshot {
	var all []snapshot
	entries, _ := os.ReadDir(filepath.Join(attempt, "snapshots"))
	for _, e := range entries {
		if step, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, snapshot{filepath.Join(attempt, "snapshots", e.Name()), step})
		}
	}
	return all
}

// Snapshot makes the state that write leaves in the folder dir the attempt's snapshot, durably, in place of the one before. One that
// Scratch started takes none.
func (a *Attempt) Snapshot(step int, write func(dir string) error) error {
	if a.scratch {
		return nil
	}
	now, err := a.snapshot(step)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(now.dir); err == nil {
		return nil // the state of a step is always the same
	}
	half := now.dir + partial
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(half, "state"), 0o777); err != nil {
		return err
	}
	if err := a.fill(half, write); err != nil {
		return errors.Join(err, os.RemoveAll(half))
	}
	if err := a.store.rename([]move{{half, now.dir}}); err != nil {
		return err
	}
	var errs []error
	for _, old := range snapshots(a.Dir) {
		if old != now {
			errs = append(errs, os.RemoveAll(old.dir))
		}
	}
	return errors.Join(errs...)
}

// snapshot returns the place of one of a. The folders that it is to stand in outlast a power cut.
func (a *Attempt) snapshot(step int) (snapshot, error) {
	if err := a.lost(); err != nil {
		return snapshot{}, err
	}
	dir := filepath.Join(a.Dir, "snapshots")
	made, err := makeDir(dir)
	if err == nil && len(made) > 0 {
		err = a.store.sync([]string{filepath.Dir(filepath.Dir(a.Dir)), filepath.Dir(a.Dir), a.Dir})
	}
	return snapshot{filepath.Join(dir, strconv.Itoa(step)), step}, err
}

// fill writes a snapshot, durably, into a folder that does not have its final name yet.
func (a *Attempt) fill(dir string, write func(dir string) error) error {
	state := filepath.Join(dir, "state")
	if err := write(state); err != nil {
		return err
	}
	durable := []string{state, filepath.Join(dir, "sum"), dir}
	entries, err := walk(state, func(path string, e fs.FileInfo) (Digest, int64, error) {
		for p := path; !slices.Contains(durable, p); p = filepath.Dir(p) { // and the folders on the way to it
			durable = append(durable, p)
		}
		return HashFile(path)
	})
	if err != nil {
		return err
	}
	list := encodeManifest(entries)
	sum := append(fmt.Appendf(nil, "%s%s\n", snapshotMagic, Digest(sha256.Sum256(list))), list...)
	if err := a.store.write(filepath.Join(dir, "sum"), sum, 0o666); err != nil {
		return err
	}
	return a.store.sync(durable)
}

// check reads what a snapshot consists of, and every byte of it too if whole says so. The error says why it is not sound.
func (s snapshot) check(whole bool) error {
	sum, err := os.ReadFile(filepath.Join(s.dir, "sum"))
	if err != nil {
		return err
	}
	head, list, _ := bytes.Cut(sum, []byte("\n"))
	if string(head) != snapshotMagic+Digest(sha256.Sum256(list)).String() {
		return &DamagedError{s.dir, "its list does not have the digest that it names"}
	}
	entries, err := decodeManifest(list)
	if err != nil {
		return &DamagedError{s.dir, err.Error()}
	}
	for _, e := range entries {
		path := filepath.Join(s.state(), filepath.FromSlash(e.name))
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if info.Size() != e.size {
			return &DamagedError{path, "it has another size"}
		}
		if !whole {
			continue
		}
		if d, _, err := HashFile(path); err != nil {
			return err
		} else if d != e.digest {
			return &DamagedError{path, "its bytes have the digest " + d.Short()}
		}
	}
	return nil
}

// newest returns the sound snapshot of the latest step that attempts at a key have left, checked as whole says.
func (s *Store) newest(key Digest, whole bool) (snapshot, bool) {
	parent := filepath.Join(s.dir, "work", key.String())
	attempts, _ := os.ReadDir(parent)
	var all []snapshot
	for _, e := range attempts {
		all = append(all, snapshots(filepath.Join(parent, e.Name()))...)
	}
	slices.SortStableFunc(all, func(a, b snapshot) int { return b.step - a.step })
	for _, one := range all {
		if one.check(whole) == nil {
			return one, true
		}
	}
	return snapshot{}, false
}

// SnapshotStep returns the step of the snapshot from which the next attempt at key is to go on, going by names and sizes
// alone; 0 where there is none.
func (s *Store) SnapshotStep(key Digest) int {
	one, _ := s.newest(key, false)
	return one.step
}

// Adopted returns the folder and the step of the snapshot that earlier attempts left, "" where there is none.
func (a *Attempt) Adopted() (dir string, step int) {
	if a.adopted.dir == "" {
		return "", 0
	}
	return a.adopted.state(), a.adopted.step
}

// adopt makes one, of an earlier attempt, the snapshot of a.
func (a *Attempt) adopt(one snapshot) error {
	mine, err := a.snapshot(one.step)
	if err != nil {
		return err
	}
	if err := a.store.rename([]move{{one.dir, mine.dir}}); err != nil {
		return err
	}
	a.adopted = mine
	return nil
}

// walk lists the files in a folder, with the digests and sizes that hash returns, in the order of their names.
func walk(dir string, hash func(path string, info fs.FileInfo) (Digest, int64, error)) ([]entry, error) {
	var entries []entry
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error { // in lexical order
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if strings.Contains(name, "\n") {
			return fmt.Errorf("a file name in a tree has a line break: %q", name)
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		d, size, err := hash(p, info)
		entries = append(entries, entry{d, size, filepath.ToSlash(name)})
		return err
	})
	return entries, err
}
