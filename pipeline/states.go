package pipeline

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"anneal/artifacts/store"
)

// states is what a task needs to keep states of its work and to find those of others.
type states struct {
	trajectory []store.Fact // what states up to step shared depend on; nil: none are kept and none are found
	shared     int
	notFound   bool           // earlier work is not gone on with
	kept       func(step int) // hears of every state that is kept
	resumed    func(Event)
}

// trajectoryOf returns the facts that states up to step Shared of n depend on, going by its own facts and its past.
// They are never those of a result, since keys have locks.
func trajectoryOf(n *Node, facts []store.Fact, past Stage) []store.Fact {
	if past == nil {
		return nil
	}
	alike := *n
	alike.Stage = past
	all := append(alike.configFacts(), store.Fact{Kind: "trajectory", Name: n.Kind.Name, Value: "1"})
	for _, f := range facts {
		if f.Kind == "input" {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, compareFacts)
	return all
}

// Snapshot makes the state that write leaves in the folder dir the one from which the next attempt at this key goes on,
// in place of the snapshot before: durably, and with checksums. Whatever ends the program leaves one of the two.
func (t *Task) Snapshot(step int, write func(dir string) error) error {
	return t.attempt.Snapshot(step, write)
}

// Adopted returns the folder and the step of the newest sound snapshot that earlier attempts left, "" where there is none.
// It stays until the next Snapshot.
func (t *Task) Adopted() (dir string, step int) {
	if t.notFound {
		return "", 0
	}
	return t.attempt.Adopted()
}

// KeepState keeps the state that write leaves in the folder dir for stages with the same past; see Forecast. Nothing
// happens where there can be no such stages, or where the state is kept already.
func (t *Task) KeepState(step int, write func(dir string) error) error {
	if t.trajectory == nil {
		return nil
	}
	if step < 1 || step > t.shared {
		return fmt.Errorf("the state after step %d cannot be kept: only those up to step %d are shared", step, t.shared)
	}
	err := t.attempt.KeepState(t.trajectory, step, write)
	if err == nil && t.kept != nil {
		t.kept(step)
	}
	return err
}

// KeptState returns a folder with the latest kept state of the stage's past that is of a step after the one and up to the
// other, and that step; "" where none is kept. Every byte has been checked.
func (t *Task) KeptState(after, upTo int) (dir string, step int, err error) {
	if t.trajectory == nil || t.notFound {
		return "", 0, nil
	}
	return t.attempt.KeptState(store.Key(t.trajectory), after, min(upTo, t.shared))
}

// Resumed tells the user that the work goes on from a step; "" says just that.
func (t *Task) Resumed(step, total int, text string) {
	if text == "" {
		text = fmt.Sprintf("resumed at step %s of %s", thousands(step), thousands(total))
	}
	t.resumed(Event{Addr: t.Addr, Action: "resume", Step: step, Total: total, Text: text})
}

// thousands prints a count in groups of three digits.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// stagedInputs are those of a task.
type stagedInputs struct{ *Task }

// Path returns where a file of a staged artifact lies.
func (in stagedInputs) Path(r Ref, name string) (string, error) {
	staged, ok := in.inputs[r]
	if !ok {
		return "", errors.New("it is none of the stage's inputs")
	}
	return filepath.Join(staged.Path, filepath.FromSlash(name)), nil
}

// foretell asks the stage of t, whose inputs are staged, for its forecast. keepsOut: nothing is to be kept.
func (t *Task) foretell(n *Node, facts []store.Fact, keepsOut bool) error {
	f, ok := t.Stage.(Forecaster)
	if !ok {
		return nil
	}
	forecast, err := f.Forecast(stagedInputs{t})
	if err != nil {
		return err
	}
	if !keepsOut {
		t.trajectory, t.shared = trajectoryOf(n, facts, forecast.Past), forecast.Shared
	}
	return nil
}
