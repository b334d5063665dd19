package report

import (
	"slices"
	"strings"
	"testing"

	"anneal/pipeline"
)

type worth struct {
	Loss     float64  `parquet:"loss"`
	Accuracy *float64 `parquet:"accuracy"`
}

// worths makes a frame of one row for each weight decay and seed.
func worths(t *testing.T, decays []float64, seeds []int64, row func(wd float64, seed int64) worth) frames {
	t.Helper()
	var parts []part
	for _, s := range seeds {
		for _, wd := range decays {
			parts = append(parts, partOf(t, pipeline.Point{{Name: "seed", Value: s}, {Name: "weight_decay", Value: wd}}, []worth{row(wd, s)}))
		}
	}
	f, err := join("w", parts)
	if err != nil {
		t.Fatal(err)
	}
	return frames{"w": f}
}

func TestClaims(t *testing.T) {
	decays := []float64{0, 0.1, 1}
	valley := func(wd float64, seed int64) worth { // best loss at 0.1, accuracy rising, for seed 3 falling
		w := worth{Loss: map[float64]float64{0: 2, 0.1: 1.5, 1: 3}[wd], Accuracy: new(0.5 + wd/10)}
		if seed == 3 {
			w.Accuracy = new(0.5 - wd/10)
		}
		return w
	}
	trend := Claim{Along: "weight_decay", Table: "w", Metric: "accuracy", Expected: "increasing", Unit: "seed"}
	ranks := Claim{Along: "weight_decay", Unit: "seed", Base: &Criterion{Table: "w", Metric: "loss", Better: "by_name"}, After: &Criterion{Table: "w", Metric: "accuracy", Better: "by_name"}}
	best := Claim{Along: "weight_decay", Unit: "seed", Criteria: []Criterion{{Table: "w", Metric: "loss", Better: "by_name"}, {Table: "w", Metric: "accuracy", Better: "by_name"}}}
	ranged := trend
	ranged.Metric, ranged.Range = "loss", []float64{0, 0.5}
	for _, c := range []struct {
		name                   string
		claim                  Claim
		seeds                  []int64
		decays                 []float64
		verdict, sentence, why string
	}{
		{"a rise in one seed is no verdict", trend, []int64{1}, decays, "underpowered", "From weight decay 0 to 1, accuracy rises by 0.100; the claim expects a rise.", "one seed"},
		{"of several seeds those that agree are counted", trend, []int64{1, 2, 3}, decays, "underpowered", "rises by 0.033", "Seeds that agree with the claim: 2 of 3."},
		{"a range leaves points out", ranged, []int64{1}, decays, "underpowered", "From weight decay 0 to 0.1, loss falls by 0.500; the claim expects a rise.", "one seed"},
		{"one point has no direction", trend, []int64{1, 2}, decays[:1], "not measured", "No change of accuracy along weight decay can be told.", "one value of weight decay"},
		{"one point has no rank", ranks, []int64{1, 2}, decays[:1], "not measured", "No pair can be ranked by both criteria.", "one value of weight decay"},
		{"one point is not the best", best, []int64{1, 2}, decays[:1], "not measured", "No two criteria can be compared.", "one value of weight decay"},
		{"reversed pairs", ranks, []int64{1}, decays, "underpowered", "Best first, weight decay by loss: 0.1, 0, 1; by accuracy: 1, 0.1, 0. Pairs in which the worse base ends better: 1 over 0 and 1 over 0.1.", "one seed"},
		{"another order, another pair", ranks, []int64{3}, decays, "underpowered", "by accuracy: 0, 0.1, 1. Pairs in which the worse base ends better: 0 over 0.1.", "one seed"},
		{"the best differs by criterion", best, []int64{1, 2}, decays, "underpowered", "Best weight decay: by loss 0.1; by accuracy 1. In 1 of 1 cases the best is not the best by loss.", "2 of 2 for accuracy"},
	} {
		a, err := c.claim.answer(worths(t, c.decays, c.seeds, valley))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if a.Verdict != c.verdict || !strings.Contains(a.Sentence, c.sentence) || !strings.Contains(a.Why, c.why) {
			t.Errorf("%s: %s: %q (%s)", c.name, a.Verdict, a.Sentence, a.Why)
		}
		for _, l := range a.Lines {
			if len(c.decays) == 1 && (slices.Contains(l.Best, true) || l.Reading != "") {
				t.Errorf("%s: one point is marked as best %v and read as %q", c.name, l.Best, l.Reading)
			}
		}
	}
}

// What was not measured is neither a 0 nor a direction.
func TestClaimsWithMissingNumbers(t *testing.T) {
	f := worths(t, []float64{0, 0.1, 1}, []int64{1}, func(wd float64, _ int64) worth {
		if wd == 1 {
			return worth{Loss: 1}
		}
		return worth{Loss: 2, Accuracy: new(0.5)}
	})
	trend := Claim{Along: "weight_decay", Table: "w", Metric: "accuracy", Expected: "increasing", Unit: "seed"}
	a, err := trend.answer(f)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(a.Sentence, "No change") {
		t.Errorf("without the last point: %q", a.Sentence)
	}
	if v := viewClaim(trend, a); v.Rows[0].Cells[2].Text != "–" || v.Rows[0].Reading != "does not change" {
		t.Errorf("%+v", v.Rows[0])
	}
	best := Claim{Along: "weight_decay", Unit: "seed", Criteria: []Criterion{{Table: "w", Metric: "accuracy", Better: "lower"}, {Table: "w", Metric: "loss", Better: "by_name"}}}
	if a, err = best.answer(f); err != nil || a.Lines[0].Reading != "best: 0 = 0.1" {
		t.Errorf("a missing value is not the lowest: %q, %v", a.Lines[0].Reading, err)
	}
}
