package finetune

import (
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

var kinds = []*pipeline.Kind{trainingtest.Kind, Kind}

func tiny(extra string) string {
	return `
given "g" {}
finetune "f" {
  from     = given.g.weights
  examples = given.g.examples
  batch    = 8
` + extra + `
}`
}

const validated = `
  validation = given.g.validation
  seed       = 3
  adamw {
    learning_rate = 0.02
  }`

// Equal configuration gives equal bytes, on one core and on two. The digests change only together with a version: the
// kind's, or that of the arithmetic.
func TestGolden(t *testing.T) {
	want := map[string]string{"weights": "0feecd6f93ed157b", "metrics": "5565717f019fa9f8", "summary": "055f85cb274fc1a0"}
	for _, cores := range []int{1, 2} {
		r := pipelinetest.Run(t, kinds, cores, tiny(validated), nil)
		for output, digest := range want {
			if got := r.Blob("finetune.f", output).Digest.String()[:16]; got != digest {
				t.Errorf("%d cores: %s is %s, want %s", cores, output, got, digest)
			}
		}
	}
}

func TestTraining(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 2, tiny(validated), nil)
	rows, err := artifacts.ReadRows[artifacts.TrainingRow](r.Path("finetune.f", "metrics"))
	if err != nil {
		t.Fatal(err)
	}
	var evaluated []int64
	for _, row := range rows {
		if row.ValidationLoss != nil {
			evaluated = append(evaluated, row.Step)
		}
	}
	if !slices.Equal(evaluated, []int64{7, 14, 19}) {
		t.Errorf("evaluated after steps %v", evaluated)
	}
	last := rows[len(rows)-1]
	if last.Step != 19 || last.Tokens != 19*8*3 || last.Epochs != 19*8/50. || last.LearningRate != 0 {
		t.Errorf("50 examples of 3 response tokens in batches of 8, 3 epochs, end as %+v", last)
	}
	if *last.ValidationLoss > *rows[0].ValidationLoss || *last.TrainLoss > 4.5 { // ln 258 is 5.55
		t.Errorf("training went from %+v to %+v", rows[0], last)
	}

	w, err := artifacts.OpenWeights(r.Path("finetune.f", "weights"))
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Saves) != 1 || w.Last().Step != 19 || *w.Last().ValidationLoss != *last.ValidationLoss {
		t.Errorf("saves are %+v", w.Saves)
	}
	if w.Context != trainingtest.Context || !slices.Equal(w.Vocabulary.Merges, trainingtest.Merges) {
		t.Errorf("the weights say %+v", w)
	}
}

// The prompt is read and never predicted: the targets are the response's tokens, and only they.
func TestLossIsOnTheResponseOnly(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 1, "given \"g\" {}", nil)
	model, err := weights.Load(r.Path("given.g", "weights"))
	if err != nil {
		t.Fatal(err)
	}
	examples, err := encode(model, "examples", r.Path("given.g", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	batches, err := lm.EvaluationExamples(examples[12:13], model.Net.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	b := batches[0]
	if !slices.Equal(b.Tokens, []int32{'1', '2', '>', '2', '1'}) || !slices.Equal(b.Targets, []int32{-1, -1, '2', '1', '\n'}) {
		t.Errorf("reads %v, predicts %v", b.Tokens, b.Targets)
	}
	alone := model.Net.LogProbabilities(&b)
	for i := range 2 {
		if alone[i] != 0 {
			t.Errorf("position %d of the prompt has loss %g", i, alone[i])
		}
	}
}

func TestLastOfSeveralSavesIsTaken(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 1, "given \"g\" {}", nil)
	model, err := weights.Load(r.Path("given.g", "weights"))
	if err != nil {
		t.Fatal(err)
	}
	if gain := model.Net.Parameter("norm").Data().([]float32)[0]; gain != 3 || model.Save.Step != 10 {
		t.Errorf("loaded step %d, whose first gain is %g, want step 10 and 3", model.Save.Step, gain)
	}
	if model.Net.Model() != trainingtest.Model {
		t.Errorf("its shape is %+v", model.Net.Model())
	}
}

func TestUnsuitableExamples(t *testing.T) {
	for _, c := range []struct{ blocks, want string }{
		{strings.Replace(tiny(""), "g.examples", "g.long", 1),
			"examples: holds 1 of 5 examples that are too long: context 16 has room for 17 tokens, the longest example has 20"},
		{tiny("validation = given.g.long"),
			"validation: holds 1 of 5 examples that are too long"},
		{strings.Replace(tiny(""), "g.examples", "g.none", 1), "examples: holds no examples"},
	} {
		err := pipelinetest.Run(t, kinds, 1, c.blocks, nil).Err("finetune.f")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ extra, want string }{
		{"epochs = 0", "epochs must be at least 1, is 0"},
		{"adamw {\n weight_decay = -1\n }", "must be at least 0, is -1"},
		{"schedule {\n final = 2\n }", "must be from 0 to 1, is 2"},
	} {
		if _, err := pipelinetest.Load(t, kinds, tiny(c.extra), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.extra, err, c.want)
		}
	}
}
