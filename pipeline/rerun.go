package pipeline

import (
	"context"
	"errors"
	"os"

	"anneal/artifacts/store"
)

// Rerun is what a stage left when it ran again beside its stored result.
type Rerun struct {
	Node    *Node
	Key     store.Digest
	Result  *store.Result         // the stored one
	Outputs map[string]store.Blob // what came out now
	Dir     string                // where these bytes are, each output under its name; "" where all are as stored
	Seconds float64
}

// Different lists the outputs that came out with other bytes, by name.
func (r *Rerun) Different() []string {
	var names []string
	for _, name := range sortedKeys(r.Result.Outputs) {
		if r.Outputs[name].Digest != r.Result.Outputs[name].Digest {
			names = append(names, name)
		}
	}
	return names
}

// Rerun runs stages of g again that are stored, one after the other, in folders beside the store, and hands on how each
// came out. The store stays as it is, but for dropped artifacts that they read: those are made again. The error of a stage
// that fails, or cannot run, names it.
func (g *Graph) Rerun(ctx context.Context, st *store.Store, nodes []*Node, executors map[string]Executor, notify func(Event), each func(*Rerun)) error {
	if err := g.Fits(executors); err != nil {
		return err
	}
	r := &runner{graph: g, st: st, options: RunOptions{Executors: executors}, keepsOut: true, notify: notify,
		commit: make(chan struct{}, commitsAtOnce), stages: map[*Node]*stageRun{}}
	for i, s := range g.Plan(st) {
		r.stages[s.Node] = &stageRun{node: s.Node, order: i, key: s.Key, result: s.Result}
		if s.Result != nil {
			r.stages[s.Node].facts = s.Result.Key
		}
	}
	defer st.Tidy() // what is left of making dropped artifacts; gc would find it too
	for _, n := range nodes {
		again, err := r.again(ctx, executors[n.Meta.Executor], r.stages[n])
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return r.failure(n, err)
		}
		each(again)
	}
	return nil
}

func (r *runner) again(ctx context.Context, executor Executor, s *stageRun) (*Rerun, error) {
	n := s.node
	if s.result == nil {
		return nil, errors.New("it has no stored result to compare with")
	}
	unlock, err := r.st.Lock(ctx, s.key, func() {
		r.emit(Event{Addr: n.Addr, Action: "progress", Text: "another process makes it; waiting"})
	})
	if err != nil {
		return nil, err
	}
	defer unlock()
	r.emit(Event{Addr: n.Addr, Action: "start"})
	attempt, err := r.st.Scratch(s.key)
	if err != nil {
		return nil, err
	}
	_, seconds, err := r.carryOut(ctx, executor, s, attempt)
	if err != nil {
		return nil, &loggedError{attempt.Log(), attempt.Abandon(err)}
	}
	again := &Rerun{Node: n, Key: s.key, Result: s.result, Seconds: seconds, Dir: attempt.Dir}
	if again.Outputs, err = attempt.Hash(n.outputTypes()); err != nil {
		return nil, err
	}
	r.emit(Event{Addr: n.Addr, Action: "done", Values: map[string]float64{"seconds": again.Seconds}})
	if again.Different() == nil {
		again.Dir = ""
		return again, os.RemoveAll(attempt.Dir)
	}
	again.Dir = attempt.Out("")
	return again, os.RemoveAll(attempt.In())
}
