package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
	"anneal/stages/internal/trainingtest"
	"anneal/stages/internal/weights"
)

// made leaves passages: of two classes that their letters tell, of one class, and with one that is too long; and an example
// without an answer.
type made struct{}

func (*made) Outputs() []pipeline.Output {
	return []pipeline.Output{{Name: "two", Type: "passages"}, {Name: "one", Type: "passages"}, {Name: "long", Type: "passages"}, {Name: "blank", Type: "examples"}}
}

func (*made) Run(_ context.Context, t *pipeline.Task) error {
	var two []artifacts.Passage
	for i := range 160 {
		words := [2]string{"the sun", "a z q k"}
		split := [...]string{"train", "train", "validation", "test"}[i/2%4]
		two = append(two, artifacts.Passage{Text: words[i%2] + fmt.Sprint(i%7), Label: int64(i % 2), Split: split})
	}
	one := slices.DeleteFunc(slices.Clone(two), func(p artifacts.Passage) bool { return p.Label == 1 })
	long := slices.Clone(two)
	long[5].Text = "zzzzzzzzzzzzzzzzz"
	for name, passages := range map[string][]artifacts.Passage{"two": two, "one": one, "long": long} {
		if err := artifacts.WritePassages(t.Output(name), passages); err != nil {
			return err
		}
	}
	return artifacts.WriteExamples(t.Output("blank"), []artifacts.Example{{Prompt: "p", Response: "\n", Stop: "\n", Extract: artifacts.ExtractAll}})
}

var kinds = []*pipeline.Kind{trainingtest.Kind, {Name: "made", Version: 1, New: func() pipeline.Stage { return &made{} }}, Kind}

const all = `
given "g" {}
made "m" {}
probe "p" {
  from = given.g.weights
  overfit {
    train      = given.g.tokens
    validation = given.g.held_out
    tokens     = 200
  }
  separability {
    examples = made.m.two
  }
  spectrum {}
  sample {
    validation = given.g.validation
    test       = given.g.examples
    limit      = 10
  }
}
probe "s" {
  score {
    samples = probe.p.samples
  }
}`

func read[T any](t *testing.T, r *pipelinetest.Result, addr, output string) []T {
	t.Helper()
	rows, err := artifacts.ReadRows[T](r.Path(addr, output))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestProbe(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 2, all, nil)
	model, err := weights.Load(r.Path("given.g", "weights"))
	if err != nil {
		t.Fatal(err)
	}

	losses := read[artifacts.LossRow](t, r, "probe.p", "losses")
	tokens, err := artifacts.OpenTokens(r.Path("given.g", "held_out"))
	if err != nil {
		t.Fatal(err)
	}
	defer tokens.Close()
	batches, err := lm.EvaluationBlocks(lm.Stream[uint16](tokens.Uint16()), trainingtest.Context, 4, 200/trainingtest.Context)
	if err != nil {
		t.Fatal(err)
	}
	if l := losses[0]; l.Tokens != 192 || !near(l.ValidationLoss, model.Net.MeanLoss(batches)) || l.Gap != l.ValidationLoss-l.TrainLoss || l.TrainLossSE <= 0 {
		t.Errorf("losses %+v, validation loss by lm %g", l, model.Net.MeanLoss(batches))
	}

	separability := read[artifacts.SeparabilityRow](t, r, "probe.p", "separability")
	if n := len(separability); n != 2*2+3 { // pools × (embedding and one layer), and three baselines
		t.Fatalf("%d rows of separability", n)
	}
	for _, s := range separability {
		if s.Features == "hidden" && *s.Pool == poolMean && s.Accuracy != 1 || s.Features == "bag_of_bytes" && s.Accuracy != 1 || s.Features == "chance" && s.Accuracy != 0.5 {
			t.Errorf("separability %+v", s)
		}
		if s.Features == "hidden" && *s.Pool == poolLast && *s.Layer == 0 && s.Accuracy > 0.8 {
			t.Errorf("the embedding of the last byte alone, equal in both classes, tells them apart: %+v", s)
		}
	}

	if spectrum := read[artifacts.SpectrumRow](t, r, "probe.p", "spectrum"); len(spectrum) != 1*2*2*2 || spectrum[0].Layer != 1 || spectrum[0].NuclearNorm > spectrum[0].FrobeniusBound {
		t.Errorf("spectrum %+v", spectrum)
	}

	samples := read[artifacts.SampleRow](t, r, "probe.p", "samples")
	if len(samples) != 20 || samples[0].Split != "validation" || samples[10].Split != "test" || samples[11].Example != 5 {
		t.Fatalf("samples %+v", samples)
	}
	for _, s := range samples {
		if s.Extracted != artifacts.ExtractAnswer(artifacts.ExtractAll, s.Response, "\n") || s.Correct != (s.Extracted == s.Answer) {
			t.Errorf("extraction of %+v", s)
		}
		if i := strings.Index(s.Response, "\n"); i >= 0 && i != len(s.Response)-1 {
			t.Errorf("generation went on after the stop string: %q", s.Response)
		}
		if s.LogProbability >= 0 || s.ReferenceLogProbability >= 0 || s.ReferenceTokens != 3 || s.Tokens < 1 {
			t.Errorf("log-probabilities of %+v", s)
		}
	}

	scores := read[artifacts.ScoreRow](t, r, "probe.s", "scores")
	if len(scores) != 2 || scores[1].Split != "test" || scores[1].Examples != 10 || scores[1].Accuracy == nil || *scores[1].ResponseLoss <= 0 {
		t.Errorf("scores %+v", scores)
	}
}

// Equal inputs give equal bytes, on one core and on two.
func TestCoresChangeNothing(t *testing.T) {
	one, two := pipelinetest.Run(t, kinds, 1, all, nil), pipelinetest.Run(t, kinds, 2, all, nil)
	for _, output := range []string{"losses", "separability", "spectrum", "samples"} {
		if one.Blob("probe.p", output) != two.Blob("probe.p", output) {
			t.Errorf("%s differs", output)
		}
	}
	if one.Blob("probe.s", "scores") != two.Blob("probe.s", "scores") {
		t.Error("scores differ")
	}
}

// What the file says wrong is found when it is loaded.
func TestRefusedConfigurations(t *testing.T) {
	for _, c := range []struct{ probe, want string }{
		{`from = given.g.weights`, "at least one block"},
		{`spectrum {}`, "from is required: the spectrum block measures a model"},
		{"from = given.g.weights\nspectrum {\nmatrices = []\n}", "must name at least one"},
		{"from = given.g.weights\nspectrum {\nmatrices = [\"KV\"]\n}", `takes "QK" and "OV", one is "KV"`},
		{"from = given.g.weights\nspectrum {\nthreshold = 0\n}", "must be above 0"},
		{"from = given.g.weights\nseparability {\nexamples = made.m.two\npool = [\"max\"]\n}", `takes "mean" and "last", one is "max"`},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\nlimit = -1\n}", "must not be negative"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\nlength = -1\n}", "must not be negative"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\nsamples = -1\n}", "must not be negative"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\ngreedy = false\n}", "must be at least 1 where greedy is false"},
		{"from = given.g.weights\nsample {\nvalidation = given.g.validation\ntest = given.g.examples\ngreedy = false\nsamples = 2\n}", "validation is answered greedily alone"},
		{"from = given.g.weights\nsample {\nvalidation = given.g.examples\ntest = given.g.examples\n}", "validation must be other examples than test"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\nshots = []\n}", "shots must name at least one number"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\nshots = [-1]\n}", "shots must not be negative, one is -1"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\ndemonstrations = given.g.validation\nshots = [1, 1]\n}", "shots names 1 twice"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\nshots = [0, 2]\n}", "demonstrations is required: shots asks for 2"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\ndemonstrations = given.g.validation\n}", "demonstrations must be left out where shots is 0"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\ndemonstrations = given.g.validation\nshots = [2]\nsamples = 2\n}", "shots must include 0 where samples are drawn"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\ndemonstrations = given.g.validation\nshots = [2]\nsamples = 2\ngreedy = false\n}", "shots must be [0] where greedy is false"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\ntemperature = 2\n}", "must be at least 1: temperature"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\nsamples = 2\ntemperature = -1\n}", "must be at least 0, is -1"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\nsamples = 2\ntop_p = 0\n}", "must be above 0 and at most 1, is 0"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\nsamples = 2\ntop_k = -1\n}", "must not be negative, is -1"},
		{"from = given.g.weights\nsample {\ntest = given.g.examples\nsamples = 2\nrepetition_penalty = 0\n}", "must be above 0 and finite in float32, is 0"},
		{"from = given.g.weights\noverfit {\ntrain = given.g.tokens\nvalidation = given.g.tokens\ntokens = 0\n}", "must be at least 1"},
		{"score {\nsamples = probe.p.samples\nmetrics = [\"bleu\"]\n}", `"rm@k" and "orm_score", one is "bleu"`},
		{"score {\nsamples = probe.p.samples\nmetrics = []\n}", "must name at least one"},
		{"score {\nsamples = probe.p.samples\nmetrics = [\"accuracy\", \"accuracy\"]\n}", "names accuracy twice"},
		{"score {\nsamples = probe.p.samples\nmetrics = [\"maj@k\"]\n}", "score.k is required by maj@k: numbers of drawn answers, [1, 4] say"},
		{"score {\nsamples = probe.p.samples\nk = [1]\n}", "score.k must be left out: none of the metrics is of drawn answers"},
		{"score {\nsamples = probe.p.samples\nmetrics = [\"rm@k\"]\nk = [1, 0]\n}", "score.k must be at least 1, one is 0"},
		{"score {\nsamples = probe.p.samples\nmetrics = [\"pass@k\"]\nk = [4, 4]\n}", "score.k names 4 twice"},
		{"score {\nsamples = probe.p.samples\nextract = \"last\"\n}", `score.extract must be "all", "last_line", or "after" with a colon and a marker, such as "after:#### "; is "last"`},
		{"score {\nsamples = probe.p.samples\nextract = \"after:\"\n}", `is "after:"`},
		{"score {\nsamples = given.g.examples\n}", "takes an artifact of type samples"},
		{"from = given.g.weights\nscore {\nsamples = probe.p.samples\n}", "must be left out"},
		{"score {\nsamples = probe.n.samples\n}", `does not have an attribute named "samples"`}, // n only scores
	} {
		_, err := pipelinetest.Load(t, kinds, all+"\nprobe \"n\" {\nscore {\nsamples = probe.p.samples\n}\n}\nprobe \"wrong\" {\n"+c.probe+"\n}", nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.probe, err, c.want)
		}
	}
}

// What only the stage can find names the field.
func TestRefusedInputs(t *testing.T) {
	for _, c := range []struct{ block, want string }{
		{"separability {\nexamples = made.m.one\n}", "separability.examples: has passages of 1 class"},
		{"separability {\nexamples = made.m.long\n}", "separability.examples: passage 5 has 17 tokens"},
		{"sample {\ntest = given.g.long\n}", "sample.test: example 4 has "},
		{"sample {\ntest = made.m.blank\n}", "sample.test: example 0 has an empty answer"},
		{"sample {\ntest = given.g.none\n}", "sample.test: holds no examples"},
		{"sample {\nvalidation = given.g.none\ntest = given.g.examples\n}", "sample.validation: holds no examples"},
		{"sample {\ntest = given.g.examples\ndemonstrations = given.g.validation\nshots = [0, 1, 4]\n}", "sample.shots: 4 are too many for 50 of the 50 prompts of test: the longest has 30 tokens with its reference, context 16 has room for 17; shots up to 1 fit all of them, more need a longer context"},
		{"sample {\ntest = given.g.examples\ndemonstrations = given.g.examples\nshots = [50]\n}", "sample.shots: asks for 50 demonstrations, and of the 50 given 49 have another prompt than example 0 of test"},
		{"overfit {\ntrain = given.g.few\nvalidation = given.g.held_out\n}", "overfit.train: has 12 tokens"},
		{"overfit {\ntrain = given.g.tokens\nvalidation = given.g.bytes\n}", "overfit.validation: has another vocabulary"},
	} {
		r := pipelinetest.Run(t, kinds, 2, "given \"g\" {}\nmade \"m\" {}\nprobe \"p\" {\nfrom = given.g.weights\n"+c.block+"\n}", nil)
		if err := r.Err("probe.p"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.block, err, c.want)
		}
	}
}
