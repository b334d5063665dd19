package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"anneal/artifacts/store"
)

// NotBegun is the text of the skip events of stages that a run no longer came to.
const NotBegun = "not begun"

// StageError is the failure of one stage.
type StageError struct {
	Addr    string
	Log     string // path, "" where the stage left none
	Err     error
	Ignored bool // on_failure = "ignore"

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

	Interrupted bool     // the run was told to stop
	Ended       string   // address of the stage whose failure ended the run, "" where none did
	Stopped     []string // stages that the interruption met in the middle: address, and how far they were
	NotBegun    int      // stages that an interruption or an end left
}

// Succeeded tells whether all is there that the file wants to be there.
func (o *Outcome) Succeeded() bool {
	return o.Failed == o.Ignored && !o.Interrupted && o.NotBegun == 0
}

// RunOptions is how a run goes about it.
type RunOptions struct {
	Executors map[string]Executor // by the name that blocks give; Graph.Executors has those of the file
	FailFast  bool                // once a stage fails nothing new starts, whatever its on_failure says
	Name      string              // by which FindRun finds it
	Note      string
	Command   []string // what the user typed; for the journal
}

// Whole is the pipeline that g was selected from; g itself where it is no selection.
func (g *Graph) Whole() *Graph { return g.unselected() }

// Mask returns text without what env read: for texts that quote what the user typed.
func (g *Graph) Mask(text string) string { return g.config.secrets.mask(text) }

// Failed returns the part of g that failed or was skipped in the newest run of the pipeline that ended, with what that
// needs, and the record of that run; nil where all of it is there.
func (g *Graph) Failed(st *store.Store) (*Graph, *Record, error) {
	r := lastRun(st, g.Name)
	if r == nil {
		return nil, nil, fmt.Errorf("no run of %s has ended yet", g.Name)
	}
	wanted := map[*Node]bool{}
	missing := map[string]bool{}
	for _, addr := range append(slices.Clone(r.Failed), r.Skipped...) {
		missing[addr] = true
	}
	for _, n := range g.Nodes { // and what did without
		if n.lenient() && slices.ContainsFunc(n.producers(), func(p *Node) bool { return missing[p.Addr] }) {
			missing[n.Addr] = true
		}
	}
	for _, n := range slices.Backward(g.Nodes) {
		if wanted[n] = wanted[n] || missing[n.Addr]; wanted[n] {
			for _, p := range n.producers() {
				wanted[p] = true
			}
		}
	}
	part := *g
	part.whole = g.unselected()
	part.Nodes = slices.DeleteFunc(slices.Clone(g.Nodes), func(n *Node) bool { return !wanted[n] })
	if len(part.Nodes) == 0 {
		return nil, r, nil
	}
	return &part, r, nil
}

// Run runs what is not stored. notify, which is called by one goroutine at a time, hears every event. A stage that fails
// stops what depends on it and nothing else, unless its on_failure or the options say more. When ctx ends nothing new
// starts, and what runs is told to stop by its own context; a stage that had finished its work is still recorded.
//
// Failures of stages are in the outcome, and so is an interruption. The error says that the run could not be made at all,
// where there is no outcome, or not be recorded; it is an *InvalidError where a stage fits no executor.
func (g *Graph) Run(ctx context.Context, st *store.Store, o RunOptions, notify func(Event)) (*Outcome, error) {
	if err := g.Fits(o.Executors); err != nil {
		return nil, err
	}
	started := time.Now()
	record := &Record{
		ID:       started.UTC().Format("20060102T150405.000000Z") + "-" + rand.Text()[:6], // sorts by time
		Pipeline: g.Name, Name: o.Name, Note: o.Note,
		Started: started.UTC(),
		Keys:    map[string]store.Digest{}, Before: map[string]store.Digest{}, Sources: map[string]store.Digest{},
	}
	for _, word := range o.Command {
		record.Command = append(record.Command, g.config.secrets.mask(word))
	}
	for path, text := range g.config.Sources() {
		b, err := st.Put(text, "hcl")
		if err != nil {
			return nil, err
		}
		record.Sources[path] = b.Digest
	}
	record.Files = g.Files()
	journal, err := openJournal(st, record.ID)
	if err != nil {
		return nil, err
	}
	r := &runner{
		graph: g, st: st, options: o, notify: notify, journal: journal,
		planner: newPlanner(g, st), commit: make(chan struct{}, commitsAtOnce),
	}
	r.emit(Event{Action: "begin", Begin: &Begin{
		Run: record.ID, Name: o.Name, Note: o.Note, Command: record.Command,
		Versions: versions(), Variables: g.config.VariableValues(), Sources: record.Sources,
		Stages: len(g.Nodes), Of: len(g.unselected().Nodes),
	}})
	out := &Outcome{Results: r.planner.known}
	newSchedule(r, out, record).run(ctx)
	out.Seconds = time.Since(started).Seconds()
	r.emit(Event{Action: "summary", Summary: &out.Summary})

	record.Seconds, record.Summary, record.Interrupted = out.Seconds, out.Summary, out.Interrupted
	for _, n := range g.unselected().Nodes {
		if res := out.Results[n]; res != nil {
			record.Keys[n.Addr] = store.Key(res.Key)
		} else if key, ok := r.planner.keys()[n.Addr]; ok {
			record.Before[n.Addr] = key
		}
	}
	record.Gone = r.gone()
	err = errors.Join(journal.close(), record.write(st), st.Tidy())
	if g.config.hashes != nil {
		err = errors.Join(err, g.config.hashes.Save())
	}
	return out, err
}

// gone returns what the newest run had at points that the pipeline has no longer, of blocks where a point never had a
// result: what a later plan compares that with.
func (r *runner) gone() map[string]store.Digest {
	here, unfinished := map[string]bool{}, map[string]bool{}
	for _, n := range r.graph.unselected().Nodes {
		here[n.Addr] = true
		if r.planner.known[n] == nil {
			if _, before := r.planner.keys()[n.Addr]; !before {
				unfinished[n.Block] = true
			}
		}
	}
	if len(unfinished) == 0 {
		return nil
	}
	gone := map[string]store.Digest{}
	for addr, key := range r.planner.past() {
		if block, _, _ := strings.Cut(addr, "["); unfinished[block] && !here[addr] {
			gone[addr] = key
		}
	}
	return gone
}

// runner is one run in progress: what its stages share.
type runner struct {
	graph   *Graph
	st      *store.Store
	options RunOptions
	planner *planner      // facts and results; written by the scheduling goroutine only
	commit  chan struct{} // holds a token for each stage that is being recorded
	stages  map[*Node]*stageRun

	kept     func(s *stageRun, step int, err error) // hears of states that are kept
	keepsOut bool                                   // of the store: nothing that is missing there is made, but what was dropped

	mu      sync.Mutex // guards what follows
	notify  func(Event)
	journal *journal // nil: nothing is recorded
}

func (r *runner) emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Time, e.Pipeline, e.Text = time.Now().UTC(), r.graph.Name, r.graph.config.secrets.mask(e.Text)
	if r.journal != nil {
		r.journal.write(e)
	}
	r.notify(e)
}
