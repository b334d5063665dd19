package report

import (
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline"
)

// wide is a study as large as a real one: regimes, weight decays, seeds, tasks, learning rates and seeds of fine-tuning.
// Its numbers are made up; those of a point depend on nothing but the point.
type wide struct {
	t        *testing.T
	in       inputs
	decays   []float64
	finetune []int64
}

// noise is a number from -1 to 1 for each name.
func noise(name string) float64 {
	h := sha256.Sum256([]byte(name))
	return float64(int(h[0])<<8|int(h[1]))/32767.5 - 1
}

// coordinates is a point of the sweep.
func coordinates(pairs ...any) pipeline.Point {
	var p pipeline.Point
	for i := 0; i < len(pairs); i += 2 {
		p = append(p, pipeline.Coordinate{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return p
}

// place makes a part an artifact of its own.
func (w *wide) place(block string, p part) part {
	p.origin = len(w.in.origins)
	point := p.point.String()
	w.in.origins = append(w.in.origins, origin{block, point, fmt.Sprintf("%x", sha256.Sum256([]byte(block+point)))})
	return p
}

func (w *wide) bases(do func(regime string, wd float64, seed int64, p pipeline.Point)) {
	for _, regime := range []string{"cosine_20", "wsd_20", "wsd_60"} {
		for _, wd := range w.decays {
			for seed := int64(1); seed <= 3; seed++ {
				do(regime, wd, seed, coordinates("regime", regime, "seed", seed, "weight_decay", wd))
			}
		}
	}
}

func (w *wide) table(name string, rows func(regime string, wd float64, seed int64, p pipeline.Point) []part) {
	var parts []part
	w.bases(func(regime string, wd float64, seed int64, p pipeline.Point) {
		for _, part := range rows(regime, wd, seed, p) {
			parts = append(parts, w.place(name, part))
		}
	})
	w.in.tables = append(w.in.tables, parts)
}

func (w *wide) report() (*Report, inputs) {
	t := w.t
	longer := map[string]float64{"cosine_20": 0, "wsd_20": 0.02, "wsd_60": -0.25}
	w.table("training", func(regime string, wd float64, seed int64, p pipeline.Point) []part {
		s := artifacts.TrainingSummary{Parameters: 133440, Steps: 1303, Tokens: 2668544, Repetition: 0.31, TrainLoss: new(1.7), ValidationLoss: new(1.8)}
		if regime == "wsd_60" {
			s.Steps, s.Tokens, s.Repetition = 3909, 8005632, 0.93
		}
		if wd > 0 {
			s.TimescalePeak, s.Timescale = new(1/(3e-3*wd*float64(s.Steps))), new(1/(1.7e-3*wd*float64(s.Steps)))
		}
		if wd == 3 && seed == 2 && regime == "wsd_60" {
			s.DivergedAt = new(int64(1187))
		}
		return []part{partOf(t, p, []artifacts.TrainingSummary{s})}
	})
	loss := func(regime string, wd float64, seed int64) float64 {
		return 1.70 + longer[regime] + 0.055*wd*wd/(1+wd/2) - 0.02*wd*math.Exp(-4*wd) + 0.006*noise(fmt.Sprint("loss", regime, wd, seed))
	}
	w.table("loss", func(regime string, wd float64, seed int64, p pipeline.Point) []part {
		v, gap := loss(regime, wd, seed), 0.07-0.015*wd+0.004*noise(fmt.Sprint("gap", regime, wd, seed))
		return []part{partOf(t, p, []artifacts.LossRow{{TrainLoss: v - gap, ValidationLoss: v, Gap: gap, Tokens: 65536, TrainLossSE: 0.004, ValidationLossSE: 0.005}})}
	})
	w.table("attention", func(regime string, wd float64, seed int64, p pipeline.Point) []part {
		var rows []artifacts.SpectrumRow
		for layer := int64(1); layer <= 4; layer++ {
			for head := range int64(4) {
				for _, matrix := range []string{"OV", "QK"} {
					rank := 27/(1+wd*1.6) - 1.5*float64(layer) + 2*noise(fmt.Sprint(matrix, layer, head, wd, seed))
					rows = append(rows, artifacts.SpectrumRow{Layer: layer, Head: head, Matrix: matrix, PseudoRank: int64(max(rank, 1)), PseudoRankShare: max(rank, 1) / 32, StableRank: max(rank, 1) / 2, EffectiveRank: max(rank, 1) / 1.3})
				}
			}
		}
		return []part{partOf(t, p, rows)}
	})
	w.table("linear", func(regime string, wd float64, seed int64, p pipeline.Point) []part {
		row := artifacts.SeparabilityRow{AccuracySE: 0.015, Classes: 4, Train: 2000, Test: 800}
		var rows []artifacts.SeparabilityRow
		for _, pool := range []string{"mean", "last"} {
			for layer := range int64(5) {
				row.Features, row.Pool, row.Layer, row.L2, row.Margin = "hidden", new(pool), new(layer), new(0.01), new(0.7)
				row.Accuracy = 0.6 + 0.02*float64(layer) + 0.04*min(wd, 1) + 0.012*noise(fmt.Sprint(pool, layer, regime, wd, seed))
				if pool == "last" {
					row.Accuracy -= 0.18
				}
				rows = append(rows, row)
			}
		}
		for _, b := range []string{"bag_of_bytes", "chance"} {
			rows = append(rows, artifacts.SeparabilityRow{Features: b, Accuracy: map[string]float64{"bag_of_bytes": 0.58, "chance": 0.25}[b], Classes: 4, Train: 2000, Test: 800})
		}
		return []part{partOf(t, p, rows)}
	})
	tasks := []string{"add", "author", "copy", "sort"}
	w.table("before", func(regime string, wd float64, seed int64, p pipeline.Point) []part {
		var parts []part
		for _, task := range tasks {
			parts = append(parts, partOf(t, append(coordinates("task", task), p...), scoreRows(0.02, 2.6+0.1*wd)))
		}
		return parts
	})
	w.table("after", func(regime string, wd float64, seed int64, p pipeline.Point) []part {
		var parts []part
		for i, task := range tasks {
			for k, lr := range []float64{3e-4, 1e-3, 3e-3} {
				for _, f := range w.finetune {
					if wd == 3 && seed == 3 && task == "copy" {
						continue // lost
					}
					a := 0.35 + 0.12*float64(i) + 0.1*float64(k) + 0.08*min(wd, 1) - 0.05*max(0, wd-1) - longer[regime]/3 + 0.03*noise(fmt.Sprint(task, lr, regime, wd, seed, f))
					parts = append(parts, partOf(t, append(coordinates("finetune_seed", f, "learning_rate", lr, "task", task), p...), scoreRows(min(a, 0.99), 1-a)))
				}
			}
		}
		return parts
	})
	w.table("curves", func(regime string, wd float64, seed int64, p pipeline.Point) []part {
		var rows []artifacts.TrainingRow
		for step := int64(10); step <= 1300; step += 10 {
			x := float64(step) / 1300
			rows = append(rows, artifacts.TrainingRow{Step: step, TrainLoss: new(loss(regime, wd, seed) + 3*math.Exp(-9*x) + 0.02*noise(fmt.Sprint(step, wd, seed)))})
		}
		return []part{partOf(t, p, rows)}
	})
	row := []pipeline.Row{{}}
	only := func(column string, is ...string) Where { return Where{column, is} }
	r := &Report{
		Title: "Weight decay and plasticity at 133k parameters",
		Tables: []Table{{Name: "training", From: row}, {Name: "loss", From: row}, {Name: "attention", From: row}, {Name: "linear", From: row}, {Name: "before", From: row},
			{Name: "after", From: row}, {Name: "curves", From: row}},
		Compares: []Compare{{Name: "gain", After: "after", Before: "before", On: []string{"regime", "weight_decay", "seed", "task"}, Metric: "accuracy", Better: "by_name", BestOver: []string{"learning_rate"}, ChosenOn: "validation"}},
		Interval: new(standardInterval()),
		Claims: []Claim{
			{Name: "C1", Says: "Larger weight decay in pretraining gives larger gains from fine-tuning.", Along: "weight_decay", Compare: "gain", Expected: "increasing", Contrast: "ends", Within: []string{"regime", "task"}, Range: []float64{0, 1}, Unit: "seed"},
			{Name: "C5", Says: "Larger weight decay reduces overfitting on the training data.", Along: "weight_decay", Table: "loss", Metric: "gap", Expected: "decreasing", Contrast: "ends", Within: []string{"regime"}, Unit: "seed"},
		},
		Figures: []Figure{
			{Name: "loss", Title: "Loss after pretraining", Table: "loss", X: "weight_decay", Y: "validation_loss", Lines: "regime"},
			{Name: "gap", Title: "Validation loss minus training loss", Table: "loss", X: "weight_decay", Y: "gap", Lines: "regime"},
			{Name: "downstream", Title: "Accuracy after fine-tuning, at the best learning rate", Table: "gain", X: "weight_decay", Y: "after", Lines: "regime", Facet: "task"},
			{Name: "reversals", Title: "Loss of the base model against accuracy after fine-tuning", Kind: "scatter", Table: "gain", XTable: "loss", X: "validation_loss", Y: "after", Along: "weight_decay", Lines: "regime", Facet: "task"},
			{Name: "one", Title: "The same of one regime and task", Kind: "scatter", Table: "gain", XTable: "loss", X: "validation_loss", Y: "after", Along: "weight_decay", Where: []Where{only("regime", "wsd_20"), only("task", "sort")}},
			{Name: "depth", Title: "Linear separability by layer", Table: "linear", X: "layer", Y: "accuracy", Lines: "weight_decay", Facet: "pool", Where: []Where{only("features", "hidden"), only("regime", "wsd_20")},
				References: []Reference{{"bag of bytes", []Where{only("features", "bag_of_bytes")}}, {"chance", []Where{only("features", "chance")}}}},
			{Name: "rank", Title: "Pseudo-rank of W_QK by layer and head", Kind: "heat", Table: "attention", X: "head", Y: "layer", Value: "pseudo_rank", Facet: "weight_decay", Where: []Where{only("matrix", "QK"), only("regime", "wsd_20")}},
			{Name: "curves", Title: "Training loss", Table: "curves", X: "step", Y: "train_loss", Lines: "weight_decay", Facet: "regime"},
		},
	}
	for i := range r.Figures {
		d := r.Figures[i].Default()
		r.Figures[i].Scale = d.Scale
		if r.Figures[i].Kind == "" {
			r.Figures[i].Kind = d.Kind
		}
	}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	return r, w.in
}

// rendered is the page of a wide study, kept to look at: go test -artifacts.
func rendered(t *testing.T) string {
	t.Helper()
	w := &wide{t: t, decays: []float64{0, 0.1, 0.3, 1, 3}, finetune: []int64{5701, 8107}}
	r, in := w.report()
	p, _, err := r.page(in)
	if err != nil {
		t.Fatal(err)
	}
	html, err := p.html()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "report.html"), html, 0o666); err != nil {
		t.Fatal(err)
	}
	return string(html)
}

func TestWidePage(t *testing.T) {
	page := rendered(t)
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("two elements are called %s", m[1])
		}
		ids[m[1]] = true
	}
	links := regexp.MustCompile(` href="([^"]*)"`).FindAllStringSubmatch(page, -1)
	for _, m := range links {
		if !strings.HasPrefix(m[1], "#") || !ids[m[1][1:]] {
			t.Errorf("%s leads nowhere", m[1])
		}
	}
	for _, s := range []string{"http", "<script", "url(", "NaN", "Inf<", "#01", "ZgotmplZ"} {
		if i := strings.Index(page, s); i >= 0 {
			t.Errorf("the page holds %q", page[max(0, i-60):min(len(page), i+60)])
		}
	}
	if most := 3 << 20; len(page) > most {
		t.Errorf("the page has %d bytes, more than %d", len(page), most)
	}
	for _, s := range []string{
		"regime wsd_60, seed 2, weight decay 3: diverged at step 1187",
		"after: no row has seed 3, task copy, weight decay 3",
		">∞</td>", "<summary>12 lines</summary>",
		`aria-label="pseudo rank by head and layer`, `aria-label="accuracy after against validation loss`,
	} {
		if !strings.Contains(page, s) {
			t.Errorf("the page lacks %q", s)
		}
	}
}

// worthFigure draws a figure of a table "w" with columns loss and accuracy, of two seeds.
func worthFigure(t *testing.T, f Figure, row func(wd float64, seed int64) worth) (figureView, error) {
	t.Helper()
	frames := worths(t, []float64{0, 0.1, 1}, []int64{1, 2}, row)
	f.Name, f.Table, f.Scale = "f", "w", "auto"
	return f.draw(1, material{frames, []origin{{"w", "p", strings.Repeat("ab", 32)}}, standardInterval()})
}

// Loss is best at 0.1, and accuracy rises: 1 is the worst before and the best after.
func TestScatter(t *testing.T) {
	v, err := worthFigure(t, Figure{Kind: "scatter", X: "loss", Y: "accuracy", Along: "weight_decay"}, func(wd float64, seed int64) worth {
		return worth{Loss: map[float64]float64{0: 2, 0.1: 1.5, 1: 3}[wd] + 0.1*float64(seed), Accuracy: new(0.5 + wd/10)}
	})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, s := range v.Spots {
		told = append(told, strings.Join(s.Cells, "|"))
	}
	want := []string{"0|2.150 (1.515 to 2.785)|0.500|", "0.1|1.650 (1.015 to 2.285)|0.510|", "1|3.150 (2.515 to 3.785)|0.600|0, 0.1"}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("points %q, want %q", told, want)
	}
	if !strings.Contains(v.Caption, "Dotted: 2 pairs") {
		t.Errorf("caption %q", v.Caption)
	}
}

func TestReversedPoints(t *testing.T) {
	points := []point{{x: 2, y: 0.5}, {x: 1.5, y: 0.51}, {x: 3, y: 0.6}, {x: 3, y: 0.7}}
	for _, c := range []struct {
		xLower, yLower bool
		want           [][2]int // second worse by x, better by y
	}{
		{true, false, [][2]int{{0, 2}, {0, 3}, {1, 2}, {1, 3}}},
		{false, false, [][2]int{{0, 1}}},
		{true, true, [][2]int{{1, 0}}},
	} {
		if got := reversedPoints(points, c.xLower, c.yLower); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v %v: %v, want %v", c.xLower, c.yLower, got, c.want)
		}
	}
}

func TestHeat(t *testing.T) {
	v, err := worthFigure(t, Figure{Kind: "heat", X: "weight_decay", Y: "seed", Value: "accuracy"}, func(wd float64, seed int64) worth {
		if wd == 0.1 && seed == 2 {
			return worth{}
		}
		return worth{Accuracy: new(wd / float64(seed))}
	})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, s := range v.Spots {
		told = append(told, strings.Join(s.Cells, " "))
	}
	if want := "[1 0 0.000 1 0.1 0.100 1 1 1.000 2 0 0.000 2 1 0.500]"; fmt.Sprint(told) != want {
		t.Errorf("squares %v, want %s", told, want)
	}
	if len(v.Panels) != 1 || strings.Count(string(v.Panels[0]), "<rect") != 5 || !strings.Contains(v.Caption, "nothing is drawn") {
		t.Errorf("%d panels, caption %q", len(v.Panels), v.Caption)
	}
}

// Darker always means less, also without colours.
func TestShadesRiseInLightness(t *testing.T) {
	last := -1.0
	for i := range 101 {
		c := shade(float64(i) / 100)
		light := 0.2126*float64(c.R) + 0.7152*float64(c.G) + 0.0722*float64(c.B)
		if light < last {
			t.Errorf("shade %d is darker than the one before", i)
		}
		last = light
	}
}

// What would change nothing is refused.
func TestFigureRefuses(t *testing.T) {
	for _, c := range []struct {
		figure Figure
		want   string
	}{
		{Figure{Kind: "line", Value: "a"}, "value: belongs to a figure of kind heat, and this is a line"},
		{Figure{Kind: "line", Along: "a"}, "along: belongs to a figure of kind scatter"},
		{Figure{Kind: "scatter"}, "along: must name a column"},
		{Figure{Kind: "scatter", Along: "a", With: []string{"b"}}, "with: belongs to a figure of kind line"},
		{Figure{Kind: "heat", X: "a", Y: "b"}, "value: must name a column"},
		{Figure{Kind: "heat", X: "a", Y: "b", Facet: "b", Value: "c"}, "must be columns of their own"},
		{Figure{Kind: "heat", Value: "a", Lines: "b"}, "lines: belongs to a figure of kind line or scatter"},
	} {
		c.figure.Scale = "auto"
		if err := c.figure.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// A bar longer than all that there is to see does not hide it.
func TestReach(t *testing.T) {
	for _, c := range []struct {
		bars      []bar
		low, high float64
	}{{nil, 1, 2}, {[]bar{{}}, 1, 2}, {[]bar{{0.9, 2.2}}, 0.9, 2.2}, {[]bar{{-50, 50}}, 0.5, 2.5}} {
		if low, high := reach([]float64{1, 2}, c.bars); low != c.low || high != c.high {
			t.Errorf("%v: %g to %g, want %g to %g", c.bars, low, high, c.low, c.high)
		}
	}
}

// Points that are missing for every value of a coordinate are told once.
func TestMissingTogether(t *testing.T) {
	axes := [][]any{{"a", "b"}, {1.0, 2.0}}
	for _, c := range []struct{ absent, want [][]any }{
		{[][]any{{"a", 1.0}, {"a", 2.0}}, [][]any{{"a", nil}}},
		{[][]any{{"a", 2.0}, {"b", 2.0}, {"b", 1.0}}, [][]any{{nil, 2.0}, {"b", 1.0}}},
		{[][]any{{"a", 1.0}, {"b", 2.0}}, [][]any{{"a", 1.0}, {"b", 2.0}}},
	} {
		if got := merged(c.absent, axes); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v: %v, want %v", c.absent, got, c.want)
		}
	}
}
