package pipeline

import (
	"context"
	"crypto/rand"
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
	"sync"
	"time"

	"anneal/artifacts/store"
)

// Interrupted is the text of the events of stages that a run no longer came to.
const Interrupted = "interrupted"

// StageError is the failure of one stage.
type StageError struct {
	Addr string
	Log  string // path, "" where the stage left none
	Err  error

	diags *InvalidError // where the stage blames fields
}

func (e *StageError) Error() string { return e.Addr + ": " + e.Err.Error() }
func (e *StageError) Unwrap() error { return e.Err }

// Blamed returns what the failure says about lines of the file, nil where it is none of the file's fault.
func (e *StageError) Blamed() *InvalidError { return e.diags }

// Outcome is what a run leaves: a result for every node that has one, and the failures.
type Outcome struct {
	Summary
	Results  map[*Node]*store.Result
	Failures []*StageError
}

// RunOptions is how a run goes about it.
type RunOptions struct {
	Executors map[string]Executor // by the name that blocks give; "local" is NewLocal's for all cores where it is left out
	FailFast  bool                // a stage that fails ends the run, as an interruption does
	Name      string              // by which FindRun finds it
	Note      string
	Command   []string // what the user typed; for the journal
}

// Run runs what is not stored. notify, which is called by one goroutine at a time,
// hears every event. A stage that fails stops what depends on it and nothing else. Failures of stages are in the outcome,
// and so is an interruption, as stages skipped. The error says that the run could not be made at all, where there is no
// outcome, or not be recorded.
func (g *Graph) Run(ctx context.Context, st *store.Store, o RunOptions, notify func(Event)) (*Outcome, error) {
	started := time.Now()
	r := &runner{graph: g, st: st, executor: o.Executors["local"], notify: notify,
		planner: planner{st: st, known: map[*Node]*store.Result{}}}
	record := &Record{
		ID:       started.UTC().Format("20060102T150405.000000Z") + "-" + rand.Text()[:6], // sorts by time
		Pipeline: g.Name, Name: o.Name, Note: o.Note, Command: o.Command,
		Started: started.UTC(),
		Keys:    map[string]store.Digest{}, Before: map[string]store.Digest{},
	}
	var err error
	if r.journal, err = openJournal(st, record.ID); err != nil {
		return nil, err
	}
	r.emit(Event{Action: "begin", Begin: &Begin{
		Run: record.ID, Name: o.Name, Note: o.Note, Command: o.Command, Versions: versions(), Sources: record.Sources,
		Stages: len(g.Nodes), Of: len(g.unselected().Nodes),
	}})
	out := &Outcome{Results: r.planner.known}
	r.schedule(ctx, 2, out)
	out.Seconds = time.Since(started).Seconds()
	r.emit(Event{Action: "summary", Summary: &out.Summary})

	record.Seconds, record.Summary = out.Seconds, out.Summary
	earlier := newest(st, g.Name)
	for _, n := range g.unselected().Nodes {
		if res := out.Results[n]; res != nil {
			record.Keys[n.Addr] = store.Key(res.Key)
		} else if key, ok := earlier[n.Addr]; ok {
			record.Before[n.Addr] = key
		}
	}
	return out, errors.Join(r.journal.close(), record.write(st))
}

// runner is one run in progress.
type runner struct {
	graph    *Graph
	st       *store.Store
	executor Executor
	planner  planner // facts and results; used by the scheduling goroutine only

	mu      sync.Mutex // guards what follows
	notify  func(Event)
	journal *journal
}

func (r *runner) emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Time, e.Pipeline = time.Now().UTC(), r.graph.Name
	r.journal.write(e)
	r.notify(e)
}

// resolved is a node whose facts are known, with what it needs to be made again.
type resolved struct {
	node   *Node
	facts  []store.Fact
	result *store.Result // nil until it is there
	inputs map[*Node]*resolved
}

// finished is what became of a node that was started.
type finished struct {
	*resolved
	made    *store.Result
	adopted bool // another process made it
	err     error
}

// schedule walks the graph: whatever has its inputs is looked up, and run if it is not stored, what the longest chain
// of stages waits for first.
func (r *runner) schedule(ctx context.Context, jobs int, out *Outcome) {
	nodes := r.graph.Nodes
	consumers := map[*Node][]*Node{}
	pending := map[*Node]int{}
	chain := map[*Node]int{} // stages from here to the last one
	for _, n := range slices.Backward(nodes) {
		chain[n]++
		for _, p := range n.producers() {
			consumers[p] = append(consumers[p], n)
			pending[n]++
			chain[p] = max(chain[p], chain[n])
		}
	}
	var ready []*Node                         // inputs are there
	var queue []*resolved                     // not stored, to be run
	known := map[*Node]*resolved{}            // stored or made
	running := map[store.Digest][]*resolved{} // by key, with equal nodes that wait
	settled := map[*Node]bool{}
	done := make(chan finished)

	var skip func(n *Node)
	skip = func(n *Node) {
		for _, c := range consumers[n] {
			if !settled[c] {
				settled[c] = true
				out.Skipped++
				r.emit(Event{Addr: c.Addr, Action: "skip", Text: "needs " + n.Addr})
				skip(c)
			}
		}
	}
	succeed := func(n *resolved, result *store.Result, e Event) {
		n.result = result
		r.planner.known[n.node] = result
		known[n.node] = n
		settled[n.node] = true
		e.Addr = n.node.Addr
		r.emit(e)
		for _, c := range consumers[n.node] {
			if pending[c]--; pending[c] == 0 {
				ready = append(ready, c)
			}
		}
	}
	fail := func(n *resolved, err error) {
		settled[n.node] = true
		out.Failed++
		out.Failures = append(out.Failures, r.failure(n.node, err))
		r.emit(Event{Addr: n.node.Addr, Action: "fail", Text: sentence(err)})
		skip(n.node)
	}
	for _, n := range nodes {
		if pending[n] == 0 {
			ready = append(ready, n)
		}
	}
	for {
		for ; len(ready) > 0 && ctx.Err() == nil; ready = ready[1:] {
			n := &resolved{node: ready[0], inputs: map[*Node]*resolved{}}
			n.facts, _ = r.planner.facts(n.node)
			for _, p := range n.node.producers() {
				n.inputs[p] = known[p]
			}
			if res, _ := lookup(r.st, store.Key(n.facts)); res != nil {
				out.Cached++
				succeed(n, res, Event{Action: "cached"})
			} else {
				queue = append(queue, n)
			}
		}
		slices.SortStableFunc(queue, func(a, b *resolved) int { return chain[b.node] - chain[a.node] })
		for ; len(queue) > 0 && len(running) < jobs && ctx.Err() == nil; queue = queue[1:] {
			n := queue[0]
			key := store.Key(n.facts)
			if equal, runs := running[key]; runs {
				running[key] = append(equal, n)
				continue
			}
			running[key] = nil
			go func() {
				res, adopted, err := r.make(ctx, n)
				done <- finished{n, res, adopted, err}
			}()
		}
		if len(running) == 0 {
			break
		}
		f := <-done
		key := store.Key(f.facts)
		equal := running[key]
		delete(running, key)
		switch {
		case f.err != nil && ctx.Err() != nil && errors.Is(f.err, ctx.Err()):
			// Interrupted: counted below with whatever else is left undone.
		case f.err != nil:
			for _, n := range append([]*resolved{f.resolved}, equal...) {
				fail(n, f.err)
			}
		default:
			if f.adopted {
				out.Cached++
				succeed(f.resolved, f.made, Event{Action: "cached"})
			} else {
				out.Ran++
				succeed(f.resolved, f.made, Event{Action: "done", Values: map[string]float64{"seconds": f.made.Made.Seconds}})
			}
			for _, n := range equal {
				out.Cached++
				succeed(n, f.made, Event{Action: "cached"})
			}
		}
	}
	for _, n := range nodes {
		if !settled[n] {
			out.Skipped++
			r.emit(Event{Addr: n.Addr, Action: "skip", Text: Interrupted})
		}
	}
}

// failure describes why a node failed.
func (r *runner) failure(n *Node, err error) *StageError {
	e := &StageError{Addr: n.Addr, Err: err}
	var logged *loggedError
	if errors.As(err, &logged) {
		e.Log, e.Err = logged.path, logged.err
	}
	var b blamer
	if errors.As(e.Err, &b) {
		errors.As(invalid(r.graph.config.files, n.blame("A stage failed", e.Err)), &e.diags)
	}
	return e
}

// loggedError is a stage's own failure; its log stays.
type loggedError struct {
	path string
	err  error
}

func (e *loggedError) Error() string { return e.err.Error() }
func (e *loggedError) Unwrap() error { return e.err }

// make runs one node under the lock of its key and records its result. adopted tells that it was there already.
func (r *runner) make(ctx context.Context, want *resolved) (res *store.Result, adopted bool, err error) {
	n, key := want.node, store.Key(want.facts)
	unlock, err := r.st.Lock(ctx, key, func() {
		r.emit(Event{Addr: n.Addr, Action: "progress", Text: "another process makes it; waiting"})
	})
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	if res, _ := lookup(r.st, key); res != nil {
		return res, true, nil
	}
	r.emit(Event{Addr: n.Addr, Action: "start"})
	attempt, err := r.st.Attempt(key)
	if err != nil {
		return nil, false, err
	}
	log, err := os.Create(attempt.Log())
	if err != nil {
		return nil, false, err
	}
	t := &Task{Addr: n.Addr, Key: key, Stage: n.Stage, Log: log, Progress: r.progress(n), attempt: attempt}
	started := time.Now()
	err = r.stage(ctx, t, want)
	if err == nil {
		err = r.executor.Run(ctx, t)
	}
	if err != nil {
		fmt.Fprintf(log, "%s: %s\n", n.Addr, err)
	}
	if closed := log.Close(); err == nil {
		err = closed
	}
	if err == nil {
		made := store.Made{
			Inputs:  map[string]store.Digest{},
			Seconds: time.Since(started).Seconds(),
			Tools:   map[string]string{"go": runtime.Version(), "arch": runtime.GOARCH},
		}
		for _, in := range n.inputs {
			made.Inputs[in.field] = store.Key(want.inputs[in.ref.Node].facts)
		}
		types := map[string]string{}
		for _, o := range n.Stage.Outputs() {
			types[o.Name] = o.Type
		}
		res, err = attempt.Commit(want.facts, types, made)
	}
	if err != nil {
		return nil, false, &loggedError{attempt.Log(), errors.Join(err, attempt.Abandon())}
	}
	return res, false, nil
}

// stage puts checked copies of everything that a node reads into the attempt's folder.
func (r *runner) stage(ctx context.Context, t *Task, n *resolved) error {
	t.inputs, t.files = map[Ref]Input{}, map[File]string{}
	for _, in := range n.node.inputs {
		if _, staged := t.inputs[in.ref]; staged {
			continue
		}
		ref, producer := in.ref, n.inputs[in.ref.Node]
		for store.Key(producer.facts) == t.Key {
			// The producer leaves what it reads, as n will: it cannot be asked for its output while its key is locked, but
			// its own input has equal bytes.
			i := slices.IndexFunc(producer.node.inputs, func(p input) bool { return p.field == in.field })
			ref = producer.node.inputs[i].ref
			producer = producer.inputs[ref.Node]
		}
		b := producer.result.Outputs[ref.Output]
		path := filepath.Join(t.attempt.Dir, "in", strconv.Itoa(len(t.inputs)))
		err := r.st.Stage(b, path)
		if err != nil {
			if err = r.restore(ctx, producer, b, err); err == nil {
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
	for _, x := range n.node.files {
		if _, staged := t.files[x.file]; staged {
			continue
		}
		path := filepath.Join(t.attempt.Dir, "in", "file"+strconv.Itoa(len(t.files)))
		if err := x.fetch(ctx, path); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			return Errorf(x.field, "cannot be read: %s", err)
		}
		t.files[x.file] = path
	}
	return nil
}

// restore makes an artifact again whose bytes were found damaged or missing when they were to be read.
func (r *runner) restore(ctx context.Context, producer *resolved, b store.Blob, cause error) error {
	var damaged *store.DamagedError
	if !errors.As(cause, &damaged) && !errors.Is(cause, fs.ErrNotExist) {
		return cause
	}
	if err := r.st.SetAside(b); err != nil {
		return err
	}
	r.emit(Event{Addr: producer.node.Addr, Action: "progress", Text: "runs again: " + cause.Error()})
	res, _, err := r.make(ctx, producer)
	if err != nil {
		return err
	}
	r.emit(Event{Addr: producer.node.Addr, Action: "done", Values: map[string]float64{"seconds": res.Made.Seconds}})
	for _, name := range sortedKeys(res.Outputs) {
		if made, was := res.Outputs[name], producer.result.Outputs[name]; made != was {
			return fmt.Errorf("%s was made again and has other bytes than before (%s, was %s); the next run goes on from the new ones", name, made.Digest.Short(), was.Digest.Short())
		}
	}
	return nil
}

// progress returns a stage's way to report, which passes on at most five reports a second and the last step. The values
// remain the stage's; those that are not finite have no form in JSON and are left out.
func (r *runner) progress(n *Node) func(step, total int, values map[string]float64) {
	var last time.Time
	var mu sync.Mutex
	return func(step, total int, values map[string]float64) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); step == total || now.Sub(last) >= 200*time.Millisecond {
			last = now
			values = maps.Clone(values)
			maps.DeleteFunc(values, func(_ string, v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
			r.emit(Event{Addr: n.Addr, Action: "progress", Step: step, Total: total, Values: values})
		}
	}
}
