// Package training runs one training inside a stage: what pretrain and finetune have in common once each knows its
// network, its data and its number of steps.
//
// A training is a walk over stops: its save points, the step up to which its past is also that of other trainings, and
// its last step. What lies between two stops is trained, or taken from a state that such a training kept. Wherever the
// walk was interrupted or begun, it leaves the bytes of one from the start.
package training

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/lm/bpe"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// rowEvery is how many steps a row of metrics sums up at most: fine enough for a curve of a training of a hundred steps, and
// few rows for one of many thousands.
const rowEvery = 10

// Outputs of a training stage.
var Outputs = []pipeline.Output{
	{Name: "weights", Type: "weights", Doc: "the model at each save point, with its vocabulary"},
	{Name: "metrics", Type: "table", Schema: "training", Doc: "rows along the training: step, tokens, epochs, learning rate, losses (nats a token), norms of gradient and weights, diverged_at"},
	{Name: "summary", Type: "table", Schema: "training_summary", Doc: "one row: parameters, steps, tokens, repetition of the data, the timescale of weight decay, the last losses, diverged_at"},
}

// Plan is what is trained.
type Plan struct {
	Net        *lm.Net
	Vocabulary *bpe.Definition // goes with the weights
	Optimizer  lm.AdamW
	Schedule   lm.Schedule
	ZLoss      float64
	Data       lm.Source
	Steps      int
	Save       []int // steps done, ascending

	Validation    []lm.Batch // empty: no validation loss is known
	EvaluateEvery int        // steps; 0: only after the last

	MicroBatch int
	Snapshots  time.Duration // from one to the next, at least; 0: after every step
	Record     bool          // a training that diverges is a result
}

// Run trains the network and writes the stage's outputs.
func Run(ctx context.Context, t *pipeline.Task, p Plan) error {
	w, err := weights.Create(t.Output("weights"), p.Net, p.Vocabulary)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Log, "%d parameters, %d steps\n", p.Net.Model().ParameterCount(p.Net.Vocab()), p.Steps)
	r := &run{Plan: p, task: t, weights: w}
	r.shared, _ = p.Schedule.Independent(p.Steps)
	r.trainer, err = lm.NewTrainer(p.Net, lm.Training{
		Optimizer: p.Optimizer, Schedule: p.Schedule, ZLoss: p.ZLoss, Steps: p.Steps,
		Data: p.Data, MicroBatch: p.MicroBatch,
		Validation: p.Validation, EvaluateEvery: p.EvaluateEvery, RowEvery: rowEvery,
		KeepFinite: p.Record,
		OnRow:      r.row, OnStep: r.step,
		Cores: t.Cores,
	})
	if err != nil {
		return err
	}
	if err := r.adopt(); err != nil {
		return err
	}
	started := time.Now()
	r.clock, r.speed = clock{since: started}, speed{since: started, from: r.trainer.State().Tokens}
	err = r.walk(ctx)
	var diverged *lm.DivergedError
	switch {
	case errors.As(err, &diverged) && p.Record:
		err = r.end(diverged)
	case diverged != nil:
		err = fmt.Errorf(`%w, or keep what there is up to then with on_divergence = "record"`, err)
	case err != nil && err == ctx.Err(): // between steps: the state is whole
		r.snapshot()
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Log, "trained for %.1f s\n", time.Since(started).Seconds())
	rows := r.rows()
	return errors.Join(w.Close(), artifacts.WriteTraining(t.Output("metrics"), rows),
		artifacts.WriteRows(t.Output("summary"), []artifacts.TrainingSummary{r.summary(rows[len(rows)-1])}))
}

// run is a training under way.
type run struct {
	Plan
	task    *pipeline.Task
	trainer *lm.Trainer
	weights *weights.Writer
	shared  int // up to this step others with the same past have the same states

	regular []artifacts.TrainingRow // those that every training with this past has
	extra   []artifacts.TrainingRow // at save points and at the end: a step's takes the place of a regular one
	clock   clock
	speed   speed
}

// walk goes from stop to stop. What a snapshot was beyond has been done.
func (r *run) walk(ctx context.Context) error {
	for _, stop := range r.stops() {
		if stop < r.at() {
			continue
		}
		r.jump(stop)
		if err := r.trainer.Run(ctx, stop); err != nil {
			return err
		}
		if err := r.arrive(stop); err != nil {
			return err
		}
	}
	return nil
}

// at is the number of steps done.
func (r *run) at() int { return r.trainer.State().Step }

// stops lists the save points, the steps whose states others need, the last shared step and the last of all, ascending.
func (r *run) stops() []int {
	all := slices.Concat(r.Save, r.task.Wanted(), []int{r.Steps})
	if r.shared > 0 {
		all = append(all, r.shared)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// arrive does what is due at a stop, unless that was done before an interruption.
func (r *run) arrive(stop int) error {
	saves := slices.Contains(r.Save, stop) && !r.weights.Has(int64(stop))
	if saves || stop == r.Steps {
		row, err := r.measure()
		if err != nil {
			return err
		}
		if stop > 0 {
			r.add(row)
		}
		if saves {
			if err := r.save(row); err != nil {
				return err
			}
		}
	}
	if stop > 0 && (stop == r.shared || slices.Contains(r.task.Wanted(), stop)) {
		r.attempt("the state was not kept for other trainings", r.task.KeepState(stop, r.state().write))
	}
	return nil
}

// end makes a training that diverged a result: its last finite weights are the last save point, and its last row tells
// the step.
func (r *run) end(diverged *lm.DivergedError) error {
	row, err := r.measure()
	if err != nil && !errors.As(err, new(*lm.DivergedError)) { // of weights that are finite the validation loss may not be
		return err
	}
	row.DivergedAt = new(int64(diverged.Step))
	r.add(row)
	text := fmt.Sprintf("%v; recorded, with the weights of step %d", diverged, r.at())
	fmt.Fprintln(r.task.Log, text)
	r.task.Progress(r.at(), r.at(), map[string]float64{"diverged_at": float64(diverged.Step)}) // there is no more to come
	r.task.Tell(text)
	if r.weights.Has(row.Step) {
		return nil
	}
	return r.save(row)
}

// measure returns a row as of now, evaluated.
func (r *run) measure() (artifacts.TrainingRow, error) {
	if n := len(r.regular); n > 0 && r.regular[n-1].Step == int64(r.at()) && (r.regular[n-1].ValidationLoss != nil || len(r.Validation) == 0) {
		return r.regular[n-1], nil
	}
	row, err := r.trainer.Measure()
	return rowOf(row), err
}

// add keeps an extra row, in place of one of the same step.
func (r *run) add(row artifacts.TrainingRow) {
	if n := len(r.extra); n > 0 && r.extra[n-1].Step == row.Step {
		r.extra = r.extra[:n-1]
	}
	r.extra = append(r.extra, row)
}

// save adds a save point with the losses of the row that ends there.
func (r *run) save(row artifacts.TrainingRow) error {
	fmt.Fprintf(r.task.Log, "step %d of %d: weights saved\n", row.Step, r.Steps)
	return r.weights.Save(artifacts.Save{Step: row.Step, Tokens: row.Tokens, TrainLoss: row.TrainLoss, ValidationLoss: row.ValidationLoss})
}

// rows are the metrics: all rows by step.
func (r *run) rows() []artifacts.TrainingRow {
	all := slices.Clone(r.extra)
	for _, row := range r.regular {
		if !slices.ContainsFunc(r.extra, func(x artifacts.TrainingRow) bool { return x.Step == row.Step }) {
			all = append(all, row)
		}
	}
	slices.SortFunc(all, func(a, b artifacts.TrainingRow) int { return int(a.Step - b.Step) })
	return all
}

// summary tells what the training came to, given its last row.
func (r *run) summary(last artifacts.TrainingRow) artifacts.TrainingSummary {
	s := artifacts.TrainingSummary{
		Parameters: int64(r.Net.Model().ParameterCount(r.Net.Vocab())),
		Steps:      last.Step, Tokens: last.Tokens, Repetition: last.Epochs,
		TrainLoss: last.TrainLoss, ValidationLoss: last.ValidationLoss, DivergedAt: last.DivergedAt,
	}
	if decay := r.Optimizer.LearningRate * r.Optimizer.WeightDecay; decay > 0 {
		s.TimescalePeak = new(1 / (decay * float64(r.Steps)))
		s.Timescale = new(1 / (decay * r.Schedule.Sum(r.Steps)))
	}
	return s
}

// row keeps a regular row.
func (r *run) row(of lm.Row) error {
	row := rowOf(of)
	if of.Evaluated {
		fmt.Fprintf(r.task.Log, "step %d of %d: train loss %.4f, validation loss %.4f\n", of.Step, r.Steps, of.TrainLoss, of.ValidationLoss)
	}
	r.regular = append(r.regular, row)
	r.speed.measure(of.Tokens)
	return nil
}

// rowOf is a row as artifacts hold it.
func rowOf(of lm.Row) artifacts.TrainingRow {
	row := artifacts.TrainingRow{
		Step: int64(of.Step), Tokens: of.Tokens, Epochs: of.Epochs,
		LearningRate: of.LearningRate, GradientNorm: of.GradientNorm, WeightNorm: of.WeightNorm,
	}
	if of.Step > 0 {
		row.TrainLoss = &of.TrainLoss
	}
	if of.Evaluated {
		row.ValidationLoss = &of.ValidationLoss
	}
	return row
}

// step tells of a step, and takes a snapshot where one is due.
func (r *run) step(step int, loss float64) error {
	values := map[string]float64{"loss": loss}
	if r.speed.tokens > 0 {
		values["tokens_per_second"] = r.speed.tokens
	}
	r.task.Progress(step, r.Steps, values)
	if r.clock.due(r.Snapshots) {
		r.snapshot()
	}
	return nil
}
