package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"anneal/artifacts/store"
)

// reasons tells why a node without a usable result has none: how it differs from what the newest run had at its address,
// or from the nearest point that is gone; and how it fared in that run.
func (p *planner) reasons(n *Node, f *finding) []string {
	failed, hasFailed := p.failures()[n.Addr]
	var why []string
	switch key, ran := p.keys()[n.Addr]; {
	case ran && f.oldErr != nil:
		why = []string{lost(f.oldErr, key == f.key || f.key.IsZero())}
	case ran:
		if why = p.changes(n, f.old.facts, f); why == nil && !f.key.IsZero() {
			why = []string{"its facts changed"}
		}
	default:
		if why = p.againstNearest(n, f); why == nil && !hasFailed {
			why = []string{p.unknown(n)}
		}
	}
	if hasFailed {
		why = append(why, strings.TrimSuffix("failed last time: "+failed, ": "))
	}
	return why
}

// lost says that what the newest run had at an address cannot be read. same tells that it would do, for all that is known.
func lost(err error, same bool) string {
	what, damaged := "gone", (*store.DamagedError)(nil)
	switch {
	case errors.As(err, &damaged):
		what = "damaged: " + err.Error()
	case !errors.Is(err, fs.ErrNotExist):
		what = "not to be read: " + err.Error()
	}
	if same {
		return "its stored result is " + what
	}
	return "changed; how is not known, as the older result is " + what
}

// failures returns why stages failed in the newest run, by address.
func (p *planner) failures() map[string]string {
	last := p.last()
	if p.fails != nil || last == nil {
		return p.fails
	}
	p.fails = map[string]string{}
	for _, addr := range last.Failed {
		p.fails[addr] = ""
	}
	if len(p.fails) == 0 {
		return p.fails
	}
	for e, err := range last.Journal(p.st) {
		if err != nil {
			break
		}
		if _, failed := p.fails[e.Addr]; failed && e.Action == "fail" {
			p.fails[e.Addr] = e.Text
		}
	}
	return p.fails
}

// unknown says what an address is that the newest run had not: a new point only where the block had others, and where it
// was not left undone.
func (p *planner) unknown(n *Node) string {
	if last := p.last(); n.Point != nil && last != nil {
		if p.had == nil {
			p.had, p.undone = map[string]bool{}, map[string]bool{}
			for addr := range p.keys() {
				block, _, _ := strings.Cut(addr, "[")
				p.had[block] = true
			}
			for _, addr := range last.Skipped {
				p.undone[addr] = true
			}
		}
		if p.had[n.Block] && !p.undone[n.Addr] {
			return "new point"
		}
	}
	return "never run"
}

// againstNearest compares n with the instance of its block that differs least of those that the newest run had and the
// graph has no longer; nil where there is none.
func (p *planner) againstNearest(n *Node, f *finding) []string {
	nearest := p.vanished()[n.Block].nearest(n.Point, f.facts, len(f.waiting) == 0)
	if nearest == nil {
		return nil
	}
	what := "new point"
	if n.Point == nil {
		what = "no longer swept"
	}
	against := nearest.point
	if against == "" {
		against = "the stage without for_each"
	}
	what += "; against " + against
	changes := p.changes(n, nearest.facts, f)
	if len(changes) == 0 {
		return []string{what}
	}
	changes[0] = what + ": " + changes[0]
	return changes
}

// changes says how the facts of n, as far as they are known, differ from old ones.
func (p *planner) changes(n *Node, old []store.Fact, f *finding) []string {
	d := difference{vocabulary: p.vocabulary(n.Kind), node: n, complete: len(f.waiting) == 0}
	return d.changes(old, f.facts)
}

func (p *planner) vocabulary(k *Kind) *vocabulary {
	if p.words[k] == nil {
		p.words[k] = newVocabulary(k)
	}
	return p.words[k]
}

// few shortens a long list.
func few(names []string) []string {
	if more := len(names) - 3; more > 1 {
		return append(slices.Clone(names[:3]), fmt.Sprintf("%d more", more))
	}
	return names
}
