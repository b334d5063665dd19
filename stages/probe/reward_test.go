package probe

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
	"anneal/stages/internal/reward"
	"anneal/stages/internal/trainingtest"
	"anneal/stages/internal/weights"
)

// modelled leaves a reward model: what becomes of the given model with a head that is drawn by hand.
type modelled struct {
	From pipeline.Ref `hcl:"from" artifact:"weights"`
}

func (*modelled) Outputs() []pipeline.Output {
	return []pipeline.Output{{Name: "weights", Type: "weights"}, {Name: "overflowing", Type: "weights"}}
}

func (s *modelled) Run(_ context.Context, t *pipeline.Task) error {
	m, err := weights.Load(t.Input(s.From).Path)
	if err != nil {
		return err
	}
	for name, size := range map[string]float32{"weights": 0.25, "overflowing": 1.5e38} {
		net, err := reward.New(m.Net)
		if err != nil {
			return err
		}
		head := net.Parameter("output").Data().([]float32)
		for i := range head {
			head[i] = size * float32(i%5-2)
		}
		w, err := weights.Create(t.Output(name), net, m.Definition)
		if err != nil {
			return err
		}
		if err := errors.Join(w.Save(artifacts.Save{Step: 1}), w.Close()); err != nil {
			return err
		}
	}
	return nil
}

var judges = []*pipeline.Kind{trainingtest.Kind, {Name: "modelled", Version: 1, New: func() pipeline.Stage { return &modelled{} }}, Kind}

const judged = `
given "g" {}
modelled "m" {
  from = given.g.weights
}
probe "r" {
  from = modelled.m.weights
  reward {
    samples = given.g.answered
  }
}
`

// A reward is the linear function of the last hidden state that the difference of the head's columns is, and a row is
// otherwise what it was. The digest changes only together with a version, that of the kind or of the arithmetic.
func TestReward(t *testing.T) {
	r := pipelinetest.Run(t, judges, 2, judged, nil)
	was, is := read[artifacts.SampleRow](t, r, "given.g", "answered"), read[artifacts.SampleRow](t, r, "probe.r", "samples")
	model, err := weights.Load(r.Path("modelled.m", "weights"))
	if err != nil {
		t.Fatal(err)
	}
	gains, head, width := model.Net.Parameter("norm").Data().([]float32), model.Net.Parameter("output").Data().([]float32), model.Net.Model().Width
	if len(is) != 200 {
		t.Fatalf("%d rows", len(is))
	}
	for i, s := range is {
		ids := append(model.Encode(s.Prompt), model.Encode(s.Response)...)
		ids = ids[:min(len(ids), model.Net.Context())]
		var want float64
		model.Net.Hidden([][]int32{ids}, func(_, layer int, states []float32) {
			if layer < model.Net.Model().Layers {
				return
			}
			last, squares := states[len(states)-width:], 0.0
			for _, x := range last {
				squares += float64(x) * float64(x)
			}
			for j, x := range last {
				normed := float64(x) / math.Sqrt(squares/float64(width)+model.Net.Model().NormEps) * float64(gains[j])
				want += normed * float64(head[2*j+1]-head[2*j])
			}
		})
		if s.Reward == nil || math.Abs(*s.Reward-want) > 1e-5 {
			t.Fatalf("row %d has the reward %v, want %g", i, s.Reward, want)
		}
		if s.Reward = nil; s != was[i] {
			t.Errorf("%+v was %+v", s, was[i])
		}
	}
	if got, want := r.Blob("probe.r", "samples").Digest.String()[:16], "6e6d2ddc7d7b3c44"; got != want {
		t.Errorf("samples is %s, want %s", got, want)
	}
	if one := pipelinetest.Run(t, judges, 1, judged, nil); one.Blob("probe.r", "samples") != r.Blob("probe.r", "samples") {
		t.Error("the number of cores changes bytes")
	}
}

func TestRewardRefuses(t *testing.T) {
	for _, c := range []struct{ probe, want string }{
		{"from = given.g.weights\nreward {\nsamples = given.g.answered\n}", "from: is a language model: the reward block takes"},
		{"from = modelled.m.weights\nspectrum {}", "from: is a reward model, which predicts no tokens"},
		{"from = modelled.m.weights\nsample {\ntest = given.g.examples\n}", "from: is a reward model, which predicts no tokens"},
		{"from = modelled.m.weights\nreward {\nsamples = given.g.unanswered\n}", "reward.samples: holds no samples"},
		{"from = modelled.m.overflowing\nreward {\nsamples = given.g.answered\n}", "reward.samples: gets rewards from the reward model that are not finite"},
	} {
		r := pipelinetest.Run(t, judges, 2, judged+"probe \"wrong\" {\n"+c.probe+"\n}", nil)
		if err := r.Err("probe.wrong"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.probe, err, c.want)
		}
	}
	for _, c := range []struct{ probe, want string }{
		{"from = modelled.m.weights\nreward {\nsamples = given.g.answered\n}\nsample {\ntest = given.g.examples\n}", "reward must be the only block that reads a model"},
		{"reward {\nsamples = given.g.answered\n}", "from is required: the reward block measures a model"},
		{"from = modelled.m.weights\nreward {\nsamples = given.g.examples\n}", "takes an artifact of type samples"},
	} {
		_, err := pipelinetest.Load(t, judges, judged+"probe \"wrong\" {\n"+c.probe+"\n}", nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.probe, err, c.want)
		}
	}
}
