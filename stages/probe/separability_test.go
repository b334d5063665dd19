package probe

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"anneal/artifacts"
)

// planted returns passages of so many classes, and features in which class k stands out along axis k by the strength
// given, amid noise.
func planted(n, classes, width int, strength float64) ([]artifacts.Passage, [][]float64) {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	var passages []artifacts.Passage
	var features [][]float64
	for i := range n {
		k := i % classes
		x := make([]float64, width)
		for j := range x {
			x[j] = r.NormFloat64()
		}
		x[k] += strength
		split := [...]string{"train", "train", "validation", "test"}[i/classes%4]
		passages = append(passages, artifacts.Passage{Text: "text", Label: int64(k), Split: split})
		features = append(features, x)
	}
	return passages, features
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		name      string
		strength  float64
		low, high float64
	}{
		{"classes far apart along axes of their own are all told", 30, 1, 1},
		{"classes that features know nothing of are told by chance", 0, 0.25 - 0.1, 0.25 + 0.1},
		{"a weak signal is used", 2, 0.5, 0.95},
	} {
		passages, features := planted(1600, 4, 10, c.strength)
		classes, err := classesOf(passages)
		if err != nil {
			t.Fatal(err)
		}
		for _, standardise := range []bool{true, false} {
			row := classes.classify(features, standardise)
			if row.Accuracy < c.low || row.Accuracy > c.high {
				t.Errorf("%s: accuracy %g (standardised: %v)", c.name, row.Accuracy, standardise)
			}
			if row.Classes != 4 || row.Train != 800 || row.Test != 400 || !near(row.AccuracySE, math.Sqrt(row.Accuracy*(1-row.Accuracy)/400)) {
				t.Errorf("%s: %+v", c.name, row)
			}
			if c.strength == 30 && !(*row.Margin > 1) {
				t.Errorf("%s: margin %g", c.name, *row.Margin)
			}
		}
	}
}

// Signal that the penalty's choice is on the validation split: with features that only remember the training split, the
// strongest penalty wins.
func TestPenaltyIsChosenOnValidation(t *testing.T) {
	passages, features := planted(160, 2, 60, 0)
	classes, err := classesOf(passages)
	if err != nil {
		t.Fatal(err)
	}
	if row := classes.classify(features, true); *row.L2 != penalties[0] {
		t.Errorf("on noise the penalty is %g, want %g", *row.L2, penalties[0])
	}
	passages, features = planted(1600, 2, 4, 3)
	if classes, err = classesOf(passages); err != nil {
		t.Fatal(err)
	}
	if row := classes.classify(features, true); *row.L2 == penalties[0] {
		t.Errorf("on a strong signal the penalty is the strongest, %g", *row.L2)
	}
}

// At the minimum the gradient, here by finite differences of an objective written out anew, is zero.
func TestFitEndsAtTheMinimum(t *testing.T) {
	_, features := planted(120, 3, 5, 1)
	var d labelled
	for i, x := range features {
		d.x, d.y = append(d.x, append(x, 1)), append(d.y, i%3)
	}
	const l2 = 0.05
	objective := func(w []float64) float64 {
		sum := 0.0
		for i, x := range d.x {
			var e [3]float64
			total := 0.0
			for k := range e {
				for j, v := range x {
					e[k] += w[k*6+j] * v
				}
				e[k] = math.Exp(e[k])
				total += e[k]
			}
			sum -= math.Log(e[d.y[i]] / total)
		}
		sum /= float64(len(d.x))
		for k := range 3 {
			for j := range 5 {
				sum += l2 / 2 * w[k*6+j] * w[k*6+j]
			}
		}
		return sum
	}
	w := fit(d, 3, l2, nil).w
	for i := range w {
		const h = 1e-5
		up, down := append([]float64{}, w...), append([]float64{}, w...)
		up[i] += h
		down[i] -= h
		if g := (objective(up) - objective(down)) / (2 * h); math.Abs(g) > 1e-4 {
			t.Errorf("weight %d: the objective still falls by %g", i, g)
		}
	}
}

func TestBaselines(t *testing.T) {
	passages := []artifacts.Passage{
		{Label: 3, Split: "train"}, {Label: 3, Split: "train"}, {Label: 8, Split: "train"}, {Label: 8, Split: "validation"},
		{Label: 3, Split: "test"}, {Label: 8, Split: "test"}, {Label: 8, Split: "test"}, {Label: 8, Split: "test"},
	}
	c, err := classesOf(passages)
	if err != nil {
		t.Fatal(err)
	}
	rows := c.baselines()
	if rows[0].Features != "majority" || rows[0].Accuracy != 0.25 {
		t.Errorf("class 3 leads in training and is a quarter of the test: %+v", rows[0])
	}
	if rows[1].Features != "chance" || rows[1].Accuracy != 0.5 || rows[1].Margin != nil || rows[1].Layer != nil {
		t.Errorf("chance between two classes: %+v", rows[1])
	}
}

func TestClassesRefuse(t *testing.T) {
	one := []artifacts.Passage{{Label: 1, Split: "train"}, {Label: 1, Split: "test"}}
	unseen := []artifacts.Passage{{Label: 1, Split: "train"}, {Label: 2, Split: "test"}, {Label: 1, Split: "validation"}}
	for _, c := range []struct {
		passages []artifacts.Passage
		want     string
	}{
		{nil, "has passages of 0 class"},
		{one, "has passages of 1 class"},
		{unseen, "no passage of class 2 in split train"},
		{unseen[:2], "no passage of split validation"},
		{append(one, artifacts.Passage{Label: 2, Split: "dev"}), `split "dev"`},
	} {
		if _, err := classesOf(c.passages); err == nil || !strings.HasPrefix(err.Error(), "examples: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one of examples with %q", err, c.want)
		}
	}
}

func TestPooled(t *testing.T) {
	states := []float32{1, 2, 3, 4, 5, 12}
	if v := pooled(poolMean, states, 3); v[0] != 3 || v[1] != 6 {
		t.Errorf("mean %v", v)
	}
	if v := pooled(poolLast, states, 3); v[0] != 5 || v[1] != 12 {
		t.Errorf("last %v", v)
	}
}
