package pipeline

import (
	"fmt"
	"slices"

	"anneal/artifacts/store"
)

// states is what a task needs to keep states of its work and to find those of others.
type states struct {
	trajectory []store.Fact // what states up to step shared depend on; nil: none are kept and none are found
	shared     int
	notFound   bool                      // earlier work is not gone on with
	wanted     []int                     // steps whose states others wait for
	kept       func(step int, err error) // hears of every state that is kept, or why it could not be
	emit       func(Event)

	steps   int // of all the work,
	adopted int // and how many of them went into the snapshot
	jumped  int // or a kept state that the stage was given
}

// computed is how many steps the stage computed, going by what it was given; 0: that is not known.
func (s *states) computed() int { return max(0, s.steps-s.adopted-s.jumped) }

// trajectoryOf returns the facts that states up to step Shared of n depend on, going by its own facts and its past. One of
// them tells them from those of a result, whose key has a lock of its own.
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
	dir, t.adopted = t.attempt.Adopted()
	return dir, t.adopted
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
	t.kept(step, err)
	return err
}

// Wanted lists the steps up to Forecast.Shared whose states other stages of the run wait for on their way to the last of
// them, ascending: those at which they save, and so have to be.
func (t *Task) Wanted() []int { return t.wanted }

// KeptState returns a folder with the latest kept state of the stage's past that is of a step after the one and up to the
// other, and that step; "" where none is kept. Every byte has been checked.
func (t *Task) KeptState(after, upTo int) (dir string, step int, err error) {
	if t.trajectory == nil || t.notFound {
		return "", 0, nil
	}
	dir, step, err = t.attempt.KeptState(store.Key(t.trajectory), after, min(upTo, t.shared))
	if dir != "" {
		t.jumped += step - after
	}
	return dir, step, err
}

// Resumed tells the user that the work goes on from a step; "" says just that.
func (t *Task) Resumed(step, total int, text string) {
	if text == "" {
		text = fmt.Sprintf("resumed at step %s of %s", thousands(step), thousands(total))
	}
	t.emit(Event{Addr: t.Addr, Action: "resume", Step: step, Total: total, Text: text})
}

// Tell gives the user a line to read about the stage while it runs.
func (t *Task) Tell(text string) { t.emit(Event{Addr: t.Addr, Action: "progress", Text: text}) }

// thousands prints a count in groups of three digits.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// foretell asks the stage of t, whose inputs are staged, which states it shares. keepsOut: none.
func (t *Task) foretell(n *Node, facts []store.Fact, keepsOut bool) error {
	p, err := n.foretell(facts, stagedInputs{t})
	if p == nil {
		return err
	}
	t.steps = p.Steps
	if !keepsOut {
		t.trajectory, t.shared = p.trajectory, p.Shared
	}
	return nil
}
