package lm

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
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
			s, err := Train(t.Context(), n, training)
			if err != nil {
				t.Fatal(err)
			}
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
				s, err := Train(t.Context(), n, Training{Optimizer: DefaultAdamW(), Schedule: DefaultSchedule(), Steps: 2, Data: data, RowEvery: 1,
					Cores: func() int { return cores }})
				if err != nil {
					t.Fatalf("%+v: %v", c, err)
				}
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
	run := func(r *trainer, steps int) (rows []Row) {
		r.OnRow = func(row Row) error { rows = append(rows, row); return nil }
		for range steps {
			if err := errors.Join(r.step(), r.report()); err != nil {
				t.Fatal(err)
			}
		}
		return rows
	}
	n, training := tiny(t, nil)
	training.EvaluateEvery, training.RowEvery = 0, 4
	first := newTrainer(n, training)
	run(first, 6) // in the middle of a row
	copied := func(from []Parameter) []Parameter {
		to := zeros(n.shapes)
		for i := range to {
			copy(to[i].data(), from[i].data())
		}
		return to
	}
	s := *first.state
	s.M, s.V = copied(s.M), copied(s.V)
	other, err := Load(n.model, n.vocab, n.context, s.Weights)
	if err != nil {
		t.Fatal(err)
	}
	s.Weights = other.Parameters()
	rest := run(first, 6)

	_, training = tiny(t, nil)
	training.EvaluateEvery, training.RowEvery = 0, 4
	second := newTrainer(other, training)
	second.state = &s
	again := run(second, 6)
	if got := digest(s.Weights, s.M, s.V); got != golden {
		t.Errorf("digest %s, want %s", got, golden)
	}
	if got, want := fmt.Sprintf("%+v", again), fmt.Sprintf("%+v", rest); got != want || len(rest) != 2 {
		t.Errorf("rows %s, want %s", got, want)
	}
}

func TestTrainingLearnsAndReports(t *testing.T) {
	n, training := tiny(t, nil)
	training.Steps, training.EvaluateEvery, training.RowEvery = 60, 25, 20
	training.Save = []int{0, 30, 60}
	var rows []Row
	var saves []int
	steps := 0
	training.OnRow = func(r Row) error { rows = append(rows, r); return nil }
	training.OnSave = func(step int) error { saves = append(saves, step); return nil }
	training.OnStep = func(int, float64) { steps++ }
	s, err := Train(t.Context(), n, training)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(saves, steps, s.Step, s.Tokens); got != "[0 30 60] 60 60 12480" {
		t.Errorf("saves, steps, tokens: %s", got)
	}
	var at []string
	for _, r := range rows {
		at = append(at, fmt.Sprint(r.Step, r.Evaluated, math.IsNaN(r.ValidationLoss)))
	}
	if got := strings.Join(at, ", "); got != "20 false true, 25 true false, 30 true false, 40 false true, 50 true false, 60 true false" {
		t.Errorf("rows: %s", got)
	}
	first, last := rows[0], rows[len(rows)-1]
	if last.TrainLoss > first.TrainLoss-0.5 || last.ValidationLoss > 3 || last.Epochs != 8 {
		t.Errorf("first row %+v, last row %+v", first, last)
	}
	if math.Abs(last.LearningRate-0.001) > 1e-12 {
		t.Errorf("the last learning rate is %g", last.LearningRate)
	}
}

// Steps use the buffers of the first one: what is left are closures handed to workers and headers of tensors.
func TestStepsAllocateLittle(t *testing.T) {
	n, training := tiny(t, nil)
	r := newTrainer(n, training)
	step := func() {
		if err := r.step(); err != nil {
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
		{"a given weight", "layers.1.up", 0, func(n *Net, _ *Training) { n.weights.layers[1].up[3] = float32(math.NaN()) }},
		{"an infinite rate", "embedding", 1, func(_ *Net, t *Training) { t.Optimizer.LearningRate, t.Optimizer.WeightDecay = 3e38, 3e38 }},
		{"an infinite rate and no save", "embedding", 1, func(_ *Net, t *Training) {
			t.Optimizer.LearningRate, t.Optimizer.WeightDecay, t.Save = 3e38, 3e38, nil
		}},
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
			training.Save = []int{1, 2, 12}
			c.spoil(n, &training)
			training.OnSave = func(step int) error {
				for _, p := range n.parameters {
					if !finite(p.data()) {
						t.Errorf("step %d handed out %s", step, p.Name)
					}
				}
				return nil
			}
			_, err := Train(t.Context(), n, training)
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
	if _, err := Train(t.Context(), n, training); err == nil || !strings.Contains(err.Error(), "the batch of step 1 has no targets") {
		t.Errorf("training: %v", err)
	}
	n, training = tiny(t, nil)
	for i := range training.Validation {
		mask(&training.Validation[i])
	}
	if _, err := Train(t.Context(), n, training); err == nil || err.Error() != "the validation batches have no targets" {
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
	training.OnStep = func(step int, _ float64) {
		if step == 3 {
			cancel()
		}
		if step > 3 {
			t.Error("a step after the end")
		}
	}
	if _, err := Train(ctx, n, training); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// The update against the formula in float64, for every choice of what decays.
func TestAdamWAgainstReference(t *testing.T) {
	for _, decay := range []string{"all", "matrices", "no_embeddings"} {
		n, training := tiny(t, nil)
		o := AdamW{LearningRate: 0.02, WeightDecay: 0.5, Betas: []float64{0.8, 0.9}, Eps: 1e-6, Clip: 0.5, Decay: decay}
		training.Optimizer = o
		r := newTrainer(n, training)
		m, v := map[string][]float64{}, map[string][]float64{}
		for step := 1; step <= 3; step++ {
			w := wide(n)
			if err := r.step(); err != nil {
				t.Fatal(err)
			}
			var norm float64
			for _, g := range r.gradients.tensors {
				for _, x := range g.data() {
					norm += float64(x) * float64(x)
				}
			}
			norm = math.Sqrt(norm)
			if math.Abs(norm-r.gradientNorm) > 1e-9*norm {
				t.Errorf("gradient norm %g, want %g", r.gradientNorm, norm)
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
					want := w[g.Name][i] - r.rate*(u+wd*w[g.Name][i])
					if got := float64(n.parameters[p].data()[i]); math.Abs(got-want) > 1e-5*r.rate+1e-6*math.Abs(want) {
						t.Fatalf("%s, step %d: %s[%d] = %g, want %g", decay, step, g.Name, i, got, want)
					}
				}
			}
		}
	}
}
