package cli

import (
	"fmt"
	"slices"
	"strings"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// twoRuns returns the runs that both arguments name, nil where one is no run. Two of the form last~1 are of one pipeline.
func (c *command) twoRuns(st *store.Store, first, second string) (a, b *pipeline.Record, err error) {
	if strings.ContainsAny(first+second, ":[") {
		return nil, nil, nil
	}
	in := ""
	for _, arg := range []string{first, second} {
		if r, err := pipeline.FindRun(st, "", arg); err == nil && !strings.HasPrefix(arg, pipeline.Latest) {
			in = r.Pipeline
		}
	}
	if last, err := pipeline.FindRun(st, "", pipeline.Latest); in == "" && err == nil {
		in = last.Pipeline
	}
	find := func(arg string) (*pipeline.Record, error) {
		r, err := pipeline.FindRun(st, in, arg)
		if err != nil {
			r, err = pipeline.FindRun(st, "", arg)
		}
		if err != nil && strings.Contains(arg, ".") {
			return nil, nil // an address
		}
		if err != nil {
			return nil, usagef("%w", err)
		}
		return r, nil
	}
	if a, err = find(first); a == nil || err != nil {
		return nil, nil, err
	}
	if b, err = find(second); b == nil || err != nil {
		return nil, nil, err
	}
	if a.Pipeline != b.Pipeline {
		return nil, nil, usagef("%s is a run of %s, %s one of %s; two runs of one pipeline can be compared", a.Short(), a.Pipeline, b.Short(), b.Pipeline)
	}
	for _, r := range []*pipeline.Record{a, b} {
		if r.Unfinished {
			return nil, nil, usagef("run %s is unfinished and left no results to compare", r.Short())
		}
	}
	return a, b, nil
}

// runs compares what two runs of a pipeline left.
func (d *differ) runs(a, b *pipeline.Record) error {
	blocks, order := map[string]*blockPairs{}, []string{}
	was, is := map[string]store.Digest{}, map[string]store.Digest{}
	for addr, key := range a.Reached() {
		was[addr] = key
	}
	for addr, key := range b.Reached() {
		is[addr] = key
	}
	addrs := slices.Compact(slices.Sorted(slices.Values(append(sortedNames(was), sortedNames(is)...))))
	pipeline.SortAddrs(addrs)
	depth := map[string]int{}
	for _, addr := range addrs {
		block, _, swept := strings.Cut(addr, "[")
		p := &pair{pipeline: b.Pipeline, addr: addr, point: addr[len(block):], keys: [2]store.Digest{was[addr], is[addr]}}
		if !swept {
			p.point = addr
		}
		if p.keys[0] != p.keys[1] {
			if r, err := d.st.Result(p.keys[0]); err == nil {
				p.a = r
			}
			if r, err := d.st.Result(p.keys[1]); err == nil {
				p.b = r
			}
			depth[block] = max(depth[block], d.comparison.Depth(p.keys[0]), d.comparison.Depth(p.keys[1]))
			if err := d.compare(p); err != nil {
				return err
			}
		}
		if blocks[block] == nil {
			blocks[block] = &blockPairs{block: block}
			order = append(order, block)
		}
		blocks[block].pairs = append(blocks[block].pairs, p)
	}
	slices.SortStableFunc(order, func(a, b string) int { return depth[a] - depth[b] }) // what made others differ comes first
	if d.json {
		for _, block := range order {
			if err := d.blockJSON(*blocks[block]); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Fprintf(d.stdout, "%s%s: run %s → run %s%s\n", d.tint.bold, b.Pipeline, runTitle(a), runTitle(b), d.tint.reset)
	d.files(a.Sources, b.Sources)
	d.files(a.Files, b.Files)
	for _, r := range []*pipeline.Record{a, b} {
		if n := len(r.Before); n > 0 {
			fmt.Fprintf(d.stdout, "%sof %s run %s has what earlier runs left%s\n", d.tint.dim, count(n, "stage"), r.Short(), d.tint.reset)
		}
	}
	equal := 0
	for _, block := range order {
		if d.block(*blocks[block]) {
			equal += len(blocks[block].pairs)
		}
	}
	switch {
	case equal == len(addrs):
		fmt.Fprintf(d.stdout, "All results are equal, %d of them.\n", equal)
	case equal > 0:
		fmt.Fprintf(d.stdout, "%s equal in the other blocks\n", count(equal, "result"))
	}
	return nil
}

func runTitle(r *pipeline.Record) string {
	if r.Name != "" {
		return fmt.Sprintf("%s (%s, %s)", r.Short(), r.Name, day(r.Started))
	}
	return fmt.Sprintf("%s (%s)", r.Short(), day(r.Started))
}

// files says which of the files that the runs were made from differ.
func (d *differ) files(before, after map[string]store.Digest) {
	var changed []string
	all := slices.Compact(slices.Sorted(slices.Values(append(sortedNames(before), sortedNames(after)...))))
	for _, path := range all {
		was, had := before[path]
		is, has := after[path]
		switch {
		case had && has && was != is:
			changed = append(changed, path+" changed")
		case had && !has:
			changed = append(changed, path+" went")
		case has && !had:
			changed = append(changed, path+" came")
		}
	}
	if more := len(changed) - many; more > 0 && !d.all {
		changed = append(changed[:many], count(more, "more file"))
	}
	if changed != nil {
		fmt.Fprintf(d.stdout, "%s%s%s\n", d.tint.dim, strings.Join(changed, ", "), d.tint.reset)
	}
}
