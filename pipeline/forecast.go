package pipeline

import (
	"cmp"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"anneal/artifacts/store"
)

// prospect is a stage's forecast, with what is stored of its work already.
type prospect struct {
	Forecast
	trajectory []store.Fact // see trajectoryOf
	key        store.Digest // of the trajectory; zero where there is none
	snapshot   int          // step of the one that the next attempt goes on from, 0: there is none
	kept       []int        // steps of kept states that it may find, ascending
}

// foretell asks the stage of n, whose facts are complete, for its forecast. nil: it makes none.
func (n *Node) foretell(facts []store.Fact, in Inputs) (*prospect, error) {
	f, ok := n.Stage.(Forecaster)
	if !ok {
		return nil, nil
	}
	forecast, err := f.Forecast(in)
	if err != nil {
		return nil, err
	}
	p := &prospect{Forecast: forecast}
	if p.trajectory = trajectoryOf(n, facts, forecast.Past); p.trajectory != nil {
		p.key = store.Key(p.trajectory)
	}
	return p, nil
}

// foretell is Node.foretell from what is stored, with what a new attempt would find.
func (p *planner) foretell(n *Node, f *finding) (*prospect, error) {
	if len(f.waiting) > 0 {
		return nil, nil
	}
	s, err := n.foretell(f.facts, storedInputs{p.st, p.known})
	if s != nil && !n.replace {
		s.snapshot = p.st.SnapshotStep(f.key)
		if s.Shared > 0 && !s.key.IsZero() {
			s.kept = p.st.States(s.key)
		}
	}
	return s, err
}

// storedInputs are those of stages whose producers' results are known.
type storedInputs struct {
	st    *store.Store
	known map[*Node]*store.Result
}

// Path returns where a file of a stored artifact lies.
func (in storedInputs) Path(r Ref, name string) (string, error) {
	res := in.known[r.Node]
	if res == nil {
		return "", fmt.Errorf("%s: %w", r, fs.ErrNotExist)
	}
	objects, err := in.st.Objects(res.Outputs[r.Output])
	if err != nil {
		return "", fmt.Errorf("%s: %w", r, err)
	}
	if i := slices.IndexFunc(objects, func(o store.Object) bool { return o.Name == name }); i >= 0 {
		return in.st.Path(objects[i].Digest), nil
	}
	return "", fmt.Errorf("%s has no file %q: %w", r, name, fs.ErrNotExist)
}

// stagedInputs are those of a task.
type stagedInputs struct{ *Task }

// Path returns where a file of a staged artifact lies.
func (in stagedInputs) Path(r Ref, name string) (string, error) {
	staged, ok := in.inputs[r]
	if !ok {
		return "", fmt.Errorf("%s is no input of the stage", r)
	}
	return filepath.Join(staged.Path, filepath.FromSlash(name)), nil
}

// walk follows a stage that goes from one step whose state it needs to the next, and jumps to the latest kept state up to
// there: from is where it starts, jumped how many steps it need not compute after that, legs what it computes of what it shares.
func (p *prospect) walk() (from, jumped int, legs []leg) {
	at := p.snapshot
	from = at
	for _, stop := range append(slices.Clone(p.Stops), p.Shared) {
		if stop <= at {
			continue
		}
		for _, step := range slices.Backward(p.kept) {
			if step > at && step <= stop {
				if at == 0 {
					from = step
				} else {
					jumped += step - at
				}
				at = step
				break
			}
		}
		legs = append(legs, leg{at, stop})
		at = stop
	}
	return from, jumped, legs
}

// leg is what a stage computes in one go.
type leg struct{ from, to int }

// passes tells whether the stage computes the step, which it shares, on its walk.
func (p *prospect) passes(step int) bool {
	_, _, legs := p.walk()
	return slices.ContainsFunc(legs, func(l leg) bool { return l.from < step && step <= l.to })
}

// computed is how many of its steps the stage really has to compute.
func (p *prospect) computed() int {
	from, jumped, _ := p.walk()
	return max(0, p.Steps-from-jumped)
}

// notes say from where the stage of that key goes on. past is what its address had last, nil where that is nothing.
func (p *prospect) notes(key store.Digest, past *stored) []string {
	from, jumped, _ := p.walk()
	var notes []string
	total := thousands(p.Steps)
	switch {
	case p.snapshot > 0:
		notes = append(notes, fmt.Sprintf("resumes from the snapshot at step %s of %s", thousands(from), total))
	case from > 0:
		notes = append(notes, fmt.Sprintf("continues from step %s of %s", thousands(from), total))
	}
	switch {
	case jumped > 0:
		notes = append(notes, fmt.Sprintf("computes %s of %s steps, as others are kept", thousands(p.computed()), total))
	case from == 0 && p.Shared == 0 && p.Alone != "" && past != nil && !p.key.IsZero() && past.trajectory == p.key && store.Key(past.facts) != key:
		notes = append(notes, "starts over: "+p.Alone)
	}
	return notes
}

// neverFits blames a stage that needs more memory than its executor has, by all that is known. nil: it fits.
func (n *Node) neverFits(p *prospect, e Executor) error {
	l, limited := e.(Limited)
	if p == nil || !limited || n.Meta.Resources.Memory > 0 {
		return nil
	}
	if b := l.Budget(); b.Memory > 0 && p.Memory > b.Memory {
		return Errorf("resources.memory", "would have to be %s, which this stage takes at its peak, and executor %q has %s: compute less at once, such as with a smaller micro_batch, use another executor, or give it more with executor %q { memory = … }",
			amount(p.Memory), n.Meta.Executor, amount(b.Memory), n.Meta.Executor)
	}
	return nil
}

// Foretells tells whether any stage of g makes a forecast.
func (g *Graph) Foretells() bool {
	return slices.ContainsFunc(g.Nodes, func(n *Node) bool { _, ok := n.Stage.(Forecaster); return ok })
}

// Forecast asks the stages of steps that are not cached, as far as their inputs are stored, what running them will take,
// and tells each step. The error is an *InvalidError: of stages that blame the file, and of those that fit no executor.
func (g *Graph) Forecast(st *store.Store, steps []Step, executors map[string]Executor) error {
	p := newPlanner(g, st)
	for _, s := range steps {
		if s.Do == Cached {
			p.known[s.Node] = s.Result
		}
	}
	prospects, errs := make([]*prospect, len(steps)), make([]error, len(steps))
	parallel(len(steps), func(i int) {
		if s := &steps[i]; s.Do != Cached && !s.Key.IsZero() {
			var f finding
			if f.facts, f.waiting = p.facts(s.Node); len(f.waiting) == 0 {
				f.key = s.Key
				prospects[i], errs[i] = p.foretell(s.Node, &f)
			}
		}
	})
	var diags hcl.Diagnostics
	trajectories := map[store.Digest][]int{}
	for i := range steps {
		n, one := steps[i].Node, prospects[i]
		if blames(errs[i]) {
			diags = append(diags, n.blame("Unsuitable value", errs[i])...)
		}
		if one == nil {
			continue
		}
		if err := n.neverFits(one, executors[n.Meta.Executor]); err != nil {
			diags = append(diags, n.blame("A stage never fits", err)...)
		}
		steps[i].prospect, steps[i].Notes = one, append(p.rest(n).notes(), one.notes(steps[i].Key, steps[i].past)...)
		if one.shares() && !n.replace {
			trajectories[one.key] = append(trajectories[one.key], i)
		}
	}
	for _, members := range trajectories {
		share(steps, members)
	}
	for i, one := range prospects {
		if one != nil {
			steps[i].Memory, steps[i].Steps, steps[i].Computed = one.Memory, one.Steps, one.computed()
		}
	}
	return g.config.invalid(diags)
}

// shares tells whether the stage is yet to take steps that others on its trajectory may need.
func (p *prospect) shares() bool { return p != nil && p.snapshot < p.Shared && !p.key.IsZero() }

// keeps tells whether the last of the states that the stage shares is kept.
func (p *prospect) keeps() bool { return slices.Contains(p.kept, p.Shared) }

// reached is the latest step of what the stage shares that it need not compute up to, given the steps of kept states.
func (p *prospect) reached(kept iter.Seq[int]) int {
	latest := p.snapshot
	for step := range kept {
		if step <= p.Shared {
			latest = max(latest, step)
		}
	}
	return latest
}

// goesBefore compares stages of one trajectory: the one that shares least goes first, and of equals the one that is furthest.
func (p *prospect) goesBefore(q *prospect) int {
	return cmp.Or(cmp.Compare(p.Shared, q.Shared), cmp.Compare(q.snapshot, p.snapshot))
}

// share tells steps of one trajectory which of them goes first. Each finds what those before it will have kept.
func share(steps []Step, members []int) {
	slices.SortStableFunc(members, func(i, j int) int { return steps[i].prospect.goesBefore(steps[j].prospect) })
	firsts := map[int]int{} // by the step up to which they compute what is shared
	for _, i := range members {
		p := steps[i].prospect
		before := 0
		for step, first := range firsts {
			if steps[first].Key != steps[i].Key {
				before = max(before, step)
			}
		}
		if before > p.reached(slices.Values(p.kept)) {
			steps[i].Notes = steps[i].Notes[:min(1, p.snapshot)] // but for its snapshot it goes on from there, not from what is kept now
			steps[i].Notes = append(steps[i].Notes, fmt.Sprintf("shares its first %s steps with %s, which goes first", thousands(before), steps[firsts[before]].Node.Addr))
			for step := range firsts {
				p.kept = append(p.kept, step)
			}
			for _, stop := range p.Stops { // which those who go first keep too, where they pass there
				for _, first := range firsts {
					if steps[first].prospect.passes(stop) {
						p.kept = append(p.kept, stop)
					}
				}
			}
			slices.Sort(p.kept)
		}
		if _, taken := firsts[p.Shared]; !taken && !p.keeps() {
			firsts[p.Shared] = i
		}
	}
}
