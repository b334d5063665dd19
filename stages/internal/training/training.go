// Package training runs one training inside a stage: what pretrain and finetune have in common once each knows its
// network, its data and its number of steps.
package training

import (
	"context"
	"errors"
	"fmt"
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
var Outputs = []pipeline.Output{
	{Name: "weights", Type: "weights", Doc: "the model at each save point, with its vocabulary"},
	{Name: "metrics", Type: "table", Doc: "rows along the training: step, tokens, epochs, learning rate, losses (nats a token), norms of gradient and weights"},
}

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
	trainer, err := lm.NewTrainer(p.Net, lm.Training{
		Optimizer: p.Optimizer, Schedule: p.Schedule, Steps: p.Steps,
		Data:       p.Data,
		Validation: p.Validation, EvaluateEvery: p.EvaluateEvery,
		RowEvery: rowEvery,
		OnRow:    r.row, OnStep: r.step,
		Cores: t.Cores,
	})
	if err != nil {
		return err
	}
	for _, step := range p.Save {
		if err := r.reach(ctx, trainer, step); err != nil {
			return err
		}
		if err := r.save(step); err != nil {
			return err
		}
	}
	if err := r.reach(ctx, trainer, p.Steps); err != nil {
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

	started time.Time
	speed   float64 // tokens a second up to the newest row
}

// reach trains up to a step and sees to it that the last row is of that step, and evaluated.
func (r *recorder) reach(ctx context.Context, trainer *lm.Trainer, step int) error {
	if err := trainer.Run(ctx, step); err != nil || step == 0 {
		return err
	}
	if n := len(r.rows); n > 0 && r.rows[n-1].Step == int64(step) {
		if len(r.plan.Validation) == 0 || r.rows[n-1].ValidationLoss != nil {
			return nil
		}
		r.rows = r.rows[:n-1]
	}
	row, err := trainer.Measure()
	if err != nil {
		return err
	}
	return r.row(row)
}

func (r *recorder) step(step int, loss float64) error {
	values := map[string]float64{"loss": loss}
	if r.speed > 0 {
		values["tokens_per_second"] = r.speed
	}
	r.task.Progress(step, r.plan.Steps, values)
	return nil
}

// row keeps a row of metrics: every rowEvery steps, at evaluations, at save points and at the last step.
func (r *recorder) row(of lm.Row) error {
	row := artifacts.TrainingRow{
		Step: int64(of.Step), Tokens: of.Tokens, Epochs: of.Epochs,
		LearningRate: of.LearningRate, TrainLoss: of.TrainLoss,
		GradientNorm: of.GradientNorm, WeightNorm: of.WeightNorm,
	}
	if of.Evaluated {
		row.ValidationLoss = &of.ValidationLoss
		fmt.Fprintf(r.task.Log, "step %d of %d: train loss %.4f, validation loss %.4f\n", row.Step, r.plan.Steps, of.TrainLoss, of.ValidationLoss)
	}
	r.rows = append(r.rows, row)
	r.speed = float64(row.Tokens) / max(time.Since(r.started).Seconds(), 1e-3)
	return nil
}

// save keeps the parameters with the losses of the row that ends here. Before the first step there is none, and a
// validation loss only.
func (r *recorder) save(step int) error {
	s := artifacts.Save{Step: int64(step)}
	if step > 0 {
		row := r.rows[len(r.rows)-1]
		s.Tokens, s.TrainLoss, s.ValidationLoss = row.Tokens, &row.TrainLoss, row.ValidationLoss
	} else if len(r.plan.Validation) > 0 {
		s.ValidationLoss = new(r.plan.Net.MeanLoss(r.plan.Validation))
	}
	fmt.Fprintf(r.task.Log, "step %d of %d: weights saved\n", step, r.plan.Steps)
	return r.weights.Save(s)
}
