package pipeline

// seconds tells what each stage of g is expected to take, going by results of the same block, which this run found or
// the newest one left; or else of the same kind; or else of any. known is false where there is no such result: then a
// chain is as long as its stages are many.
func (p *planner) seconds(g *Graph) (of func(*Node, *prospect) float64, known bool) {
	blocks, kinds, all := map[string]*total{}, map[string]*total{}, map[string]*total{}
	unseen := map[string]bool{}
	kind := map[string]string{}
	add := func(block string, t total) {
		for _, to := range []struct {
			totals map[string]*total
			name   string
		}{{blocks, block}, {kinds, kind[block]}, {all, ""}} {
			if to.totals[to.name] == nil {
				to.totals[to.name] = new(total)
			}
			to.totals[to.name].add(t)
		}
	}
	for _, n := range g.Nodes {
		kind[n.Block] = n.Kind.Name
		if r := p.known[n]; r != nil {
			add(n.Block, storedOf(r).total())
		}
	}
	for block := range kind {
		unseen[block] = blocks[block] == nil
	}
	past := p.means(unseen)
	for _, block := range sortedKeys(past) { // in one order, as sums of floats depend on it
		add(block, *past[block])
	}
	return func(n *Node, p *prospect) float64 {
		for _, t := range []*total{blocks[n.Block], kinds[n.Kind.Name], all[""]} {
			if t != nil {
				return t.each(p)
			}
		}
		return 1
	}, len(all) > 0
}
