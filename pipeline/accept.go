package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"anneal/artifacts/store"
)

// Acceptance is what can be done about one node whose result is asked to be carried over from an older version of its
// kind or of the arithmetic.
type Acceptance struct {
	Node   *Node
	From   store.Digest // key of the older result, zero where there is none to carry over
	Change []string     // from it: "version of word: 1 → 2"; or why nothing can be carried over
	Stored bool         // the node has a result already and needs no other

	key    store.Digest
	result *store.Result
}

// Possible tells whether there is a result to carry over.
func (a Acceptance) Possible() bool { return !a.From.IsZero() }

// Acceptances finds for nodes of g, in topological order, the older result that differs from what the node asks for in
// nothing but versions: that of the newest run at its address, or another one. It writes nothing. What is found for a
// node counts as its result for those that read from it, so that a chain can be accepted as a whole.
func (g *Graph) Acceptances(st *store.Store, nodes []*Node) []Acceptance {
	wanted := map[*Node]bool{}
	for _, n := range nodes {
		wanted[n] = true
	}
	p := newPlanner(g.unselected(), st)
	var all []Acceptance
	for _, n := range g.unselected().Nodes {
		f := p.find(n)
		if f.result != nil {
			p.known[n] = f.result
		}
		if !wanted[n] {
			continue
		}
		a := Acceptance{Node: n, Stored: f.result != nil, key: f.key}
		switch {
		case a.Stored:
		case len(f.waiting) > 0:
			a.Change = []string{"it reads from " + strings.Join(few(f.waiting), ", ") + ", which must be accepted or run first"}
		default:
			p.accept(n, &f, &a)
		}
		if a.Possible() {
			p.known[n] = a.result
		}
		all = append(all, a)
	}
	return all
}

// accept looks for the result to carry over to n, whose inputs are known.
func (p *planner) accept(n *Node, f *finding, a *Acceptance) {
	var olds []store.Digest
	if f.old != nil && equalButVersions(f.old.facts, f.facts) {
		olds = append(olds, p.keys()[n.Addr])
	} else {
		for _, r := range p.byAllButVersions()[store.Key(withoutVersions(f.facts))] {
			olds = append(olds, store.Key(r.facts))
		}
	}
	for _, key := range olds {
		old, err := p.st.Result(key)
		if err == nil {
			_, err = p.st.Check(old)
		}
		if err == nil {
			err = n.leaves(old)
		}
		if err != nil {
			a.Change = []string{"the older result cannot be carried over: " + err.Error()}
			continue
		}
		made := old.Made
		made.Inputs = map[string]store.Digest{}
		for _, in := range n.inputs {
			made.Inputs[in.field] = store.Key(p.known[in.ref.Node].Key)
		}
		a.From, a.result = key, &store.Result{Key: f.facts, Outputs: old.Outputs, Made: made}
		a.Change = p.changes(n, sorted(old.Key), f)
		return
	}
	if a.Change == nil {
		a.Change = p.reasons(n, f)
	}
}

// leaves tells whether a result has the outputs that n leaves.
func (n *Node) leaves(r *store.Result) error {
	outputs := n.Stage.Outputs()
	for _, o := range outputs {
		if b, ok := r.Outputs[o.Name]; !ok || b.Type != o.Type {
			return fmt.Errorf("it has no output %s of the type %s", o.Name, o.Type)
		}
	}
	if len(r.Outputs) != len(outputs) {
		return fmt.Errorf("its outputs are %s", strings.Join(sortedKeys(r.Outputs), ", "))
	}
	return nil
}

// byAllButVersions lists every stored result by what it depends on besides versions, what was made last first as far as
// versions tell.
func (p *planner) byAllButVersions() map[store.Digest][]*stored {
	if p.unversioned == nil {
		p.unversioned = map[store.Digest][]*stored{}
		for _, r := range p.results() {
			k := store.Key(withoutVersions(r.facts))
			p.unversioned[k] = append(p.unversioned[k], r)
		}
		for _, same := range p.unversioned {
			slices.SortStableFunc(same, func(a, b *stored) int { return compareVersions(b.facts, a.facts) })
		}
	}
	return p.unversioned
}

// isVersion tells whether a fact says a version.
func isVersion(f store.Fact) bool { return f.Kind == "kind" || f.Kind == "numbers" }

// withoutVersions leaves the kind itself, and not which versions made a result.
func withoutVersions(facts []store.Fact) []store.Fact {
	var others []store.Fact
	for _, f := range facts {
		if f.Kind == "kind" {
			f.Value = ""
		}
		if f.Kind != "numbers" {
			others = append(others, f)
		}
	}
	return others
}

func equalButVersions(a, b []store.Fact) bool {
	return slices.Equal(withoutVersions(a), withoutVersions(b))
}

// compareVersions orders the facts of results that differ in versions only.
func compareVersions(a, b []store.Fact) int {
	versions := func(facts []store.Fact) []store.Fact {
		return slices.DeleteFunc(slices.Clone(facts), func(f store.Fact) bool { return !isVersion(f) })
	}
	return slices.CompareFunc(versions(a), versions(b), func(x, y store.Fact) int {
		if c := len(x.Value) - len(y.Value); c != 0 { // numbers without leading zeros
			return c
		}
		return strings.Compare(x.Value, y.Value)
	})
}

// Accept writes the results that were found to carry over, each with the reason and where it came from.
func Accept(ctx context.Context, st *store.Store, all []Acceptance, reason string) error {
	now := time.Now().UTC()
	for _, a := range all {
		if !a.Possible() {
			continue
		}
		err := func() error {
			unlock, err := st.Lock(ctx, a.key, nil)
			if err != nil {
				return err
			}
			defer unlock()
			if r, _ := lookup(st, a.key); r != nil {
				return nil // another process made it meanwhile
			}
			a.result.Made.Accepted = &store.Accepted{From: a.From, Reason: reason, Time: now}
			return st.PutResult(a.result)
		}()
		if err != nil {
			return fmt.Errorf("%s: %w", a.Node.Addr, err)
		}
	}
	return nil
}
