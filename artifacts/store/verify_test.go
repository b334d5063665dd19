package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestVerifyAll: every kind of damage is found, told of what it belongs to, and set aside; an undamaged store is not
// touched.
func TestVerifyAll(t *testing.T) {
	other := []Fact{{"kind", "other", "1"}}
	for name, c := range map[string]struct {
		damage func(s *Store, r *Result) (path string)
		reason string
		aside  bool
		of     []string // outputs
	}{
		"nothing": {damage: func(s *Store, r *Result) string { return "" }},
		"silent change": {func(s *Store, r *Result) string {
			path := s.object(r.Outputs["a"].Digest)
			os.Chmod(path, 0o666)
			os.WriteFile(path, []byte("gamma"), 0o666)
			os.Chtimes(path, intact, intact)
			return path
		}, "its bytes have the digest", true, []string{"a", "a"}},
		"missing file of a tree": {func(s *Store, r *Result) string {
			entries, _ := s.manifest(r.Outputs["w"])
			os.Remove(s.object(entries[0].digest))
			return s.object(entries[0].digest)
		}, "it is missing", false, []string{"w"}},
		"manifest": {func(s *Store, r *Result) string {
			path := s.object(r.Outputs["w"].Digest)
			os.Chmod(path, 0o666)
			os.Truncate(path, 3)
			return path
		}, "its bytes have the digest", true, []string{"w"}},
		"result": {func(s *Store, r *Result) string {
			os.Truncate(s.resultPath(Key(facts)), 100)
			return s.resultPath(Key(facts))
		}, "its checksum does not hold", true, []string{""}},
		"result under another key": {func(s *Store, r *Result) string {
			os.Rename(s.resultPath(Key(other)), s.resultPath(Key(facts)))
			return s.resultPath(Key(facts))
		}, "its facts belong to another key", true, []string{""}},
		"object that nothing names": {func(s *Store, r *Result) string {
			b, _ := s.Put([]byte("loose"), "hcl")
			os.Chmod(s.object(b.Digest), 0o666)
			os.WriteFile(s.object(b.Digest), []byte("Loose"), 0o666)
			return s.object(b.Digest)
		}, "its bytes have the digest", true, nil},
		"stray object": {func(s *Store, r *Result) string {
			path := filepath.Join(filepath.Dir(s.object(r.Outputs["a"].Digest)), "copy of an object")
			os.WriteFile(path, nil, 0o666)
			return path
		}, "no object has such a name", false, nil},
		"object in the wrong folder": {func(s *Store, r *Result) string {
			path := filepath.Join(s.Dir(), "objects", Digest{}.String())
			os.WriteFile(path, nil, 0o666)
			return path
		}, "no object has such a name", false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := Open(filepath.Join(t.TempDir(), "store"))
			r := put(t, s, facts, map[string]string{"a": "alpha", "w/model.json": "{}"})
			put(t, s, other, map[string]string{"a": "alpha"})
			path := c.damage(s, r)
			var mu sync.Mutex
			var last, total int64
			found, err := Open(s.Dir()).VerifyAll(t.Context(), nil, func(done, all int64) {
				mu.Lock()
				defer mu.Unlock()
				last, total = max(last, done), all
			})
			if err != nil {
				t.Fatal(err)
			}
			if last != total || total != found.Bytes {
				t.Errorf("progress ended at %d of %d, %d were read", last, total, found.Bytes)
			}
			if path == "" {
				if len(found.Damage) > 0 || found.Results != 2 || found.Objects != 3 {
					t.Errorf("found %+v", found)
				}
				return
			}
			if len(found.Damage) != 1 {
				t.Fatalf("found %+v", found.Damage)
			}
			d := found.Damage[0]
			if filepath.Join(s.Dir(), d.Path) != path || !strings.HasPrefix(d.Reason, c.reason) || d.Aside != c.aside || len(d.Of) != len(c.of) {
				t.Errorf("found %+v", d)
			}
			for i, u := range d.Of {
				if u.Output != c.of[i] {
					t.Errorf("it belongs to %q", u.Output)
				}
			}
			if _, err := os.Stat(filepath.Join(s.Dir(), "damaged", filepath.Base(path))); (err == nil) != c.aside {
				t.Errorf("in damaged/: %v", err)
			}
			if _, err := os.Stat(path); c.aside && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it is still there: %v", err)
			}
			put(t, s, facts, map[string]string{"a": "alpha", "w/model.json": "{}"})
			if r, err := s.Result(Key(facts)); err != nil || s.Complete(r) != nil {
				t.Errorf("after making it again: %v", err)
			}
		})
	}
}

// TestVerifySome: of results that are not asked for nothing is read.
func TestVerifySome(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	put(t, s, facts, map[string]string{"a": "alpha"})
	put(t, s, []Fact{{"kind", "other", "1"}}, map[string]string{"a": "beta"})
	found, err := s.VerifyAll(t.Context(), func(key Digest) bool { return key == Key(facts) }, func(int64, int64) {})
	if err != nil || found.Results != 1 || found.Objects != 1 || found.Bytes != 5 {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestVerifyStops(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	put(t, s, facts, map[string]string{"a": "alpha"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.VerifyAll(ctx, nil, func(int64, int64) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted check: %v", err)
	}
}
