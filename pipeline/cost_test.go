package pipeline_test

import (
	"strings"
	"testing"
)

// TestCost: what is to run is foreseen from like stages, and from nothing where there are none.
func TestCost(t *testing.T) {
	s := newStudy(t)
	cost := func(blocks string) (seconds float64, bytes int64, unknown int) {
		g, err := s.load(blocks)
		if err != nil {
			t.Fatal(err)
		}
		c := g.Cost(s.st, g.Plan(s.st))
		return c.Seconds, c.Bytes, c.Unknown
	}
	if seconds, bytes, unknown := cost(sweep); seconds != 0 || bytes != 0 || unknown != 7 {
		t.Errorf("of an empty store: %g s, %d bytes, %d unknown", seconds, bytes, unknown)
	}
	s.run(sweep)
	if seconds, bytes, unknown := cost(sweep); seconds != 0 || bytes != 0 || unknown != 0 {
		t.Errorf("of nothing to do: %g s, %d bytes, %d unknown", seconds, bytes, unknown)
	}
	one := strings.Replace(sweep, "0.1", "0.2", 1)
	two := strings.Replace(sweep, "0.1", "0.2, 0.3", 1)
	oneSeconds, oneBytes, unknown := cost(one)
	twoSeconds, twoBytes, _ := cost(two)
	if !(0 < oneSeconds && oneSeconds < twoSeconds) || !(0 < oneBytes && oneBytes < twoBytes) || unknown != 0 {
		t.Errorf("one point more costs %g s, %d bytes, two %g s, %d bytes", oneSeconds, oneBytes, twoSeconds, twoBytes)
	}
	// A block of another name goes by its kind.
	if _, bytes, unknown := cost("word \"new\" {\n  text = \"other\"\n}"); bytes == 0 || unknown != 0 {
		t.Errorf("a new block: %d bytes, %d unknown", bytes, unknown)
	}
}
