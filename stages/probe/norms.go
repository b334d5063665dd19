package probe

import (
	"context"
	"math"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// Norms measures how large each tensor w (n numbers) is, and how far it has come from w₀, that of another save point of its
// training or of the model that it was fine-tuned from. All norms are Frobenius norms, ‖w‖ = √Σw²:
//
//	norm                     ‖w‖
//	rms                      ‖w‖/√n
//	update_norm              ‖w − w₀‖
//	relative_update          ‖w − w₀‖/‖w₀‖
//	effective_learning_rate  learning_rate/‖w‖ (D'Angelo et al. 2024, "Why do we need weight decay in modern deep learning?"):
//	                         what a step amounts to where norms make the size of w immaterial
//
// A last row, "all", is of all tensors as one vector.
type Norms struct {
	Since        pipeline.Ref `hcl:"since,optional" artifact:"weights" doc:"what updates are counted from: the last save point of weights of the same shape and vocabulary"`
	LearningRate float64      `hcl:"learning_rate,optional" doc:"to set against the norms, such as the peak of the training; 0: none"`
}

// Check demands a learning rate that can be one.
func (n *Norms) Check() error {
	if !(n.LearningRate >= 0) || math.IsInf(n.LearningRate, 0) {
		return pipeline.Errorf("learning_rate", "must be at least 0, is %g", n.LearningRate)
	}
	return nil
}

func (n *Norms) run(_ context.Context, t *pipeline.Task, m *weights.Model, path string) error {
	var since *weights.Model
	if !n.Since.IsZero() {
		var err error
		if since, err = weights.Load(t.Input(n.Since).Path); err != nil {
			return err
		}
		switch {
		case since.Net.Model() != m.Net.Model():
			return pipeline.Errorf("since", "has another shape than the model")
		case !since.Definition.Equal(m.Definition):
			return pipeline.Errorf("since", "has another vocabulary than the model")
		}
	}
	rows := make([]artifacts.NormRow, 0, len(m.Net.Parameters())+1)
	var all size
	for i, p := range m.Net.Parameters() {
		var one size
		var before []float32
		if since != nil {
			before = since.Net.Parameters()[i].Value.Data().([]float32)
		}
		one.add(p.Value.Data().([]float32), before)
		all.merge(one)
		rows = append(rows, n.row(p.Name, one))
	}
	return artifacts.WriteRows(path, append(rows, n.row("all", all)))
}

// size is what the norms of a tensor are made of.
type size struct {
	elements               int
	squares                float64 // Σw²
	squaresBefore, updates float64 // Σw₀², Σ(w−w₀)²
}

// add counts the numbers w; before is nil where there is nothing to count from.
func (s *size) add(w, before []float32) {
	s.elements += len(w)
	for i, v := range w {
		x := float64(v)
		s.squares += x * x
		if before != nil {
			b := float64(before[i])
			s.squaresBefore += b * b
			s.updates += (x - b) * (x - b)
		}
	}
}

func (s *size) merge(o size) {
	s.elements += o.elements
	s.squares += o.squares
	s.squaresBefore += o.squaresBefore
	s.updates += o.updates
}

func (n *Norms) row(tensor string, s size) artifacts.NormRow {
	norm := math.Sqrt(s.squares)
	row := artifacts.NormRow{Tensor: tensor, Elements: int64(s.elements), Norm: norm, RMS: norm / math.Sqrt(float64(s.elements))}
	if !n.Since.IsZero() {
		row.UpdateNorm = new(math.Sqrt(s.updates))
		row.RelativeUpdate = ratio(*row.UpdateNorm, math.Sqrt(s.squaresBefore))
	}
	if n.LearningRate > 0 {
		row.EffectiveLearningRate = ratio(n.LearningRate, norm)
	}
	return row
}

// ratio returns a/b, nil where b is 0.
func ratio(a, b float64) *float64 {
	if b == 0 {
		return nil
	}
	return new(a / b)
}
