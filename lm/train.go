package lm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"anneal/lm/kernel"
)

// Training says how to train a net.
type Training struct {
	Optimizer AdamW
	Schedule  Schedule
	Steps     int
	Data      Source

	Validation    []Batch // evaluated after every EvaluateEvery steps (0: never), at Save and after the last; may be empty
	EvaluateEvery int

	RowEvery int   // a metric row after every so many steps (at least 1), at evaluations, at Save and after the last step
	Save     []int // numbers of steps done after which OnSave is called, ascending; 0 is before training

	OnRow  func(Row) error
	OnSave func(step int) error
	OnStep func(step int, loss float64) // after every step, with the mean loss of its batch

	Cores func() int // read before every step; nil is one core. Never changes a bit
}

// Row is one row of metrics.
type Row struct {
	Step           int     // steps done
	Tokens         int64   // targets trained on
	Epochs         float64 // passes over the data
	LearningRate   float64 // of the last step
	TrainLoss      float64 // mean over the targets since the row before, in nats
	ValidationLoss float64 // mean over the validation targets, in nats; NaN unless Evaluated
	Evaluated      bool
	GradientNorm   float64 // of the last step, before clipping
	WeightNorm     float64 // of all parameters
}

// State is all that a training changes: with the configuration and the data it determines what follows.
type State struct {
	Step                   int
	Tokens                 int64
	Beta1Power, Beta2Power float64     // running products of the betas
	LossSum                float64     // of the targets since the last row
	LossCount              int64       // those targets
	Weights                []Parameter // the net's own tensors
	M, V                   []Parameter // first and second moments
}

// DivergedError says that a training came to numbers that are not finite.
type DivergedError struct {
	Step         int    // the step, counted from 1, that computed them; 0 if the training started with them
	Tensor       string // where the first one is: a parameter's name, "the gradient of" or "the second moment of" one, "loss" or "validation loss"
	LearningRate float64
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("training diverged at step %d: %s is not finite at learning rate %.3g; lower learning_rate, lengthen the warmup or set clip",
		e.Step, e.Tensor, e.LearningRate)
}

// trainer is a training under way.
type trainer struct {
	Training
	net       *Net
	state     *State
	gradients *gradients
	squares   []float64 // by row of the parameters
	batch     Batch

	rate         float64 // of the last step
	gradientNorm float64
}

// Train trains the net in place and returns the state it ends with. The result is the same for any number of cores; the net goes on using
// those of t.Cores. It stops at the next step with ctx's error when ctx ends, and with a *DivergedError when a loss, a gradient, a weight or a
// moment is not finite: OnSave never sees such weights, but after an error the net's own weights are of no use.
func Train(ctx context.Context, n *Net, t Training) (*State, error) {
	if err := errors.Join(t.Optimizer.Check(), t.Schedule.Check()); err != nil {
		return nil, err
	}
	if t.Steps < 1 || t.RowEvery < 1 || t.EvaluateEvery < 0 {
		return nil, errors.New("a training needs at least one step, rows every one or more steps and evaluations every zero or more")
	}
	if len(t.Validation) > 0 && !slices.ContainsFunc(t.Validation, func(b Batch) bool { return b.count() > 0 }) {
		return nil, errors.New("the validation batches have no targets")
	}
	r := newTrainer(n, t)
	if err := r.checkFinite(); err != nil {
		return nil, err
	}
	if err := r.save(); err != nil {
		return nil, err
	}
	for r.state.Step < t.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := r.step(); err != nil {
			return nil, err
		}
		if err := r.report(); err != nil {
			return nil, err
		}
		if err := r.save(); err != nil {
			return nil, err
		}
	}
	if err := r.checkFinite(); err != nil {
		return nil, err
	}
	return r.state, nil
}

func newTrainer(n *Net, t Training) *trainer {
	n.workers = kernel.NewWorkers(t.Cores)
	return &trainer{
		Training: t, net: n, gradients: n.newGradients(),
		state: &State{Beta1Power: 1, Beta2Power: 1, Weights: n.Parameters(), M: zeros(n.shapes), V: zeros(n.shapes)},
	}
}

// step computes a gradient and takes one step.
func (r *trainer) step() error {
	n, g, s := r.net, r.gradients, r.state
	n.workers.Resize()
	r.Data.Batch(s.Step, &r.batch)
	targets := r.batch.count()
	if targets == 0 {
		return fmt.Errorf("the batch of step %d has no targets", s.Step+1)
	}

	g.reset()
	loss := n.accumulate(g, &r.batch, 0, targets, 0)
	n.finish(g)
	r.gradientNorm = r.norm(g.tensors)
	finite := isFinite(loss) && isFinite(r.gradientNorm)
	if !finite { // because of what the step before computed, or else this one
		if err := r.checkFinite(); err != nil {
			return err
		}
	}
	r.rate = r.Optimizer.LearningRate * r.Schedule.Factor(s.Step, r.Steps)
	if !finite {
		where := "loss"
		if name := unfinite(g.tensors); name != "" {
			where = "the gradient of " + name
		}
		return r.diverged(s.Step+1, where)
	}
	r.update()
	s.Step++
	s.Tokens += int64(targets)
	s.LossSum, s.LossCount = s.LossSum+loss, s.LossCount+int64(targets)
	if r.OnStep != nil {
		r.OnStep(s.Step, loss/float64(targets))
	}
	return nil
}

// updateElements is the number of elements of a tensor that an item of work updates.
const updateElements = 1 << 13

// update applies AdamW.
func (r *trainer) update() {
	o, s := r.Optimizer, r.state
	s.Beta1Power *= o.Betas[0]
	s.Beta2Power *= o.Betas[1]
	a := kernel.AdamW{
		Rate: float32(r.rate), Beta1: float32(o.Betas[0]), Beta2: float32(o.Betas[1]), Rest1: float32(1 - o.Betas[0]), Rest2: float32(1 - o.Betas[1]),
		Unbias1: float32(1 / (1 - s.Beta1Power)), Unbias2: float32(1 / (1 - s.Beta2Power)), Eps: float32(o.Eps), Scale: 1,
	}
	if o.Clip > 0 && r.gradientNorm > o.Clip {
		a.Scale = float32(o.Clip / r.gradientNorm)
	}
	for i, shape := range r.net.shapes {
		a.Decay = 0
		if o.decays(shape) {
			a.Decay = float32(o.WeightDecay)
		}
		w, m, v, g := s.Weights[i].data(), s.M[i].data(), s.V[i].data(), r.gradients.tensors[i].data()
		r.net.workers.Each(kernel.Chunks(len(w), updateElements), func(_ *kernel.Scratch, item int) {
			from, to := kernel.Chunk(item, len(w), updateElements)
			a.Step(w[from:to], m[from:to], v[from:to], g[from:to])
		})
	}
}

// norm returns the Euclidean norm over all tensors: float64 sums by row, then over rows in order.
func (r *trainer) norm(tensors []Parameter) float64 {
	var sum float64
	for i, t := range tensors {
		rows := 1
		if d := r.net.shapes[i].Dims; len(d) > 1 {
			rows = d[0]
		}
		if len(r.squares) < rows {
			r.squares = make([]float64, rows)
		}
		kernel.RowSquares(r.squares[:rows], t.data())
		for _, v := range r.squares[:rows] {
			sum += v
		}
	}
	return math.Sqrt(sum)
}

// report evaluates where that is due and gives out a row.
func (r *trainer) report() error {
	s := r.state
	due := s.Step == r.Steps || slices.Contains(r.Save, s.Step)
	row := Row{Step: s.Step, Tokens: s.Tokens, Epochs: r.Data.Epochs(s.Step), LearningRate: r.rate, ValidationLoss: math.NaN(), GradientNorm: r.gradientNorm}
	row.Evaluated = len(r.Validation) > 0 && (due || r.EvaluateEvery > 0 && s.Step%r.EvaluateEvery == 0)
	if !row.Evaluated && !due && s.Step%r.RowEvery != 0 {
		return nil
	}
	row.TrainLoss = s.LossSum / float64(s.LossCount)
	s.LossSum, s.LossCount = 0, 0
	if row.WeightNorm = r.norm(s.Weights); !isFinite(row.WeightNorm) {
		return r.checkFinite()
	}
	if row.Evaluated {
		if row.ValidationLoss = r.net.MeanLoss(r.Validation); !isFinite(row.ValidationLoss) {
			return r.diverged(s.Step, "validation loss")
		}
	}
	if r.OnRow == nil {
		return nil
	}
	return r.OnRow(row)
}

// save calls OnSave where that is due.
func (r *trainer) save() error {
	if r.OnSave == nil || !slices.Contains(r.Save, r.state.Step) {
		return nil
	}
	if err := r.checkFinite(); err != nil {
		return err
	}
	return r.OnSave(r.state.Step)
}

// checkFinite blames the last step if a weight or a moment is not finite. A square may overflow where the gradient did not, and a weight with
// an infinite second moment would silently stop to learn.
func (r *trainer) checkFinite() error {
	if name := unfinite(r.state.Weights); name != "" {
		return r.diverged(r.state.Step, name)
	}
	if name := unfinite(r.state.V); name != "" {
		return r.diverged(r.state.Step, "the second moment of "+name)
	}
	return nil
}

func (r *trainer) diverged(step int, tensor string) error {
	return &DivergedError{Step: step, Tensor: tensor, LearningRate: r.rate}
}

// unfinite names the first tensor with an element that is not finite, or none.
func unfinite(tensors []Parameter) string {
	for _, t := range tensors {
		if !finite(t.data()) {
			return t.Name
		}
	}
	return ""
}

func isFinite(x float64) bool { return x-x == 0 }
