package pipeline_test

import (
	"strings"
	"testing"

	"anneal/pipeline"
)

// TestCost: what is to run is foreseen from like stages, and from nothing where there are none.
func TestCost(t *testing.T) {
	s := newStudy(t)
	cost := func(blocks string) pipeline.Cost {
		g, err := s.load(blocks)
		if err != nil {
			t.Fatal(err)
		}
		return g.Cost(s.st, g.Plan(s.st), 2)
	}
	if c := cost(sweep); c.Seconds != 0 || c.Wall != 0 || c.Bytes != 0 || c.Unknown != 7 {
		t.Errorf("of an empty store: %+v", c)
	}
	s.run(sweep)
	if c := cost(sweep); c.Seconds != 0 || c.Bytes != 0 || c.Unknown != 0 || len(c.Kinds) != 0 {
		t.Errorf("of nothing to do: %+v", c)
	}
	one := cost(strings.Replace(sweep, "0.1", "0.2", 1))
	two := cost(strings.Replace(sweep, "0.1", "0.2, 0.3", 1))
	if !(0 < one.Seconds && one.Seconds < two.Seconds) || !(0 < one.Bytes && one.Bytes < two.Bytes) || one.Unknown != 0 {
		t.Errorf("one point more costs %+v, two %+v", one, two)
	}
	if len(two.Kinds) != 3 || two.Kinds[0] != (pipeline.KindCount{Kind: "word", Count: 2}) || two.Kinds[2] != (pipeline.KindCount{Kind: "collect", Count: 1}) {
		t.Errorf("of two points more: %+v", two.Kinds)
	}
	// A block of another name goes by the result of its kind that differs least: the longest text has the most bytes.
	long := strings.Repeat("x", 100)
	s.run("word \"old\" {\n  text = \"" + long + "\"\n  weight = 7\n}\n" + sweep)
	if c := cost("word \"new\" {\n  text = \"other\"\n  weight = 7\n}"); c.Bytes != 100 || c.Unknown != 0 {
		t.Errorf("a new block like one of 100 bytes: %+v", c)
	}
}

// TestCostByTheClock: stages that wait for one another take their turns, others share the cores.
func TestCostByTheClock(t *testing.T) {
	s := newStudy(t)
	g, err := s.load(sweep)
	if err != nil {
		t.Fatal(err)
	}
	steps := g.Plan(s.st)
	for i := range steps {
		steps[i].Seconds, steps[i].Foreseen = 10, true
	}
	// Three chains of two, and what collects them: 30 s at least, 70 s of stages.
	for cores, want := range map[int]float64{1: 70, 2: 35, 3: 30, 64: 30} {
		if c := pipeline.CostOf(steps, cores); c.Wall != want || c.Seconds != 70 {
			t.Errorf("on %d cores: %g s of %g s, want %g s", cores, c.Wall, c.Seconds, want)
		}
	}
	steps[0].Do = pipeline.Cached
	if c := pipeline.CostOf(steps, 1); c.Seconds != 60 {
		t.Errorf("with one cached: %g s", c.Seconds)
	}
}
