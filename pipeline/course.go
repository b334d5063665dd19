package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// course is what a run knows of one trajectory: the stages on it that are due, so that no two of them compute at once what
// they share. The one that shares least goes first; the others wait outside the queues, where they occupy nothing, until it
// has kept the last state that they share with it, or has ended without. As the first waits for none of them, it ends.
type course struct {
	kept    map[int]bool // steps of kept states
	first   *stageRun    // queued or running, and yet to keep its last shared state; nil where there is none
	waiting []*stageRun
}

// keptState is the news that a stage has kept a state.
type keptState struct {
	*stageRun
	step int
}

// join puts v, which shares a trajectory, among those that wait to start.
func (s *schedule) join(v *stageRun) {
	c := s.courses[v.prospect.key]
	if c == nil {
		c = &course{kept: map[int]bool{}}
		s.courses[v.prospect.key] = c
	}
	for _, step := range v.prospect.kept {
		c.kept[step] = true
	}
	c.waiting = append(c.waiting, v)
}

// passed notes what is kept now.
func (s *schedule) passed(k keptState) {
	if k.prospect.shares() {
		if c := s.courses[k.prospect.key]; c != nil {
			c.kept[k.step] = true
		}
	}
}

// lead queues the stages that need not wait any more, and of each course without one the stage that goes first.
func (s *schedule) lead() {
	for _, c := range s.courses {
		if f := c.first; f != nil && (f.settled || c.kept[f.prospect.Shared]) {
			c.first = nil
		}
		slices.SortFunc(c.waiting, func(a, b *stageRun) int {
			return cmp.Or(cmp.Compare(a.prospect.Shared, b.prospect.Shared), cmp.Compare(a.order, b.order))
		})
		urgent := 0.
		for _, v := range c.waiting {
			urgent = max(urgent, v.rest)
		}
		var still []*stageRun
		for _, v := range c.waiting {
			shared := v.prospect.Shared
			switch {
			case v.settled:
				continue
			case c.kept[shared], c.first != nil && shared < c.first.prospect.Shared: // nothing to gain
			case c.first != nil:
				if v.waits != c.first {
					v.waits = c.first
					s.emit(Event{Addr: v.node.Addr, Action: "progress", Text: fmt.Sprintf("waits for %s, with which it shares its first %s steps", c.first.node.Addr, thousands(c.first.prospect.Shared))})
				}
				still = append(still, v)
				continue
			default:
				c.first = v
			}
			v.prospect.kept = slices.Sorted(maps.Keys(c.kept))
			s.expect(v, s.seconds(v.node, v.prospect))
			if v == c.first {
				v.rest = urgent // for all that wait for it
			}
			s.queues[v.node.Meta.Executor].push(v)
		}
		c.waiting = still
	}
}
