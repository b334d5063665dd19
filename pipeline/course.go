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
// they share. Of those that are equally far the one that shares least goes first; the others wait outside the queues, where
// they occupy nothing, until it has kept the last state that it shares, or has ended without. As it waits for none of them,
// it ends.
//
// It holds the lock of that state, by which processes take turns too. Whoever waits for the lock runs nothing, and whoever
// holds it waits for nothing that those could run.
type course struct {
	trajectory []store.Fact
	kept       map[int]bool  // steps of kept states
	turns      map[int]*turn // by the last step that is shared
	waiting    []*stageRun
}

// turn is that of a stage on its course.
type turn struct {
	stage  *stageRun // queued or running, and yet to keep its last shared state; nil: another process's
	shared int
	end    func() // unlocks that state; or gives up waiting for the other process
}

// keptState is the news that a stage has kept a state, or that it could not.
type keptState struct {
	*stageRun
	step int
	err  error
}

// over is the news that another process's turn is.
type over struct {
	*course
	*turn
}

// join puts v, which shares a trajectory, among those that wait to start.
func (s *schedule) join(v *stageRun) {
	c := s.courses[v.prospect.key]
	if c == nil {
		c = &course{trajectory: v.prospect.trajectory, kept: map[int]bool{}, turns: map[int]*turn{}}
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
	case k.step == k.prospect.Shared:
		if t := c.turns[k.step]; t != nil && t.stage == k.stageRun {
			c.end(t)
		}
	}
}

// end lets others have their turn.
func (c *course) end(t *turn) {
	delete(c.turns, t.shared)
	t.end()
}

// lead queues the stages that need not wait any more.
func (s *schedule) lead(ctx context.Context) {
	for _, c := range s.courses {
		for _, t := range c.turns {
			if t.stage != nil && (t.stage.settled || c.kept[t.shared]) {
				c.end(t)
			}
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
			if t := c.turns[v.prospect.Shared]; t != nil && t.stage == v {
				v.rest = urgent // for all that may wait for it
				v.wanted = wantedOf(v, waiting)
			}
			s.queues[v.node.Meta.Executor].push(v)
		}
	}
}

// wantedOf lists the steps that v computes of what it shares whose states others of those that wait need on their way, ascending.
func wantedOf(v *stageRun, waiting []*stageRun) []int {
	var steps []int
	for _, other := range waiting {
		if other != v {
			steps = append(steps, other.prospect.Stops...)
		}
	}
	steps = slices.DeleteFunc(steps, func(step int) bool { return !v.prospect.passes(step) })
	slices.Sort(steps)
	return slices.Compact(steps)
}

// before is the turn that v is to wait for: the one that leads furthest of those that lead further than v is. nil: none.
func (c *course) before(v *stageRun) *turn {
	var last *turn
	for step, t := range c.turns {
		if step <= v.prospect.Shared && step > v.prospect.reached(maps.Keys(c.kept)) && (last == nil || step > last.shared) {
			last = t
		}
	}
	return last
}

// mayStart tells whether v need not wait for another on its course. Then it has a turn of its own, unless what it shares is
// kept.
func (s *schedule) mayStart(ctx context.Context, c *course, v *stageRun) bool {
	shared := v.prospect.Shared
	if c.kept[shared] {
		return true
	}
	if t := c.before(v); t != nil {
		s.waits(v, t)
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
		c.turns[shared] = &turn{v, shared, unlock}
		return true
	}
	ctx, cancel := context.WithCancel(ctx)
	other := &turn{nil, shared, cancel}
	c.turns[shared] = other
	s.waits(v, other)
	s.active++
	go func() {
		if unlock, err := s.st.Lock(ctx, lock, nil); err == nil {
			unlock() // and whoever is first now tries again
		}
		s.over <- over{c, other}
	}()
	return false
}

// waits tells what v waits for.
func (s *schedule) waits(v *stageRun, t *turn) {
	if v.waits == t {
		return
	}
	v.waits = t
	text := fmt.Sprintf("another process takes the first %s steps; waiting", thousands(t.shared))
	if t.stage != nil {
		text = fmt.Sprintf("waits for %s, with which it shares its first %s steps", t.stage.node.Addr, thousands(t.shared))
	}
	s.emit(Event{Addr: v.node.Addr, Action: "progress", Text: text})
}
