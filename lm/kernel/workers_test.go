package kernel

import (
	"fmt"
	"slices"
	"strings"
	"sync"
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
		if w.Size() != max(1, cores) {
			t.Errorf("%d workers for %d cores", w.Size(), cores)
		}
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

// What panics on another goroutine panics where Each was called, which can recover from it; and the workers can work again.
func TestWorkersPanic(t *testing.T) {
	const cores = 3
	w := NewWorkers(func() int { return cores })
	for bad := range cores {
		var begun sync.WaitGroup // each worker takes an item
		begun.Add(cores)
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, fmt.Sprintf("item %d\n", bad)) {
					t.Errorf("recovered %q", text)
				}
			}()
			w.Each(cores, func(_ *Scratch, item int) {
				begun.Done()
				begun.Wait()
				if item == bad {
					panic(fmt.Sprint("item ", item))
				}
			})
		}()
		var runs [50]int32
		w.Each(len(runs), func(_ *Scratch, item int) { runs[item]++ })
		if slices.Min(runs[:]) != 1 || slices.Max(runs[:]) != 1 {
			t.Errorf("after a panic: %v", runs)
		}
	}
}
