// Package finetune is the kind of stage that trains a language model further: on the responses of examples, or into a reward
// model.
package finetune

import (
	"context"
	"errors"
	"fmt"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/reward"
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

const doc = `Fine-tuning of all parameters: on examples, prompts with their responses, or into a reward model, on samples that are right or wrong.

Of an example only the tokens of the response count in the loss. A reward model has a new output matrix of two classes, and of a sample only its class,
at the last token, counts. Shape, context and vocabulary are those of the weights; an example that does not fit the context is refused.`

// Finetune is one fine-tuning. A sequence is the prompt and response of an example or a sample, each encoded by itself. Batches run on
// from one epoch into the next, and the last one of all is filled up with examples of another, so that every step weighs
// the same.
type Finetune struct {
	From       pipeline.Ref `hcl:"from" artifact:"weights" doc:"to start from: the last save point, where there are several"`
	Examples   pipeline.Ref `hcl:"examples,optional" artifact:"examples" doc:"to train on; exactly one of it and the reward block is needed"`
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

	Reward *Reward `hcl:"reward,block" doc:"trains a reward model in place of a language model: one that tells right answers from wrong ones"`
}

// Outputs lists weights, metrics and their summary.
func (*Finetune) Outputs() []pipeline.Output { return training.Outputs }

// Check blames what no training could start with.
func (s *Finetune) Check() error {
	var errs []error
	if s.Epochs < 1 {
		errs = append(errs, pipeline.Errorf("epochs", "must be at least 1, is %d", s.Epochs))
	}
	switch {
	case s.Reward == nil && s.Examples.IsZero():
		errs = append(errs, pipeline.Errorf("examples", "is required, or a reward block in its place"))
	case s.Reward != nil && !s.Examples.IsZero():
		errs = append(errs, pipeline.Errorf("examples", "must be left out beside a reward block, which has samples to train on"))
	}
	if s.Reward != nil {
		if !s.Validation.IsZero() {
			errs = append(errs, pipeline.Errorf("validation", "must be left out beside a reward block, which has a validation of its own"))
		}
		errs = append(errs, pipeline.Within("reward", s.Reward.Check()))
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
	if reward.Is(model.Net.Model()) {
		return pipeline.Errorf("from", "is a reward model, which predicts no tokens: fine-tune a language model")
	}
	net, examples, held, err := s.read(t, model)
	if err != nil {
		return err
	}
	data, err := lm.NewExamples(examples, net.Context(), s.Batch, s.Seed)
	if err != nil {
		return pipeline.Errorf("examples", "%s", err)
	}
	var validation []lm.Batch
	if len(held) > 0 {
		if validation, err = lm.EvaluationExamples(held, net.Context(), s.Batch); err != nil {
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
		Net:        net,
		Vocabulary: model.Definition,
		Optimizer:  s.AdamW, Schedule: s.Schedule, ZLoss: s.ZLoss,
		Data: data, Steps: steps,
		Save:       []int{steps},
		Validation: validation, EvaluateEvery: s.steps(len(examples)),
		MicroBatch: training.MicroBatch(s.MicroBatch, s.Batch, net.Context()), Snapshots: snapshots, Record: s.OnDivergence == "record",
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
	n, err := s.count(in)
	if err != nil {
		return f, err
	}
	if s.Reward != nil {
		shape = reward.Shape(shape)
	}
	steps := s.steps(s.Epochs * n)
	memory := shape.TrainingMemory(vocab, training.MicroBatch(s.MicroBatch, s.Batch, length), length)
	return training.Forecast(s.past(steps), s.Schedule, steps, []int{steps}, memory), nil
}

// count returns how many examples or samples the training has.
func (s *Finetune) count(in pipeline.Inputs) (int, error) {
	if s.Reward == nil {
		path, err := in.Path(s.Examples, "")
		if err != nil {
			return 0, err
		}
		_, n, err := artifacts.ReadHead(path, 0)
		return int(n), err
	}
	var paths []string
	for _, r := range s.Reward.Samples {
		path, err := in.Path(r, "")
		if err != nil {
			return 0, err
		}
		paths = append(paths, path)
	}
	samples, err := distinct(paths)
	return len(samples), err
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

// read returns the network to train, what to train it on, and what to validate it on, where there is something.
func (s *Finetune) read(t *pipeline.Task, model *weights.Model) (net *lm.Net, examples, held []lm.Example, err error) {
	if s.Reward != nil {
		if examples, held, err = s.Reward.read(t, model); err == nil {
			net, err = reward.New(model.Net)
		}
		return net, examples, held, err
	}
	if examples, err = encode(model, "examples", t.Input(s.Examples).Path); err == nil && !s.Validation.IsZero() {
		held, err = encode(model, "validation", t.Input(s.Validation).Path)
	}
	return model.Net, examples, held, err
}

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
