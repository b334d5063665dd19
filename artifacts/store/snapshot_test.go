package store

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// state writes a state of some files that tells its step.
func state(step string) func(dir string) error {
	return func(dir string) error {
		return errors.Join(os.Mkdir(filepath.Join(dir, "m"), 0o777),
			os.WriteFile(filepath.Join(dir, "m", "weights"), []byte("weights after "+step), 0o666),
			os.WriteFile(filepath.Join(dir, "rows"), []byte("rows up to "+step), 0o666))
	}
}

// read returns the step that a state tells, "" where it is not one.
func read(dir string) string {
	weights, err := os.ReadFile(filepath.Join(dir, "m", "weights"))
	rows, err2 := os.ReadFile(filepath.Join(dir, "rows"))
	if step := string(weights[min(len(weights), len("weights after ")):]); errors.Join(err, err2) == nil && string(rows) == "rows up to "+step {
		return step
	}
	return ""
}

// attempt starts one, as another process would.
func attempt(t *testing.T, s *Store) *Attempt {
	t.Helper()
	a, err := Open(s.Dir()).Attempt(Key(facts))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// expectAdopted fails the test where a goes on from another state.
func expectAdopted(t *testing.T, a *Attempt, want string, step int) {
	t.Helper()
	if dir, at := a.Adopted(); at != step || dir != "" && read(dir) != want || (dir == "") != (want == "") {
		t.Errorf("it goes on from %q of step %d, want %q of step %d", read(dir), at, want, step)
	}
}

// TestSnapshots: an attempt goes on from the newest sound snapshot, however the ones before ended, until one succeeds.
func TestSnapshots(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	a := attempt(t, s)
	expectAdopted(t, a, "", 0)
	if err := errors.Join(a.Snapshot(9, state("nine")), a.Snapshot(10, state("ten"))); err != nil {
		t.Fatal(err)
	}
	if left := snapshots(a.Dir); len(left) != 1 || s.SnapshotStep(Key(facts)) != 10 {
		t.Errorf("left are %v, the newest is of step %d", left, s.SnapshotStep(Key(facts)))
	}
	if again, err := s.Scratch(Key(facts)); err != nil || again.Snapshot(5, func(string) error { return errors.New("nothing goes on from it") }) != nil {
		t.Errorf("an attempt that is to be compared takes a snapshot, or %v", err)
	}
	full := errors.New("no room")
	if err := a.Snapshot(11, func(dir string) error { return errors.Join(state("eleven")(dir), full) }); !errors.Is(err, full) {
		t.Errorf("a state that cannot be written: %v", err)
	}

	a = attempt(t, s) // the one before was killed
	expectAdopted(t, a, "ten", 10)
	if err := a.Abandon(full); !errors.Is(err, full) {
		t.Errorf("abandoned: %v", err)
	}
	a = attempt(t, s) // that one failed
	expectAdopted(t, a, "ten", 10)
	if err := a.Snapshot(10, func(string) error { return full }); err != nil {
		t.Errorf("the snapshot is there already: %v", err)
	}
	if err := a.Snapshot(12, state("twelve")); err != nil {
		t.Fatal(err)
	}
	expectAdopted(t, attempt(t, s), "twelve", 12)

	put(t, s, facts, map[string]string{"a": "alpha"})
	if entries, _ := os.ReadDir(filepath.Join(s.Dir(), "work", Key(facts).String())); len(entries) > 0 {
		t.Errorf("success leaves %v", entries)
	}
	expectAdopted(t, attempt(t, s), "", 0)
}

// TestDamagedSnapshots: one with a wrong byte anywhere, or a file that is gone or cut off, is passed over.
func TestDamagedSnapshots(t *testing.T) {
	damage := map[string]func(dir string) error{
		"a byte": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "state", "m", "weights"), []byte("weights after 0ew"), 0o666)
		},
		"a file":    func(dir string) error { return os.Remove(filepath.Join(dir, "state", "rows")) },
		"the end":   func(dir string) error { return os.Truncate(filepath.Join(dir, "state", "rows"), 3) },
		"the list":  func(dir string) error { return os.Truncate(filepath.Join(dir, "sum"), 100) },
		"its magic": func(dir string) error { return os.WriteFile(filepath.Join(dir, "sum"), nil, 0o666) },
	}
	for name, damage := range damage {
		s := Open(filepath.Join(t.TempDir(), "store"))
		old := attempt(t, s)
		if err := old.Snapshot(5, state("old")); err != nil {
			t.Fatal(err)
		}
		a, err := s.newAttempt(Key(facts), filepath.Join(filepath.Dir(old.Dir), "2")) // as a kill leaves it that comes before the first goes
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(a.Snapshot(7, state("new")), damage(filepath.Join(a.Dir, "snapshots", "7"))); err != nil {
			t.Fatal(err)
		}
		next := attempt(t, s)
		expectAdopted(t, next, "old", 5)
		if next.Dir != filepath.Join(filepath.Dir(old.Dir), "3") {
			t.Errorf("without %s: the third attempt is %s", name, next.Dir)
		}
	}
}

// TestSnapshotCrashPoints: where the process ends before any one step of a snapshot or of its adoption, the next attempt
// goes on from that snapshot or from the one before; and a kept state is there whole, or not at all.
func TestSnapshotCrashPoints(t *testing.T) {
	trajectory := []Fact{{"kind", "pretrain", "1"}}
	work := func(s *Store) error {
		a, err := s.Attempt(Key(facts))
		if err != nil {
			return err
		}
		if err := a.Snapshot(2, state("two")); err != nil {
			return err
		}
		if err := a.KeepState(trajectory, 2, state("two")); err != nil {
			return err
		}
		return a.Snapshot(3, state("three"))
	}
	last := 0
	for n := 0; n == last; n++ {
		s := Open(filepath.Join(t.TempDir(), "store"))
		first := attempt(t, s)
		if err := first.Snapshot(1, state("one")); err != nil {
			t.Fatal(err)
		}
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
				os.WriteFile(path, []byte(snapshotMagic), 0o666) // and no further
			}
			return &os.PathError{Op: step, Path: path, Err: syscall.ENOSPC}
		}
		err := work(s)
		if n < last && !errors.Is(err, syscall.ENOSPC) || n == last && err != nil {
			t.Errorf("before step %d: %v", n, err)
		}
		a := attempt(t, s)
		dir, step := a.Adopted()
		if names := []string{"", "one", "two", "three"}; step < 1 || read(dir) != names[step] || n == last && step != 3 {
			t.Errorf("before step %d it ended, and goes on from %q of step %d", n, read(dir), step)
		}
		if dir, step, err := a.KeptState(Key(trajectory), 0, 9); err != nil || step != 0 && read(dir) != "two" || step == 0 && n == last {
			t.Errorf("before step %d it ended, and kept %q of step %d, %v", n, read(dir), step, err)
		}
		if err := a.KeepState(trajectory, 2, state("two")); err != nil {
			t.Error(err)
		}
		if dir, step, err := a.KeptState(Key(trajectory), 0, 9); err != nil || step != 2 || read(dir) != "two" {
			t.Errorf("kept again is %q of step %d, %v", read(dir), step, err)
		}
	}
	if last < 15 {
		t.Errorf("only %d steps were cut short", last)
	}
}

// TestKeptStates: the latest within bounds is found; one that is damaged is a miss, and the next goes in its place.
func TestKeptStates(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	trajectory := []Fact{{"kind", "pretrain", "1"}}
	a := attempt(t, s)
	for step, name := range map[int]string{3: "three", 6: "six", 10: "ten"} {
		if err := errors.Join(a.KeepState(trajectory, step, state(name)), a.KeepState(trajectory, step, func(string) error { return errors.New("it is kept already") })); err != nil {
			t.Fatal(err)
		}
	}
	find := func(after, upTo, want int) {
		t.Helper()
		a := attempt(t, s)
		names := map[int]string{3: "three", 6: "six", 10: "ten"}
		if dir, step, err := a.KeptState(Key(trajectory), after, upTo); err != nil || step != want || dir != "" && read(dir) != names[want] {
			t.Errorf("after %d up to %d: %q of step %d, %v; want step %d", after, upTo, read(dir), step, err, want)
		}
	}
	find(0, 100, 10)
	find(0, 9, 6)
	find(5, 9, 6)
	find(6, 9, 0)
	if dir, _, err := a.KeptState(Key(facts), 0, 100); dir != "" || err != nil {
		t.Errorf("another trajectory: %s, %v", dir, err)
	}

	spoil := func(path string) {
		t.Helper()
		if err := errors.Join(os.Chmod(path, 0o666), os.WriteFile(path, []byte("x"), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := s.State(Key(trajectory), 10)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := s.Objects(b)
	if err != nil {
		t.Fatal(err)
	}
	spoil(s.Path(objects[1].Digest))
	v, err := s.VerifyAll(t.Context(), nil, func(int64, int64) {})
	if err != nil || v.States != 3 || len(v.Damage) != 1 || len(v.Damage[0].Of) != 1 || v.Damage[0].Of[0] != (Use{Key(trajectory), "state", 10}) {
		t.Errorf("verify finds %+v, %v", v, err)
	}
	find(0, 100, 6)
	spoil(s.StatePath(Key(trajectory), 6))
	find(0, 100, 3)
	if steps := s.States(Key(trajectory)); len(steps) != 1 {
		t.Errorf("left are %v", steps)
	}
	if v, err := s.VerifyAll(t.Context(), nil, func(int64, int64) {}); err != nil || len(v.Damage) > 0 {
		t.Errorf("then verify finds %+v, %v", v, err)
	}
}

// TestSweepStates: kept states stay with a claim on their trajectory, with a result of it, or while they are young; what
// they name stays with them, and goes with them.
func TestSweepStates(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "store"))
	trajectory := []Fact{{"kind", "pretrain", "1"}}
	a := attempt(t, s)
	if err := errors.Join(a.KeepState(trajectory, 3, state("three")), os.WriteFile(a.Out("a"), []byte("alpha"), 0o666)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Commit(facts, map[string]string{"a": "text"}, Made{Trajectory: Key(trajectory)}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		why  string
		keep Retention
		stay bool
	}{
		{"it is young", Retention{Before: time.Now().Add(-time.Hour)}, true},
		{"its result stays", Retention{Before: later, Results: map[Digest]bool{Key(facts): true}}, true},
		{"somebody asks for it", Retention{Before: later, States: map[Digest]time.Time{Key(trajectory): {}}}, true},
		{"it was asked for as long as it was used", Retention{Before: later, States: map[Digest]time.Time{Key(trajectory): later}}, false},
	} {
		found := sweepAll(t, s, c.keep)
		if len(found.Loose) > 0 || len(found.Kept) != btoi(c.stay) || len(found.States) != btoi(!c.stay) {
			t.Fatalf("%s: %+v", c.why, found)
		}
		if !c.stay {
			continue
		}
		if b, err := s.State(Key(trajectory), 3); err != nil || s.Verify(b) != nil || found.Kept[0].Size == 0 {
			t.Fatalf("%s: the state is %+v, %v", c.why, found.Kept[0], err)
		}
	}
	left := 0
	s.shards("objects", func(string, os.DirEntry) error { left++; return nil })
	if _, err := os.Stat(filepath.Join(s.Dir(), "states", Key(trajectory).String())); !os.IsNotExist(err) || left > 0 {
		t.Errorf("%d objects are left, %v", left, err)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
