package report

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"anneal/pipeline"
)

// scored is a row of scores on one split.
type scored struct {
	Split      string   `parquet:"split"`
	Accuracy   *float64 `parquet:"accuracy"`
	AccuracySE *float64 `parquet:"accuracy_se"`
	Loss       *float64 `parquet:"response_loss"`
}

// scoredAt makes a part of a validation and a test row; a negative accuracy is one that is missing.
func scoredAt(t *testing.T, p pipeline.Point, validation, test float64) part {
	rows := []scored{{Split: "validation", Accuracy: &validation, AccuracySE: new(0.03), Loss: new(1 - validation)}, {Split: "test", Accuracy: &test, AccuracySE: new(0.04), Loss: new(1 - test)}}
	if test < 0 {
		for i := range rows {
			rows[i].Accuracy, rows[i].AccuracySE, rows[i].Loss = nil, nil, nil
		}
	}
	return partOf(t, p, rows)
}

func joined(t *testing.T, name string, parts ...part) *frame {
	t.Helper()
	f, err := join(name, parts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func tuned(seed, finetuneSeed int64, lr float64) pipeline.Point {
	return pipeline.Point{{Name: "finetune_seed", Value: finetuneSeed}, {Name: "learning_rate", Value: lr}, {Name: "seed", Value: seed}}
}

func based(seed int64) pipeline.Point { return pipeline.Point{{Name: "seed", Value: seed}} }

// lines prints columns of a frame, a row a line.
func (f *frame) lines(names ...string) string {
	var b strings.Builder
	for i := range f.rows {
		for j, v := range f.tuple(names, i) {
			if j > 0 {
				b.WriteByte(' ')
			}
			if x, ok := v.(float64); ok {
				v = math.Round(x*1e6) / 1e6
			}
			b.WriteString(plain(v))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

var gain = Compare{Name: "gain", After: "after", Before: "before", On: []string{"seed"}, Metric: "accuracy", Better: "by_name", ChosenOn: "validation"}

func TestCompare(t *testing.T) {
	before := joined(t, "before", scoredAt(t, based(1), 0.5, 0.1), scoredAt(t, based(2), 0.5, 0.2), scoredAt(t, based(3), 0.5, 0.3))
	after := joined(t, "after",
		// What is best on validation examples is reported on test ones, where it is not the best.
		scoredAt(t, tuned(1, 1, 0.001), 0.6, 0.9), scoredAt(t, tuned(1, 2, 0.001), 0.6, 0.7),
		scoredAt(t, tuned(1, 1, 0.003), 0.5, 0.8), scoredAt(t, tuned(1, 2, 0.003), 0.8, 0.4),
		// Of a rate with which a run has no score there is less to go by: the other is best.
		scoredAt(t, tuned(2, 1, 0.001), 0.4, 0.5), scoredAt(t, tuned(2, 2, 0.001), 0.4, 0.5),
		scoredAt(t, tuned(2, 1, 0.003), 0.9, 0.9), scoredAt(t, tuned(2, 2, 0.003), -1, -1),
		// Equals: the first.
		scoredAt(t, tuned(4, 1, 0.001), 0.5, 0.6), scoredAt(t, tuned(4, 1, 0.003), 0.5, 0.7),
	)
	best := gain
	best.BestOver = []string{"learning_rate"}
	each := best
	each.On = []string{"seed", "finetune_seed"}
	lossy := best
	lossy.Metric = "response_loss"
	fixed := gain
	fixed.On = []string{"seed", "learning_rate"}
	for _, c := range []struct {
		name    string
		compare Compare
		columns string
		want    string
	}{
		{"at each rate and at the best", best, "seed setting learning_rate before after gain", `
1 best 0.003 0.1 0.6 0.5
1 learning_rate=0.001 0.001 0.1 0.8 0.7
1 learning_rate=0.003 0.003 0.1 0.6 0.5
2 best 0.001 0.2 0.5 0.3
2 learning_rate=0.001 0.001 0.2 0.5 0.3
2 learning_rate=0.003 0.003 0.2 0.9 0.7
4 best 0.001 missing 0.6 missing
4 learning_rate=0.001 0.001 missing 0.6 missing
4 learning_rate=0.003 0.003 missing 0.7 missing
`},
		{"a fall of a loss is a gain", lossy, "seed setting before after gain", `
1 best 0.9 0.4 0.5
1 learning_rate=0.001 0.9 0.2 0.7
1 learning_rate=0.003 0.9 0.4 0.5
2 best 0.8 0.5 0.3
2 learning_rate=0.001 0.8 0.5 0.3
2 learning_rate=0.003 0.8 0.1 0.7
4 best missing 0.4 missing
4 learning_rate=0.001 missing 0.4 missing
4 learning_rate=0.003 missing 0.3 missing
`},
		{"one rate for all fine-tuning seeds of a base, of which before knows none", each, "seed finetune_seed setting before after", `
1 1 best 0.1 0.8
1 1 learning_rate=0.001 0.1 0.9
1 1 learning_rate=0.003 0.1 0.8
1 2 best 0.1 0.4
1 2 learning_rate=0.001 0.1 0.7
1 2 learning_rate=0.003 0.1 0.4
2 1 best 0.2 0.5
2 1 learning_rate=0.001 0.2 0.5
2 1 learning_rate=0.003 0.2 0.9
2 2 best 0.2 0.5
2 2 learning_rate=0.001 0.2 0.5
2 2 learning_rate=0.003 0.2 missing
4 1 best missing 0.6
4 1 learning_rate=0.001 missing 0.6
4 1 learning_rate=0.003 missing 0.7
`},
		{"standard errors over examples", fixed, "seed before_se after_se gain_se", `
1 0.04 0.04 0.056569
1 0.04 0.04 0.056569
2 0.04 0.04 0.056569
2 0.04 0.04 0.056569
4 missing 0.04 missing
4 missing 0.04 missing
`},
	} {
		f, err := c.compare.frame(before, after)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := "\n" + f.lines(strings.Fields(c.columns)...); got != c.want {
			t.Errorf("%s:%swant%s", c.name, got, c.want)
		}
	}
	f, err := gain.frame(before, joined(t, "after", scoredAt(t, based(4), 0.5, 0.5)))
	if err != nil {
		t.Fatal(err)
	}
	if m := f.missing(); len(m) != 1 || m[0] != "gain: no value before at seed 4" {
		t.Errorf("missing %q", m)
	}
}

// Who asks for no setting gets the best, who asks for a learning rate gets that.
func TestSettings(t *testing.T) {
	before := joined(t, "before", scoredAt(t, based(1), 0.5, 0.1))
	after := joined(t, "after", scoredAt(t, tuned(1, 1, 0.001), 0.6, 0.7), scoredAt(t, tuned(1, 1, 0.003), 0.7, 0.8))
	c := gain
	c.BestOver = []string{"learning_rate"}
	f, err := c.frame(before, after)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    query
		want string
	}{
		{query{}, "[0.8]"},
		{query{where: []Where{{"learning_rate", []string{"0.001"}}}}, "[0.7]"},
		{query{along: "learning_rate"}, "[0.7 0.8]"},
		{query{over: []string{"learning_rate"}}, "[0.75]"},
		{query{by: []string{"setting"}}, "[0.8 0.7 0.8]"},
		{query{where: []Where{{"setting", []string{"learning_rate=0.001"}}}}, "[0.7]"},
		{query{where: []Where{{"setting", []string{"best"}}, {"learning_rate", []string{"0.003"}}}}, "[0.8]"},
	} {
		c.q.metric, c.q.unit = "after", "seed"
		cells, err := f.means(c.q)
		var got []float64
		for _, cell := range cells {
			got = append(got, math.Round(cell.mean*1e6)/1e6)
		}
		if s := fmt.Sprint(got); err != nil || s != c.want {
			t.Errorf("%+v: %s, %v, want %s", c.q, s, err, c.want)
		}
	}
}

func TestCompareRefuses(t *testing.T) {
	before := joined(t, "before", scoredAt(t, based(1), 0.5, 0.1))
	after := joined(t, "after", scoredAt(t, tuned(1, 1, 0.001), 0.6, 0.7))
	for _, c := range []struct {
		change func(*Compare)
		want   string
	}{
		{func(c *Compare) { c.On = []string{"seed", "task"} }, "on: table after has no column task"},
		{func(c *Compare) { c.On = []string{"learning_rate"} }, "on: table before has none of learning_rate"},
		{func(c *Compare) { c.BestOver = []string{"batch"} }, "best_over: table after has no column batch"},
		{func(c *Compare) { c.Metric = "gap" }, "metric: table before has no column gap"},
		{func(c *Compare) { c.Where = []Where{{"task", []string{"sort"}}} }, "no column task"},
		{func(c *Compare) { c.BestOver, c.ChosenOn = []string{"learning_rate"}, "dev" }, "no row of table after has split dev; there are test, validation"},
	} {
		bad := gain
		c.change(&bad)
		if _, err := bad.frame(before, after); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	for _, c := range []struct {
		change func(*Compare)
		want   string
	}{
		{func(c *Compare) { c.On = nil }, "on: must name at least one"},
		{func(c *Compare) { c.BestOver = []string{"seed"} }, "best_over: seed is named twice"},
		{func(c *Compare) { c.BestOver = []string{"finetune_seed"} }, "best_over: finetune_seed is a seed"},
		{func(c *Compare) { c.On = []string{"seed", "setting"} }, "on: setting is a column of every comparison"},
		{func(c *Compare) { c.ChosenOn = "test" }, "chosen_on: must not be test"},
	} {
		bad := gain
		c.change(&bad)
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	only := gain // a condition that concerns one table only
	only.Where = []Where{{"learning_rate", []string{"0.001"}}}
	if f, err := only.frame(before, after); err != nil || f.lines("gain") != "0.6\n" {
		t.Errorf("%v, %v", f, err)
	}
}

// An error of 0, of a base that gets nothing right, is known; one that is not there is not.
func TestErrorsOverExamples(t *testing.T) {
	at := func(se *float64) *frame {
		return joined(t, "scores", partOf(t, based(1), []scored{{Split: "test", Accuracy: new(0.5), AccuracySE: se}}))
	}
	for _, c := range []struct {
		before, after *float64
		want          string
	}{
		{new(0.0), new(0.04), "0 0.04 0.04\n"},
		{new(0.03), new(0.04), "0.03 0.04 0.05\n"},
		{nil, new(0.04), "missing 0.04 missing\n"},
	} {
		f, err := gain.frame(at(c.before), at(c.after))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.lines("before_se", "after_se", "gain_se"); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
