package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"anneal/artifacts/store"
)

// course is what a run knows of one trajectory: the stages on it that are due, so that no two of them compute at once what
// they share. The one that shares least goes first; the others wait outside the queues, where they occupy nothing, until it
// has kept the last state that it shares, or has ended without. As it waits for none of them, it ends.
//
// The first holds the lock of that state, by which processes take turns too. Whoever waits for the lock runs nothing, and
// whoever holds it waits for nothing that those could run.
type course struct {
	trajectory []store.Fact
	kept       map[int]bool // steps of kept states
	first      *stageRun    // queued or running, and yet to keep its last shared state; nil where there is none
	unlock     func()       // of that state, while there is one
	unask      func()       // ends the wait for the lock of a state that another process holds; nil: there is none
	waiting    []*stageRun
}

// keptState is the news that a stage has kept a state, or that it could not.
type keptState struct {
	*stageRun
	step int
	err  error
}

// join puts v, which shares a trajectory, among those that wait to start.
func (s *schedule) join(v *stageRun) {
	c := s.courses[v.prospect.key]
	if c == nil {
		c = &course{trajectory: v.prospect.trajectory, kept: map[int]bool{}}
		s.courses[v.prospect.key] = c
	}
	c.look(v.prospect.kept)
	c.waiting = append(c.waiting, v)
}

// look notes which states are kept.
func (c *course) look(steps []int) {
	for _, step := range steps {
		c.kept[step] = true
	}
}

// passed notes what is kept now. Where the last state that is shared could not be, there is nothing to wait for.
func (s *schedule) passed(k keptState) {
	if !k.prospect.shares() {
		return
	}
	switch c := s.courses[k.prospect.key]; {
	case c == nil:
	case k.err == nil:
		c.look([]int{k.step})
	case k.stageRun == c.first && k.step == k.prospect.Shared:
		c.release()
	}
}

// release lets others go first.
func (c *course) release() {
	if c.first != nil {
		c.first = nil
		c.unlock()
	}
}

// lead queues the stages that need not wait any more, and of each course without one the stage that goes first.
func (s *schedule) lead(ctx context.Context) {
	for _, c := range s.courses {
		if f := c.first; f != nil && (f.settled || c.kept[f.prospect.Shared]) {
			c.release()
		}
		if len(c.waiting) == 0 {
			continue
		}
		slices.SortFunc(c.waiting, func(a, b *stageRun) int {
			return cmp.Or(a.prospect.goesBefore(b.prospect), cmp.Compare(a.order, b.order))
		})
		urgent := 0.
		for _, v := range c.waiting {
			urgent = max(urgent, v.rest)
		}
		waiting := c.waiting
		c.waiting = nil
		for _, v := range waiting {
			if !s.mayStart(ctx, c, v) {
				c.waiting = append(c.waiting, v)
				continue
			}
			v.prospect.kept = slices.Sorted(maps.Keys(c.kept))
			s.expect(v, s.seconds(v.node, v.prospect))
			if v == c.first {
				v.rest = urgent // for all that wait for it
				v.wanted = wantedOf(v, waiting)
			}
			s.queues[v.node.Meta.Executor].push(v)
		}
	}
}

// wantedOf lists the steps of what v shares whose states others of those that wait need on their way, ascending.
func wantedOf(v *stageRun, waiting []*stageRun) []int {
	var steps []int
	for _, other := range waiting {
		if other != v {
			steps = append(steps, other.prospect.Stops...)
		}
	}
	steps = slices.DeleteFunc(steps, func(step int) bool { return step > v.prospect.Shared })
	slices.Sort(steps)
	return slices.Compact(steps)
}

// mayStart tells whether v need not wait for another on its course. Where none goes first it does, if no other process has
// a stage that does.
func (s *schedule) mayStart(ctx context.Context, c *course, v *stageRun) bool {
	shared := v.prospect.Shared
	switch {
	case c.kept[shared], c.first != nil && (shared < c.first.prospect.Shared || c.first.prospect.Shared <= v.prospect.reached(maps.Keys(c.kept))): // nothing to gain
		return true
	case c.first != nil:
		if v.waits != c.first {
			v.waits = c.first
			s.emit(Event{Addr: v.node.Addr, Action: "progress", Text: fmt.Sprintf("waits for %s, with which it shares its first %s steps", c.first.node.Addr, thousands(c.first.prospect.Shared))})
		}
		return false
	case c.unask != nil:
		return false
	}
	lock := store.Key(append(slices.Clone(c.trajectory), store.Fact{Kind: "state", Name: "step", Value: strconv.Itoa(shared)}))
	unlock, free, err := s.st.TryLock(lock)
	if err != nil { // what cannot be locked will not be kept either
		unlock, free = func() {}, true
	}
	if free {
		c.look(s.st.States(v.prospect.key)) // by another process, just before
		if c.kept[shared] {
			unlock()
			return true
		}
		c.first, c.unlock = v, unlock
		return true
	}
	ctx, c.unask = context.WithCancel(ctx)
	s.active++
	s.emit(Event{Addr: v.node.Addr, Action: "progress", Text: fmt.Sprintf("another process takes the first %s steps; waiting", thousands(shared))})
	go func() {
		if unlock, err := s.st.Lock(ctx, lock, nil); err == nil {
			unlock() // and whoever is first now tries again
		}
		s.turn <- c
	}()
	return false
}
