package pipeline

import (
	"strings"

	"anneal/artifacts/store"
)

// Cost is what steps are expected to take, going by stored results of like stages: of the same block in the newest run,
// or else of the same kind in the store.
type Cost struct {
	Seconds float64 // of stages, one after another
	Bytes   int64
	Unknown int // steps of a kind that was never run
}

// Cost foresees what the steps that are not cached will take, at most: some of them may turn out to be stored.
func (g *Graph) Cost(st *store.Store, steps []Step) Cost {
	var c Cost
	blocks, kinds := past{}, past{}
	for addr, key := range newest(st, g.Name) {
		if r, err := st.Result(key); err == nil {
			block, _, _ := strings.Cut(addr, "[")
			blocks.add(block, r)
		}
	}
	for _, s := range steps {
		if s.Do == Cached {
			continue
		}
		like := blocks[s.Node.Block]
		if like == nil {
			if len(kinds) == 0 {
				for _, r := range st.Results() {
					for _, f := range r.Key {
						if f.Kind == "kind" {
							kinds.add(f.Name, r)
						}
					}
				}
			}
			like = kinds[s.Node.Kind.Name]
		}
		if like == nil {
			c.Unknown++
			continue
		}
		c.Seconds += like.seconds / float64(like.n)
		c.Bytes += like.bytes / int64(like.n)
	}
	return c
}

// past adds up results of like stages, by the name of what they have in common.
type past map[string]*total

type total struct {
	seconds float64
	bytes   int64
	n       int
}

func (p past) add(name string, r *store.Result) {
	if p[name] == nil {
		p[name] = new(total)
	}
	s := p[name]
	s.n++
	s.seconds += r.Made.Seconds
	for _, b := range r.Outputs {
		s.bytes += b.Size
	}
}
