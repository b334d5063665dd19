package lm

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"anneal/lm/kernel"
)

func digest(sets ...[]Parameter) string {
	h := sha256.New()
	for _, set := range sets {
		for _, p := range set {
			_ = binary.Write(h, binary.LittleEndian, p.data())
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// golden is the digest of the weights and moments that the tiny training below ends with. It changes only with Numbers.
const golden = "9b90346b0b48d422"

func tiny(t testing.TB, cores func() int) (*Net, Training) {
	m := DefaultModel()
	m.Layers, m.Width, m.Heads, m.KVHeads, m.FF = 2, 16, 4, 2, 24
	n, err := New(m, 40, 52, 1)
	if err != nil {
		t.Fatal(err)
	}
	ids := text(40, 53*30)
	data, err := NewBlocks(ids, 52, 4, 5)
	if err != nil {
		t.Fatal(err)
	}
	validation, err := EvaluationBlocks(ids, 52, 3, 7)
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultAdamW()
	o.LearningRate = 0.01
	return n, Training{Optimizer: o, Schedule: Schedule{Shape: "cosine", Warmup: 0.2, Final: 0.1}, Steps: 12, Data: data,
		Validation: validation, EvaluateEvery: 5, RowEvery: 2, Cores: cores}
}

// train trains to the end.
func train(t testing.TB, n *Net, training Training) *State {
	t.Helper()
	r, err := NewTrainer(n, training)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context(), training.Steps); err != nil {
		t.Fatal(err)
	}
	return r.State()
}

func trainer(t testing.TB, n *Net, training Training) *Trainer {
	t.Helper()
	r, err := NewTrainer(n, training)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTrainingIsReproducible(t *testing.T) {
	onEachISA(t, func(t *testing.T) {
		step := 0
		for name, cores := range map[string]func() int{
			"1": nil, "2": func() int { return 2 }, "7": func() int { return 7 }, "changing": func() int { step++; return step % 5 },
		} {
			n, training := tiny(t, cores)
			s := train(t, n, training)
			if got := digest(s.Weights, s.M, s.V); got != golden {
				t.Errorf("%s cores: digest %s, want %s", name, got, golden)
			}
		}
	})
}

// onEachISA runs a test with each instruction set of this machine.
func onEachISA(t *testing.T, test func(t *testing.T)) {
	defer func(name string) { _ = kernel.Choose(name) }(kernel.ISA())
	for _, isa := range kernel.Choices() {
		if err := kernel.Choose(isa); err != nil {
			t.Fatal(err)
		}
		t.Run(isa, test)
	}
}

// Widths, heads and lengths that fill no register or tile, down to the smallest.
func TestOddShapes(t *testing.T) {
	defer func(name string) { _ = kernel.Choose(name) }(kernel.ISA())
	for _, c := range []struct {
		layers, width, heads, groups, ff, vocab, context, batch int
		tied                                                    bool
	}{
		{1, 2, 1, 1, 1, 2, 1, 1, false},
		{1, 2, 1, 0, 3, 300, 1, 1, true},
		{2, 6, 3, 1, 5, 256, 7, 1, false},
		{1, 30, 5, 5, 17, 300, 49, 3, true},
		{1, 34, 1, 1, 33, 17, 97, 2, false},
		{3, 12, 6, 2, 7, 1, 3, 2, false},
	} {
		m := DefaultModel()
		m.Layers, m.Width, m.Heads, m.KVHeads, m.FF, m.Tied = c.layers, c.width, c.heads, c.groups, c.ff, c.tied
		want := ""
		for _, isa := range kernel.Choices() {
			if err := kernel.Choose(isa); err != nil {
				t.Fatal(err)
			}
			for _, cores := range []int{1, 3} {
				n, err := New(m, c.vocab, c.context, 3)
				if err != nil {
					t.Fatal(err)
				}
				data, err := NewBlocks(text(c.vocab, 3*(c.context+1)), c.context, c.batch, 2)
				if err != nil {
					t.Fatal(err)
				}
				s := train(t, n, Training{Optimizer: DefaultAdamW(), Schedule: DefaultSchedule(), Steps: 2, Data: data, RowEvery: 1,
					Cores: func() int { return cores }})
				if got := digest(s.Weights, s.M, s.V); want == "" {
					want = got
				} else if got != want {
					t.Errorf("%+v: %s on %d cores differs", c, isa, cores)
				}
			}
		}
	}
}

// little returns a net of one layer and a training of steps that take no time even without vectors.
func little(t testing.TB) (*Net, Training) {
	m := DefaultModel()
	m.Layers, m.Width, m.Heads, m.KVHeads, m.FF = 1, 8, 2, 1, 12
	n, err := New(m, 20, 9, 1)
	if err != nil {
		t.Fatal(err)
	}
	ids := text(20, 10*15)
	data, err := NewBlocks(ids, 9, 4, 5)
	if err != nil {
		t.Fatal(err)
	}
	validation, err := EvaluationBlocks(ids, 9, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultAdamW()
	o.LearningRate = 0.01
	return n, Training{Optimizer: o, Schedule: Schedule{Shape: "cosine", Warmup: 0.2, Final: 0.1}, Steps: 12, Data: data,
		Validation: validation, EvaluateEvery: 5, RowEvery: 2}
}

// copied returns a state of its own.
func copied(s *State) *State {
	c := *s
	for _, set := range []*[]Parameter{&c.Weights, &c.M, &c.V} {
		own := slices.Clone(*set)
		for i, p := range own {
			own[i] = NewParameter(p.Name, p.Value.Shape(), slices.Clone(p.data()))
		}
		*set = own
	}
	return &c
}

// everything tells a state's every number.
func everything(s *State) string {
	return fmt.Sprint(s.Step, s.Tokens, s.Beta1Power, s.Beta2Power, s.LossSum, s.LossCount, s.GradientNorm, digest(s.Weights, s.M, s.V))
}

// A state, copied at any step, and the configuration are all that the rest of a training depends on: a training that is stopped, measured and
// restored again and again, each time with other cores, micro-batches and instructions, gives the rows and ends with the state of one that
// never was.
func TestResume(t *testing.T) {
	defer func(name string) { _ = kernel.Choose(name) }(kernel.ISA())
	draw, drawn := newDraws(1, "stops"), uint64(0)
	below := func(n int) int { drawn++; return int(draw.bits(drawn) % uint64(n)) }
	for _, schedule := range []Schedule{{Shape: "cosine", Warmup: 0.2, Final: 0.1}, {Shape: "wsd", WarmupSteps: 2, Decay: 0.4}} {
		_, training := little(t)
		training.Schedule = schedule
		var rows []string
		training.OnRow = func(row Row) error { rows = append(rows, fmt.Sprintf("%+v", row)); return nil }
		n, _ := little(t)
		want, last := everything(train(t, n, training)), rows
		for range 20 {
			rows = nil
			var state *State
			var measured string
			for state == nil || state.Step < training.Steps {
				if err := kernel.Choose(kernel.Choices()[below(len(kernel.Choices()))]); err != nil {
					t.Fatal(err)
				}
				n, _ := little(t)
				own := training
				own.MicroBatch = below(5)
				cores := []int{1, 2, 7}[below(3)]
				own.Cores = func() int { return cores }
				r := trainer(t, n, own)
				if state != nil {
					if err := r.Restore(state); err != nil {
						t.Fatal(err)
					}
					if got := everything(r.State()); got != everything(state) {
						t.Fatalf("restored %s, is %s", everything(state), got)
					}
					if row, err := r.Measure(); err != nil || fmt.Sprintf("%+v", row) != measured {
						t.Errorf("a row restored is %+v, %v, was %s", row, err, measured)
					}
				}
				if err := r.Run(t.Context(), min(training.Steps, r.State().Step+below(8))); err != nil {
					t.Fatal(err)
				}
				row, err := r.Measure()
				if err != nil {
					t.Fatal(err)
				}
				measured, state = fmt.Sprintf("%+v", row), copied(r.State())
			}
			if got := everything(state); got != want {
				t.Errorf("%s: ended with %s, want %s", schedule.Shape, got, want)
			}
			if !slices.Equal(rows, last) {
				t.Errorf("%s: rows %s, want %s", schedule.Shape, rows, last)
			}
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	n, training := little(t)
	r := trainer(t, n, training)
	if err := r.Run(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	saved := copied(r.State())
	nan := float32(math.NaN())
	for _, c := range []struct {
		want  string
		spoil func(s *State)
	}{
		{"a state of step 13 is outside of a training of 12 steps", func(s *State) { s.Step = 13 }},
		{"a state of step -1 is outside", func(s *State) { s.Step = -1 }},
		{"is not that of step 3 with betas 0.9 and 0.95", func(s *State) { s.Beta1Power = 0.9 }},
		{"is not that of step 4", func(s *State) { s.Step = 4 }},
		{"powers of the betas are NaN", func(s *State) { s.Beta1Power = math.NaN() }},
		{"over -1 of", func(s *State) { s.LossCount = -1 }},
		{"over 0 of", func(s *State) { s.LossCount = 0 }},
		{"of 5 tokens", func(s *State) { s.Tokens = 5 }},
		{"a loss of NaN", func(s *State) { s.LossSum = math.NaN() }},
		{"norm +Inf", func(s *State) { s.GradientNorm = math.Inf(1) }},
		{"weights of the state: parameter embedding has elements that are not finite", func(s *State) { s.Weights[0].data()[7] = nan }},
		{"first moments of the state: parameter layers.0.q has elements that are not finite", func(s *State) { s.M[2].data()[0] = nan }},
		{"second moments of the state: parameter norm has elements below 0", func(s *State) { s.V[10].data()[0] = -1 }},
		{"first moments of the state: the model has 12 parameters", func(s *State) { s.M = s.M[:3] }},
		{"second moments of the state: parameter 0 should be embedding", func(s *State) { s.V[0], s.V[1] = s.V[1], s.V[0] }},
		{"weights of the state: parameter 0 should be embedding [20 8], is embedding [8 20]", func(s *State) {
			s.Weights[0] = NewParameter("embedding", []int{8, 20}, s.Weights[0].data())
		}},
	} {
		before := everything(r.State())
		s := copied(saved)
		c.spoil(s)
		if err := r.Restore(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
		if everything(r.State()) != before {
			t.Errorf("%s: the training changed", c.want)
		}
	}
	if err := r.Restore(saved); err != nil {
		t.Error(err)
	}
}

// A training of a longer horizon, of other save points, or with another schedule's first part begins with the same rows and states.
func TestHorizons(t *testing.T) {
	run := func(shape string, steps int, stops ...int) (rows []string, state string) {
		n, training := little(t)
		training.Schedule, training.Steps = Schedule{Shape: shape, WarmupSteps: 3, Decay: 0.25}, steps
		training.OnRow = func(row Row) error { rows = append(rows, fmt.Sprintf("%+v", row)); return nil }
		r := trainer(t, n, training)
		for _, stop := range append(stops, 9) {
			if err := r.Run(t.Context(), stop); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Measure(); err != nil {
				t.Fatal(err)
			}
		}
		return rows, everything(r.State())
	}
	rows, state := run("wsd", 12)
	if len(rows) != 5 {
		t.Errorf("rows %s", rows)
	}
	for name, other := range map[string]func() ([]string, string){
		"longer":                 func() ([]string, string) { return run("wsd", 200) },
		"constant":               func() ([]string, string) { return run("constant", 9) },
		"measured in the middle": func() ([]string, string) { return run("wsd", 12, 0, 3, 4, 7) },
	} {
		if r, s := other(); !slices.Equal(r, rows) || s != state {
			t.Errorf("%s: rows %s, state %s, want %s, %s", name, r, s, rows, state)
		}
	}
	if _, s := run("cosine", 12); s == state {
		t.Error("a cosine gives the same")
	}
	n, training := little(t)
	if err := trainer(t, n, training).Run(t.Context(), 13); err == nil || err.Error() != "a training of 12 steps cannot reach step 13" {
		t.Errorf("error %v", err)
	}
}

func TestTrainingLearnsAndReports(t *testing.T) {
	n, training := tiny(t, nil)
	training.Steps, training.EvaluateEvery, training.RowEvery = 60, 25, 20
	var rows []Row
	var losses []float64
	training.OnRow = func(r Row) error { rows = append(rows, r); return nil }
	training.OnStep = func(_ int, loss float64) error { losses = append(losses, loss); return nil }
	s := train(t, n, training)
	if got := fmt.Sprint(len(losses), s.Step, s.Tokens); got != "60 60 12480" {
		t.Errorf("steps and tokens: %s", got)
	}
	var at []string
	from := 0
	for _, r := range rows {
		at = append(at, fmt.Sprint(r.Step, r.Evaluated, math.IsNaN(r.ValidationLoss)))
		var mean float64
		for _, loss := range losses[from:r.Step] { // all of as many targets
			mean += loss / float64(r.Step-from)
		}
		if from = r.Step; math.Abs(r.TrainLoss-mean) > 1e-12 {
			t.Errorf("step %d: training loss %g, the steps' mean is %g", r.Step, r.TrainLoss, mean)
		}
	}
	if got := strings.Join(at, ", "); got != "20 false true, 25 true false, 40 false true, 50 true false, 60 false true" {
		t.Errorf("rows: %s", got)
	}
	first, last := rows[0], rows[len(rows)-1]
	if last.TrainLoss > first.TrainLoss-0.5 || rows[3].ValidationLoss > 3 || last.Epochs != 8 {
		t.Errorf("first row %+v, last row %+v", first, last)
	}
	if math.Abs(last.LearningRate-0.001) > 1e-12 {
		t.Errorf("the last learning rate is %g", last.LearningRate)
	}
}

// Steps use the buffers of the first ones, whole passes over the data and rows that evaluate nothing included.
func TestStepsAllocateNothing(t *testing.T) {
	examples := make([]Example, 7)
	for i := range examples {
		examples[i] = Example{[]int32{int32(i), 2, 3}[:1+i%3], []int32{4, int32(i), 6, 7}[:1+i%4]}
	}
	for _, cores := range []int{1, 2} {
		n, training := little(t)
		training.Steps, training.RowEvery, training.EvaluateEvery, training.MicroBatch, training.KeepFinite = 1000, 3, 0, 3, true
		training.Cores = func() int { return cores }
		supervised, err := NewExamples(examples, 9, 5, 1)
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string]Source{"blocks": training.Data, "examples": supervised} {
			training.Data = data
			r := trainer(t, n, training)
			step := func() {
				if err := r.Run(t.Context(), r.State().Step+1); err != nil {
					t.Fatal(err)
				}
			}
			for range 5 {
				step()
			}
			if got := testing.AllocsPerRun(50, step); got > 0 {
				t.Errorf("%s, %d cores: a step allocates %g times", name, cores, got)
			}
		}
	}
}

// Weight decay takes weights, and the betas moments, towards zero: they become 0 where they would come to be subnormal numbers, with which
// processors are slow.
func TestNothingSubnormalIsStored(t *testing.T) {
	n, training := little(t)
	training.Optimizer.LearningRate, training.Optimizer.WeightDecay, training.Optimizer.Betas = 0.05, 10, []float64{0.5, 0.6}
	training.Schedule, training.Steps, training.Validation = Schedule{Shape: "constant"}, 250, nil
	training.Data = fading{training.Data, 19}
	var r *Trainer
	zero := 0
	training.OnStep = func(step int, _ float64) error {
		zero = 0
		for _, p := range slices.Concat(r.state.Weights, r.state.M, r.state.V) {
			for i, v := range p.data() {
				if v == 0 {
					zero++
				} else if math.Abs(float64(v)) < 0x1p-126 {
					return fmt.Errorf("step %d stores %g in %s[%d]", step, v, p.Name, i)
				}
			}
		}
		return nil
	}
	r = trainer(t, n, training)
	if err := r.Run(t.Context(), training.Steps); err != nil {
		t.Fatal(err)
	}
	if width := n.model.Width; zero < 3*width { // the row of the token that is no longer read, at least
		t.Errorf("%d numbers came to be zero", zero)
	}
}

// fading is a source that reads a token at its first step alone.
type fading struct {
	Source
	token int32
}

func (f fading) Batch(step int, into *Batch) {
	f.Source.Batch(step, into)
	if step == 0 {
		into.Tokens[0] = f.token
		return
	}
	for i, v := range into.Tokens {
		if v == f.token {
			into.Tokens[i] = 0
		}
	}
}

// spared is a source whose tokens are never one of them.
type spared struct {
	Source
	token int32
}

func without(s Source, token int32) Source { return spared{s, token} }

func (s spared) Batch(step int, into *Batch) {
	s.Source.Batch(step, into)
	for i, v := range into.Tokens {
		if v == s.token {
			into.Tokens[i] = 0
		}
	}
}

// A batch with nothing to learn is a mistake of the caller, not a divergence.
func TestNoTargets(t *testing.T) {
	n, training := tiny(t, nil)
	training.Data = masked{training.Data}
	if err := trainer(t, n, training).Run(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "the batch of step 1 has no targets") {
		t.Errorf("training: %v", err)
	}
	n, training = tiny(t, nil)
	for i := range training.Validation {
		mask(&training.Validation[i])
	}
	if _, err := NewTrainer(n, training); err == nil || err.Error() != "the validation batches have no targets" {
		t.Errorf("validation: %v", err)
	}
	if sum, count := n.Loss(&training.Validation[0]); sum != 0 || count != 0 {
		t.Errorf("loss %g of %d targets", sum, count)
	}
}

// masked is a source without targets.
type masked struct{ Source }

func (m masked) Batch(step int, into *Batch) {
	m.Source.Batch(step, into)
	mask(into)
}

func mask(b *Batch) {
	for i := range b.Targets {
		b.Targets[i] = -1
	}
}

// A training stops where its context or a callback says so, and goes on from there.
func TestTrainingStops(t *testing.T) {
	stop := errors.New("stop")
	for name, set := range map[string]func(t *Training, cancel func()){
		"context": func(t *Training, cancel func()) {
			t.OnStep = func(step int, _ float64) error {
				if step == 4 {
					cancel()
				}
				return nil
			}
		},
		"row": func(t *Training, _ func()) { t.OnRow = func(row Row) error { return stop } },
		"step": func(t *Training, _ func()) {
			t.OnStep = func(step int, _ float64) error {
				if step == 4 {
					return stop
				}
				return nil
			}
		},
	} {
		n, training := tiny(t, nil)
		training.RowEvery, training.EvaluateEvery = 4, 0
		ctx, cancel := context.WithCancel(t.Context())
		set(&training, cancel)
		r := trainer(t, n, training)
		if err := r.Run(ctx, training.Steps); !errors.Is(err, stop) && !errors.Is(err, context.Canceled) || r.State().Step != 4 {
			t.Errorf("%s: step %d, error %v", name, r.State().Step, err)
		}
		cancel()
		r.training.OnRow, r.training.OnStep = nil, nil
		if err := r.Run(t.Context(), training.Steps); err != nil {
			t.Fatal(err)
		}
		if s := r.State(); digest(s.Weights, s.M, s.V) != golden {
			t.Errorf("%s: ended with %s", name, digest(s.Weights, s.M, s.V))
		}
	}
}

// The update against the formula in float64, for every choice of what decays.
func TestAdamWAgainstReference(t *testing.T) {
	for _, decay := range []string{"all", "matrices", "no_embeddings"} {
		n, training := tiny(t, nil)
		o := AdamW{LearningRate: 0.02, WeightDecay: 0.5, Betas: []float64{0.8, 0.9}, Eps: 1e-6, Clip: 0.5, Decay: decay}
		training.Optimizer = o
		r := trainer(t, n, training)
		m, v := map[string][]float64{}, map[string][]float64{}
		for step := 1; step <= 3; step++ {
			w, rate := wide(n), r.rate(step-1)
			if _, err := r.step(); err != nil {
				t.Fatal(err)
			}
			var norm float64
			for _, g := range r.gradients.tensors {
				for _, x := range g.data() {
					norm += float64(x) * float64(x)
				}
			}
			norm = math.Sqrt(norm)
			if math.Abs(norm-r.state.GradientNorm) > 1e-9*norm {
				t.Errorf("gradient norm %g, want %g", r.state.GradientNorm, norm)
			}
			for p, g := range r.gradients.tensors {
				if step == 1 {
					m[g.Name], v[g.Name] = make([]float64, len(g.data())), make([]float64, len(g.data()))
				}
				wd := o.WeightDecay
				if decay == "matrices" && len(n.shapes[p].Dims) == 1 || decay == "no_embeddings" && g.Name == "embedding" {
					wd = 0
				}
				for i, x := range g.data() {
					d := float64(x) * min(1, o.Clip/norm)
					m[g.Name][i] = 0.8*m[g.Name][i] + 0.2*d
					v[g.Name][i] = 0.9*v[g.Name][i] + 0.1*d*d
					u := m[g.Name][i] / (1 - math.Pow(0.8, float64(step))) / (math.Sqrt(v[g.Name][i]/(1-math.Pow(0.9, float64(step)))) + o.Eps)
					want := w[g.Name][i] - rate*(u+wd*w[g.Name][i])
					if got := float64(n.parameters[p].data()[i]); math.Abs(got-want) > 1e-5*rate+1e-6*math.Abs(want) {
						t.Fatalf("%s, step %d: %s[%d] = %g, want %g", decay, step, g.Name, i, got, want)
					}
				}
			}
		}
	}
}
