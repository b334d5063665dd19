package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestCrashPoints: where a commit ends before any one of its steps, since its process is killed or the disk is full, a
// store is left in which every result is complete, and the next commit succeeds.
func TestCrashPoints(t *testing.T) {
	outputs := map[string]string{"a": "alpha", "b": "beta", "w/model.json": "{}", "w/step_1/weights.arrow": "1"}
	commit := func(s *Store) error {
		a, err := s.Attempt(Key(facts))
		if err != nil {
			return err
		}
		types := map[string]string{}
		for path, content := range outputs {
			name, _, _ := strings.Cut(path, "/")
			types[name] = "text"
			to := a.Out(path)
			if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o777), os.WriteFile(to, []byte(content), 0o666)); err != nil {
				return err
			}
		}
		if err := os.WriteFile(a.Log(), []byte("done"), 0o666); err != nil {
			return err
		}
		if _, err = a.Commit(facts, types, Made{}); err != nil {
			return err
		}
		_, err = s.Put([]byte("loose"), "hcl")
		return err
	}
	check := func(s *Store) {
		t.Helper()
		s = Open(s.Dir()) // as another process
		for key, r := range s.Results() {
			for name, b := range r.Outputs {
				if err := s.Verify(b); err != nil {
					t.Errorf("result %s has no whole %s: %v", key.Short(), name, err)
				}
			}
		}
	}
	last := 0
	for n := 0; n == last; n++ {
		s := Open(filepath.Join(t.TempDir(), "store"))
		put(t, s, []Fact{{"kind", "other", "1"}}, map[string]string{"a": "alpha"}) // shares an object
		var mu sync.Mutex
		steps := 0
		s.fault = func(step, path string) error {
			mu.Lock()
			defer mu.Unlock()
			if steps++; steps <= n {
				return nil
			}
			last = n + 1
			if step == "write" {
				os.WriteFile(path, []byte(resultMagic), 0o666) // and no further
			}
			return &os.PathError{Op: step, Path: path, Err: syscall.ENOSPC}
		}
		if err := commit(s); n == last {
			if err != nil {
				t.Fatal(err)
			}
		} else if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), s.Dir()) {
			t.Errorf("a full disk is told as %v", err)
		}
		check(s)
		s.fault = nil
		if err := commit(s); err != nil {
			t.Errorf("after a commit that ended before step %d: %v", n, err)
		}
		check(s)
	}
	if last < 15 {
		t.Errorf("only %d steps were cut short", last)
	}
}

// TestStoreIsGone: where the folder vanishes under a stage, the error says so.
func TestStoreIsGone(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	a, err := s.Attempt(Key(facts))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.Dir()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Commit(facts, map[string]string{"a": "text"}, Made{}); err == nil || !strings.Contains(err.Error(), "or the whole store, while the stage ran") {
		t.Errorf("a commit to a store that is gone: %v", err)
	}
	if err := a.Abandon(errors.New("no such file")); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("an attempt in a store that is gone: %v", err)
	}
}
