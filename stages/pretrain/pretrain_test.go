package pretrain

import (
	"math"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
	"anneal/stages/internal/trainingtest"
)

var kinds = []*pipeline.Kind{trainingtest.Kind, Kind}

// tiny is a training of some dozens of steps. Extra is more of its attributes and blocks.
func tiny(extra string) string {
	return `
given "g" {}
pretrain "p" {
  tokens  = given.g.tokens
  context = 16
  batch   = 4
  model {
    layers = 1
    width  = 8
    heads  = 2
    ff     = 16
  }
` + extra + `
}`
}

const validated = `
  validation = given.g.held_out
  steps      = 40
  seed       = 3
  adamw {
    learning_rate = 0.02
  }
  save {
    fractions = [0, 0.3, 1]
  }
  evaluate {
    every = 20
  }`

// Equal configuration gives equal bytes, on one core and on two. The digests change only together with a version: the
// kind's, or that of the arithmetic.
func TestGolden(t *testing.T) {
	want := map[string]string{"weights": "59dec7fbf718940d", "metrics": "05b5b112391284df", "summary": "f595b64d508ec7ce"}
	for _, cores := range []int{1, 2} {
		r := pipelinetest.Run(t, kinds, cores, tiny(validated), nil)
		for output, digest := range want {
			if got := r.Blob("pretrain.p", output).Digest.String()[:16]; got != digest {
				t.Errorf("%d cores: %s is %s, want %s", cores, output, got, digest)
			}
		}
	}
}

func TestTraining(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 2, tiny(validated), nil)
	w, err := artifacts.OpenWeights(r.Path("pretrain.p", "weights"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := artifacts.ReadRows[artifacts.TrainingRow](r.Path("pretrain.p", "metrics"))
	if err != nil {
		t.Fatal(err)
	}
	if w.Context != 16 || w.VocabularySize != 258 || !slices.Equal(w.Vocabulary.Merges, trainingtest.Merges) {
		t.Errorf("the weights say %+v", w.Model)
	}
	var steps []int64
	for _, s := range w.Saves {
		steps = append(steps, s.Step)
		if s.Tokens != s.Step*4*16 || s.ValidationLoss == nil || (s.TrainLoss == nil) != (s.Step == 0) {
			t.Errorf("save point %+v", s)
		}
	}
	if !slices.Equal(steps, []int64{0, 12, 40}) {
		t.Errorf("saved after steps %v", steps)
	}
	if first, last := *w.Saves[0].ValidationLoss, *w.Saves[2].ValidationLoss; last > first-1 {
		t.Errorf("training lowered the validation loss only from %g to %g", first, last)
	}
	steps = nil
	for _, row := range rows {
		steps = append(steps, row.Step)
		if evaluated := slices.Contains([]int64{12, 20, 40}, row.Step); evaluated != (row.ValidationLoss != nil) {
			t.Errorf("row %+v", row)
		}
	}
	if !slices.Equal(steps, []int64{10, 12, 20, 30, 40}) {
		t.Errorf("rows at steps %v", steps)
	}
	if last := rows[len(rows)-1]; last.Epochs != 40*4/float64(3000/17) || *last.ValidationLoss != *w.Last().ValidationLoss {
		t.Errorf("last row is %+v, last save %+v", last, w.Last())
	}
}

// Neither weight decay nor learning rate changes what is drawn by the seed.
func TestInitialWeightsFollowFromTheSeed(t *testing.T) {
	initial := func(extra string) (values []float32) {
		r := pipelinetest.Run(t, kinds, 2, tiny(extra+`
  steps = 1
  save {
    fractions = [0]
  }`), nil)
		w, err := artifacts.OpenWeights(r.Path("pretrain.p", "weights"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := w.Parameters(w.Last())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for _, x := range p.List {
			values = append(values, x.Values...)
		}
		return values
	}
	one := initial("seed = 1")
	if !slices.Equal(one, initial("seed = 1\n adamw {\n weight_decay = 1\n learning_rate = 0.1\n }")) {
		t.Error("weight decay changes the initial weights")
	}
	if slices.Equal(one, initial("seed = 2")) {
		t.Error("two seeds give the same weights")
	}
}

// What only the stage can find out blames a field too.
func TestUnsuitableData(t *testing.T) {
	for _, c := range []struct{ blocks, want string }{
		{strings.Replace(tiny("steps = 1"), "g.tokens", "g.few", 1), "context: is too long: a sequence of 16 takes 17 tokens, there are 12"},
		{tiny("steps = 1\n validation = given.g.few"), "validation: has 12 tokens; one sequence of context 16 takes 17"},
		{tiny("steps = 1\n validation = given.g.bytes"), "validation: has another vocabulary than tokens"},
		{tiny("steps = 100\n max_epochs = 1"), "max_epochs: is 1, but 100 steps of 4×16 tokens read the 176 blocks of 17 tokens 2.273 times"},
	} {
		err := pipelinetest.Run(t, kinds, 1, c.blocks, nil).Err("pretrain.p")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// What is out of range is found before anything runs.
func TestCheck(t *testing.T) {
	for _, c := range []struct{ extra, want string }{
		{"", "tokens_per_parameter or train_tokens or steps must be given, to say how long to train"},
		{"steps = 1\n tokens_per_parameter = 20", "steps must not be given together with tokens_per_parameter: each says how long to train"},
		{"steps = 1\n train_tokens = 20", "steps must not be given together with train_tokens"},
		{"train_tokens = 1000\n tokens_per_parameter = 20", "train_tokens must not be given together with tokens_per_parameter"},
		{"train_tokens = -1", "train_tokens must be at least 1, is -1"},
		{"steps = 1\n parameters = \"some\"", `parameters must be "all" or "non_embedding", is "some"`},
		{"steps = 1\n micro_batch = 5", "micro_batch must be from 0, which leaves it open, to batch, which is 4, is 5"},
		{"steps = 1\n micro_batch = -1", "micro_batch must be from 0, which leaves it open, to batch, which is 4, is -1"},
		{"steps = 1\n snapshot_every = \"soon\"", `snapshot_every must be a time such as 60s or 5m, or 0s, is "soon"`},
		{"steps = 1\n snapshot_every = \"-1s\"", `snapshot_every must be a time such as 60s or 5m, or 0s, is "-1s"`},
		{"steps = 1\n z_loss = -1", "z_loss must be at least 0, is -1"},
		{"steps = 1\n on_divergence = \"shrug\"", `on_divergence must be "fail" or "record", is "shrug"`},
		{"steps = 1\n schedule {\n shape = \"wsd\"\n decay = 1.5\n }", "schedule.decay must be from 0 to 1, is 1.5"},
		{"steps = 1\n schedule {\n shape = \"wsd\"\n warmup = 0.5\n decay = 0.6\n }", "schedule.decay must leave room for the warmup: together they are 1.1 of all steps"},
		{"steps = -1", "steps must be at least 1, is -1"},
		{"steps = 1\n max_epochs = -1", "max_epochs must be at least 0"},
		{"steps = 1\n save {\n fractions = []\n }", "save.fractions must have one fraction at least"},
		{"steps = 1\n save {\n fractions = [0, 1.5]\n }", "save.fractions must be from 0 to 1, one is 1.5"},
		{"steps = 1\n save {\n fractions = [1, 0]\n }", "save.fractions must ascend, are [1 0]"},
		{"steps = 1\n evaluate {\n tokens = 0\n }", "evaluate.tokens must be at least 1, is 0"},
		{"steps = 1\n adamw {\n weight_decay = -1\n }", "must be at least 0, is -1"},
		{"steps = 1\n schedule {\n warmup = 2\n }", "must be from 0 to 1, is 2"},
	} {
		if _, err := pipelinetest.Load(t, kinds, tiny(c.extra), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.extra, err, c.want)
		}
	}
}

func TestHorizon(t *testing.T) {
	model := lm.DefaultModel()
	model.Layers, model.Width, model.Heads, model.FF = 2, 64, 2, 176 // 133,440 parameters with a vocabulary of 256, of which 32,768 embed
	for _, c := range []struct {
		stage Pretrain
		want  int
	}{
		{Pretrain{TokensPerParameter: 20, Parameters: "all", Context: 64, Batch: 32}, 1303},
		{Pretrain{TokensPerParameter: 20, Parameters: "non_embedding", Context: 64, Batch: 32}, 983},
		{Pretrain{TokensPerParameter: 1e-9, Parameters: "all", Context: 64, Batch: 32}, 1},
		{Pretrain{TrainTokens: 2_668_800, Context: 64, Batch: 32}, 1303},
		{Pretrain{TrainTokens: 1, Context: 64, Batch: 32}, 1},
		{Pretrain{Steps: 7, Context: 64, Batch: 32}, 7},
	} {
		c.stage.Model = model
		if got := c.stage.steps(256); got != c.want {
			t.Errorf("%+v trains for %d steps, want %d", c.stage, got, c.want)
		}
	}
	if got := (Save{Fractions: []float64{0, 0.01, 0.25, 0.5, 1}}).steps(10); !slices.Equal(got, []int{0, 3, 5, 10}) {
		t.Errorf("saves are after steps %v", got)
	}
}

// A rate that falls in a line from its peak to 0 is (n−1)/2 peaks in all: what weight decay forgets in a training is half of what the peak says.
func TestSummary(t *testing.T) {
	const steps, batch, blocks = 40, 4, 3000 / 17
	summary := func(decay string) artifacts.TrainingSummary {
		r := pipelinetest.Run(t, kinds, 1, tiny("steps = 40\nadamw {\nlearning_rate = 0.02\nweight_decay = "+decay+"\n}\nschedule {\nshape = \"linear\"\nwarmup = 0\nfinal = 0\n}"), nil)
		rows, err := artifacts.ReadRows[artifacts.TrainingSummary](r.Path("pretrain.p", "summary"))
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		return rows[0]
	}
	near := func(got *float64, want float64) bool { return got != nil && math.Abs(*got-want) < 1e-9*want }
	s := summary("0.5")
	if !near(s.TimescalePeak, 1/(0.02*0.5*steps)) || !near(s.Timescale, 1/(0.02*0.5*(steps-1)/2)) {
		t.Errorf("%+v has other timescales", s)
	}
	if s.Steps != steps || s.Tokens != steps*batch*16 || !near(&s.Repetition, float64(steps*batch)/blocks) || s.TrainLoss == nil || s.ValidationLoss != nil || s.DivergedAt != nil {
		t.Errorf("it came to %+v", s)
	}
	if s := summary("0"); s.TimescalePeak != nil || s.Timescale != nil {
		t.Errorf("without weight decay nothing is forgotten: %+v", s)
	}
}
