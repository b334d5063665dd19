package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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

	// What it is expected to take, going by past results, of a step that is not cached. Graph.Cost fills it in.
	Seconds  float64
	Bytes    int64
	Foreseen bool // false where nothing like it was ever run

	// What its stage foretells of itself, once its inputs are stored. Graph.Forecast fills it in.
	Memory   int64    // bytes at the peak; 0: not known
	Steps    int      // of all its work; 0: not counted
	Computed int      // of these, what is really to be computed
	Notes    []string // from where it goes on, or why it cannot

	prospect *prospect
	past     *stored // what the newest run had at its address, of a step that is not cached
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
	p := newPlanner(g, st)
	steps := make([]Step, len(g.Nodes))
	found := make([]finding, len(g.Nodes))
	for _, level := range levels(g.Nodes) {
		parallel(len(level), func(i int) { found[level[i]] = p.find(g.Nodes[level[i]]) })
		for _, i := range level {
			if r := found[i].result; r != nil {
				p.known[g.Nodes[i]] = r
			}
		}
	}
	for i, n := range g.Nodes {
		steps[i] = p.step(n, &found[i])
	}
	remake(steps, found)
	return steps
}

// planner holds what is known of stored results while a graph is walked.
type planner struct {
	st          *store.Store
	graph       *Graph
	last        func() *Record                 // the newest run of the pipeline that ended; a plan with nothing to do does not read it
	keys        func() map[string]store.Digest // that it left, by address
	known       map[*Node]*store.Result        // of nodes whose result is at hand
	lost        map[*Node]string               // why others will have none
	words       map[*Kind]*vocabulary          // of kinds whose facts have been compared
	fails       map[string]string              // why stages failed in that run, by address; nil until it is asked for
	alike       map[store.Digest][]*stored     // results by what they depend on besides inputs; nil until it is asked for
	unversioned map[store.Digest][]*stored     // results by what they depend on besides versions; nil until it is asked for
	gone        map[string]*candidates         // by block; nil until it is asked for
	had         map[string]bool                // blocks of which that run had results; nil until it is asked for
	undone      map[string]bool                // addresses that it skipped, likewise
}

// stored is a result as far as reasons and costs need it.
type stored struct {
	facts   []store.Fact // sorted
	seconds float64
	bytes   int64
	steps   int // that those seconds went into; 0: not known

	trajectory store.Digest
}

func storedOf(r *store.Result) *stored {
	s := &stored{facts: sorted(r.Key), seconds: r.Made.Seconds, steps: r.Made.Steps, trajectory: r.Made.Trajectory}
	for _, b := range r.Outputs {
		s.bytes += b.Size
	}
	return s
}

func newPlanner(g *Graph, st *store.Store) *planner {
	p := &planner{st: st, graph: g, known: make(map[*Node]*store.Result, len(g.Nodes)), lost: map[*Node]string{}, words: map[*Kind]*vocabulary{}}
	if g.whole != nil {
		for _, n := range g.whole.Nodes {
			p.lost[n] = excludedHere
		}
		for _, n := range g.Nodes {
			delete(p.lost, n)
		}
	}
	p.last = sync.OnceValue(func() *Record { return lastRun(st, g.Name) })
	p.keys = sync.OnceValue(func() map[string]store.Digest { return p.last().keys() })
	return p
}

// finding is what the store has for a node.
type finding struct {
	facts   []store.Fact
	waiting []string      // addresses of inputs that are not known
	key     store.Digest  // zero while it waits
	result  *store.Result // nil where nothing is stored that can be used,
	spoilt  string        // and why not, where there is something
	dropped []string      // outputs of result that were dropped on purpose
	old     *stored       // what the newest run had at this address, of a node without a result
	oldErr  error
}

// rest returns n less what it can do without, as far as that is lost.
func (p *planner) rest(n *Node) *Node {
	if rest := n.without(p.lost); rest != nil {
		return rest
	}
	return n
}

// find looks n up. It may be called for several nodes at once while p.known and p.lost stay as they are.
func (p *planner) find(n *Node) finding {
	n = p.rest(n)
	var f finding
	if f.facts, f.waiting = p.facts(n); len(f.waiting) == 0 {
		f.key = store.Key(f.facts)
		if !n.replace {
			f.result, f.dropped, f.spoilt = look(p.st, f.key)
		}
		if f.result != nil {
			return f
		}
	}
	if key, ok := p.keys()[n.Addr]; ok {
		var old *store.Result
		if old, f.oldErr = p.st.Result(key); old != nil {
			f.old = storedOf(old)
		}
	}
	return f
}

// step says what is to be done about n, going by what was found.
func (p *planner) step(n *Node, f *finding) Step {
	s := Step{Node: n, Do: Run, Key: f.key, Result: f.result, past: f.old}
	n = p.rest(n)
	switch {
	case f.result != nil:
		s.Do, s.Notes = Cached, n.notes()
		return s
	case n.replace:
		s.Why = []string{"asked for by --replace"}
	case f.spoilt != "":
		s.Why = []string{f.spoilt}
	default:
		s.Why = p.reasons(n, f)
	}
	if !slices.ContainsFunc(s.Why, func(w string) bool { return strings.HasPrefix(w, doesWithout) }) {
		s.Notes = n.notes()
	}
	if len(f.waiting) > 0 {
		if !n.replace && p.mayBeStored(n, f) {
			s.Do = Maybe
		}
		s.Why = append(s.Why, WaitsFor+strings.Join(few(f.waiting), ", "))
	}
	return s
}

// remake plans to make again what was dropped and is read by a step that runs, and what that needs in its turn.
func remake(steps []Step, found []finding) {
	at := map[*Node]int{}
	for i, f := range found {
		if len(f.dropped) > 0 {
			at[steps[i].Node] = i
		}
	}
	if len(at) == 0 {
		return
	}
	needed := map[*Node][2]string{} // output and reader, of the first reader for sure, else of the first that may be
	sure := map[*Node]bool{}
	for i := len(steps) - 1; i >= 0; i-- {
		s := &steps[i]
		if why, ok := needed[s.Node]; ok {
			s.Do, s.past, s.Result = Maybe, storedOf(s.Result), nil
			verb := "may need it"
			if sure[s.Node] {
				s.Do, verb = Run, "needs it"
			}
			s.Why = []string{fmt.Sprintf("%s was dropped, and %s %s", why[0], why[1], verb)}
		}
		if s.Do == Cached {
			continue
		}
		for _, in := range s.Node.inputs {
			j, dropped := at[in.ref.Node]
			if !dropped || !slices.Contains(found[j].dropped, in.ref.Output) {
				continue
			}
			if _, ok := needed[in.ref.Node]; !ok || s.Do == Run {
				needed[in.ref.Node] = [2]string{in.ref.Output, s.Node.Addr}
			}
			sure[in.ref.Node] = sure[in.ref.Node] || s.Do == Run
		}
	}
}

// facts returns the facts of n as far as they are known, sorted, and the addresses that it waits for.
func (p *planner) facts(n *Node) (facts []store.Fact, waiting []string) {
	facts = make([]store.Fact, len(n.facts), len(n.facts)+len(n.inputs))
	copy(facts, n.facts)
	var seen map[*Node]bool
	for _, in := range n.inputs {
		if r := p.known[in.ref.Node]; r != nil {
			facts = append(facts, inputFact(in, r.Outputs[in.ref.Output]))
		} else if !seen[in.ref.Node] {
			if seen == nil {
				seen = map[*Node]bool{}
			}
			seen[in.ref.Node] = true
			waiting = append(waiting, in.ref.Node.Addr)
		}
	}
	slices.SortFunc(facts, compareFacts)
	return facts, waiting
}

func compareFacts(a, b store.Fact) int {
	if c := compareNames(a, b); c != 0 {
		return c
	}
	return strings.Compare(a.Value, b.Value)
}

// compareNames orders facts by what they are about.
func compareNames(a, b store.Fact) int {
	if c := strings.Compare(a.Kind, b.Kind); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// sorted returns facts in order, as results of any age may not have them.
func sorted(facts []store.Fact) []store.Fact {
	if !slices.IsSortedFunc(facts, compareFacts) {
		facts = slices.Clone(facts)
		slices.SortFunc(facts, compareFacts)
	}
	return facts
}

// lookup returns the result stored under key if all that it names is there or was dropped on purpose, or why an entry
// there cannot be used.
func lookup(st *store.Store, key store.Digest) (*store.Result, string) {
	r, _, spoilt := look(st, key)
	return r, spoilt
}

// look is lookup, with the outputs that were dropped.
func look(st *store.Store, key store.Digest) (r *store.Result, dropped []string, spoilt string) {
	r, err := st.Result(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, ""
	}
	if err == nil {
		dropped, err = st.Check(r)
	}
	var damaged *store.DamagedError
	switch {
	case err == nil:
		return r, dropped, ""
	case errors.As(err, &damaged):
		return nil, nil, "stored result is damaged: " + err.Error()
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, "stored result is incomplete: " + err.Error()
	}
	return nil, nil, "stored result cannot be read: " + err.Error()
}

// mayBeStored tells whether a stored result may be that of n, whose inputs are not all known.
func (p *planner) mayBeStored(n *Node, f *finding) bool {
	if f.old != nil && (f.mayBe(n, f.old) || p.mayDoWithout(n, f.old)) {
		return true
	}
	return slices.ContainsFunc(p.alikes()[store.Key(n.facts)], func(r *stored) bool { return f.mayBe(n, r) })
}

// mayDoWithout tells whether r is what n would leave if it did without all that it waits for.
func (p *planner) mayDoWithout(n *Node, r *stored) bool {
	if !n.lenient() {
		return false
	}
	lost := map[*Node]string{}
	for _, in := range n.inputs {
		if p.known[in.ref.Node] == nil {
			lost[in.ref.Node] = failedHere
		}
	}
	rest := n.without(lost)
	if rest == nil {
		return false
	}
	facts, _ := p.facts(rest)
	return store.Key(withoutKind("missing", facts)) == store.Key(withoutKind("missing", r.facts))
}

// mayBe tells whether r has the known facts of n, one for each input that n waits for, and no others.
func (f *finding) mayBe(n *Node, r *stored) bool {
	if len(r.facts) != len(n.facts)+len(n.inputs) || !contains(r.facts, f.facts) {
		return false
	}
	for _, in := range n.inputs {
		if _, has := slices.BinarySearchFunc(r.facts, store.Fact{Kind: "input", Name: in.field}, compareNames); !has {
			return false
		}
	}
	return true
}

// alikes lists every stored result by what it depends on besides inputs.
func (p *planner) alikes() map[store.Digest][]*stored {
	if p.alike == nil {
		p.alike = map[store.Digest][]*stored{}
		for _, r := range p.results() {
			k := store.Key(withoutKind("input", r.facts))
			p.alike[k] = append(p.alike[k], r)
		}
	}
	return p.alike
}

// results reads everything that is stored, in the order of keys.
func (p *planner) results() []*stored {
	var all []*stored
	for _, r := range p.st.Results() {
		all = append(all, storedOf(r))
	}
	return all
}

// contains tells whether all has every fact of some; both are sorted.
func contains(all, some []store.Fact) bool {
	for _, f := range some {
		for len(all) > 0 && compareFacts(all[0], f) < 0 {
			all = all[1:]
		}
		if len(all) == 0 || all[0] != f {
			return false
		}
	}
	return true
}

func withoutKind(kind string, facts []store.Fact) []store.Fact {
	return slices.DeleteFunc(slices.Clone(facts), func(f store.Fact) bool { return f.Kind == kind })
}

// levels parts nodes, by their places, so that each reads from earlier levels only.
func levels(nodes []*Node) [][]int {
	depth := make(map[*Node]int, len(nodes))
	var all [][]int
	for i, n := range nodes {
		d := 0
		for _, in := range n.inputs {
			if p, ok := depth[in.ref.Node]; ok {
				d = max(d, p+1)
			}
		}
		depth[n] = d
		if d == len(all) {
			all = append(all, nil)
		}
		all[d] = append(all[d], i)
	}
	return all
}

// parallel calls f with 0 … n-1, on as many cores as this process uses. Reading small files keeps them busy.
func parallel(n int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	all.Wait()
}
