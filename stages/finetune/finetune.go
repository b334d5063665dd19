// Package finetune is the kind of stage that trains a language model further, on the responses of examples.
package finetune

import (
	"context"
	"errors"
	"fmt"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/training"
	"anneal/stages/internal/weights"
)

// Kind is finetune. Its outputs are the weights after the last step, the metrics of the training and their summary.
var Kind = &pipeline.Kind{Name: "finetune", Version: 3, Doc: doc, Numbers: lm.Numbers, New: func() pipeline.Stage {
	return standard()
}}

func standard() *Finetune {
	optimizer := lm.DefaultAdamW()
	optimizer.LearningRate, optimizer.WeightDecay = 1e-3, 0
	return &Finetune{
		Epochs:   3,
		Batch:    32,
		AdamW:    optimizer,
		Schedule: lm.Schedule{Shape: "cosine", Warmup: 0.1, Final: 0, Decay: 0.2},

		OnDivergence:  "fail",
		SnapshotEvery: training.SnapshotEvery,
	}
}

const doc = `Supervised fine-tuning of all parameters on examples: prompts with their responses. Only the tokens of the responses count in the loss.

Shape, context and vocabulary are those of the weights; an example that does not fit the context is refused.`

// Finetune is one fine-tuning. A sequence is an example's prompt and response, each encoded by itself. Batches run on
// from one epoch into the next, and the last one of all is filled up with examples of another, so that every step weighs
// the same.
type Finetune struct {
	From       pipeline.Ref `hcl:"from" artifact:"weights" doc:"to start from: the last save point, where there are several"`
	Examples   pipeline.Ref `hcl:"examples" artifact:"examples" doc:"to train on"`
	Validation pipeline.Ref `hcl:"validation,optional" artifact:"examples" doc:"to measure the validation loss on, once an epoch"`

	Epochs int   `hcl:"epochs,optional" doc:"times that all examples are read, at least 1"`
	Batch  int   `hcl:"batch,optional" doc:"examples of a step, at least 1"`
	Seed   int64 `hcl:"seed,optional" doc:"what the order of the examples is drawn from"`

	ZLoss        float64 `hcl:"z_loss,optional" doc:"adds z_loss·(log Σ e^logit)² to the loss of each token that is trained on; losses are shown without it; 0 is off"`
	OnDivergence string  `hcl:"on_divergence,optional" values:"fail,record" doc:"what becomes of a training whose numbers are no longer finite: it fails, or ends there as a result, with its last finite weights and the step in diverged_at"`

	MicroBatch    int    `hcl:"micro_batch,optional" key:"-" doc:"examples computed at once, at most batch, which bounds the memory; 0: as many as make 8,192 tokens"`
	SnapshotEvery string `hcl:"snapshot_every,optional" key:"-" doc:"time from one snapshot to the next, from which an interrupted training goes on, such as 60s or 5m; longer where snapshots would take over 2 % of the time; 0s: after every step"`

	AdamW    lm.AdamW    `hcl:"adamw,block" doc:"the optimizer, which starts anew"`
	Schedule lm.Schedule `hcl:"schedule,block" doc:"the learning rate over the training: a linear warmup to its peak, then a shape"`
}

// Outputs lists weights, metrics and their summary.
func (*Finetune) Outputs() []pipeline.Output { return training.Outputs }

// Check blames what no training could start with.
func (s *Finetune) Check() error {
	var errs []error
	if s.Epochs < 1 {
		errs = append(errs, pipeline.Errorf("epochs", "must be at least 1, is %d", s.Epochs))
	}
	return errors.Join(append(errs,
		training.Check(s.Batch, s.MicroBatch, s.SnapshotEvery, s.ZLoss),
		pipeline.Within("adamw", s.AdamW.Check()),
		pipeline.Within("schedule", s.Schedule.Check()))...)
}

// Run trains.
func (s *Finetune) Run(ctx context.Context, t *pipeline.Task) error {
	model, err := weights.Load(t.Input(s.From).Path)
	if err != nil {
		return err
	}
	examples, err := encode(model, "examples", t.Input(s.Examples).Path)
	if err != nil {
		return err
	}
	data, err := lm.NewExamples(examples, model.Net.Context(), s.Batch, s.Seed)
	if err != nil {
		return pipeline.Errorf("examples", "%s", err)
	}
	var validation []lm.Batch
	if !s.Validation.IsZero() {
		held, err := encode(model, "validation", t.Input(s.Validation).Path)
		if err != nil {
			return err
		}
		if validation, err = lm.EvaluationExamples(held, model.Net.Context(), s.Batch); err != nil {
			return pipeline.Errorf("validation", "%s", err)
		}
	}
	snapshots, err := training.Snapshots(s.SnapshotEvery)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Log, "from step %d; %d examples\n", model.Save.Step, len(examples))
	steps := s.steps(s.Epochs * len(examples))
	return training.Run(ctx, t, training.Plan{
		Net:        model.Net,
		Vocabulary: model.Merges,
		Optimizer:  s.AdamW, Schedule: s.Schedule, ZLoss: s.ZLoss,
		Data: data, Steps: steps,
		Save:       []int{steps},
		Validation: validation, EvaluateEvery: s.steps(len(examples)),
		MicroBatch: training.MicroBatch(s.MicroBatch, s.Batch, model.Net.Context()), Snapshots: snapshots, Record: s.OnDivergence == "record",
	})
}

// Forecast tells what the training will take, given the model and the number of examples.
func (s *Finetune) Forecast(in pipeline.Inputs) (f pipeline.Forecast, err error) {
	from, err := in.Path(s.From, artifacts.ModelFile)
	if err != nil {
		return f, err
	}
	shape, vocab, length, err := weights.LoadShape(from)
	if err != nil {
		return f, err
	}
	examples, err := in.Path(s.Examples, "")
	if err != nil {
		return f, err
	}
	_, n, err := artifacts.ReadHead(examples, 0)
	if err != nil {
		return f, err
	}
	steps := s.steps(s.Epochs * int(n))
	memory := shape.TrainingMemory(vocab, training.MicroBatch(s.MicroBatch, s.Batch, length), length)
	return training.Forecast(s.past(steps), s.Schedule, steps, []int{steps}, memory), nil
}

// past is the stage less what the states that others may share do not depend on.
func (s *Finetune) past(steps int) pipeline.Stage {
	past, d := *s, standard()
	past.Epochs, past.OnDivergence, past.MicroBatch, past.SnapshotEvery = d.Epochs, d.OnDivergence, d.MicroBatch, d.SnapshotEvery
	past.Schedule = training.Past(s.Schedule, steps)
	return &past
}

// steps returns how many batches so many examples make, the last one filled up.
func (s *Finetune) steps(examples int) int { return (examples + s.Batch - 1) / s.Batch }

// encode reads the examples at path, the artifact of the field named. Examples that do not fit the model's context are
// counted and refused.
func encode(model *weights.Model, field, path string) ([]lm.Example, error) {
	texts, err := artifacts.ReadExamples(path)
	if err != nil {
		return nil, err
	}
	if len(texts) == 0 {
		return nil, pipeline.Errorf(field, "holds no examples")
	}
	// The last token is only predicted, never read.
	room := model.Net.Context() + 1
	encoded := make([]lm.Example, len(texts))
	long, longest := 0, 0
	for i, e := range texts {
		encoded[i] = lm.Example{Prompt: model.Encode(e.Prompt), Response: model.Encode(e.Response)}
		n := len(encoded[i].Prompt) + len(encoded[i].Response)
		longest = max(longest, n)
		if n > room {
			long++
		}
	}
	if long > 0 {
		return nil, pipeline.Errorf(field, "holds %d of %d examples that are too long: context %d has room for %d tokens, the longest example has %d",
			long, len(texts), model.Net.Context(), room, longest)
	}
	return encoded, nil
}
