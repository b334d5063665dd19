package lm

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
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
	defer func(name string) { _ = kernel.Choose(name) }(kernel.ISA())
	for _, isa := range kernel.Choices() {
		if err := kernel.Choose(isa); err != nil {
			t.Fatal(err)
		}
		step := 0
		for name, cores := range map[string]func() int{
			"1": nil, "2": func() int { return 2 }, "7": func() int { return 7 }, "changing": func() int { step++; return step % 5 },
		} {
			n, training := tiny(t, cores)
			s := train(t, n, training)
			if got := digest(s.Weights, s.M, s.V); got != golden {
				t.Errorf("%s, %s cores: digest %s, want %s", isa, name, got, golden)
			}
		}
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

// A State and the configuration are all that the rest of a training depends on.
func TestStateDeterminesTheRest(t *testing.T) {
	n, training := tiny(t, nil)
	var rows []string
	training.OnRow = func(row Row) error { rows = append(rows, fmt.Sprintf("%+v", row)); return nil }
	train(t, n, training)
	want := rows
	for _, stop := range []int{0, 1, 5, 7, 10, 12} {
		rows = nil
		n, _ := tiny(t, nil)
		first := trainer(t, n, training)
		if err := first.Run(t.Context(), stop); err != nil {
			t.Fatal(err)
		}
		other, _ := tiny(t, nil)
		second := trainer(t, other, training)
		if err := second.Restore(first.State()); err != nil {
			t.Fatal(err)
		}
		if err := second.Run(t.Context(), training.Steps); err != nil {
			t.Fatal(err)
		}
		s := second.State()
		if got := digest(s.Weights, s.M, s.V); got != golden {
			t.Errorf("stopped at %d: digest %s, want %s", stop, got, golden)
		}
		if !slices.Equal(rows, want) {
			t.Errorf("stopped at %d: rows %s, want %s", stop, rows, want)
		}
	}
}

func TestTrainingLearnsAndReports(t *testing.T) {
	n, training := tiny(t, nil)
	training.Steps, training.EvaluateEvery, training.RowEvery = 60, 25, 20
	var rows []Row
	steps := 0
	training.OnRow = func(r Row) error { rows = append(rows, r); return nil }
	training.OnStep = func(int, float64) error { steps++; return nil }
	s := train(t, n, training)
	if got := fmt.Sprint(steps, s.Step, s.Tokens); got != "60 60 12480" {
		t.Errorf("steps and tokens: %s", got)
	}
	var at []string
	for _, r := range rows {
		at = append(at, fmt.Sprint(r.Step, r.Evaluated, math.IsNaN(r.ValidationLoss)))
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

// Steps use the buffers of the first one: what is left are closures handed to workers and headers of tensors.
func TestStepsAllocateLittle(t *testing.T) {
	n, training := tiny(t, nil)
	r := trainer(t, n, training)
	step := func() {
		if _, err := r.step(); err != nil {
			t.Fatal(err)
		}
	}
	step()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	step()
	step()
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / 2; got > 16<<10 { // the gradients alone are more than that
		t.Errorf("a step allocates %d bytes", got)
	}
}

func TestDivergence(t *testing.T) {
	type change = func(*Net, *Training)
	for _, c := range []struct {
		name, tensor string
		step         int
		spoil        change
	}{
		{"an infinite rate", "embedding", 1, func(_ *Net, t *Training) { t.Optimizer.LearningRate, t.Optimizer.WeightDecay = 3e38, 3e38 }},
		{"logits", "the gradient of embedding", 1, func(n *Net, _ *Training) {
			for i := range n.weights.output {
				n.weights.output[i] = 3e38 * float32(1-2*(i%2))
			}
		}},
		{"the residual stream", "the gradient of embedding", 1, func(n *Net, _ *Training) {
			for i := range n.weights.embedding {
				n.weights.embedding[i] = 1e25
			}
		}},
		{"a square", "the second moment of embedding", 1, func(n *Net, t *Training) {
			for i := range n.weights.embedding {
				n.weights.embedding[i] *= 1e-17
			}
			for i := range n.weights.output {
				n.weights.output[i] *= 1e17
			}
			t.Optimizer.Clip = 0
		}},
		{"the validation loss", "validation loss", 1, func(n *Net, t *Training) {
			x := n.weights.embedding[39*n.model.Width:] // a token that only the validation reads
			for i := range x {
				x[i] = 1e25
			}
			t.Validation[0].Tokens[0] = 39
			t.Data = without(t.Data, 39)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, training := tiny(t, nil)
			training.RowEvery, training.EvaluateEvery = 1, 1
			c.spoil(n, &training)
			err := trainer(t, n, training).Run(t.Context(), training.Steps)
			var d *DivergedError
			if !errors.As(err, &d) || d.Step != c.step || d.Tensor != c.tensor || !strings.Contains(err.Error(), "learning_rate") {
				t.Errorf("error %v", err)
			}
		})
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

func TestTrainingStops(t *testing.T) {
	n, training := tiny(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	training.OnStep = func(step int, _ float64) error {
		if step == 3 {
			cancel()
		}
		if step > 3 {
			t.Error("a step after the end")
		}
		return nil
	}
	if err := trainer(t, n, training).Run(ctx, training.Steps); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
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
