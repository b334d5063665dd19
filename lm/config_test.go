package lm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// fields lists the fields that an error blames.
func fields(err error) string {
	var names []string
	var walk func(error)
	walk = func(err error) {
		if e := (*FieldError)(nil); errors.As(err, &e) {
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				for _, e := range joined.Unwrap() {
					walk(e)
				}
				return
			}
			field, text := e.Blame()
			if field+": "+text != e.Error() {
				field += " with another text"
			}
			names = append(names, field)
		}
	}
	walk(err)
	return strings.Join(names, " ")
}

func TestChecks(t *testing.T) {
	model := func(change func(*Model)) error {
		m := DefaultModel()
		m.Layers, m.Width, m.Heads, m.FF = 1, 8, 2, 4
		change(&m)
		return m.Check()
	}
	adamw := func(change func(*AdamW)) error { a := DefaultAdamW(); change(&a); return a.Check() }
	schedule := func(change func(*Schedule)) error { s := DefaultSchedule(); change(&s); return s.Check() }
	nan := math.NaN()
	for i, c := range []struct {
		err  error
		want string
	}{
		{model(func(m *Model) {}), ""},
		{model(func(m *Model) { *m = Model{} }), "family layers width heads ff norm_eps rope_theta"},
		{model(func(m *Model) { m.Width = 6 }), "heads"},
		{model(func(m *Model) { m.KVHeads = 3 }), "kv_heads"},
		{model(func(m *Model) { m.KVHeads = -1 }), "kv_heads"},
		{model(func(m *Model) { m.Family = "gpt" }), "family"},
		{model(func(m *Model) { m.NormEps, m.RopeTheta = nan, nan }), "norm_eps rope_theta"},
		{model(func(m *Model) { m.NormEps = 1e-60 }), "norm_eps"},
		{adamw(func(a *AdamW) {}), ""},
		{adamw(func(a *AdamW) { a.LearningRate, a.WeightDecay, a.Clip = -1, -1, -1 }), "learning_rate weight_decay clip"},
		{adamw(func(a *AdamW) { a.LearningRate, a.WeightDecay, a.Clip, a.Eps = nan, nan, nan, nan }), "learning_rate weight_decay eps clip"},
		{adamw(func(a *AdamW) { a.Betas = []float64{1, -0.1} }), "betas betas"},
		{adamw(func(a *AdamW) { a.Betas = nil }), "betas"},
		{adamw(func(a *AdamW) { a.Eps, a.Decay = 0, "some" }), "eps decay"},
		{adamw(func(a *AdamW) { a.Eps = 1e-60 }), "eps"},
		{schedule(func(s *Schedule) {}), ""},
		{schedule(func(s *Schedule) { s.Shape = "round" }), "shape"},
		{schedule(func(s *Schedule) { s.Warmup, s.WarmupSteps = 0.1, 5 }), "warmup_steps"},
		{schedule(func(s *Schedule) { s.Warmup, s.WarmupSteps, s.Final = 1.5, -1, nan }), "warmup warmup_steps final"},
		{schedule(func(s *Schedule) { s.Decay = nan }), "decay"},
		{schedule(func(s *Schedule) { s.Warmup, s.Decay = 0.5, 0.6 }), ""},
		{schedule(func(s *Schedule) { s.Shape, s.Warmup, s.Decay = "wsd", 0.5, 0.6 }), "decay"},
	} {
		if got := fields(c.err); got != c.want {
			t.Errorf("case %d blames %q, want %q", i, got, c.want)
		}
	}
	if got := adamw(func(a *AdamW) { a.WeightDecay = -1 }).Error(); got != "weight_decay: must be at least 0, is -1" {
		t.Error(got)
	}
}

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		s           Schedule
		step, steps int
		want        float64
	}{
		{Schedule{Shape: "constant"}, 0, 10, 1},
		{Schedule{Shape: "constant", WarmupSteps: 4}, 0, 10, 0.25},
		{Schedule{Shape: "constant", WarmupSteps: 4}, 3, 10, 1},
		{Schedule{Shape: "constant", WarmupSteps: 4, Final: 0.1, Decay: 0.5}, 9, 10, 1},
		{Schedule{Shape: "linear", Final: 0.2}, 4, 10, 0.6},
		{Schedule{Shape: "linear", Final: 0.2}, 9, 10, 0.2},
		{Schedule{Shape: "linear", Warmup: 0.2, Final: 0}, 1, 10, 1},
		{Schedule{Shape: "linear", Warmup: 0.2, Final: 0}, 5, 10, 0.5},
		{Schedule{Shape: "cosine", Final: 0.1}, 4, 10, 0.55},
		{Schedule{Shape: "cosine", Warmup: 0.1, Final: 0.1}, 29, 100, 0.1 + 0.9*(1+math.Cos(math.Pi*20/90))/2},
		{Schedule{Shape: "cosine", WarmupSteps: 20}, 9, 10, 0.5},
		{Schedule{Shape: "cosine", Warmup: 1}, 9, 10, 1},
		{Schedule{Shape: "wsd", WarmupSteps: 4, Decay: 0.5}, 1, 20, 0.5},
		{Schedule{Shape: "wsd", WarmupSteps: 4, Decay: 0.5}, 9, 20, 1},
		{Schedule{Shape: "wsd", WarmupSteps: 4, Decay: 0.5}, 10, 20, 0.9},
		{Schedule{Shape: "wsd", WarmupSteps: 4, Decay: 0.5, Final: 0.2}, 14, 20, 0.6},
		{Schedule{Shape: "wsd", Decay: 0.25}, 7, 10, 2.0 / 3}, // 2.5 steps are 3
		{Schedule{Shape: "wsd"}, 9, 10, 1},
		{Schedule{Shape: "wsd", Decay: 1}, 0, 4, 0.75},
		{Schedule{Shape: "wsd", WarmupSteps: 8, Decay: 0.5}, 7, 10, 1}, // what the warmup leaves
		{Schedule{Shape: "wsd", WarmupSteps: 8, Decay: 0.5}, 8, 10, 0.5},
		{Schedule{Shape: "wsd", WarmupSteps: 20, Decay: 0.5}, 9, 10, 0.5},
	} {
		if got := c.s.Factor(c.step, c.steps); math.Abs(got-c.want) > 1e-14 {
			t.Errorf("%+v at %d of %d: %g, want %g", c.s, c.step, c.steps, got, c.want)
		}
	}
}

// The peak and the final share are reached exactly, and in between the rate only falls.
func TestScheduleEnds(t *testing.T) {
	for _, shape := range []string{"cosine", "linear", "wsd"} {
		for _, final := range []float64{0, 0.1, 1.0 / 3, 1} {
			for warmup := range 4 {
				for steps := warmup + 1; steps < 300; steps++ {
					s := Schedule{Shape: shape, WarmupSteps: warmup, Final: final, Decay: 0.3}
					if last := s.Factor(steps-1, steps); last != final && s.decay(steps) > 0 || warmup > 0 && s.Factor(warmup-1, steps) != 1 {
						t.Fatalf("%+v, %d steps: last factor %g, at the end of the warmup %g", s, steps, last, s.Factor(warmup-1, steps))
					}
					for step := warmup + 1; step < steps; step++ {
						if s.Factor(step, steps) > s.Factor(step-1, steps) {
							t.Fatalf("%+v, %d steps: the rate rises at step %d", s, steps, step)
						}
					}
				}
			}
		}
	}
}

func TestScheduleIndependent(t *testing.T) {
	for _, c := range []struct {
		s     Schedule
		until int
		why   string
	}{
		{Schedule{Shape: "constant"}, 100, ""},
		{Schedule{Shape: "constant", WarmupSteps: 130}, 100, ""},
		{Schedule{Shape: "constant", Warmup: 0.1}, 0, "warmup_steps"},
		{Schedule{Shape: "wsd", Decay: 0.2}, 80, ""},
		{Schedule{Shape: "wsd", Decay: 0.2, WarmupSteps: 30}, 80, ""},
		{Schedule{Shape: "wsd", Decay: 0.2, WarmupSteps: 90}, 90, ""},
		{Schedule{Shape: "wsd", Decay: 0}, 100, ""},
		{Schedule{Shape: "wsd", Decay: 1}, 0, "decay"},
		{Schedule{Shape: "wsd", Decay: 0.2, Warmup: 0.1}, 0, "warmup_steps"},
		{Schedule{Shape: "cosine", WarmupSteps: 30}, 0, "cosine"},
		{Schedule{Shape: "linear"}, 0, "linear"},
	} {
		until, why := c.s.Independent(100)
		if until != c.until || !strings.Contains(why, c.why) || (until == 0) != (why != "") {
			t.Errorf("%+v: %d, %q, want %d", c.s, until, why, c.until)
		}
		same := c.s
		same.Shape = "constant"
		for step := range until {
			if got, want := c.s.Factor(step, 100), c.s.Factor(step, 1000); got != want || got != same.Factor(step, 100) {
				t.Errorf("%+v: factor %g at step %d of 100, %g of 1,000, %g if constant", c.s, got, step, want, same.Factor(step, 100))
			}
		}
	}
}

func TestInitialWeights(t *testing.T) {
	m := DefaultModel()
	m.Layers, m.Width, m.Heads, m.FF = 3, 64, 2, 176
	n, err := New(m, 256, 8, 42)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for i, p := range n.parameters {
		if p.Name != n.shapes[i].Name || !slices.Equal([]int(p.Value.Shape()), n.shapes[i].Dims) {
			t.Errorf("%s %v is not %v", p.Name, p.Value.Shape(), n.shapes[i])
		}
		want := math.Sqrt(2.0 / (5 * 64))
		switch {
		case strings.HasSuffix(p.Name, "norm"):
			want = 0
		case strings.HasSuffix(p.Name, ".o"), strings.HasSuffix(p.Name, ".down"):
			want = 1.0 / (8 * 3)
		}
		var sum, squares, fourth float64
		x := p.data()
		count += len(x)
		for _, v := range x {
			sum += float64(v)
			squares += float64(v) * float64(v)
			fourth += math.Pow(float64(v), 4)
		}
		size := float64(len(x))
		if want == 0 {
			if sum != size || squares != size {
				t.Errorf("%s is not all ones", p.Name)
			}
			continue
		}
		if math.Abs(sum/size) > 4*want/math.Sqrt(size) || math.Abs(math.Sqrt(squares/size)/want-1) > 4/math.Sqrt(2*size) ||
			math.Abs(fourth*size/(squares*squares)-3) > 0.3 {
			t.Errorf("%s: mean %g, deviation %g, want 0, %g", p.Name, sum/size, math.Sqrt(squares/size), want)
		}
	}
	if count != m.ParameterCount(256) {
		t.Errorf("%d parameters, want %d", count, m.ParameterCount(256))
	}
	other, err := New(m, 256, 8, 43)
	if err != nil {
		t.Fatal(err)
	}
	if n.weights.layers[0].q[0] == other.weights.layers[0].q[0] || n.weights.layers[0].q[0] == n.weights.layers[1].q[0] {
		t.Error("draws repeat")
	}
	if n.Parameter("layers.2.down") == nil || n.Parameter("layers.3.down") != nil {
		t.Error("Parameter finds the wrong names")
	}
}

func TestLoad(t *testing.T) {
	n := small(t, 1, false)
	loaded, err := Load(n.model, n.vocab, n.context, n.Parameters())
	if err != nil {
		t.Fatal(err)
	}
	if digest(loaded.parameters) != digest(n.parameters) || &loaded.weights.norm[0] == &n.weights.norm[0] {
		t.Error("the weights were not copied")
	}
	for name, change := range map[string]func(p []Parameter) []Parameter{
		"missing": func(p []Parameter) []Parameter { return p[1:] },
		"renamed": func(p []Parameter) []Parameter { p[2].Name = "x"; return p },
		"order":   func(p []Parameter) []Parameter { p[2], p[4] = p[4], p[2]; return p },
		"infinite": func(p []Parameter) []Parameter {
			q := zeros(n.shapes)
			q[3].data()[0] = float32(math.Inf(1))
			return q
		},
	} {
		if _, err := Load(n.model, n.vocab, n.context, change(n.Parameters())); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(n.model, 0, 8, 1); err == nil {
		t.Error("an empty vocabulary was accepted")
	}
	if _, err := New(n.model, 5, 0, 1); err == nil {
		t.Error("an empty context was accepted")
	}
}

func TestBlocks(t *testing.T) {
	ids := make(Stream[uint16], 4*7+3)
	for i := range ids {
		ids[i] = uint16(i)
	}
	b, err := NewBlocks(ids, 3, 2, 9)
	if err != nil || b.Count() != 7 {
		t.Fatal(err, b.Count())
	}
	var batch, again Batch
	var seen []int32
	for step := range 7 { // two passes
		b.Batch(step, &batch)
		for i := range 2 {
			seen = append(seen, batch.Tokens[3*i]/4)
			for j := range 3 {
				if batch.Targets[3*i+j] != batch.Tokens[3*i+j]+1 {
					t.Errorf("step %d: tokens %v, targets %v", step, batch.Tokens, batch.Targets)
				}
			}
		}
	}
	for pass := range 2 {
		s := slices.Clone(seen[7*pass : 7*pass+7])
		slices.Sort(s)
		if fmt.Sprint(s) != "[0 1 2 3 4 5 6]" {
			t.Errorf("pass %d reads %v", pass, seen)
		}
	}
	if slices.Equal(seen[:7], seen[7:]) {
		t.Error("both passes have one order")
	}
	b.Batch(3, &again)
	if !slices.Equal(again.Tokens[:1], []int32{4 * seen[6]}) || b.Epochs(7) != 2 {
		t.Error("a step depends on those before it")
	}
	for _, c := range []struct{ tokens, context, batch int }{{3, 3, 2}, {0, 1, 1}, {28, math.MaxInt, 1}, {28, 0, 1}, {28, -5, 1}, {28, 3, 0}} {
		if _, err := NewBlocks(ids[:c.tokens], c.context, c.batch, 9); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
	e, err := EvaluationBlocks(ids, 3, 2, 3)
	if err != nil || len(e) != 2 || fmt.Sprint(e[0].Tokens, e[1].Tokens) != "[0 1 2 8 9 10] [16 17 18]" {
		t.Error(e, err)
	}
}

// The order of the data depends on the seed alone: batches of any size cut one order.
func TestOrderOfData(t *testing.T) {
	ids := make(Stream[uint16], 2*11)
	var examples []Example
	for i := range 11 {
		ids[2*i] = uint16(i)
		examples = append(examples, Example{[]int32{int32(i)}, []int32{0}})
	}
	read := func(batch int, seed int64) (order []int32) {
		blocks, err := NewBlocks(ids, 1, batch, seed)
		if err != nil {
			t.Fatal(err)
		}
		source, err := NewExamples(examples, 1, batch, seed)
		if err != nil {
			t.Fatal(err)
		}
		var b, e Batch
		for step := range 60 / batch {
			blocks.Batch(step, &b)
			source.Batch(step, &e)
			if !slices.Equal(b.Tokens, e.Tokens) {
				t.Fatalf("blocks are read as %v, examples as %v", b.Tokens, e.Tokens)
			}
			order = append(order, b.Tokens...)
		}
		return order
	}
	want := read(1, 3)
	for _, batch := range []int{2, 3, 5, 30, 60} { // some of several passes
		if got := read(batch, 3); !slices.Equal(got, want) {
			t.Errorf("batches of %d read %v, want %v", batch, got, want)
		}
	}
	if slices.Equal(read(1, 4), want) {
		t.Error("another seed has the same order")
	}
}

func TestExamples(t *testing.T) {
	examples := []Example{{[]int32{1, 2}, []int32{3}}, {[]int32{4}, []int32{5, 6, 7}}}
	e, err := EvaluationExamples(examples, 3, 5)
	if err != nil || fmt.Sprint(e) != "[{2 3 [1 2 0 4 5 6] [-1 3 -1 5 6 7]}]" {
		t.Error(e, err)
	}
	source, err := NewExamples(examples, 3, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	source.Batch(0, &b)
	if b.Sequences != 3 || b.Length != 3 || source.Epochs(2) != 3 || source.Count() != 2 {
		t.Errorf("%+v", b)
	}
	for _, bad := range [][]Example{nil, {{nil, []int32{1}}}, {{[]int32{1}, nil}}, {{[]int32{1, 2, 3}, []int32{4, 5}}}} {
		if _, err := NewExamples(bad, 3, 1, 1); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
	// Padding changes no loss of the sequence beside it.
	n := small(t, 0, false)
	alone, err := EvaluationExamples(examples[:1], 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := n.LogProbabilities(&alone[0])[1], n.LogProbabilities(&e[0])[1]; a != b || a == 0 {
		t.Errorf("log-probability %g alone, %g padded", a, b)
	}
}

func TestPermutation(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 64, 1000} {
		d := newDraws(int64(n), "permutation")
		hit := make([]bool, n)
		for i := range n {
			hit[d.permute(n, i)] = true
		}
		if slices.Contains(hit, false) {
			t.Errorf("%d elements: not a permutation", n)
		}
	}
}
