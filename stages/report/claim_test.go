package report

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
	"anneal/stages/report/statistics"
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

// standardNormal is a draw of the standard normal of the place and the seed, the same each time.
func standardNormal(wd float64, seed int64) float64 {
	return rand.New(rand.NewPCG(uint64(wd*1000), uint64(seed))).NormFloat64()
}

func TestClaims(t *testing.T) {
	decays, three, five := []float64{0, 0.1, 1}, []int64{1, 2, 3}, []float64{0, 0.1, 0.3, 1, 3}
	// The best loss is at 0.1, and accuracy rises by 0.1 from 0 to 1, both with noise of the size given.
	valley := func(size float64) func(wd float64, seed int64) worth {
		return func(wd float64, seed int64) worth {
			return worth{Loss: (wd-0.1)*(wd-0.1) + size*standardNormal(wd, seed), Accuracy: new(0.5 + wd/10 + size*standardNormal(wd+100, seed))}
		}
	}
	clear := valley(1e-4)
	trend := Claim{Along: "weight_decay", Table: "w", Metric: "accuracy", Expected: "increasing", Unit: "seed"}
	with := func(change func(*Claim)) Claim {
		c := trend
		change(&c)
		return c
	}
	ranks := Claim{Along: "weight_decay", Unit: "seed", Base: &Criterion{Table: "w", Metric: "loss", Better: "by_name"}, After: &Criterion{Table: "w", Metric: "accuracy", Better: "by_name"}}
	best := Claim{Along: "weight_decay", Unit: "seed", Criteria: []Criterion{{Table: "w", Metric: "loss", Better: "by_name"}, {Table: "w", Metric: "accuracy", Better: "by_name"}}}
	agreed := func(wd float64, seed int64) worth { // both at their best without decay
		return worth{Loss: 1 + wd + 1e-4*standardNormal(wd, seed), Accuracy: new(0.9 - wd/10 + 1e-4*standardNormal(wd+100, seed))}
	}
	for _, c := range []struct {
		name                   string
		claim                  Claim
		seeds                  []int64
		decays                 []float64
		row                    func(wd float64, seed int64) worth
		verdict, sentence, why string
	}{
		{"a clear rise", trend, three, decays, clear, holds, "From weight decay 0 to 1, accuracy (share of examples) rises by 0.100 (95 % interval 0.100 to 0.10", "expects a rise, and all of the interval is"},
		{"a clear rise where a fall is expected", with(func(c *Claim) { c.Expected = "decreasing" }), three, decays, clear, doesNotHold, "rises by 0.100", "expects a fall, and none of the interval is"},
		{"noise", trend, three, decays, valley(1), underpowered, ", 3 seeds). About ", "0 lies within the interval."},
		{"a rise in one seed", trend, []int64{1}, decays, clear, underpowered, "accuracy (share of examples) rises by 0.100.", "one seed"},
		{"a rise that matters", with(func(c *Claim) { c.Smallest = 0.05 }), three, decays, clear, holds, "rises by 0.100", "a rise of more than 0.05, and all"},
		{"a rise too small to matter", with(func(c *Claim) { c.Smallest = 0.2 }), three, decays, clear, doesNotHold, "rises by 0.100", "a rise of more than 0.2, and none"},
		{"a rise that may matter", with(func(c *Claim) { c.Smallest = 0.1 }), three, decays, valley(0.01), underpowered, "rises by", "0.1 lies within the interval"},
		{"a range leaves places out", with(func(c *Claim) { c.Metric, c.Range, c.Expected = "loss", []float64{0, 0.5}, "decreasing" }), three, decays, clear, holds, "From weight decay 0 to 0.1, loss falls by 0.01", ""},
		{"least squares", with(func(c *Claim) { c.Contrast = "slope" }), three, decays, clear, holds, "rises by 0.0501 a place (95 % interval 0.0500 to 0.0501, 3 seeds)", ""},
		{"an order", with(func(c *Claim) { c.Contrast = "tau" }), three, five, clear, holds, "has Kendall's tau-b with weight decay 1.00 (95 % interval 1.00 to 1.00, 3 seeds).", ""},
		{"an order of noise", with(func(c *Claim) { c.Contrast = "tau" }), three, five, valley(1), underpowered, "tau-b", ""},
		{"an order of too few", with(func(c *Claim) { c.Contrast = "tau" }), three, decays, clear, notMeasured, "No change", "takes 5 values of weight decay at least"},
		{"one point has no direction", trend, three, decays[:1], clear, notMeasured, "No change of accuracy along weight decay can be told.", "one value of weight decay"},
		{"one point has no rank", ranks, three, decays[:1], clear, notMeasured, "No pair can be ranked by both criteria.", "one value of weight decay"},
		{"one point is not the best", best, three, decays[:1], clear, notMeasured, "No two criteria can be compared.", "one value of weight decay"},
		{"a clear reversal", ranks, three, decays, clear, holds, "Of 3 pairs of weight decays, 2 are reversed in the means, worse by loss and better by accuracy: 1 over 0", "0.98333"},
		{"no reversal", ranks, three, decays, agreed, doesNotHold, "0 are reversed in the means, worse by loss and better by accuracy: none.", "No pair has a share above 0.05"},
		{"reversals of noise", ranks, three, decays, valley(1), underpowered, "in the means", "0.98333 or more, 1 − 0.05/3."},
		{"reversals in one seed", ranks, []int64{1}, decays, clear, underpowered, "2 are reversed in the means, worse by loss and better by accuracy: 1 over 0 and 1 over 0.1.", "one seed"},
		{"orders that agree", ranks, three, five, agreed, doesNotHold, "Kendall's tau-b of both orders is 1.00 (95 % interval 1.00 to 1.00).", ""},
		{"bests that differ", best, three, decays, clear, holds, "Best weight decay, with its share of resamples of 3 seeds: by loss 0.1 (", "shares none with the rest"},
		{"bests that agree", best, three, decays, agreed, doesNotHold, "by loss 0 (over 0.999); by accuracy 0 (over 0.999).", ""},
		{"bests of noise", best, three, decays, valley(1), underpowered, " or ", ""},
		{"bests in one seed", best, []int64{1}, decays, clear, underpowered, "Best weight decay: by loss 0.1; by accuracy 1.", "one seed"},
	} {
		a, err := c.claim.answer(worths(t, c.decays, c.seeds, c.row), standardInterval())
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if a.Verdict != c.verdict || !strings.Contains(a.Sentence, c.sentence) || !strings.Contains(a.Why, c.why) {
			t.Errorf("%s: %s: %q (%s)", c.name, a.Verdict, a.Sentence, a.Why)
		}
		if more := a.Seeds - len(c.seeds); a.Verdict == underpowered && !strings.Contains(a.Sentence, "More than 100 more") && (more < 1 || more != a.MoreSeeds) || a.Verdict != underpowered && a.Seeds != 0 {
			t.Errorf("%s: %s with %d more seeds, %d in all", c.name, a.Verdict, a.MoreSeeds, a.Seeds)
		}
		for _, l := range a.Lines {
			if len(c.decays) == 1 && (slices.Contains(l.Best, true) || l.Reading != "") {
				t.Errorf("%s: one point is marked as best %v and read as %q", c.name, l.Best, l.Reading)
			}
		}
	}
}

// casesOf makes a frame of one row for each task, weight decay and seed.
func casesOf(t *testing.T, tasks []string, decays []float64, seeds []int64, accuracy func(task string, wd float64, seed int64) *float64) frames {
	t.Helper()
	var parts []part
	for _, task := range tasks {
		for _, s := range seeds {
			for _, wd := range decays {
				parts = append(parts, partOf(t, pipeline.Point{{Name: "seed", Value: s}, {Name: "task", Value: task}, {Name: "weight_decay", Value: wd}},
					[]worth{{Loss: 1 + wd, Accuracy: accuracy(task, wd, s)}}))
			}
		}
	}
	f, err := join("w", parts)
	if err != nil {
		t.Fatal(err)
	}
	return frames{"w": f}
}

// Each case has its verdict, the claim that of their mean. A unit that lacks a value is left out of what takes it.
func TestCases(t *testing.T) {
	accuracy := func(task string, wd float64, seed int64) *float64 {
		effect := map[string]float64{"rising": 0.3, "falling": -0.1, "flat": 0, "missing": 0}[task]
		size := map[string]float64{"flat": 0.1}[task]
		if task == "missing" && wd > 0 {
			return nil
		}
		return new(0.5 + effect*wd + (size+1e-3)*standardNormal(wd+effect, seed))
	}
	c := Claim{Along: "weight_decay", Table: "w", Metric: "accuracy", Expected: "increasing", Unit: "seed", Within: []string{"task"}}
	tasks, decays, seeds := []string{"falling", "flat", "missing", "rising"}, []float64{0, 1}, []int64{1, 2, 3, 4}
	a, err := c.answer(casesOf(t, tasks, decays, seeds, accuracy), standardInterval())
	if err != nil {
		t.Fatal(err)
	}
	if a.Cases != 3 || a.Holds != 1 || a.Fails != 1 {
		t.Errorf("of %d cases %d hold and %d fail", a.Cases, a.Holds, a.Fails)
	}
	for i, reading := range []string{"does not hold: falls by 0.1", "underpowered: ", "", "holds: rises by 0.3"} {
		if !strings.HasPrefix(a.Lines[i].Reading, reading) {
			t.Errorf("%s: %q, want %q", a.Lines[i].Group, a.Lines[i].Reading, reading)
		}
	}
	for _, s := range []string{"on average over 3 cases", "Of 3 cases, each on its own, it holds in 1, does not hold in 1 and is underpowered in 1."} {
		if !strings.Contains(a.Sentence, s) {
			t.Errorf("%q lacks %q", a.Sentence, s)
		}
	}
	if !strings.Contains(a.Why, "Left out: 1 case without") {
		t.Errorf("why %q", a.Why)
	}

	// The mean over cases, by hand: (0.3 − 0.1)/2 = 0.1 within a seed, and with a seed that lacks a case, the other three.
	two := casesOf(t, []string{"falling", "rising"}, decays, seeds, func(task string, wd float64, seed int64) *float64 {
		if seed == 4 && task == "rising" && wd == 1 {
			return nil
		}
		return new(0.5 + map[string]float64{"rising": 0.3, "falling": -0.1}[task]*wd + []float64{0, 0.01, 0.03, 0.02, 1}[seed]*wd)
	})
	if a, err = c.answer(two, standardInterval()); err != nil {
		t.Fatal(err)
	}
	// 0.11, 0.13, 0.12: mean 0.12, standard deviation 0.01, 4.303·0.01/√3 = 0.0248.
	if a.Verdict != holds || !strings.Contains(a.Sentence, "rises by 0.120 (95 % interval 0.095 to 0.145, 3 seeds) on average over 2 cases") || !strings.Contains(a.Why, "Left out where it lacks a value: seed 4.") {
		t.Errorf("%s: %q (%s)", a.Verdict, a.Sentence, a.Why)
	}
}

// Of the seeds that a claim is said to want, four studies in five come to the verdict, where effect and spread are as they
// were seen.
func TestMoreSeedsSuffice(t *testing.T) {
	decays, effect := []float64{0, 1}, 0.5
	c := Claim{Along: "weight_decay", Table: "w", Metric: "loss", Expected: "increasing", Unit: "seed"}
	seen := []float64{-1.1, 0.4, 0.7} // of mean 0 and standard deviation 0.964
	a, err := c.answer(worths(t, decays, []int64{1, 2, 3}, func(wd float64, seed int64) worth {
		return worth{Loss: wd * (effect + seen[seed-1])}
	}), standardInterval())
	if err != nil {
		t.Fatal(err)
	}
	if a.Verdict != underpowered || a.Seeds < 25 || a.Seeds > 40 { // 32 by tables of the power of the t test
		t.Fatalf("%s, %d seeds", a.Verdict, a.Seeds)
	}
	random := rand.New(rand.NewPCG(7, 0))
	decided, studies := 0, 1000
	for range studies {
		units := make([]statistics.Unit, a.Seeds)
		for i := range units {
			units[i].Values = [][]statistics.Measurement{{{Value: effect + 0.964*random.NormFloat64()}}}
		}
		if c.weigh(standardInterval().method().Linear(units, []float64{1})) == holds {
			decided++
		}
	}
	if share := float64(decided) / float64(studies); share < 0.75 || share > 0.88 {
		t.Errorf("%g of studies of %d seeds come to the verdict", share, a.Seeds)
	}
}

// Where all values of the axis are alike after fine-tuning, chance makes reversals, and another best place than before, in
// no more studies than the confidence admits.
func TestChanceSeldomDecides(t *testing.T) {
	ranks := Claim{Along: "weight_decay", Unit: "seed", Base: &Criterion{Table: "w", Metric: "loss", Better: "by_name"}, After: &Criterion{Table: "w", Metric: "accuracy", Better: "by_name"}}
	best := Claim{Along: "weight_decay", Unit: "seed", Criteria: []Criterion{{Table: "w", Metric: "loss", Better: "by_name"}, {Table: "w", Metric: "accuracy", Better: "by_name"}}}
	often := standardInterval()
	often.Confidence, often.Resamples = 0.8, 500
	random := rand.New(rand.NewPCG(5, 0))
	reversed, differs, studies := 0, 0, 30
	for range studies {
		f := worths(t, []float64{0, 0.1, 0.3, 1, 3}, []int64{1, 2, 3, 4}, func(wd float64, _ int64) worth {
			return worth{Loss: wd + 0.01*random.NormFloat64(), Accuracy: new(random.NormFloat64())}
		})
		for found, c := range map[*int]Claim{&reversed: ranks, &differs: best} {
			a, err := c.answer(f, often)
			if err != nil {
				t.Fatal(err)
			}
			if a.Verdict == holds {
				*found++
			}
		}
	}
	const most = 0.2*30 + 2*2.2 // 1 − confidence and two standard deviations
	if float64(reversed) > most || float64(differs) > most {
		t.Errorf("of %d studies %d show reversals by chance, %d another best place", studies, reversed, differs)
	}
}

// The verdicts are left as a table.
func TestClaimsTable(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 2, whole, nil)
	rows, err := artifacts.ReadRows[artifacts.ClaimRow](filepath.Join(r.Path("report.r", "report"), "claims.parquet"))
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	c := rows[0]
	if c.Name != "C" || c.Says != "it rises" || c.Verdict != underpowered || c.Sentence == "" || c.Cases != 1 || c.Holds != 0 || c.Fails != 0 || c.Unit != "seed" || c.Seeds == nil || *c.Seeds != 2+*c.MoreSeeds {
		t.Errorf("%+v", c)
	}
}

func TestClaimsRefused(t *testing.T) {
	const table = "table \"loss\" {\nfrom = [for p in losing.secret_name : p.losses]\n}\n"
	const claim = table + "claim \"c\" {\nsays = \"\"\nalong = \"weight_decay\"\n"
	const trend = claim + "table = \"loss\"\nmetric = \"gap\"\nexpected = \"increasing\"\n"
	const ranks = claim + "base {\ntable = \"loss\"\nmetric = \"gap\"\n}\nafter {\ntable = \"loss\"\nmetric = \"gap\"\n}\n"
	for _, c := range []struct{ blocks, want string }{
		{trend + "contrast = \"median\"\n}", `must be "ends", "slope" or "tau"`},
		{trend + "smallest = -1\n}", "must be at least 0"},
		{ranks + "smallest = 1\n}", "is of a metric that rises or falls"},
		{ranks + "contrast = \"tau\"\n}", "is of a metric that rises or falls"},
		{"table \"claims\" {\nfrom = [for p in losing.secret_name : p.losses]\n}", "the file with the verdicts"},
	} {
		if _, err := pipelinetest.Load(t, kinds, base+"report \"r\" {\n"+c.blocks+"\n}", nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\nerror %v, want %q", c.blocks, err, c.want)
		}
	}
}

// Scores at the floor do not change in any seed: no number of them would settle a claim that they rise.
func TestNoChangeAtAll(t *testing.T) {
	c := Claim{Along: "weight_decay", Table: "w", Metric: "accuracy", Expected: "increasing", Unit: "seed"}
	a, err := c.answer(worths(t, []float64{0, 1}, []int64{1, 2, 3}, func(float64, int64) worth { return worth{Accuracy: new(0.0)} }), standardInterval())
	if err != nil || a.Verdict != underpowered || a.Seeds != 0 || !strings.Contains(a.Sentence, "More than 100 more seeds") {
		t.Errorf("%+v, %v", a, err)
	}
}

// A slope is per place of the axis, also where a place in between is missing; one whose end is missing is of another range.
func TestSlopeWithMissingPlaces(t *testing.T) {
	c := Claim{Along: "weight_decay", Table: "w", Metric: "accuracy", Expected: "increasing", Contrast: "slope", Unit: "seed", Within: []string{"task"}}
	decays, seeds := []float64{0, 0.1, 1}, []int64{1, 2, 3}
	a, err := c.answer(casesOf(t, []string{"end", "full", "middle"}, decays, seeds, func(task string, wd float64, seed int64) *float64 {
		if task == "end" && wd == 1 || task == "middle" && wd == 0.1 {
			return nil
		}
		return new(0.25 * float64(slices.Index(decays, wd)))
	}), standardInterval())
	if err != nil || a.Cases != 2 || a.Verdict != holds || !strings.Contains(a.Sentence, "rises by 0.250 a place (95 % interval 0.250 to 0.250, 3 seeds)") {
		t.Errorf("%+v, %v", a, err)
	}
}

// One seed alone with every value has no interval; the page asks for as many as make one of use.
func TestOneSeedIsComplete(t *testing.T) {
	c := Claim{Along: "weight_decay", Table: "w", Metric: "accuracy", Expected: "increasing", Unit: "seed"}
	a, err := c.answer(worths(t, []float64{0, 1}, []int64{1, 2, 3}, func(wd float64, seed int64) worth {
		if wd == 1 && seed > 1 {
			return worth{}
		}
		return worth{Accuracy: new(wd)}
	}), standardInterval())
	if err != nil || a.Verdict != underpowered || a.MoreSeeds != 2 || a.Seeds != 5 || !strings.Contains(a.Why, "Of 3 seeds, one has every value") {
		t.Errorf("%+v, %v", a, err)
	}
}

// All criteria together leave out the place best by one of them in no more than 1 − confidence of studies.
func TestEachCriterionIsAllowedFor(t *testing.T) {
	c := Claim{Along: "weight_decay", Unit: "seed"}
	for range 4 {
		c.Criteria = append(c.Criteria, Criterion{Table: "w", Metric: "loss", Better: "by_name"})
	}
	a, err := c.answer(worths(t, []float64{0, 0.1, 1}, []int64{1, 2, 3}, func(wd float64, seed int64) worth { return worth{Loss: wd * float64(seed)} }), standardInterval())
	if err != nil || !strings.Contains(a.Why, "a share of 0.99375 of") { // 1 − 0.05/4/2
		t.Errorf("%+v, %v", a, err)
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
	a, err := trend.answer(f, standardInterval())
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
	if a, err = best.answer(f, standardInterval()); err != nil || a.Lines[0].Reading != "best: 0 = 0.1" {
		t.Errorf("a missing value is not the lowest: %q, %v", a.Lines[0].Reading, err)
	}
}
