package training

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"anneal/artifacts"
)

// Files of a snapshot, which is a state, beside those of the state: what the stage has to show so far.
const (
	extraFile  = "extra.parquet"
	savesFiles = "saves"
)

// snapshotCost is how many times longer than a snapshot took it is until the next: snapshots take at most a fiftieth of the time.
const snapshotCost = 50

// clock tells when a snapshot is due.
type clock struct {
	since time.Time     // the end of the newest snapshot, or the start
	took  time.Duration // what that took
}

func (c *clock) due(every time.Duration) bool {
	return every == 0 || time.Since(c.since) >= max(every, snapshotCost*c.took)
}

// snapshot writes all that the next attempt needs to go on from here. Without one it goes on from the snapshot before, so
// that a snapshot that fails is no reason to stop.
func (r *run) snapshot() {
	if r.at() == 0 {
		return
	}
	started := time.Now()
	r.attempt("there is no snapshot", r.task.Snapshot(r.at(), func(dir string) error {
		return errors.Join(
			r.state().write(dir),
			artifacts.WriteTraining(filepath.Join(dir, extraFile), r.extra),
			r.weights.Hand(filepath.Join(dir, savesFiles)))
	}))
	r.clock = clock{since: time.Now(), took: time.Since(started)}
}

// adopt goes on from the snapshot of an attempt before, if there is one that fits.
func (r *run) adopt() error {
	dir, step := r.task.Adopted()
	if dir == "" {
		return nil
	}
	extra, err := artifacts.ReadRows[artifacts.TrainingRow](filepath.Join(dir, extraFile))
	saves, err2 := artifacts.Handed(filepath.Join(dir, savesFiles))
	if err = errors.Join(err, err2); err == nil && !r.fits(saves, step) {
		err = fmt.Errorf("its save points are %+v", saves)
	}
	if err == nil {
		err = r.restore(dir, step)
	}
	if err != nil {
		r.attempt("the snapshot is of no use", err)
		return nil
	}
	r.extra = extra
	r.task.Resumed(step, r.Steps, "")
	return r.weights.Adopt(filepath.Join(dir, savesFiles), saves)
}

// fits tells whether saves are the save points up to a step, at which there may be one to come.
func (r *run) fits(saves []artifacts.Save, step int) bool {
	var steps []int
	for _, s := range saves {
		steps = append(steps, int(s.Step))
	}
	before, now := slices.BinarySearch(r.Save, step)
	return slices.Equal(steps, r.Save[:before]) || now && slices.Equal(steps, r.Save[:before+1])
}

// jump goes to the latest state on the way to a stop that a training with the same past kept.
func (r *run) jump(stop int) {
	if stop > r.shared {
		return
	}
	dir, step, err := r.task.KeptState(r.at(), stop)
	if err == nil && dir != "" {
		if err = r.restore(dir, step); err == nil {
			r.task.Resumed(step, r.Steps, "")
		}
	}
	r.attempt("the state kept by another training is of no use", err)
}

// restore reads the state in a folder, which is that of a step, or changes nothing.
func (r *run) restore(dir string, step int) error {
	s, err := read(dir)
	if err != nil {
		return err
	}
	if s.Step != step {
		err = fmt.Errorf("it says step %d in place of %d", s.Step, step)
	}
	if err == nil {
		err = r.trainer.Restore(&s.State)
	}
	if err == nil {
		r.regular = s.rows
		r.speed = speed{since: time.Now(), from: s.Tokens}
	}
	return errors.Join(err, s.close())
}

// state is the training as it is.
func (r *run) state() *state { return &state{State: *r.trainer.State(), rows: r.regular} }

// attempt logs why something failed that the training can do without.
func (r *run) attempt(what string, err error) {
	if err != nil {
		fmt.Fprintf(r.task.Log, "step %d of %d: %s: %s\n", r.at(), r.Steps, what, err)
	}
}

// speed is how fast a training goes.
type speed struct {
	since  time.Time
	from   int64   // tokens that were done then
	tokens float64 // a second, up to the newest regular row; 0: not known
}

func (s *speed) measure(tokens int64) {
	s.tokens = float64(tokens-s.from) / max(time.Since(s.since).Seconds(), 1e-3)
}
