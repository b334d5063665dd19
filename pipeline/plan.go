package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
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
	vanished map[string][]string // addresses of the newest run that the graph no longer has, by block
}

func (p *planner) step(g *Graph, n *Node) Step {
	facts, waiting := p.facts(n)
	s := Step{Node: n, Do: Run}
	if len(waiting) > 0 {
		if p.mayBeStored(n, facts) {
			s.Do = Maybe
		}
		s.Why = append(p.changes(g, n, facts, false), WaitsFor+strings.Join(waiting, ", "))
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
	if more := len(waiting) - 3; more > 1 {
		waiting = append(waiting[:3], fmt.Sprintf("%d more", more))
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

// changes tells how n differs from what the newest run had at its address, or from the nearest point that is gone.
func (p *planner) changes(g *Graph, n *Node, facts []store.Fact, complete bool) []string {
	if key, ok := p.keys[n.Addr]; ok {
		old, err := p.st.Result(key)
		if errors.Is(err, fs.ErrNotExist) {
			return []string{"its stored result is gone"}
		}
		if err != nil {
			return []string{"stored result is damaged: " + err.Error()}
		}
		return p.diff(n, old.Key, facts, complete)
	}
	if n.Point == nil || p.keys == nil {
		return []string{"never run"}
	}
	if p.vanished == nil {
		p.vanished = map[string][]string{}
		here := map[string]bool{}
		for _, m := range g.Nodes {
			here[m.Addr] = true
		}
		for _, addr := range sortedKeys(p.keys) {
			block, point, swept := strings.Cut(addr, "[")
			if swept && !here[addr] {
				p.vanished[block] = append(p.vanished[block], "["+point)
			}
		}
	}
	var nearest string
	var least []string
	for _, point := range p.vanished[n.Block] {
		old, err := p.st.Result(p.keys[n.Block+point])
		if err != nil {
			continue
		}
		if d := p.diff(n, old.Key, facts, complete); nearest == "" || len(d) < len(least) {
			nearest, least = point, d
		}
	}
	if nearest == "" {
		return []string{"new point"}
	}
	if len(least) == 0 {
		return []string{"new point; against " + nearest}
	}
	least[0] = "new point; against " + nearest + ": " + least[0]
	return least
}

// diff says how facts differ from old ones. Facts of inputs that are not known yet are left alone.
func (p *planner) diff(n *Node, old, now []store.Fact, complete bool) []string {
	type name struct{ kind, name string }
	before, after := map[name]string{}, map[name]string{}
	for _, f := range old {
		before[name{f.Kind, f.Name}] = f.Value
	}
	for _, f := range now {
		after[name{f.Kind, f.Name}] = f.Value
	}
	names := map[name]bool{}
	for k := range before {
		names[k] = true
	}
	for k := range after {
		names[k] = true
	}
	sorted := slices.SortedFunc(maps.Keys(names), func(a, b name) int {
		return strings.Compare(a.kind+"\x00"+a.name, b.kind+"\x00"+b.name)
	})
	defaults := n.Kind.defaults()
	var changes []string
	for _, k := range sorted {
		was, had := before[k]
		is, has := after[k]
		if had && has && was == is || k.kind == "input" && !has && !complete {
			continue
		}
		switch k.kind {
		case "kind":
			changes = append(changes, fmt.Sprintf("version of %s: %s → %s", k.name, orNone(was), orNone(is)))
		case "numbers":
			changes = append(changes, fmt.Sprintf("version of the arithmetic: %s → %s", orNone(was), orNone(is)))
		case "input":
			changes = append(changes, p.inputChange(n, k.name, had, has))
		case "config":
			if !had {
				was = orDefault(defaults, k.name)
			}
			if !has {
				is = orDefault(defaults, k.name)
			}
			changes = append(changes, fmt.Sprintf("%s: %s → %s", k.name, was, is))
		case "point":
			changes = append(changes, fmt.Sprintf("%s: %s → %s", k.name, orNone(was), orNone(is)))
		default: // a source
			if had && has && k.kind != "godoc" {
				changes = append(changes, fmt.Sprintf("%s: content changed", k.name))
			} else {
				changes = append(changes, fmt.Sprintf("%s: %s → %s", k.name, sourceText(k.kind, was), sourceText(k.kind, is)))
			}
		}
	}
	return changes
}

func (p *planner) inputChange(n *Node, field string, had, has bool) string {
	for _, in := range n.inputs {
		if in.field == field {
			if had {
				return fmt.Sprintf("%s: content of %s changed", field, in.ref)
			}
			return fmt.Sprintf("%s: none → %s", field, in.ref)
		}
	}
	return fmt.Sprintf("%s: an input → none", field)
}

func sourceText(kind, value string) string {
	if value == "" {
		return "none"
	}
	if kind == "godoc" {
		return "godoc " + value
	}
	return kind + " " + value[:12]
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// orDefault prints what holds where a file says nothing about an attribute.
func orDefault(defaults map[string]string, name string) string {
	if v := defaults[name]; v != "" {
		return v
	}
	return "unset"
}
