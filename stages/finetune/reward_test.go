package finetune

import (
	"math"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
	"anneal/stages/internal/reward"
	"anneal/stages/internal/weights"
)

// judging trains a reward model on the answers of the given artifact.
func judging(samples, validation, extra string) string {
	return `
given "g" {}
finetune "f" {
  from  = given.g.weights
  batch = 8
  seed  = 3
  reward {
    samples    = [` + samples + `]
    validation = [` + validation + `]
  }
  adamw {
    learning_rate = 0.02
  }
` + extra + `
}`
}

const answered, heldOut = "given.g.answered", "given.g.answered_validation"

// Equal configuration gives equal bytes, as in TestGolden.
func TestRewardGolden(t *testing.T) {
	want := map[string]string{"weights": "fa44b6f528f770f8", "metrics": "f0dc5e88c4eabc3c", "summary": "f13791dd23b0b904"}
	for _, cores := range []int{1, 2} {
		r := pipelinetest.Run(t, kinds, cores, judging(answered, heldOut, ""), nil)
		for output, digest := range want {
			if got := r.Blob("finetune.f", output).Digest.String()[:16]; got != digest {
				t.Errorf("%d cores: %s is %s, want %s", cores, output, got, digest)
			}
		}
	}
}

// Of four answers to a prompt two are equal and one is right, which takes attention to tell: the model comes to tell them
// apart on other prompts too, by the sign of its reward.
func TestRewardModelLearns(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 2, judging(answered, heldOut, ""), nil)
	rows, err := artifacts.ReadRows[artifacts.TrainingRow](r.Path("finetune.f", "metrics"))
	if err != nil {
		t.Fatal(err)
	}
	const steps = (3*3*50 + 7) / 8 // three epochs of three different answers to 50 prompts
	if last := rows[len(rows)-1]; last.Step != steps || last.Tokens != steps*8 || last.Epochs != steps*8/150. || *last.ValidationLoss > 0.1 {
		t.Errorf("it ends as %+v", last)
	}
	model, err := weights.Load(r.Path("finetune.f", "weights"))
	if err != nil {
		t.Fatal(err)
	}
	if !reward.Is(model.Net.Model()) || !slices.Equal([]int(model.Net.Parameter("output").Shape()), []int{8, 2}) {
		t.Errorf("it left %+v", model.Net.Model())
	}
	samples, err := artifacts.ReadRows[artifacts.SampleRow](r.Path("given.g", "answered_validation"))
	if err != nil {
		t.Fatal(err)
	}
	answers, err := reward.Encode(model, "samples", samples)
	if err != nil {
		t.Fatal(err)
	}
	var loss float64
	for i, x := range reward.Of(model.Net, answers) {
		if (x > 0) != samples[i].Correct {
			t.Errorf("%q after %q has the reward %g", samples[i].Response, samples[i].Prompt, x)
		}
		if !samples[i].Correct {
			x = -x
		}
		loss += math.Log1p(math.Exp(-x)) / float64(len(samples))
	}
	if want := *model.Save.ValidationLoss; math.Abs(loss-want) > 1e-6 {
		t.Errorf("by its rewards its logistic loss is %g, by its metrics %g", loss, want)
	}
}

// What a longer response has beyond the context is not read.
func TestRewardReadsUpToTheContext(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 1, "given \"g\" {}", nil)
	model, err := weights.Load(r.Path("given.g", "weights"))
	if err != nil {
		t.Fatal(err)
	}
	answers, err := reward.Encode(model, "samples", []artifacts.SampleRow{{Prompt: "1", Response: "the 2"}, {Prompt: "12", Response: "345678901234567890"}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(answers[0], []int32{'1', 257, ' ', '2'}) || len(answers[1]) != 16 || answers[1][15] != '6' {
		t.Errorf("it reads %v", answers)
	}
	for _, s := range []artifacts.SampleRow{{Prompt: "1234567890123456", Example: 7, Split: "test"}, {}} {
		if _, err := reward.Encode(model, "samples", []artifacts.SampleRow{s}); err == nil || !strings.Contains(err.Error(), "samples: has a") {
			t.Errorf("%+v: error %v", s, err)
		}
	}
}

// A reward model's training goes on after an interruption, and from where a shorter one ended, to the same bytes.
func TestRewardGoesOn(t *testing.T) {
	left := func(r *pipelinetest.Result) string {
		return r.Blob("finetune.f", "weights").Digest.String() + r.Blob("finetune.f", "metrics").Digest.String()
	}
	resumed := func(r *pipelinetest.Result) (steps []int) {
		for _, e := range r.Events {
			if e.Action == "resume" {
				steps = append(steps, e.Step)
			}
		}
		return steps
	}
	study := pipelinetest.New(t, kinds, nil)
	study.RunUntil(1, judging(answered, heldOut, "snapshot_every = \"0s\""), func(e pipeline.Event) bool { return e.Action == "progress" && e.Step > 4 })
	r := study.Run(1, judging(answered, heldOut, ""))
	if from := resumed(r); len(from) != 1 || from[0] <= 4 || left(r) != left(pipelinetest.Run(t, kinds, 1, judging(answered, heldOut, ""), nil)) {
		t.Errorf("after an interruption it goes on from %v and leaves %s", from, left(r))
	}

	const constant = "schedule {\n    shape  = \"constant\"\n    warmup = 0\n  }\n  epochs = "
	study.Run(1, judging(answered, heldOut, constant+"1"))
	r = study.Run(1, judging(answered, heldOut, constant+"2"))
	if from := resumed(r); !slices.Equal(from, []int{19}) || left(r) != left(pipelinetest.Run(t, kinds, 1, judging(answered, heldOut, constant+"2"), nil)) {
		t.Errorf("after an epoch of 19 steps it goes on from %v and leaves %s", from, left(r))
	}
}

func TestUnsuitableSamples(t *testing.T) {
	for _, c := range []struct{ blocks, addr, want string }{
		{judging("given.g.wrong", "", ""), "finetune.f", "reward.samples: holds 50 different answers, none of them right"},
		{judging("given.g.right, given.g.right", "", ""), "finetune.f", "reward.samples: holds 50 different answers, all of them right"},
		{judging("given.g.unanswered", "", ""), "finetune.f", "reward.samples: holds 0 different answers"},
		{judging(answered, "given.g.unanswered", ""), "finetune.f", "reward.validation: holds no samples"},
		{judging(answered, heldOut+", given.g.wrong", ""), "finetune.f", "reward.validation: has answers to prompts that samples has answers to, example 0 of test among them"},
		{judging(answered, "", "") + "\nfinetune \"again\" {\n  from = finetune.f.weights\n  examples = given.g.examples\n}", "finetune.again", "from: is a reward model, which predicts no tokens"},
	} {
		err := pipelinetest.Run(t, kinds, 1, c.blocks, nil).Err(c.addr)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestCheckReward(t *testing.T) {
	for _, c := range []struct{ blocks, want string }{
		{strings.Replace(tiny(""), "examples = given.g.examples", "", 1), "examples is required, or a reward block in its place"},
		{judging(answered, "", "examples = given.g.examples"), "examples must be left out beside a reward block"},
		{judging(answered, "", "validation = given.g.validation"), "validation must be left out beside a reward block"},
		{judging("", "", ""), "reward.samples must name at least one"},
		{judging("given.g.examples", "", ""), "reward.samples takes an artifact of type samples"},
		{strings.Replace(judging(answered, "", ""), "["+answered+"]", answered, 1), "reward.samples takes a list: write [...]"},
	} {
		if _, err := pipelinetest.Load(t, kinds, c.blocks, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}
