package pipeline

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"anneal/artifacts/store"
)

// What a step does.
const (
	Cached = "cached" // its result is stored
	Run    = "run"    // no stored result can be it
	Maybe  = "maybe"  // it waits for inputs; a stored result has an equal configuration
)

// WaitsFor starts the reason that a step's inputs are not known yet.
const WaitsFor = "waits for "

// Step is what a run would do about one node, and why.
type Step struct {
	Node *Node
	Do   string
	Why  []string
	Key  store.Digest // zero while inputs are not known

	Result *store.Result // of a cached step
}

// Output returns a stored output of the step.
func (s Step) Output(name string) (store.Blob, bool) {
	if s.Result == nil {
		return store.Blob{}, false
	}
	b, ok := s.Result.Outputs[name]
	return b, ok
}

// Plan tells, in topological order, what a run would do. It writes nothing.
func (g *Graph) Plan(st *store.Store) []Step {
	p := &planner{st: st, keys: newest(st, g.Name), known: map[*Node]*store.Result{}}
	steps := make([]Step, len(g.Nodes))
	for i, n := range g.Nodes {
		steps[i] = p.step(g, n)
	}
	return steps
}

// planner holds what is known of stored results while a graph is walked.
type planner struct {
	st       *store.Store
	keys     map[string]store.Digest // of the newest run, by address
	known    map[*Node]*store.Result // of nodes whose result is at hand
	alike    map[store.Digest][]*store.Result
	vanished map[string][]*vanished // points of the newest run that the graph no longer has, by block
}

func (p *planner) step(g *Graph, n *Node) Step {
	facts, waiting := p.facts(n)
	s := Step{Node: n, Do: Run}
	if len(waiting) > 0 {
		if p.mayBeStored(n, facts) {
			s.Do = Maybe
		}
		s.Why = append(p.changes(g, n, facts, false), WaitsFor+strings.Join(few(waiting), ", "))
		return s
	}
	s.Key = store.Key(facts)
	result, reason := lookup(p.st, s.Key)
	if result != nil {
		p.known[n] = result
		s.Do, s.Result = Cached, result
		return s
	}
	if s.Why = p.changes(g, n, facts, true); reason != "" {
		s.Why = []string{reason}
	}
	return s
}

// facts returns the facts of n as far as they are known, and the addresses that it waits for.
func (p *planner) facts(n *Node) (facts []store.Fact, waiting []string) {
	facts = slices.Clone(n.facts)
	for _, in := range n.inputs {
		if r := p.known[in.ref.Node]; r != nil {
			facts = append(facts, inputFact(in, r.Outputs[in.ref.Output]))
		} else if !slices.Contains(waiting, in.ref.Node.Addr) {
			waiting = append(waiting, in.ref.Node.Addr)
		}
	}
	return facts, waiting
}

// lookup returns the result stored under key if all that it names is there, or why an entry there cannot be used.
func lookup(st *store.Store, key store.Digest) (*store.Result, string) {
	r, err := st.Result(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ""
	}
	if err == nil {
		err = st.Complete(r)
	}
	var damaged *store.DamagedError
	switch {
	case err == nil:
		return r, ""
	case errors.As(err, &damaged):
		return nil, "stored result is damaged: " + err.Error()
	case errors.Is(err, fs.ErrNotExist):
		return nil, "stored result is incomplete: " + err.Error()
	}
	return nil, "stored result cannot be read: " + err.Error()
}

// mayBeStored tells whether a stored result has the known facts of n and differs at most in inputs not yet known.
func (p *planner) mayBeStored(n *Node, facts []store.Fact) bool {
	if p.alike == nil {
		p.alike = map[store.Digest][]*store.Result{}
		for _, r := range p.st.Results() {
			k := store.Key(withoutInputs(r.Key))
			p.alike[k] = append(p.alike[k], r)
		}
	}
	return slices.ContainsFunc(p.alike[store.Key(n.facts)], func(r *store.Result) bool {
		return !slices.ContainsFunc(facts, func(f store.Fact) bool { return !slices.Contains(r.Key, f) })
	})
}

func withoutInputs(facts []store.Fact) []store.Fact {
	return slices.DeleteFunc(slices.Clone(facts), func(f store.Fact) bool { return f.Kind == "input" })
}
