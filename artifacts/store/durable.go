package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// move is a file on its way to its final name.
type move struct{ from, to string }

// partial ends the names of files that are being written. They never count; gc clears those whose writer died.
const partial = ".part"

// write writes a file anew.
func (s *Store) write(path string, data []byte, mode fs.FileMode) error {
	if err := s.at("write", path); err != nil {
		return err
	}
	return os.WriteFile(path, data, mode)
}

// settle makes files durable and renames them, and then makes their names durable. A crash leaves each of them
// whole under its new name, or not there.
func (s *Store) settle(moves []move) error {
	from := make([]string, len(moves))
	for i, m := range moves {
		from[i] = m.from
	}
	if err := s.sync(from); err != nil {
		return err
	}
	return s.rename(moves)
}

// rename gives files that are durable their final names, durably.
func (s *Store) rename(moves []move) error {
	var dirs []string
	seen := map[string]bool{}
	changed := func(dir string) {
		if !seen[dir] {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	for _, m := range moves {
		if err := s.at("rename", m.to); err != nil {
			return err
		}
		dir := filepath.Dir(m.to)
		err := os.Rename(m.from, m.to)
		if errors.Is(err, fs.ErrNotExist) { // the first of its shard, most likely
			var made []string
			if made, err = makeDir(dir); err == nil {
				err = os.Rename(m.from, m.to)
			}
			for _, d := range made {
				changed(filepath.Dir(d))
			}
		}
		if err != nil {
			return err
		}
		changed(dir)
	}
	return s.sync(dirs)
}

// makeDir makes dir and what is missing above it, and returns what it made.
func makeDir(dir string) (made []string, err error) {
	err = os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrNotExist) {
		if made, err = makeDir(filepath.Dir(dir)); err == nil {
			err = os.Mkdir(dir, 0o777)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return made, nil // or it is no folder, as whoever uses it will find
	}
	if err != nil {
		return made, err
	}
	return append(made, dir), nil
}

// syncs is how many files are made durable at once: one flush of the disk can serve them all.
const syncs = 8

// sync makes files or folders durable.
func (s *Store) sync(paths []string) error {
	if len(paths) == 1 {
		return s.syncOne(paths[0])
	}
	errs := make([]error, len(paths))
	slots := make(chan struct{}, syncs)
	var all sync.WaitGroup
	for i, path := range paths {
		slots <- struct{}{}
		all.Go(func() {
			errs[i] = s.syncOne(path)
			<-slots
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (s *Store) syncOne(path string) error {
	if err := s.at("sync", path); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// at is called before each step that a crash or a full disk may keep from happening. Tests make it do so.
func (s *Store) at(step, path string) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(step, path)
}
