package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"
)

// later is a time by which everything that a test has made is old.
var later = time.Now().Add(time.Hour)

// sweepAll sweeps twice, first to look only, and demands that both find the same.
func sweepAll(t *testing.T, s *Store, keep Retention) *Swept {
	t.Helper()
	if err := s.Tidy(); err != nil {
		t.Fatal(err)
	}
	foreseen, err := s.Sweep(keep, false)
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Sweep(keep, true)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(foreseen, found) {
		t.Errorf("foreseen was %+v, done was %+v", foreseen, found)
	}
	return found
}

func TestSweep(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	a, b := []Fact{{"kind", "a", "1"}}, []Fact{{"kind", "b", "1"}}
	first := put(t, s, a, map[string]string{"own": "only a has it", "both": "shared", "w/1": "tree of a", "w/2": "in both trees"})
	second := put(t, s, b, map[string]string{"own": "only b has it", "both": "shared", "v/1": "tree of b", "v/2": "in both trees"})
	loose, err := s.Put([]byte("loose"), "hcl")
	if err != nil {
		t.Fatal(err)
	}
	source, err := s.Put([]byte("source"), "hcl")
	if err != nil {
		t.Fatal(err)
	}

	// Nothing goes while it is young, or as long as it is to stay.
	young := sweepAll(t, s, Retention{Before: time.Now().Add(-time.Hour)})
	kept := sweepAll(t, s, Retention{Before: later,
		Results: map[Digest]bool{Key(a): true, Key(b): true}, Objects: map[Digest]bool{loose.Digest: true, source.Digest: true}})
	for _, found := range []*Swept{young, kept} {
		if len(found.Gone)+len(found.Dropped)+len(found.Loose)+len(found.Debris) > 0 {
			t.Errorf("went: %+v", found)
		}
	}
	if len(kept.Stay) != 2 || kept.Stay[0].Size+kept.Stay[1].Size < 60 {
		t.Errorf("stays: %+v", kept.Stay)
	}

	// What only a names goes with it.
	found := sweepAll(t, s, Retention{Before: later, Results: map[Digest]bool{Key(b): true}, Objects: map[Digest]bool{source.Digest: true}})
	if len(found.Gone) != 1 || found.Gone[0].Key != Key(a) || len(found.Loose) != 1 || found.Loose[0].Size != 5 {
		t.Errorf("went: %+v", found)
	}
	if _, err := s.Result(Key(a)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the result of a: %v", err)
	}
	if err := s.Complete(second); err != nil {
		t.Errorf("the result of b: %v", err)
	}
	if s.Present(first.Outputs["own"]) == nil || s.Present(first.Outputs["both"]) != nil || s.Present(first.Outputs["w"]) == nil {
		t.Error("the wrong objects of a stayed")
	}
	if s.Present(loose) == nil || s.Present(source) != nil {
		t.Error("the wrong loose objects stayed")
	}
}

// TestSweepDropsTrees: folders of results that stay go when they are idle; what another result keeps stays.
func TestSweepDropsTrees(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	a, b := []Fact{{"kind", "a", "1"}}, []Fact{{"kind", "b", "1"}}
	files := map[string]string{"flat": "metrics", "w/1": "weights", "w/2": "vocabulary"}
	first := put(t, s, a, files)
	put(t, s, b, map[string]string{"v/2": "vocabulary"})
	keep := Retention{Before: later, Results: map[Digest]bool{Key(a): true, Key(b): true}, Trees: map[Digest]time.Time{Key(a): time.Now().Add(-time.Hour)}}
	if found := sweepAll(t, s, keep); len(found.Dropped) > 0 {
		t.Errorf("dropped before its time: %+v", found.Dropped)
	}
	keep.Trees[Key(a)] = later
	found := sweepAll(t, s, keep)
	if len(found.Dropped) != 1 || found.Dropped[0].Output != "w" || len(found.Gone)+len(found.Loose) > 0 {
		t.Errorf("dropped: %+v", found)
	}
	if dropped, err := s.Check(first); err != nil || !slices.Equal(dropped, []string{"w"}) {
		t.Errorf("dropped %v, %v", dropped, err)
	}
	if !s.Dropped(first.Outputs["w"]) || s.Dropped(first.Outputs["flat"]) {
		t.Error("the wrong outputs count as dropped")
	}
	if s.Complete(first) == nil {
		t.Error("a result without its weights counts as complete")
	}
	if other, err := s.Result(Key(b)); err != nil || s.Complete(other) != nil {
		t.Error("a file went that another result has")
	}

	// Made again, it is no longer dropped: should it vanish now, it is lost.
	put(t, s, a, files)
	if s.Dropped(first.Outputs["w"]) {
		t.Error("a tree that is there counts as dropped")
	}
	if err := os.Remove(s.object(first.Outputs["w"].Digest)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Check(first); err == nil {
		t.Error("a lost tree counts as dropped")
	}

	// Where all results that have a tree let go of it, it goes once.
	put(t, s, a, files)
	put(t, s, b, files)
	keep.Trees[Key(b)] = later
	if found := sweepAll(t, s, keep); len(found.Dropped) != 2 { // b still has v
		t.Errorf("dropped: %+v", found.Dropped)
	}
	// A marker goes with the last result that has its tree.
	sweepAll(t, s, Retention{Before: later})
	if left, _ := filepath.Glob(s.Dir() + "/[or]*/*/*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestSweepDebris: what dead processes left goes when it is old, what a live one works on stays.
func TestSweepDebris(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	dead, live, due := Digest{1}, Digest{2}, Digest{3}
	for _, key := range []Digest{dead, live, due} {
		if _, err := s.Attempt(key); err != nil {
			t.Fatal(err)
		}
	}
	unlock, err := s.Lock(t.Context(), live, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	debris := []string{"work/" + dead.String(), "damaged/x", "rerun/x/out/a", "results-1/report/a", "runs/1.json.part", "objects/ab/1.part", "results/ab/1.part",
		"results/01/" + dead.String(), "work/" + sparePrefix + Digest{4}.String() + "/1/out/a",
		"fetch/" + dead.String()}
	fetching := s.FetchPath(live)
	for _, path := range append(debris[1:], "fetch/"+live.String()) {
		path = filepath.Join(s.Dir(), path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte("?"), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	keep := Retention{Before: time.Now().Add(-time.Hour), Results: map[Digest]bool{due: true}}
	if found := sweepAll(t, s, keep); len(found.Debris) > 0 {
		t.Errorf("young debris went: %v", found.Debris)
	}
	keep.Before = later
	if found := sweepAll(t, s, keep); len(found.Debris) != len(debris) {
		t.Errorf("%d of %d: %v", len(found.Debris), len(debris), found.Debris)
	}
	for _, path := range debris {
		if _, err := os.Lstat(filepath.Join(s.Dir(), path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := os.Stat(fetching); err != nil {
		t.Error(err)
	}
	for _, key := range []Digest{live, due} {
		if _, err := os.Stat(filepath.Join(s.Dir(), "work", key.String(), "1", "out")); err != nil {
			t.Error(err)
		}
	}
}

// TestSweepBesideCommits: sweeps that let nothing stay but what is named or new run beside commits; every result is
// whole when its commit returns, and ever after.
func TestSweepBesideCommits(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	const commits = 40
	keep := Retention{Results: map[Digest]bool{}}
	f := func(i int) []Fact { return []Fact{{"config", "i", fmt.Sprint(i)}} }
	for i := range commits {
		keep.Results[Key(f(i))] = true
	}
	done := make(chan struct{})
	var sweeps sync.WaitGroup
	sweeps.Go(func() {
		for other := Open(s.Dir()); ; {
			select {
			case <-done:
				return
			default:
			}
			keep.Before = later
			if _, err := other.Sweep(keep, true); err != nil {
				t.Error(err)
				return
			}
		}
	})
	results := make([]*Result, commits)
	for i := range commits {
		// One object is in all of them, and loose whenever a sweep comes between.
		results[i] = put(t, s, f(i), map[string]string{"own": fmt.Sprint(i), "shared": "the same", "w/1": fmt.Sprint("tree", i%3)})
		if err := s.Complete(results[i]); err != nil {
			t.Error(err)
		}
	}
	close(done)
	sweeps.Wait()
	for i, r := range results {
		for _, b := range r.Outputs {
			if err := Open(s.Dir()).Verify(b); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
	}
}
