package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestSpareFolders: an attempt that takes over the folders of another finds them empty, whatever the stage left there, and
// what a stage linked to from there stays.
func TestSpareFolders(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	own := filepath.Join(t.TempDir(), "own")
	if err := errors.Join(os.Mkdir(own, 0o777), os.WriteFile(filepath.Join(own, "file"), nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	leave := map[string]func(a *Attempt) error{
		"files": func(a *Attempt) error {
			return errors.Join(os.WriteFile(filepath.Join(a.In(), "0"), nil, 0o444), os.WriteFile(filepath.Join(a.Dir, "scratch"), nil, 0o666),
				os.MkdirAll(a.Out("more/of/it"), 0o777), os.WriteFile(a.Log(), []byte("words"), 0o666))
		},
		"a link to a folder": func(a *Attempt) error { return os.Symlink(own, a.Out("elsewhere")) },
		"a link in the place of in": func(a *Attempt) error {
			return errors.Join(os.Remove(a.In()), os.Symlink(own, a.In()))
		},
		"no in":        func(a *Attempt) error { return os.Remove(a.In()) },
		"a file as in": func(a *Attempt) error { return errors.Join(os.Remove(a.In()), os.WriteFile(a.In(), nil, 0o666)) },
	}
	for name, leave := range leave {
		for _, key := range []string{"first of " + name, "second of " + name} {
			f := []Fact{{"config", "text", key}}
			a, err := s.Attempt(Key(f))
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			filepath.WalkDir(a.Dir, func(path string, e fs.DirEntry, err error) error { found = append(found, path); return err })
			if len(found) != 3 {
				t.Errorf("%s: an attempt starts with %v", key, found)
			}
			if err := errors.Join(leave(a), os.WriteFile(a.Out("out"), []byte(key), 0o666)); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Commit(f, map[string]string{"out": "text"}, Made{}); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			if _, err := os.Stat(filepath.Join(own, "file")); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// TestSpareIsTakenOrRemoved: a folder that a sweep is about to remove serves an attempt whole, or not at all.
func TestSpareIsTakenOrRemoved(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	for i := range 200 {
		key, next := Key([]Fact{{"config", "i", string(rune(2 * i))}}), Key([]Fact{{"config", "i", string(rune(2*i + 1))}})
		a, err := s.Attempt(key)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.clear(); err != nil {
			t.Fatal(err)
		}
		spare := s.spares[0]
		var both sync.WaitGroup
		both.Go(func() {
			if err := discard(spare); err != nil {
				t.Error(err)
			}
		})
		if a, err = s.Attempt(next); err != nil {
			t.Fatal(err)
		}
		both.Wait()
		for _, dir := range []string{a.In(), a.Out("")} {
			if _, err := os.Stat(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestPutResultBesideSweeps: a result is not written under another key once what it names has gone.
func TestPutResultBesideSweeps(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	r := put(t, s, facts, map[string]string{"a": "alpha"})
	r.Key = []Fact{{"kind", "pretrain", "2"}}
	if err := s.PutResult(r); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(Retention{Before: later}, true); err != nil {
		t.Fatal(err)
	}
	if err := s.PutResult(r); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a result without its outputs: %v", err)
	}
	if _, err := s.Result(Key(r.Key)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}

// TestHashLeavesOutputs: what is to be looked at stays whole, whatever its files are called.
func TestHashLeavesOutputs(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	a, err := s.Scratch(Key(facts))
	if err != nil {
		t.Fatal(err)
	}
	own := a.Out("w/own" + manifestSuffix)
	if err := errors.Join(os.Mkdir(a.Out("w"), 0o777), os.WriteFile(own, nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Hash(map[string]string{"w": "weights"}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(a.Out("")); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Error(err)
	}
}
