package report

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"anneal/pipeline/pipelinetest"
	"anneal/stages/report/statistics"
)

// cellOf is the one cell of a query.
func cellOf(t *testing.T, f *frame, metric string, where ...Where) quantity {
	t.Helper()
	cells, err := f.means(query{metric: metric, unit: "seed", where: where})
	if err != nil || len(cells) != 1 {
		t.Fatalf("%v, %v", cells, err)
	}
	return quantity{f, metric, cells[0]}
}

func TestRepeats(t *testing.T) {
	scores := joined(t, "scores",
		scoredAt(t, tuned(1, 1, 0.001), 0, 0.1), scoredAt(t, tuned(1, 2, 0.001), 0, 0.2), scoredAt(t, tuned(1, 1, 0.003), 0, 0.3), scoredAt(t, tuned(1, 2, 0.003), 0, 0.4),
		scoredAt(t, tuned(2, 2, 0.001), 0, 0.6), scoredAt(t, tuned(2, 1, 0.001), 0, 0.5), scoredAt(t, tuned(2, 2, 0.003), 0, 0.8),
		scoredAt(t, tuned(3, 1, 0.001), 0, 0.9), scoredAt(t, tuned(3, 1, 0.003), -1, -1),
	)
	losses := joined(t, "losses", scoredAt(t, based(1), 0, 0.91), scoredAt(t, based(2), 0, 0.92), scoredAt(t, based(3), 0, 0.93))
	slow, fast := cellOf(t, scores, "accuracy", Where{"learning_rate", []string{"0.001"}}), cellOf(t, scores, "accuracy", Where{"learning_rate", []string{"0.003"}})
	loss := cellOf(t, losses, "response_loss")
	for _, c := range []struct {
		name           string
		levels, paired []string
		quantities     []quantity
		want, lost     string
	}{
		{"seeds that are no level are averaged", []string{"seed"}, nil, []quantity{slow, fast}, "1: 0.15±0.04; 0.35±0.04 | 2: 0.55±0.04; 0.8±0.04", "[3]"},
		{"those that are replicate, in one order", []string{"seed", "finetune_seed"}, nil, []quantity{slow, fast}, "1: 0.1±0.04 0.2±0.04; 0.3±0.04 0.4±0.04 | 2: 0.5±0.04 0.6±0.04; 0.8±0.04", "[3]"},
		{"paired by them too", []string{"seed", "finetune_seed", "example"}, []string{"seed", "finetune_seed"}, []quantity{slow, fast}, "1: 0.1±0.04 0.2±0.04; 0.3±0.04 0.4±0.04 | 2: 0.6±0.04; 0.8±0.04", "[3]"},
		{"a table without them has one of each unit", []string{"seed", "finetune_seed"}, []string{"seed", "finetune_seed"}, []quantity{slow, loss}, "1: 0.1±0.04 0.2±0.04; 0.09±0 | 2: 0.5±0.04 0.6±0.04; 0.08±0 | 3: 0.9±0.04; 0.07±0", "[]"},
	} {
		v := standardInterval()
		v.Levels, v.Paired = c.levels, c.paired
		if err := v.Check(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		r, err := v.repeats("seed", c.quantities...)
		if err != nil {
			t.Fatal(err)
		}
		var units []string
		for i, u := range r.units {
			var quantities []string
			for _, replicates := range u.Values {
				var all []string
				for _, m := range replicates {
					all = append(all, fmt.Sprintf("%.3g±%.3g", m.Value, m.SE))
				}
				quantities = append(quantities, strings.Join(all, " "))
			}
			units = append(units, plain(r.names[i])+": "+strings.Join(quantities, "; "))
		}
		if got := strings.Join(units, " | "); got != c.want || fmt.Sprint(r.lost) != c.lost {
			t.Errorf("%s: %s, lost %v\nwant %s, lost %s", c.name, got, r.lost, c.want, c.lost)
		}
	}
}

// One seed has no interval, and too few none by a bootstrap.
func TestFewUnits(t *testing.T) {
	v := standardInterval()
	one := cellOf(t, joined(t, "one", scoredAt(t, based(1), 0, 0.1)), "accuracy")
	r, err := v.repeats("seed", one)
	if err != nil {
		t.Fatal(err)
	}
	if i := v.method().Linear(r.units, []float64{1}); i.Estimate != 0.1 || !math.IsNaN(i.Low) || !math.IsNaN(i.High) {
		t.Errorf("of one seed: %+v", i)
	}
	var parts []part
	for seed := range int64(5) {
		parts = append(parts, scoredAt(t, based(seed), 0, float64(seed)/10))
	}
	v.Method = statistics.Bootstrap
	if _, err := v.repeats("seed", cellOf(t, joined(t, "four", parts[:4]...), "accuracy")); err == nil || !strings.Contains(err.Error(), "interval.method: hierarchical_bootstrap takes at least 5 values of seed, here are 4: use t") {
		t.Errorf("of four seeds: %v", err)
	}
	if r, err := v.repeats("seed", cellOf(t, joined(t, "five", parts...), "accuracy")); err != nil || len(r.units) != 5 {
		t.Errorf("of five seeds: %v", err)
	}
}

func TestIntervalRefuses(t *testing.T) {
	for _, c := range []struct {
		change func(*Interval)
		want   string
	}{
		{func(v *Interval) { v.Levels = nil }, "levels: must name the unit"},
		{func(v *Interval) { v.Levels = []string{"example"} }, "levels: example must be the last of several"},
		{func(v *Interval) { v.Levels = []string{"seed", "example", "finetune_seed"} }, "levels: example must be the last"},
		{func(v *Interval) { v.Levels = []string{"seed", "task"} }, `levels: "task" is neither a seed`},
		{func(v *Interval) { v.Levels = []string{"seed", "seed"} }, "levels: seed is named twice"},
		{func(v *Interval) { v.Paired = []string{"weight_decay"} }, `paired: "weight_decay" is none of the seeds in levels: seed`},
		{func(v *Interval) {
			v.Levels = []string{"seed", "finetune_seed"}
			v.Paired = []string{"finetune_seed"}
		}, "paired: must have seed, the unit"},
		{func(v *Interval) { v.Confidence = 95 }, "confidence: must be between 0 and 1, such as 0.95, is 95"},
		{func(v *Interval) { v.Confidence = 0 }, "confidence: must be"},
		{func(v *Interval) { v.Confidence = math.NaN() }, "confidence: must be"},
		{func(v *Interval) { v.Resamples = 10 }, "resamples: must be from 100 to 1000000, is 10"},
	} {
		v := standardInterval()
		c.change(&v)
		if err := v.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", v, err, c.want)
		}
	}
	v := standardInterval()
	v.Levels = []string{"seed", "tuning_seed"}
	tables := []*frame{joined(t, "one", scoredAt(t, based(1), 0, 0.1))}
	if err := v.check(tables); err == nil || !strings.Contains(err.Error(), "levels: no table has a coordinate tuning_seed") {
		t.Errorf("%v", err)
	}
	if v.Levels = []string{"seed", "example"}; v.check(tables) != nil {
		t.Error("examples are no coordinate, nor need they be")
	}
}

func TestMethod(t *testing.T) {
	for _, c := range []struct {
		levels []string
		want   int
	}{{[]string{"seed"}, 1}, {[]string{"seed", "finetune_seed"}, 2}, {[]string{"seed", "finetune_seed", "example"}, 3}, {[]string{"seed", "example"}, 3}} {
		v := standardInterval()
		v.Levels = c.levels
		if got := v.method(); got.Levels != c.want || got.Name != statistics.T || got.Confidence != 0.95 || got.Resamples != 2000 || got.Seed != 1 {
			t.Errorf("%v: %+v", c.levels, got)
		}
	}
}

// The blocks as a file has them: what is wrong names its field, and the standard interval written out changes nothing.
func TestIntervalBlock(t *testing.T) {
	with := func(blocks string) string {
		return strings.Replace(whole, "claim \"C\" {", blocks+"\nclaim \"C\" {", 1)
	}
	for _, c := range []struct{ block, load, run string }{
		{"interval {\nmethod = \"z\"\n}", `must be "t"`, ""},
		{"interval {\nmethod = \"hierarchical_bootstrap\"\nresamples = 5\n}", "resamples must be from 100 to 1000000, is 5", ""},
		{"interval {\nmethod = \"hierarchical_bootstrap\"\n}", "", "interval.method: hierarchical_bootstrap takes at least 5 values of seed, here are 2: use t"},
		{"interval {\nlevels = [\"seed\", \"finetune_seed\"]\n}", "", "interval.levels: no table has a coordinate finetune_seed"},
		{"beside \"lost\" {\ncolumns = [\"gap\"]\n}", `no table or comparison "lost"`, ""},
		{"beside \"loss\" {\ncolumns = []\n}", "must name at least one column", ""},
		{"beside \"loss\" {\ncolumns = [\"gap\"]\n}", "", "beside.loss: no other table has all of its coordinates: seed and weight_decay"},
	} {
		if c.load != "" {
			if _, err := pipelinetest.Load(t, kinds, with(c.block), nil); err == nil || !strings.Contains(err.Error(), c.load) {
				t.Errorf("%s\nerror %v, want %q", c.block, err, c.load)
			}
			continue
		}
		if err := pipelinetest.Run(t, kinds, 2, with(c.block), nil).Err("report.r"); err == nil || !strings.Contains(err.Error(), c.run) {
			t.Errorf("%s\nerror %v, want %q", c.block, err, c.run)
		}
	}
	plain := pipelinetest.Run(t, kinds, 2, whole, nil).Blob("report.r", "report")
	if written := pipelinetest.Run(t, kinds, 2, with("interval {\nlevels = [\"seed\"]\nconfidence = 0.95\n}"), nil).Blob("report.r", "report"); written != plain {
		t.Error("the standard interval, written out, makes another page")
	}
	if narrow := pipelinetest.Run(t, kinds, 2, with("interval {\nconfidence = 0.5\n}"), nil).Blob("report.r", "report"); narrow == plain {
		t.Error("another confidence makes the same page")
	}
}
