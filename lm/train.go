package lm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"anneal/lm/kernel"
)

// Training says how to train a net.
type Training struct {
	Optimizer AdamW
	Schedule  Schedule
	Steps     int // of the whole training: what the schedule falls towards, and as far as Run goes
	Data      Source

	MicroBatch int     // sequences that are computed at once; 0: a whole batch. Never changes a bit
	ZLoss      float64 // adds ZLoss·(log Σ e^logit)² to each target's loss (Chowdhery et al. 2022); 0 is off. Reported losses are without it

	Validation    []Batch // what Measure and the rows at multiples of EvaluateEvery evaluate; may be empty
	EvaluateEvery int     // steps; 0: rows evaluate nothing
	RowEvery      int     // steps, at least 1

	KeepFinite bool // a training that diverges leaves the net with the weights of its last finite step

	OnRow  func(Row) error                    // at regular steps: multiples of RowEvery, and of EvaluateEvery where there is validation
	OnStep func(step int, loss float64) error // after every step and its row, with the mean loss of the batch; the state is whole and finite then
	Cores  func() int                         // read before every step; nil is one core. Never changes a bit
}

// regular tells whether a row is given out after so many steps. It does not ask how many there will be, so that a longer training begins with
// the same rows.
func (t *Training) regular(step int) bool { return step%t.RowEvery == 0 || t.evaluates(step) }

func (t *Training) evaluates(step int) bool {
	return len(t.Validation) > 0 && t.EvaluateEvery > 0 && step%t.EvaluateEvery == 0
}

// Row is one row of metrics.
type Row struct {
	Step           int     // steps done
	Tokens         int64   // targets trained on
	Epochs         float64 // passes over the data
	LearningRate   float64 // of the last step; 0 before the first
	TrainLoss      float64 // mean over the targets since the regular step before, in nats; NaN before the first step
	ValidationLoss float64 // mean over the validation targets, in nats; NaN unless Evaluated
	Evaluated      bool
	GradientNorm   float64 // of the last step, before clipping
	WeightNorm     float64 // of all parameters
}

// State is all that a training changes: with the configuration and the data it determines what follows.
type State struct {
	Step                   int
	Tokens                 int64
	Beta1Power, Beta2Power float64     // β₁ and β₂ to the power of Step, as running products
	LossSum                float64     // of the targets since the regular step before this one
	LossCount              int64       // those targets
	GradientNorm           float64     // of the last step, before clipping
	Weights                []Parameter // the net's own tensors
	M, V                   []Parameter // first and second moments
}

// DivergedError says that a training came to numbers that are not finite.
type DivergedError struct {
	Step         int    // the step, counted from 1, that computed them
	Tensor       string // where the first one is: a parameter's name, "the gradient of" or "the second moment of" one, "loss" or "validation loss"
	LearningRate float64
	Given        bool // they came from the weights that the training began with, before it changed them
}

func (e *DivergedError) Error() string {
	if e.Given {
		return fmt.Sprintf("training diverged at step %d: %s is not finite with the weights that it began with; begin with others", e.Step, e.Tensor)
	}
	return fmt.Sprintf("training diverged at step %d: %s is not finite at learning rate %.3g; lower learning_rate, lengthen the warmup or set clip",
		e.Step, e.Tensor, e.LearningRate)
}

// Trainer is a training under way. It trains its net in place: between calls others may run the net, but not change it.
type Trainer struct {
	training  Training
	net       *Net
	state     State
	gradients *gradients
	batch     Batch

	pieces  []piece
	squares []float64    // by row of the parameters
	adamw   kernel.AdamW // the step's constants
	overrun atomic.Bool  // an update came to numbers that are not finite

	update, squareGradients, squareWeights job // by piece; made once, so that steps allocate nothing
}

// piece is some rows of a parameter and of what belongs to it: an item of work.
type piece struct {
	w, m, v, g []float32
	squares    []float64 // by row
	decays     bool
}

// pieceElements is the number of elements of a piece, if a row has no more: its tensors stay in a core's cache together.
const pieceElements = 1 << 13

// NewTrainer returns a training that stands before its first step. The net, whose weights must be finite, goes on using the cores of t.Cores.
func NewTrainer(n *Net, t Training) (*Trainer, error) {
	if err := errors.Join(t.Optimizer.Check(), t.Schedule.Check()); err != nil {
		return nil, err
	}
	if t.Steps < 1 || t.RowEvery < 1 || t.EvaluateEvery < 0 || t.MicroBatch < 0 {
		return nil, errors.New("a training needs at least one step, rows every one or more steps, and evaluations and micro-batches of zero or more")
	}
	if !(t.ZLoss >= 0) || t.ZLoss > math.MaxFloat32 {
		return nil, fmt.Errorf("the factor of the z-loss must be at least 0, is %g", t.ZLoss)
	}
	if len(t.Validation) > 0 && !slices.ContainsFunc(t.Validation, func(b Batch) bool { return b.count() > 0 }) {
		return nil, errors.New("the validation batches have no targets")
	}
	if name := unfinite(n.parameters); name != "" {
		return nil, fmt.Errorf("parameter %s has elements that are not finite", name)
	}
	n.UseCores(t.Cores)
	r := &Trainer{
		training: t, net: n, gradients: n.newGradients(),
		state: State{Beta1Power: 1, Beta2Power: 1, Weights: n.Parameters(), M: zeros(n.shapes), V: zeros(n.shapes)},
	}
	t.Data.Batch(0, &r.batch)
	n.reserveFor(&r.batch, t.MicroBatch) // now: evaluations before the first step are to fit in, too
	r.cut()
	r.update = r.updatePiece
	r.squareGradients = func(_ *kernel.Scratch, item int) { kernel.RowSquares(r.pieces[item].squares, r.pieces[item].g) }
	r.squareWeights = func(_ *kernel.Scratch, item int) { kernel.RowSquares(r.pieces[item].squares, r.pieces[item].w) }
	return r, nil
}

// cut makes the pieces, in the order of the parameters and their rows.
func (r *Trainer) cut() {
	rows := func(s Shape) int { return s.size() / s.Dims[len(s.Dims)-1] }
	total := 0
	for _, shape := range r.net.shapes {
		total += rows(shape)
	}
	r.squares = make([]float64, total)
	squares := r.squares
	for i, shape := range r.net.shapes {
		w, m, v, g := r.state.Weights[i].data(), r.state.M[i].data(), r.state.V[i].data(), r.gradients.tensors[i].data()
		width := len(w) / rows(shape)
		each := max(1, pieceElements/width)
		for c := range kernel.Chunks(rows(shape), each) {
			from, to := kernel.Chunk(c, rows(shape), each)
			p := piece{squares: squares[:to-from], decays: r.training.Optimizer.decays(shape)}
			p.w, p.m, p.v, p.g = part(w, width, from, to), part(m, width, from, to), part(v, width, from, to), part(g, width, from, to)
			r.pieces, squares = append(r.pieces, p), squares[to-from:]
		}
	}
}

// Run trains on until so many steps are done in all. The result does not depend on the number of cores, nor on where runs end. It stops before
// the next step with ctx's error when ctx ends, with the error of a callback, or with a *DivergedError when a loss, a gradient, a weight or a
// moment is not finite. After a divergence the training cannot go on, and only with KeepFinite are the net's weights of use: they are those
// after State().Step steps, whether the training was interrupted before or not; the moments may not be finite.
func (r *Trainer) Run(ctx context.Context, until int) error {
	if until > r.training.Steps {
		return fmt.Errorf("a training of %d steps cannot reach step %d", r.training.Steps, until)
	}
	for r.state.Step < until {
		if err := ctx.Err(); err != nil {
			return err
		}
		loss, err := r.step()
		if err != nil {
			return err
		}
		if r.training.regular(r.state.Step) {
			row, err := r.row(r.training.evaluates(r.state.Step))
			if err != nil {
				return err
			}
			if r.training.OnRow != nil {
				if err := r.training.OnRow(row); err != nil {
					return err
				}
			}
		}
		if r.training.OnStep != nil {
			if err := r.training.OnStep(r.state.Step, loss); err != nil {
				return err
			}
		}
	}
	return nil
}

// State returns the live state. What it points to changes with the next step.
func (r *Trainer) State() *State { return &r.state }

// Measure returns a row as of now, evaluated if there is validation. What the training goes on with does not change. Beside a *DivergedError,
// where the validation loss is not finite, the row is whole but for that.
func (r *Trainer) Measure() (Row, error) { return r.row(len(r.training.Validation) > 0) }

// Restore copies a state into the training, which then goes on as the one that had it, if the configurations are equal but for what never
// changes a bit, and for Steps where the state's step is within Schedule.Independent of both. A state that is not whole, or that no training
// with these betas can have, is refused, and changes nothing.
func (r *Trainer) Restore(s *State) error {
	o := r.training.Optimizer
	if s.Step < 0 || s.Step > r.training.Steps {
		return fmt.Errorf("a state of step %d is outside of a training of %d steps", s.Step, r.training.Steps)
	}
	if p1, p2 := power(o.Betas[0], s.Step), power(o.Betas[1], s.Step); s.Beta1Power != p1 || s.Beta2Power != p2 {
		return fmt.Errorf("a state whose powers of the betas are %v and %v is not that of step %d with betas %v and %v, whose powers are %v and %v",
			s.Beta1Power, s.Beta2Power, s.Step, o.Betas[0], o.Betas[1], p1, p2)
	}
	if s.LossCount < 0 || s.LossCount > s.Tokens || (s.LossCount > 0) != (s.Step > 0) || !isFinite(s.LossSum) || !(s.GradientNorm >= 0) || !isFinite(s.GradientNorm) {
		return fmt.Errorf("a state cannot have a loss of %g over %d of %d tokens and a gradient of norm %g", s.LossSum, s.LossCount, s.Tokens, s.GradientNorm)
	}
	sets := []struct {
		what     string
		from, to []Parameter
	}{{"weights", s.Weights, r.state.Weights}, {"first moments", s.M, r.state.M}, {"second moments", s.V, r.state.V}}
	for _, set := range sets {
		if err := r.net.fits(set.from); err != nil {
			return fmt.Errorf("%s of the state: %w", set.what, err)
		}
	}
	for _, v := range s.V {
		if slices.ContainsFunc(v.data(), func(x float32) bool { return x < 0 }) {
			return fmt.Errorf("second moments of the state: parameter %s has elements below 0", v.Name)
		}
	}
	for _, set := range sets {
		for i, p := range set.from {
			copy(set.to[i].data(), p.data())
		}
	}
	own := r.state
	r.state = *s
	r.state.Weights, r.state.M, r.state.V = own.Weights, own.M, own.V
	return nil
}

// power returns β to the power of so many steps with the roundings of that many updates.
func power(beta float64, steps int) float64 {
	p := 1.0
	for range steps {
		p *= beta
	}
	return p
}

// rate returns the learning rate of a step, counted from 0.
func (r *Trainer) rate(step int) float64 {
	return r.training.Optimizer.LearningRate * r.training.Schedule.Factor(step, r.training.Steps)
}

// step computes a gradient, takes one step and returns the mean loss of its batch.
func (r *Trainer) step() (loss float64, err error) {
	n, g, s, t := r.net, r.gradients, &r.state, &r.training
	n.workers.Resize()
	t.Data.Batch(s.Step, &r.batch)
	targets := r.batch.count()
	if targets == 0 {
		return 0, fmt.Errorf("the batch of step %d has no targets", s.Step+1)
	}
	g.reset()
	sum := n.accumulate(g, &r.batch, t.MicroBatch, targets, t.ZLoss)
	n.finish(g)
	norm := r.norm(r.squareGradients)
	if !isFinite(sum) || !isFinite(norm) {
		where := "loss"
		if name := unfinite(g.tensors); name != "" {
			where = "the gradient of " + name
		}
		return 0, r.diverged(s.Step+1, where, s.Step == 0)
	}

	beta1, beta2 := float64(s.Beta1Power*t.Optimizer.Betas[0]), float64(s.Beta2Power*t.Optimizer.Betas[1])
	r.adamw = t.Optimizer.constants(r.rate(s.Step), beta1, beta2, norm)
	n.workers.Each(len(r.pieces), r.update)
	if r.overrun.Swap(false) {
		return 0, r.overran()
	}
	if t.regular(s.Step) { // the row there had them
		s.LossSum, s.LossCount = 0, 0
	}
	s.Step++
	s.Tokens += int64(targets)
	s.Beta1Power, s.Beta2Power, s.GradientNorm = beta1, beta2, norm
	s.LossSum, s.LossCount = s.LossSum+sum, s.LossCount+int64(targets)
	return sum / float64(targets), nil
}

// updatePiece applies AdamW to a piece. Its gradient has then done its work: with KeepFinite it holds the weights as they were.
func (r *Trainer) updatePiece(s *kernel.Scratch, item int) {
	p, a := &r.pieces[item], r.adamw
	if !p.decays {
		a.Decay = 0
	}
	var before []float32
	if r.training.KeepFinite {
		before = s.Floats(len(p.w))
		copy(before, p.w)
	}
	a.Step(p.w, p.m, p.v, p.g)
	copy(p.g, before)
	if !kernel.Finite(p.w) || !kernel.Finite(p.v) {
		r.overrun.Store(true)
	}
}

// overran blames an update, and takes it back from the weights if they are to stay finite. A square may overflow where the gradient did not,
// and a weight with an infinite second moment would silently stop to learn.
func (r *Trainer) overran() error {
	name := unfinite(r.state.Weights)
	if name == "" {
		name = "the second moment of " + unfinite(r.state.V)
	}
	if r.training.KeepFinite {
		for i := range r.pieces {
			copy(r.pieces[i].w, r.pieces[i].g)
		}
	}
	return r.diverged(r.state.Step+1, name, false)
}

// norm returns the Euclidean norm of all that square squares: float64 sums by row, then over rows in order.
func (r *Trainer) norm(square job) float64 {
	r.net.workers.Each(len(r.pieces), square)
	var sum float64
	for _, v := range r.squares {
		sum += v
	}
	return math.Sqrt(sum)
}

// row returns a row as of now; one that is not evaluated beside a *DivergedError where the validation loss is not finite.
func (r *Trainer) row(evaluate bool) (Row, error) {
	s := &r.state
	row := Row{
		Step: s.Step, Tokens: s.Tokens, Epochs: r.training.Data.Epochs(s.Step),
		TrainLoss: s.LossSum / float64(s.LossCount), ValidationLoss: math.NaN(),
		GradientNorm: s.GradientNorm, WeightNorm: r.norm(r.squareWeights),
	}
	if s.Step > 0 {
		row.LearningRate = r.rate(s.Step - 1)
	}
	if evaluate {
		loss := r.net.MeanLoss(r.training.Validation)
		if !isFinite(loss) {
			return row, r.diverged(s.Step, "validation loss", s.Step == 0)
		}
		row.ValidationLoss, row.Evaluated = loss, true
	}
	return row, nil
}

func (r *Trainer) diverged(step int, tensor string, given bool) error {
	return &DivergedError{Step: step, Tensor: tensor, LearningRate: r.rate(max(0, step-1)), Given: given}
}

// unfinite names the first tensor with an element that is not finite, or none.
func unfinite(tensors []Parameter) string {
	for _, t := range tensors {
		if !kernel.Finite(t.data()) {
			return t.Name
		}
	}
	return ""
}

func isFinite(x float64) bool { return x-x == 0 }
