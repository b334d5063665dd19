package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"anneal/artifacts/store"
	"anneal/pipeline/source"
)

// commitsAtOnce is how many stages may be on their way into the store beside those that run. Making files durable is
// waiting for the disk, which serves several at once in one go; a stage whose own work is done gives its cores to the next.
// So many keep a disk busy, and bound what a kill can lose.
const commitsAtOnce = 16

// make runs one stage under the lock of its key and records its result. free is called once its own work is done.
// adopted tells that the result was there already.
func (r *runner) make(ctx context.Context, executor Executor, s *stageRun, free func()) (res *store.Result, adopted bool, err error) {
	n := s.node
	unlock, err := r.st.Lock(ctx, s.key, func() {
		r.emit(Event{Addr: n.Addr, Action: "progress", Text: "another process makes it; waiting"})
	})
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	before, _ := lookup(r.st, s.key)
	if before != nil && (!n.replace || s.result != nil) && r.st.Complete(before) == nil {
		return before, true, nil
	}
	r.emit(Event{Addr: n.Addr, Action: "start", Values: expectation(s.expected)})
	attempt, err := r.st.Attempt(s.key)
	if err != nil {
		return nil, false, err
	}
	attempt.Replace = n.replace
	t, seconds, err := r.carryOut(ctx, executor, s, attempt)
	if err == nil {
		made := store.Made{
			Inputs:  map[string]store.Digest{},
			Seconds: seconds,
			Steps:   t.computed(),
			Tools:   map[string]string{"go": runtime.Version(), "arch": runtime.GOARCH},
		}
		if t.trajectory != nil {
			made.Trajectory = store.Key(t.trajectory)
		}
		for _, in := range n.inputs {
			made.Inputs[in.field] = r.stages[in.ref.Node].key
		}
		r.commit <- struct{}{}
		free()
		res, err = attempt.Commit(s.facts, n.outputTypes(), made)
		<-r.commit
	}
	if err != nil {
		return nil, false, &loggedError{attempt.Log(), attempt.Abandon(err)}
	}
	if others := otherOutputs(before, res); n.replace && others != nil {
		r.emit(Event{Addr: n.Addr, Action: "progress", Text: "made anew, and not equal to before: " + strings.Join(others, ", ")})
	}
	return res, false, nil
}

// carryOut runs one stage in its attempt's folder, which has a log if there was anything to say, and returns how long the
// stage itself took.
func (r *runner) carryOut(ctx context.Context, executor Executor, s *stageRun, attempt *store.Attempt) (t *Task, seconds float64, err error) {
	n := s.node
	file := &lateFile{path: attempt.Log()}
	log, flush := r.graph.config.secrets.writer(file)
	t = &Task{Addr: n.Addr, Key: s.key, Stage: n.Stage, Resources: n.Meta.Resources, Missing: n.missing, Log: log, Progress: r.progress(s), attempt: attempt}
	t.states = states{notFound: r.keepsOut || n.replace, wanted: s.wanted, emit: r.emit, kept: func(step int, err error) { r.kept(s, step, err) }}
	if err = r.stage(ctx, t, s); err == nil {
		err = t.foretell(n, s.facts, r.keepsOut)
	}
	started := time.Now() // inputs that are made again first are not the stage's own time
	if err == nil {
		err = execute(ctx, executor, t, n.Meta.Timeout)
	}
	if err != nil {
		fmt.Fprintf(log, "%s: %s\n", n.Addr, err)
	}
	if closed := errors.Join(flush(), file.Close()); err == nil {
		err = closed
	}
	return t, time.Since(started).Seconds(), err
}

// otherOutputs lists the outputs whose bytes are not those of an earlier result of the same key.
func otherOutputs(before, now *store.Result) []string {
	if before == nil {
		return nil
	}
	var others []string
	for _, name := range sortedKeys(now.Outputs) {
		if was, is := before.Outputs[name].Digest, now.Outputs[name].Digest; was != is {
			others = append(others, fmt.Sprintf("%s is %s, was %s", name, is.Short(), was.Short()))
		}
	}
	return others
}

func expectation(seconds float64) map[string]float64 {
	if seconds == 0 {
		return nil
	}
	return map[string]float64{"expected_seconds": seconds}
}

// execute runs t, for no longer than timeout unless that is 0. A stage that does not heed the end of its context cannot be
// ended from outside: it goes on occupying what it occupies, and is waited for.
func execute(ctx context.Context, executor Executor, t *Task, timeout time.Duration) error {
	if timeout == 0 {
		return executor.Run(ctx, t)
	}
	overdue := fmt.Errorf("took longer than its timeout of %s", brief(timeout))
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, overdue)
	defer cancel()
	err := executor.Run(ctx, t)
	if err != nil && context.Cause(ctx) == overdue {
		return overdue
	}
	return err
}

// brief prints a duration without units that are 0: 90m is 1h30m.
func brief(d time.Duration) string {
	s := d.String()
	if s = strings.TrimSuffix(s, "m0s"); s != d.String() {
		s += "m"
	}
	if h, ok := strings.CutSuffix(s, "h0m"); ok {
		s = h + "h"
	}
	return s
}

// lateFile is a file that appears with the first thing written to it: most stages have nothing to say.
type lateFile struct {
	path string

	mu sync.Mutex
	f  *os.File
}

func (l *lateFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		var err error
		if l.f, err = os.Create(l.path); err != nil {
			return 0, err
		}
	}
	return l.f.Write(p)
}

func (l *lateFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	return l.f.Close()
}

// failure describes why a node failed.
func (r *runner) failure(n *Node, err error) *StageError {
	e := &StageError{Addr: n.Addr, Err: err}
	var logged *loggedError
	if errors.As(err, &logged) {
		e.Err = logged.err
		if _, err := os.Stat(logged.path); err == nil {
			e.Log = logged.path
		}
	}
	if blames(e.Err) {
		errors.As(invalid(r.graph.config.files, n.blame("A stage failed", e.Err)), &e.diags)
	}
	return e
}

// blames tells whether err says that the file is wrong.
func blames(err error) bool {
	var b blamer
	return errors.As(err, &b)
}

// loggedError is a stage's own failure; its log stays.
type loggedError struct {
	path string
	err  error
}

func (e *loggedError) Error() string { return e.err.Error() }
func (e *loggedError) Unwrap() error { return e.err }

// stage puts checked copies of everything that s reads into the attempt's folder.
func (r *runner) stage(ctx context.Context, t *Task, s *stageRun) error {
	t.inputs, t.files = map[Ref]Input{}, map[File]string{}
	for _, in := range s.node.inputs {
		if _, staged := t.inputs[in.ref]; staged {
			continue
		}
		b := r.stages[in.ref.Node].result.Outputs[in.ref.Output]
		path := filepath.Join(t.attempt.In(), strconv.Itoa(len(t.inputs)))
		err := r.st.Stage(b, path)
		if err != nil && (!r.keepsOut || r.st.Dropped(b)) {
			if err = r.restore(ctx, r.origin(s, in.field), b, err); err == nil {
				if err = os.RemoveAll(path); err == nil {
					err = r.st.Stage(b, path)
				}
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", in.ref, err)
		}
		t.inputs[in.ref] = Input{path, b}
	}
	for _, x := range s.node.files {
		if _, staged := t.files[x.file]; staged {
			continue
		}
		path := filepath.Join(t.attempt.In(), "file"+strconv.Itoa(len(t.files)))
		if err := r.fetch(ctx, s, x, path); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			return Errorf(x.field, "cannot be read: %s", err)
		}
		t.files[x.file] = path
	}
	return nil
}

// fetch puts bytes from outside that s reads at the path to, and reports in bytes how far that is if they come from elsewhere.
func (r *runner) fetch(ctx context.Context, s *stageRun, x external, to string) error {
	started := time.Now()
	var last time.Time
	report := func(e Event) {
		e.Addr, e.Action = s.node.Addr, "progress"
		r.emit(e)
	}
	err := x.fetch(ctx, to, &source.Downloads{
		Store: r.st,
		Tell:  func(text string) { report(Event{Text: text}) },
		Progress: func(done, total, new int64) {
			if now := time.Now(); done == total || now.Sub(last) >= betweenReports {
				last = now
				rate := float64(new) / max(now.Sub(started).Seconds(), 1e-3)
				report(Event{Step: int(done), Total: int(total), Values: map[string]float64{"bytes_per_second": rate}})
			}
		},
	})
	if !last.IsZero() && err == nil {
		report(Event{}) // of the stage's own work nothing is known yet
	}
	return err
}

// origin returns the stage that what s reads in a field can be made by again while the key of s is locked. Where stages
// leave what they read, those before s may have that key too, and its producer may need one of them in its turn; what the
// first of them reads has equal bytes and needs none.
func (r *runner) origin(s *stageRun, field string) *stageRun {
	first := s
	seen := map[*Node]bool{}
	for todo := s.node.producers(); len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		v := r.stages[n]
		if v.key == s.key && v.order < first.order {
			first = v
		}
		todo = append(todo, v.node.producers()...)
	}
	i := slices.IndexFunc(first.node.inputs, func(in input) bool { return in.field == field })
	return r.stages[first.node.inputs[i].ref.Node]
}

// restore makes an artifact again that was dropped, or whose bytes were found damaged or missing when they were to be read.
func (r *runner) restore(ctx context.Context, producer *stageRun, b store.Blob, cause error) error {
	var damaged *store.DamagedError
	if !errors.As(cause, &damaged) && !errors.Is(cause, fs.ErrNotExist) {
		return cause
	}
	if r.st.Dropped(b) {
		cause = errors.New(b.Type + " was dropped")
	} else if err := r.st.SetAside(b); err != nil {
		return err
	}
	r.emit(Event{Addr: producer.node.Addr, Action: "progress", Text: "runs again: " + cause.Error()})
	res, adopted, err := r.make(ctx, r.options.Executors[producer.node.Meta.Executor], producer, func() {})
	if err != nil {
		return err
	}
	if !adopted {
		r.mu.Lock()
		producer.remade = true
		r.mu.Unlock()
		r.emit(Event{Addr: producer.node.Addr, Action: "done", Key: producer.key, Values: map[string]float64{"seconds": res.Made.Seconds}})
	}
	for _, name := range sortedKeys(res.Outputs) {
		if made, was := res.Outputs[name], producer.result.Outputs[name]; made != was {
			return fmt.Errorf("%s was made again and has other bytes than before (%s, was %s); the next run goes on from the new ones", name, made.Digest.Short(), was.Digest.Short())
		}
	}
	return nil
}

// betweenReports is the least time between two reports of progress.
const betweenReports = 200 * time.Millisecond

// progress returns a stage's way to report, which passes on at most five reports a second and the last step. The values
// remain the stage's; those that are not finite have no form in JSON and are left out.
func (r *runner) progress(s *stageRun) func(step, total int, values map[string]float64) {
	var last time.Time
	var mu sync.Mutex
	return func(step, total int, values map[string]float64) {
		mu.Lock()
		defer mu.Unlock()
		s.reported.step, s.reported.total = step, total
		if now := time.Now(); step == total || now.Sub(last) >= betweenReports {
			last = now
			values = maps.Clone(values)
			maps.DeleteFunc(values, func(_ string, v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
			r.emit(Event{Addr: s.node.Addr, Action: "progress", Step: step, Total: total, Values: values})
		}
	}
}
