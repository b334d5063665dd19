package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// A kept state is one that several stages pass through: those of one trajectory, which is the key of what the state depends
// on. states/<trajectory>/<step> lists its facts and its one artifact as a result does, and appears likewise: last, when
// all that it names is in place.

// stateFact is what the facts of a kept state have beside those of its trajectory.
func stateFact(step int) Fact { return Fact{"state", "step", strconv.Itoa(step)} }

// stateOutput is the name of its artifact.
const stateOutput = "state"

// StatePath returns where the kept state of a trajectory after a step lies if it is there.
func (s *Store) StatePath(trajectory Digest, step int) string {
	return filepath.Join(s.dir, "states", trajectory.String(), strconv.Itoa(step))
}

// stateAt returns what the kept state at a path is of.
func (s *Store) stateAt(path string) (trajectory Digest, step int, ok bool) {
	trajectory, err := ParseDigest(filepath.Base(filepath.Dir(path)))
	step, bad := strconv.Atoi(filepath.Base(path))
	return trajectory, step, errors.Join(err, bad) == nil && path == s.StatePath(trajectory, step)
}

// States lists the steps of which a trajectory has kept states, ascending.
func (s *Store) States(trajectory Digest) []int {
	entries, _ := os.ReadDir(filepath.Join(s.dir, "states", trajectory.String()))
	var steps []int
	for _, e := range entries {
		if step, err := strconv.Atoi(e.Name()); err == nil && step > 0 {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	return steps
}

// State returns the artifact of a kept state. The errors are those of Result.
func (s *Store) State(trajectory Digest, step int) (Blob, error) {
	path := s.StatePath(trajectory, step)
	data, err := os.ReadFile(path)
	if err != nil {
		return Blob{}, err
	}
	r, err := decode(data)
	if err != nil {
		return Blob{}, &DamagedError{path, err.Error()}
	}
	facts := slices.DeleteFunc(slices.Clone(r.Key), func(f Fact) bool { return f == stateFact(step) })
	b, ok := r.Outputs[stateOutput]
	if len(facts) != len(r.Key)-1 || Key(facts) != trajectory || !ok {
		return Blob{}, &DamagedError{path, "its facts belong to another state"}
	}
	return b, nil
}

// KeepState keeps the state that write leaves in the folder dir for everybody on the trajectory with these facts, unless it
// is kept already.
func (a *Attempt) KeepState(trajectory []Fact, step int, write func(dir string) error) error {
	s := a.store
	if b, err := s.State(Key(trajectory), step); err == nil && s.Present(b) == nil {
		return nil
	}
	dir := filepath.Join(a.Dir, "keep")
	list := filepath.Join(a.Dir, "keep.state")
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	in := &intake{store: s}
	err := write(dir)
	if err == nil {
		var b Blob
		if b, err = in.take(dir, "state"); err == nil {
			r := &Result{Key: append(slices.Clone(trajectory), stateFact(step)), Outputs: map[string]Blob{stateOutput: b}}
			if err = s.write(list, r.encode(), 0o666); err == nil {
				err = in.place(move{list, s.StatePath(Key(trajectory), step)})
			}
		}
	}
	return errors.Join(err, os.RemoveAll(dir), removeFile(dir+manifestSuffix), removeFile(list))
}

// KeptState puts the latest kept state that is of a step after the one and up to the other among what the attempt reads,
// every byte checked, and returns its folder and its step; "" where there is none. A damaged one is set aside, and the one
// before it has its turn.
func (a *Attempt) KeptState(trajectory Digest, after, upTo int) (dir string, step int, err error) {
	s := a.store
	for _, step := range slices.Backward(s.States(trajectory)) {
		if step <= after || step > upTo {
			continue
		}
		dir := filepath.Join(a.In(), fmt.Sprintf("state%d", step))
		if err := os.RemoveAll(dir); err != nil {
			return "", 0, err
		}
		b, err := s.State(trajectory, step)
		if err == nil {
			err = s.Stage(b, dir)
		}
		if err == nil {
			touch(s.StatePath(trajectory, step))
			return dir, step, nil
		}
		var damaged *DamagedError
		if !errors.As(err, &damaged) && !errors.Is(err, fs.ErrNotExist) {
			return "", 0, err
		}
		if err := s.forget(trajectory, step, b); err != nil {
			return "", 0, err
		}
	}
	return "", 0, nil
}

// forget removes a kept state that is not sound, and sets aside what is damaged of it.
func (s *Store) forget(trajectory Digest, step int, b Blob) error {
	if err := removeFile(s.StatePath(trajectory, step)); err != nil || b.Digest.IsZero() {
		return err
	}
	return s.SetAside(b)
}
