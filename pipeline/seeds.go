package pipeline

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/zclconf/go-cty/cty"
)

// SeedAxis is a list of seeds that a grid was given, and what LoadOptions.Seeds extended it to.
type SeedAxis struct{ Listed, All []int64 }

// seedAxes extends the seed axes of grids, so that a sweep can be replicated without an edit of its file.
type seedAxes struct {
	want map[string]int // by the name of an axis, how many values it is to have at least

	mu    sync.Mutex
	found map[string][]SeedAxis // by name, in the order in which grids were evaluated, each list once
}

func newSeedAxes(want map[string]int) *seedAxes {
	return &seedAxes{want: want, found: map[string][]SeedAxis{}}
}

// IsSeed tells whether a coordinate of this name holds seeds, which are whole numbers.
func IsSeed(name string) bool { return name == "seed" || strings.HasSuffix(name, "_seed") }

// Typed gives a coordinate's value the type of its column in tables: int64 for seeds, float64 for other numbers, so that the
// columns of [0, 1] and [0, 0.1] are of one type. Strings and truth values stay as they are.
func Typed(name string, v any) any {
	switch x := v.(type) {
	case int64:
		if !IsSeed(name) {
			return float64(x)
		}
	case float64:
		if IsSeed(name) && x == math.Trunc(x) {
			return int64(x)
		}
	}
	return v
}

// extend gives a list axis of seeds as many values as are wanted of its name: those listed, then the integers above the
// largest.
func (s *seedAxes) extend(a *axis) error {
	if !IsSeed(a.name) {
		return nil
	}
	var listed []int64
	for _, step := range a.steps {
		listed = append(listed, step.point[0].Value.(int64))
	}
	all := slices.Clone(listed)
	for len(all) < s.want[a.name] {
		next := int64(1)
		if len(all) > 0 {
			if next = slices.Max(all); next == math.MaxInt64 {
				return fmt.Errorf("%s has %d among its values, above which there are no more to add", a.name, next)
			}
			next++
		}
		all = append(all, next)
		a.steps = append(a.steps, step{Point{{a.name, next}}, cty.NumberIntVal(next)})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.found[a.name], func(f SeedAxis) bool { return slices.Equal(f.Listed, listed) }) {
		s.found[a.name] = append(s.found[a.name], SeedAxis{listed, all})
	}
	return nil
}

// SeedAxes returns, by name, the lists that the grids of the decoded pipelines have as their axes of seeds.
func (c *Config) SeedAxes() map[string][]SeedAxis {
	c.seeds.mu.Lock()
	defer c.seeds.mu.Unlock()
	return maps.Clone(c.seeds.found)
}
