// Package training runs one training inside a stage: what pretrain and finetune have in common once each knows its
// network, its data and its number of steps.
package training

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// rowEvery is how many steps a row of metrics sums up at most: fine enough for a curve of a training of a hundred steps, and
// few rows for one of many thousands.
const rowEvery = 10

// Outputs of a training stage.
var Outputs = []pipeline.Output{{Name: "weights", Type: "weights"}, {Name: "metrics", Type: "table"}}

// Plan is what is trained.
type Plan struct {
	Net        *lm.Net
	Vocabulary []artifacts.Merge // goes with the weights
	Optimizer  lm.AdamW
	Schedule   lm.Schedule
	Data       lm.Source
	Steps      int
	Save       []int // steps done, ascending

	Validation    []lm.Batch // empty: no validation loss is known
	EvaluateEvery int        // steps; 0: only after the last
}

// Run trains the network and writes the stage's outputs.
func Run(ctx context.Context, t *pipeline.Task, p Plan) error {
	w, err := weights.Create(t.Output("weights"), p.Net, p.Vocabulary)
	if err != nil {
		return err
	}
	p.Net.UseCores(t.Cores)
	r := recorder{task: t, plan: &p, weights: w, started: time.Now()}
	fmt.Fprintf(t.Log, "%d parameters, %d steps\n", p.Net.Model().ParameterCount(p.Net.Vocab()), p.Steps)
	_, err = lm.Train(ctx, p.Net, lm.Training{
		Optimizer: p.Optimizer, Schedule: p.Schedule, Steps: p.Steps,
		Data:       p.Data,
		Validation: p.Validation, EvaluateEvery: p.EvaluateEvery,
		RowEvery: 1, // of which the recorder makes rows that end at save points too
		Save:     p.Save,
		OnRow:    r.row, OnSave: r.save, OnStep: r.step,
		Cores: t.Cores,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Log, "trained for %.1f s\n", time.Since(r.started).Seconds())
	return errors.Join(w.Close(), artifacts.WriteTraining(t.Output("metrics"), r.rows))
}

// recorder keeps what a training says of itself.
type recorder struct {
	task    *pipeline.Task
	plan    *Plan
	weights *weights.Writer
	rows    []artifacts.TrainingRow
	lossSum float64 // over the tokens since the newest row
	tokens  int64   // of all steps

	started time.Time
	speed   float64 // tokens a second up to the newest row
}

func (r *recorder) step(step int, loss float64) {
	values := map[string]float64{"loss": loss}
	if r.speed > 0 {
		values["tokens_per_second"] = r.speed
	}
	r.task.Progress(step, r.plan.Steps, values)
}

// row takes the metrics of one step. A row of the artifact ends every rowEvery steps, at evaluations, at save points,
// where it evaluates too, and at the last step.
func (r *recorder) row(step lm.Row) error {
	r.lossSum += float64(step.TrainLoss * float64(step.Tokens-r.tokens))
	r.tokens = step.Tokens
	saved := slices.Contains(r.plan.Save, step.Step)
	if saved && !step.Evaluated {
		step.ValidationLoss, step.Evaluated = r.validate()
	}
	if !saved && !step.Evaluated && step.Step != r.plan.Steps && step.Step%rowEvery != 0 {
		return nil
	}
	before := int64(0)
	if n := len(r.rows); n > 0 {
		before = r.rows[n-1].Tokens
	}
	row := artifacts.TrainingRow{
		Step: int64(step.Step), Tokens: step.Tokens, Epochs: step.Epochs,
		LearningRate: step.LearningRate,
		TrainLoss:    r.lossSum / float64(step.Tokens-before),
		GradientNorm: step.GradientNorm, WeightNorm: step.WeightNorm,
	}
	r.lossSum = 0
	if step.Evaluated {
		row.ValidationLoss = &step.ValidationLoss
		fmt.Fprintf(r.task.Log, "step %d of %d: train loss %.4f, validation loss %.4f\n", row.Step, r.plan.Steps, row.TrainLoss, *row.ValidationLoss)
	}
	r.rows = append(r.rows, row)
	r.speed = float64(row.Tokens) / max(time.Since(r.started).Seconds(), 1e-3)
	return nil
}

// validate returns the validation loss, if there is a validation set.
func (r *recorder) validate() (loss float64, ok bool) {
	if len(r.plan.Validation) == 0 {
		return 0, false
	}
	return r.plan.Net.MeanLoss(r.plan.Validation), true
}

// save keeps the parameters with the losses of the row that ends here. Before the first step there is none.
func (r *recorder) save(step int) error {
	s := artifacts.Save{Step: int64(step)}
	if step == 0 {
		if loss, ok := r.validate(); ok {
			s.ValidationLoss = &loss
		}
	} else {
		row := r.rows[len(r.rows)-1]
		s.Tokens, s.TrainLoss, s.ValidationLoss = row.Tokens, &row.TrainLoss, row.ValidationLoss
	}
	fmt.Fprintf(r.task.Log, "step %d of %d: weights saved\n", step, r.plan.Steps)
	return r.weights.Save(s)
}
