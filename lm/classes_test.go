package lm

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// A classifier has the weights of the model that it is made of, and knows nothing yet of its classes.
func TestClassifier(t *testing.T) {
	for name, m := range models() {
		n := perturbed(t, m)
		c, err := n.Classifier(2)
		if err != nil {
			t.Fatal(err)
		}
		if c.model != m.OfClasses(2) || !slices.Equal([]int(c.Parameter("output").Shape()), []int{m.Width, 2}) {
			t.Errorf("%s: it is %+v, with an output of %v", name, c.model, c.Parameter("output").Shape())
		}
		for i, p := range c.parameters {
			if p.Name != "output" && (!slices.Equal(p.data(), n.parameters[i].data()) || &p.data()[0] == &n.parameters[i].data()[0]) {
				t.Errorf("%s: %s is no copy", name, p.Name)
			}
		}
		if sum, targets := c.Loss(sample(c, 2, 10)); math.Abs(sum/float64(targets)-math.Ln2) > 1e-6 {
			t.Errorf("%s: a loss of %g", name, sum/float64(targets))
		}
		if _, err := c.Generate(t.Context(), problemsOf(n, 3), Generation{Greedy: true}); err == nil || !strings.Contains(err.Error(), "has no next token") {
			t.Errorf("%s generates: %v", name, err)
		}
	}
	if err := DefaultModel().OfClasses(-1).Check(); err == nil || !strings.Contains(err.Error(), "classes: must not be negative, is -1") {
		t.Errorf("-1 classes: %v", err)
	}
}

// The logits at the last token are those that its loss is made of, and have the same bits whatever is read beside it.
func TestLastLogits(t *testing.T) {
	for name, m := range models() {
		n := perturbed(t, m.OfClasses(3))
		sequences := [][]int32{{1, 2, 3}, {4}, {5, 6, 7, 8, 9, 10}}
		var examples []Example
		for i, s := range sequences {
			examples = append(examples, Example{s, []int32{int32(i)}})
		}
		batches, err := EvaluationExamples(examples, n.context, 3)
		if err != nil {
			t.Fatal(err)
		}
		b, rows := &batches[0], n.LastLogits(sequences)
		logs := n.LogProbabilities(b)
		for i, s := range sequences {
			var sum float64
			for _, v := range rows[i] {
				sum += math.Exp(float64(v))
			}
			if got, want := logs[i*b.Length+len(s)-1], float64(rows[i][i])-math.Log(sum); len(rows[i]) != 3 || math.Abs(got-want) > 1e-6 {
				t.Errorf("%s: logits %v, log-probability %g of class %d", name, rows[i], got, i)
			}
			if alone := n.LastLogits([][]int32{s}); !slices.Equal(alone[0], rows[i]) {
				t.Errorf("%s: sequence %d has logits %v, alone %v", name, i, rows[i], alone[0])
			}
		}
	}
}
