package kernel

import (
	"slices"
	"testing"
)

// Every item runs once, on any number of workers, which may change between calls; and a call allocates nothing.
func TestWorkers(t *testing.T) {
	cores := 1
	w := NewWorkers(func() int { return cores })
	var runs [50]int32
	job := func(s *Scratch, item int) {
		s.Floats(8)[0] = 1
		runs[item]++
	}
	for _, cores = range []int{1, 4, 2, 0, 7, 64} {
		w.Resize()
		for _, items := range []int{0, 1, 3, 50} {
			clear(runs[:])
			w.Each(items, job)
			if slices.Max(runs[:]) > 1 || slices.Index(append(runs[:], 0), 0) != items {
				t.Errorf("%d cores, %d items: %v", cores, items, runs)
			}
		}
	}
	for _, cores = range []int{1, 3} {
		w.Resize()
		w.Each(len(runs), job)
		if n := testing.AllocsPerRun(100, func() { w.Each(len(runs), job) }); n >= 1 {
			t.Errorf("%d cores: %g allocations", cores, n)
		}
	}
}
