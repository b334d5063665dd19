package lm

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// A training that comes to numbers that are not finite says where, at its start as in the middle. One that keeps its net finite leaves the
// weights of the last finite step, whatever the cores and wherever it was resumed before.
func TestDivergence(t *testing.T) {
	for _, c := range []struct {
		name, tensor string
		spoil        func(*Net, *Training)
	}{
		{"an infinite rate", "embedding", func(_ *Net, t *Training) { t.Optimizer.LearningRate, t.Optimizer.WeightDecay = 3e38, 3e38 }},
		{"a weight that nothing reads", "embedding", func(n *Net, t *Training) {
			n.weights.embedding[39*n.model.Width] = 3e38
			t.Optimizer.WeightDecay = 3 / t.Optimizer.LearningRate / t.Schedule.Factor(4, t.Steps)
			t.Data = without(t.Data, 39)
		}},
		{"logits", "the gradient of embedding", func(n *Net, _ *Training) {
			for i := range n.weights.output {
				n.weights.output[i] = 3e38 * float32(1-2*(i%2))
			}
		}},
		{"the residual stream", "the gradient of embedding", func(n *Net, _ *Training) {
			for i := range n.weights.embedding {
				n.weights.embedding[i] = 1e25
			}
		}},
		{"a square", "the second moment of embedding", func(n *Net, t *Training) {
			for i := range n.weights.embedding {
				n.weights.embedding[i] *= 1e-17
			}
			for i := range n.weights.output {
				n.weights.output[i] *= 1e17
			}
			t.Optimizer.Clip = 0
		}},
		{"the validation loss", "validation loss", func(n *Net, t *Training) {
			x := n.weights.embedding[39*n.model.Width:] // a token that only the validation reads
			for i := range x {
				x[i] = 1e25
			}
			t.Validation[0].Tokens[0] = 39
			t.Data = without(t.Data, 39)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			const spoilt = 4
			for _, resumed := range []int{0, 2, spoilt} {
				for _, cores := range []int{1, 3} {
					n, training := tiny(t, func() int { return cores })
					training.RowEvery, training.EvaluateEvery, training.KeepFinite = 1, 1, true
					var r *Trainer
					weights := map[int]string{}
					training.OnStep = func(step int, _ float64) error {
						if step == spoilt {
							c.spoil(n, &r.training)
						}
						if name := unfinite(slices.Concat(r.state.Weights, r.state.M, r.state.V)); name != "" {
							t.Errorf("step %d ended with %s", step, name)
						}
						weights[step] = digest(n.parameters)
						return nil
					}
					r = trainer(t, n, training)
					if err := r.Run(t.Context(), resumed); err != nil {
						t.Fatal(err)
					}
					if resumed > 0 {
						s, kept := copied(r.State()), r.training
						r = trainer(t, n, kept)
						if err := r.Restore(s); err != nil {
							t.Fatal(err)
						}
					}
					err := r.Run(t.Context(), training.Steps)
					var d *DivergedError
					if !errors.As(err, &d) || d.Step != spoilt+1 || d.Tensor != c.tensor || !strings.Contains(err.Error(), "learning_rate") {
						t.Fatalf("error %v", err)
					}
					if c.tensor == "validation loss" {
						if r.State().Step != d.Step || unfinite(n.parameters) != "" {
							t.Errorf("step %d is not finite", r.State().Step)
						}
						continue
					}
					if at := r.State().Step; at != spoilt || digest(n.parameters) != weights[at] || unfinite(n.parameters) != "" {
						t.Errorf("resumed at %d, %d cores: the net was not left as step %d did", resumed, cores, at)
					}
				}
			}
		})
	}
}

// Overflow at the first step, and weights that were never finite.
func TestDivergenceAtTheStart(t *testing.T) {
	n, training := tiny(t, nil)
	training.Optimizer.LearningRate, training.Optimizer.WeightDecay = 3e38, 3e38
	before := digest(n.parameters)
	for _, training.KeepFinite = range []bool{true, false} {
		r := trainer(t, n, training)
		var d *DivergedError
		if err := r.Run(t.Context(), 1); !errors.As(err, &d) || d.Step != 1 || d.Tensor != "embedding" || r.State().Step != 0 {
			t.Errorf("error %v at step %d", err, r.State().Step)
		}
		if kept := digest(n.parameters) == before; kept != training.KeepFinite {
			t.Errorf("the weights were kept: %v, want %v", kept, training.KeepFinite)
		}
	}
	n, training = tiny(t, nil)
	for i := range n.weights.embedding {
		n.weights.embedding[i] = 1e25
	}
	if err := trainer(t, n, training).Run(t.Context(), 1); err == nil ||
		err.Error() != "training diverged at step 1: the gradient of embedding is not finite with the weights that it began with; begin with others" {
		t.Errorf("error %v", err)
	}
	n, _ = tiny(t, nil)
	n.weights.layers[1].up[3] = float32(math.NaN())
	if _, err := NewTrainer(n, training); err == nil || err.Error() != "parameter layers.1.up has elements that are not finite" {
		t.Errorf("error %v", err)
	}
}
