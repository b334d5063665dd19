package pipeline

import (
	"strings"

	"anneal/artifacts/store"
)

// seconds tells what each stage of g is expected to take, going by the results at hand: of the same block, as this run
// found them or, where it found none, one of the newest run; or else of the same kind; or else of any.
func (p *planner) seconds(g *Graph) func(*Node) float64 {
	blocks, kinds, all := means{}, means{}, means{}
	missing := map[string]string{} // an address of the newest run, by block
	kind := map[string]string{}
	for _, n := range g.Nodes {
		kind[n.Block] = n.Kind.Name
		if r := p.known[n]; r != nil {
			blocks.add(n.Block, r)
			kinds.add(n.Kind.Name, r)
			all.add("", r)
			delete(missing, n.Block)
		} else if blocks[n.Block] == nil {
			missing[n.Block] = ""
		}
	}
	for addr := range p.keys {
		block, _, _ := strings.Cut(addr, "[")
		if other, wanted := missing[block]; wanted && (other == "" || addr < other) {
			missing[block] = addr
		}
	}
	for block, addr := range missing {
		if r, err := p.st.Result(p.keys[addr]); addr != "" && err == nil {
			blocks.add(block, r)
			kinds.add(kind[block], r)
			all.add("", r)
		}
	}
	return func(n *Node) float64 {
		for _, m := range []*mean{blocks[n.Block], kinds[n.Kind.Name], all[""]} {
			if m != nil {
				return m.seconds / float64(m.n)
			}
		}
		return 1 // nothing is known: a chain is as long as its stages are many
	}
}

// means are of results, by the name of what they have in common.
type means map[string]*mean

type mean struct {
	seconds float64
	n       int
}

func (m means) add(name string, r *store.Result) {
	if m[name] == nil {
		m[name] = new(mean)
	}
	m[name].seconds += r.Made.Seconds
	m[name].n++
}
