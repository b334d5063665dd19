package pipeline

import (
	"slices"
	"strings"

	"anneal/artifacts/store"
)

// Cost is what steps are expected to take.
type Cost struct {
	Kinds   []KindCount // in the order of the steps
	Seconds float64     // of stages, one after another
	Wall    float64     // by the clock, on as many cores as a run may use
	Bytes   int64
	Unknown int // steps of kinds that were never run
}

// KindCount is how many stages of one kind there are.
type KindCount struct {
	Kind  string
	Count int
}

// Cost foresees what the steps that are not cached will take on so many cores, at most: some of them may turn out to be
// stored. It goes by stored results: of the step's own address in the newest run, or else of its block there, or else by
// the one of its kind that differs least. Each step is told its share.
func (g *Graph) Cost(st *store.Store, steps []Step, cores int) Cost {
	g.foresee(st, steps)
	return CostOf(steps, cores)
}

// CostOf adds up steps that were foreseen. It takes as long as the longest chain of stages, or as all of them, spread
// over the cores.
func CostOf(steps []Step, cores int) Cost {
	var c Cost
	ends := map[*Node]float64{}
	for _, s := range steps {
		if s.Do == Cached {
			continue
		}
		kind := s.Node.Kind.Name
		i := slices.IndexFunc(c.Kinds, func(k KindCount) bool { return k.Kind == kind })
		if i < 0 {
			i = len(c.Kinds)
			c.Kinds = append(c.Kinds, KindCount{Kind: kind})
		}
		c.Kinds[i].Count++
		if !s.Foreseen {
			c.Unknown++
		}
		starts := 0.0
		for _, in := range s.Node.inputs {
			starts = max(starts, ends[in.ref.Node])
		}
		ends[s.Node] = starts + s.Seconds
		c.Wall = max(c.Wall, ends[s.Node])
		c.Seconds += s.Seconds
		c.Bytes += s.Bytes
	}
	c.Wall = max(c.Wall, c.Seconds/float64(max(1, cores)))
	return c
}

// foresee fills in what steps that are not cached will take.
func (g *Graph) foresee(st *store.Store, steps []Step) {
	unseen := map[string]bool{} // blocks with steps that have no past of their own
	for i := range steps {
		if s := &steps[i]; s.Do != Cached {
			if s.past == nil {
				unseen[s.Node.Block] = true
			} else {
				s.foresee(s.past.total())
			}
		}
	}
	if len(unseen) == 0 {
		return
	}
	p := newPlanner(g, st)
	means := p.means(unseen)
	kinds := map[string]*candidates{}
	for i := range steps {
		s := &steps[i]
		if s.Do == Cached || s.Foreseen {
			continue
		}
		if m := means[s.Node.Block]; m != nil {
			s.foresee(*m)
			continue
		}
		if len(kinds) == 0 {
			kinds = p.byKind()
		}
		facts := slices.Clone(s.Node.facts)
		if like := kinds[s.Node.Kind.Name].nearest(nil, facts, false); like != nil {
			s.foresee(like.total())
		}
	}
}

func (s *Step) foresee(like total) {
	s.Seconds, s.Bytes, s.Foreseen = like.each(s.prospect), like.bytes/int64(like.n), true
}

// total adds up results of like stages.
type total struct {
	seconds float64
	bytes   int64
	n       int
	steps   int // 0 where one of them does not count its work
}

func (s *stored) total() total { return total{s.seconds, s.bytes, 1, s.steps} }

func (t *total) add(o total) {
	counted := o.steps > 0 && (t.n == 0 || t.steps > 0)
	if t.steps += o.steps; !counted {
		t.steps = 0
	}
	t.seconds += o.seconds
	t.bytes += o.bytes
	t.n += o.n
}

// each is how many seconds a stage is expected to take, going by those of t and by how many steps it is to compute, where
// that is known.
func (t total) each(p *prospect) float64 {
	mean := t.seconds / float64(t.n)
	switch {
	case p == nil || p.Steps == 0:
		return mean
	case t.steps > 0:
		return t.seconds / float64(t.steps) * float64(p.computed())
	}
	return mean * float64(p.computed()) / float64(p.Steps)
}

// means adds up what the newest run had of blocks.
func (p *planner) means(blocks map[string]bool) map[string]*total {
	var addrs []string
	keys := p.keys()
	for _, addr := range sortedKeys(keys) {
		if block, _, _ := strings.Cut(addr, "["); blocks[block] {
			addrs = append(addrs, addr)
		}
	}
	results := make([]*store.Result, len(addrs))
	parallel(len(addrs), func(i int) { results[i], _ = p.st.Result(keys[addrs[i]]) })
	totals := map[string]*total{}
	for i, addr := range addrs {
		if results[i] == nil {
			continue
		}
		block, _, _ := strings.Cut(addr, "[")
		if totals[block] == nil {
			totals[block] = new(total)
		}
		totals[block].add(storedOf(results[i]).total())
	}
	return totals
}

// byKind indexes every stored result, by its kind.
func (p *planner) byKind() map[string]*candidates {
	kinds := map[string]*candidates{}
	for _, r := range p.results() {
		for _, f := range r.facts {
			if f.Kind == "kind" {
				if kinds[f.Name] == nil {
					kinds[f.Name] = &candidates{}
				}
				kinds[f.Name].rows = append(kinds[f.Name].rows, candidate{stored: r})
			}
		}
	}
	for _, c := range kinds {
		c.index()
	}
	return kinds
}
