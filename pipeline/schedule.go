package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"anneal/artifacts/store"
)

// stageRun is one node in the course of a run.
type stageRun struct {
	node      *Node
	order     int // in the graph
	consumers []*stageRun
	pending   int     // inputs that are not there yet
	rest      float64 // seconds expected from its start to the end of the last stage that waits for it,
	after     float64 // and from its end
	passed    int     // stages behind it that started while it did not fit
	expected  float64 // seconds that it is to take, going by past runs; 0 where there are none to go by
	holds     bool    // it occupies what it asked for
	settled   bool    // it has a result, failed or was skipped
	failed    bool
	skipped   bool
	cached    bool // its result was there, or another made it,
	remade    bool // and was made again, since its bytes were not: guarded by runner.mu
	failures  int  // of its attempts

	facts  []store.Fact // once its inputs are there
	key    store.Digest
	result *store.Result // once it is there

	prospect *prospect // of its forecast, where it makes one and has no result
	waits    *turn     // of the one that goes before it on its trajectory
	wanted   []int     // steps whose states others need, where it goes first

	reported struct{ step, total int } // its last progress; its own goroutine's until it has finished
}

// before tells whether s is to start before o: what the longest chain of work waits for, then as the graph goes.
func (s *stageRun) before(o *stageRun) bool {
	if s.rest != o.rest {
		return s.rest > o.rest
	}
	return s.order < o.order
}

// finished is what became of a stage that was started.
type finished struct {
	*stageRun
	made    *store.Result
	adopted bool // another process made it
	err     error
}

// schedule decides what starts when. All of it belongs to one goroutine.
type schedule struct {
	*runner
	out    *Outcome
	record *Record

	order    []*stageRun
	ready    []*stageRun // inputs are there
	queues   map[string]*queue
	running  map[store.Digest][]*stageRun // by key, with equal stages that wait for it
	active   int                          // goroutines that have something to report
	paused   map[*stageRun]*pause         // failed, to be tried again
	commits  map[*stageRun]bool           // being recorded
	courses  map[store.Digest]*course     // by trajectory
	foreseen bool                         // how long stages take:
	seconds  func(*Node, *prospect) float64
	known    bool    // from past ones
	left     float64 // seconds expected of those that are not settled

	kept  chan keptState
	over  chan over
	freed chan *stageRun // its own work is done, not yet recorded
	done  chan finished
	again chan *stageRun
}

type pause struct {
	timer *time.Timer
	err   error
}

// firstPause is how long a stage that failed rests before its second attempt; each further rest is twice as long.
var firstPause = time.Second

func newSchedule(r *runner, out *Outcome, record *Record) *schedule {
	s := &schedule{
		runner: r, out: out, record: record,
		queues:  map[string]*queue{},
		running: map[store.Digest][]*stageRun{},
		paused:  map[*stageRun]*pause{},
		commits: map[*stageRun]bool{},
		courses: map[store.Digest]*course{},
		kept:    make(chan keptState),
		over:    make(chan over),
		freed:   make(chan *stageRun),
		done:    make(chan finished),
		again:   make(chan *stageRun),
	}
	r.kept = func(v *stageRun, step int, err error) { s.kept <- keptState{v, step, err} }
	r.stages = make(map[*Node]*stageRun, len(r.graph.Nodes))
	for i, n := range r.graph.Nodes {
		v := &stageRun{node: r.planner.rest(n), order: i}
		s.order = append(s.order, v)
		r.stages[n] = v
		for _, p := range v.node.producers() {
			producer := r.stages[p]
			producer.consumers = append(producer.consumers, v)
			v.pending++
		}
		if v.pending == 0 {
			s.ready = append(s.ready, v)
		}
		if s.queues[n.Meta.Executor] == nil {
			s.queues[n.Meta.Executor] = newQueue(r.options.Executors[n.Meta.Executor])
		}
	}
	return s
}

// run walks the graph: whatever has its inputs is looked up, and run if it is not stored.
func (s *schedule) run(ctx context.Context) {
	interrupt := ctx.Done()
	for {
		for len(s.ready) > 0 && !s.stopping(ctx) {
			s.lookUp()
		}
		if s.stopping(ctx) {
			s.giveUp()
		} else {
			s.start(ctx)
		}
		if s.active == 0 && len(s.paused) == 0 {
			break
		}
		select {
		case k := <-s.kept:
			s.passed(k)
		case o := <-s.over:
			s.active--
			o.course.end(o.turn)
		case v := <-s.freed:
			s.free(v)
			s.commits[v] = true
		case f := <-s.done:
			s.active--
			s.free(f.stageRun)
			delete(s.commits, f.stageRun)
			s.finish(ctx, f)
		case v := <-s.again:
			s.active--
			if s.paused[v] != nil {
				delete(s.paused, v)
				s.queues[v.node.Meta.Executor].push(v)
			}
		case <-interrupt:
			interrupt = nil
		}
	}
	for _, c := range s.courses {
		for _, t := range c.turns {
			c.end(t)
		}
	}
	s.out.Interrupted = ctx.Err() != nil
	for _, v := range s.order {
		if v.cached && v.remade {
			s.out.Cached--
			s.out.Ran++
		}
		if !v.settled {
			s.out.NotBegun++
			s.skip(v, Event{Text: NotBegun})
		}
	}
	for _, v := range s.order {
		switch {
		case v.failed:
			s.record.Failed = append(s.record.Failed, v.node.Addr)
		case v.skipped:
			s.record.Skipped = append(s.record.Skipped, v.node.Addr)
		}
	}
}

// stopping tells whether nothing new is to start.
func (s *schedule) stopping(ctx context.Context) bool { return ctx.Err() != nil || s.out.Ended != "" }

// lookUp asks the store for every stage that is ready, several at a time, and queues those that it has not.
func (s *schedule) lookUp() {
	batch := s.ready
	s.ready = nil
	found := make([]finding, len(batch))
	parallel(len(batch), func(i int) {
		v := batch[i]
		found[i] = s.planner.find(v.node)
		v.facts, v.key, v.result = found[i].facts, found[i].key, found[i].result
		if v.result != nil {
			s.st.Touch(v.key)
		} else {
			v.prospect, _ = s.planner.foretell(v.node, &found[i]) // what is wrong comes out when it starts
		}
	})
	for i, v := range batch {
		if v.result != nil {
			s.succeed(v, v.result, Event{Action: "cached"})
			continue
		}
		step := s.planner.step(v.node, &found[i])
		if !s.foreseen {
			s.foresee()
		}
		if v.prospect != nil {
			s.expect(v, s.seconds(v.node, v.prospect))
			step.Notes = append(step.Notes, v.prospect.notes(v.key, step.past)...)
		}
		s.emit(Event{Addr: v.node.Addr, Action: "plan", Do: step.Do, Why: step.Why, Notes: step.Notes, Key: v.key, Facts: v.facts, Left: s.left})
		if err := v.node.neverFits(v.prospect, s.options.Executors[v.node.Meta.Executor]); err != nil {
			s.fail(v, err)
		} else if v.prospect.shares() && !v.node.replace {
			s.join(v)
		} else {
			s.queues[v.node.Meta.Executor].push(v)
		}
	}
}

// foresee finds out what the longest chain of work is, once there is work.
func (s *schedule) foresee() {
	s.foreseen = true
	s.seconds, s.known = s.planner.seconds(s.graph)
	for _, v := range slices.Backward(s.order) {
		v.expected = s.seconds(v.node, nil)
		for _, c := range v.consumers {
			v.after = max(v.after, c.rest)
		}
		v.rest = v.expected + v.after
		if !s.known {
			v.expected = 0
		} else if !v.settled {
			s.left += v.expected
		}
	}
}

// expect corrects what v, which is not settled, is expected to take.
func (s *schedule) expect(v *stageRun, seconds float64) {
	if s.known {
		s.left += seconds - v.expected
		v.expected, v.rest = seconds, seconds+v.after
	}
}

// start starts what fits. While a stage is being recorded it starts nothing that is less urgent than what will then be
// ready: a moment's waiting costs less than a long stage begun out of turn.
func (s *schedule) start(ctx context.Context) {
	s.lead(ctx)
	soon := 0.
	for v := range s.commits {
		soon = max(soon, v.after)
	}
	for _, name := range sortedKeys(s.queues) {
		q := s.queues[name]
		for v := q.next(soon); v != nil; v = q.next(soon) {
			if equal, runs := s.running[v.key]; runs && v.failures == 0 {
				s.running[v.key] = append(equal, v)
				q.free(v)
				continue
			} else if !runs {
				s.running[v.key] = nil
			}
			s.active++
			v.holds = true
			go func() {
				made, adopted, err := s.make(ctx, q.executor, v, func() { s.freed <- v })
				s.done <- finished{v, made, adopted, err}
			}()
		}
	}
}

// free gives back what v occupies, if it still does.
func (s *schedule) free(v *stageRun) {
	if v.holds {
		v.holds = false
		s.queues[v.node.Meta.Executor].free(v)
	}
}

func (s *schedule) finish(ctx context.Context, f finished) {
	var panicked *panicError
	switch {
	case f.err == nil:
		equal := s.running[f.key]
		delete(s.running, f.key)
		if f.adopted {
			s.succeed(f.stageRun, f.made, Event{Action: "cached"})
		} else {
			s.succeed(f.stageRun, f.made, Event{Action: "done", Key: f.key, Values: map[string]float64{"seconds": f.made.Made.Seconds}})
		}
		for _, v := range equal {
			s.succeed(v, f.made, Event{Action: "cached"})
		}
	case ctx.Err() != nil && !blames(f.err) && !errors.As(f.err, &panicked):
		delete(s.running, f.key)
		text, step, total := "interrupted", f.reported.step, f.reported.total
		where := f.node.Addr
		if total > 0 {
			at := fmt.Sprintf(" at step %d of %d", step, total)
			text, where = text+at, where+at
		}
		s.out.Stopped = append(s.out.Stopped, where)
		s.skip(f.stageRun, Event{Text: text, Step: step, Total: total})
	case f.failures < f.node.Meta.Retry && !s.stopping(ctx) && !blames(f.err) && !errors.As(f.err, &panicked):
		f.failures++
		s.emit(Event{Addr: f.node.Addr, Action: "progress", Text: fmt.Sprintf("failed (%s), attempt %d of %d", sentence(f.err), f.failures+1, f.node.Meta.Retry+1)})
		s.active++
		s.paused[f.stageRun] = &pause{time.AfterFunc(firstPause<<(f.failures-1), func() { s.again <- f.stageRun }), f.err}
	default:
		s.fail(f.stageRun, f.err)
	}
}

func (s *schedule) succeed(v *stageRun, result *store.Result, e Event) {
	v.result = result
	if v.cached = e.Action == "cached"; v.cached {
		s.out.Cached++
	} else {
		s.out.Ran++
	}
	s.planner.known[s.graph.Nodes[v.order]] = result
	s.settle(v)
	e.Addr, e.Left = v.node.Addr, s.left
	s.emit(e)
	for _, c := range v.consumers {
		if c.pending--; c.pending == 0 && !c.settled {
			s.due(c)
		}
	}
}

func (s *schedule) settle(v *stageRun) {
	v.settled = true
	if s.left -= v.expected; s.left < 1e-6 { // what sums of floats leave of nothing
		s.left = 0
	}
}

// fail gives v up, and those with its key, which would fail likewise.
func (s *schedule) fail(v *stageRun, err error) {
	equal := s.running[v.key]
	delete(s.running, v.key)
	for _, v := range append([]*stageRun{v}, equal...) {
		s.settle(v)
		v.failed = true
		s.out.Failed++
		e := s.failure(v.node, err)
		s.out.Failures = append(s.out.Failures, e)
		text := sentence(e.Err)
		switch {
		case s.options.FailFast || v.node.Meta.OnFailure == StopRun:
			if s.out.Ended == "" {
				s.out.Ended = v.node.Addr
			}
		case v.node.Meta.OnFailure == IgnoreFailure:
			e.Ignored = true
			s.out.Ignored++
			text += " (ignored)"
		}
		s.emit(Event{Addr: v.node.Addr, Action: "fail", Text: text, Left: s.left})
		s.lose(v, failedHere)
	}
}

// skip leaves v undone.
func (s *schedule) skip(v *stageRun, e Event) {
	s.settle(v)
	v.skipped = true
	s.out.Skipped++
	e.Addr, e.Action, e.Left = v.node.Addr, "skip", s.left
	s.emit(e)
}

// lose skips what depends on v, which will have no result, but for stages that can do without.
func (s *schedule) lose(v *stageRun, reason string) {
	s.planner.lost[s.graph.Nodes[v.order]] = reason
	for _, c := range v.consumers {
		if c.settled {
			continue
		}
		if !c.node.lenient() {
			s.skip(c, Event{Text: "needs " + v.node.Addr})
			s.lose(c, skippedHere)
		} else if c.pending--; c.pending == 0 {
			s.due(c)
		}
	}
}

// due notes that of what v reads everything is there or lost.
func (s *schedule) due(v *stageRun) {
	if rest := v.node.without(s.planner.lost); rest != nil {
		v.node = rest
		s.ready = append(s.ready, v)
		return
	}
	lost := slices.IndexFunc(v.node.inputs, func(in input) bool { return s.planner.lost[in.ref.Node] != "" })
	s.skip(v, Event{Text: "needs " + v.node.inputs[lost].ref.Node.Addr})
	s.lose(v, skippedHere)
}

// giveUp fails what waits for another attempt, which it will not have, and waits for no other process's turn.
func (s *schedule) giveUp() {
	for _, c := range s.courses {
		for _, t := range c.turns {
			if t.stage == nil {
				t.end()
			}
		}
	}
	for v, p := range s.paused {
		if p.timer.Stop() {
			s.active--
		}
		delete(s.paused, v)
		s.fail(v, p.err)
	}
}
