package pipeline

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"anneal/artifacts/store"
)

// randomPoints draws candidates of a sweep over so many axes, each of which sets an attribute of its own.
func randomPoints(r *rand.Rand, n, axes, values int) ([]candidate, []Point) {
	var rows []candidate
	var points []Point
	for range n {
		var p Point
		facts := []store.Fact{{Kind: "kind", Name: "word", Value: "1"}}
		for a := range axes {
			v := r.IntN(values)
			p = append(p, Coordinate{fmt.Sprintf("a%d", a), float64(v)})
			if v > 0 { // which is the default
				facts = append(facts, store.Fact{Kind: "config", Name: fmt.Sprintf("b%d", a), Value: fmt.Sprint(v % 3)})
			}
		}
		rows = append(rows, candidate{&stored{facts: sorted(facts)}, "[" + p.String() + "]"})
		points = append(points, p)
	}
	return rows, points
}

// TestNearestIsNearest: the index finds what a comparison with every candidate finds.
func TestNearestIsNearest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	agreement := func(c *candidate, p Point, facts []store.Fact) int {
		values := func(facts []store.Fact) map[factName]string {
			m := map[factName]string{}
			for _, f := range facts {
				m[nameOf(f)] = f.Value
			}
			return m
		}
		was, is := values(c.facts), values(facts)
		names := map[factName]bool{}
		for a := range 5 {
			names[factName{"config", fmt.Sprintf("b%d", a)}] = true
		}
		agrees := 0
		for name := range names {
			if was[name] == is[name] {
				agrees += factWeight
			}
		}
		for _, x := range coordinates(c.point) {
			if v := p.Get(x.name); v != nil && x.is(v) {
				agrees += coordinateWeight
			}
		}
		return agrees
	}
	for round := range 300 {
		axes, values := 1+r.IntN(5), 1+r.IntN(4)
		rows, _ := randomPoints(r, 1+r.IntN(20), axes, values)
		others, points := randomPoints(r, 1, axes, values+1)
		cs := &candidates{rows: rows}
		cs.index()
		got := cs.nearest(points[0], others[0].facts, true)
		best := 0
		for i := range rows {
			best = max(best, agreement(&rows[i], points[0], others[0].facts))
		}
		if a := agreement(got, points[0], others[0].facts); a != best {
			t.Fatalf("round %d: %s agrees with %s in %d, another in %d", round, got.point, points[0], a, best)
		}
		if again := cs.nearest(points[0], others[0].facts, true); again != got {
			t.Fatalf("round %d: first %s, then %s", round, got.point, again.point)
		}
	}
	if got := (*candidates)(nil).nearest(nil, nil, true); got != nil {
		t.Errorf("of none, %v", got)
	}
}

// BenchmarkNearest looks for the nearest of 10,000 points, for each of 10,000 others.
func BenchmarkNearest(b *testing.B) {
	for _, c := range []struct{ axes, values int }{{1, 10000}, {2, 100}, {4, 10}, {13, 2}} {
		b.Run(fmt.Sprintf("axes=%d", c.axes), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			rows, _ := randomPoints(r, 10000, c.axes, c.values)
			others, points := randomPoints(r, 10000, c.axes, c.values+1)
			cs := &candidates{rows: slices.Clone(rows)}
			cs.index()
			for b.Loop() {
				for i, o := range others {
					cs.nearest(points[i], o.facts, true)
				}
			}
		})
	}
}
