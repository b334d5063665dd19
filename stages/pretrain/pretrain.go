// Package pretrain is the kind of stage that trains a language model from random weights on a stream of tokens.
package pretrain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/training"
)

// Kind is pretrain. Its outputs are the weights of every save point, the metrics of the training and their summary.
var Kind = &pipeline.Kind{Name: "pretrain", Version: 3, Doc: doc, Numbers: lm.Numbers, New: func() pipeline.Stage {
	return standard()
}}

func standard() *Pretrain {
	return &Pretrain{
		Parameters: "all",
		Model:      lm.DefaultModel(),
		AdamW:      lm.DefaultAdamW(),
		Schedule:   lm.DefaultSchedule(),
		Save:       Save{Fractions: []float64{1}},
		Evaluate:   Evaluate{Every: 50, Tokens: 16384},

		OnDivergence:  "fail",
		SnapshotEvery: training.SnapshotEvery,
	}
}

const doc = `A decoder-only transformer of the Llama or the OLMo 2 family, trained by AdamW from random weights on a stream of tokens.

The stream is cut into blocks of context + 1 tokens; each epoch reads all of them, in an order drawn from the seed. Equal seeds give equal initial weights and equal order of the data, whatever else differs, so that trainings can be compared in pairs.`

// Pretrain is one training.
type Pretrain struct {
	Tokens     pipeline.Ref `hcl:"tokens" artifact:"tokens" doc:"to train on; they carry their vocabulary"`
	Validation pipeline.Ref `hcl:"validation,optional" artifact:"tokens" doc:"to measure the validation loss on; of the same vocabulary"`

	TokensPerParameter float64 `hcl:"tokens_per_parameter,optional" doc:"how long to train, this, train_tokens or steps: tokens trained on per parameter; rounded to whole steps, one at least"`
	Parameters         string  `hcl:"parameters,optional" values:"all,non_embedding" doc:"which parameters tokens_per_parameter counts: all, or all but the embedding and the output matrix"`
	TrainTokens        int64   `hcl:"train_tokens,optional" doc:"how long to train: tokens trained on; rounded to whole steps, one at least"`
	Steps              int     `hcl:"steps,optional" doc:"how long to train: steps of the optimizer"`

	MaxEpochs float64 `hcl:"max_epochs,optional" doc:"refuses a training that repeats its data more often; 0: no limit"`
	Context   int     `hcl:"context" doc:"positions of a sequence, at least 1"`
	Batch     int     `hcl:"batch" doc:"sequences of a step, at least 1"`
	Seed      int64   `hcl:"seed,optional" doc:"what the initial weights and the order of the data are drawn from"`

	ZLoss        float64 `hcl:"z_loss,optional" doc:"adds z_loss·(log Σ e^logit)² to the loss of each token that is trained on; losses are shown without it; 0 is off"`
	OnDivergence string  `hcl:"on_divergence,optional" values:"fail,record" doc:"what becomes of a training whose numbers are no longer finite: it fails, or ends there as a result, with its last finite weights and the step in diverged_at"`

	MicroBatch    int    `hcl:"micro_batch,optional" key:"-" doc:"sequences computed at once, at most batch, which bounds the memory; 0: as many as make 8,192 tokens"`
	SnapshotEvery string `hcl:"snapshot_every,optional" key:"-" doc:"time from one snapshot to the next, from which an interrupted training goes on, such as 60s or 5m; longer where snapshots would take over 2 % of the time; 0s: after every step"`

	Model    lm.Model    `hcl:"model,block" doc:"the shape of the transformer"`
	AdamW    lm.AdamW    `hcl:"adamw,block" doc:"the optimizer"`
	Schedule lm.Schedule `hcl:"schedule,block" doc:"the learning rate over the training: a linear warmup to its peak, then a shape"`
	Save     Save        `hcl:"save,block" doc:"which moments of the training the weights hold"`
	Evaluate Evaluate    `hcl:"evaluate,block" doc:"when the validation loss is measured, besides after the last step and at save points"`
}

// Save tells when to keep the weights.
type Save struct {
	Fractions []float64 `hcl:"fractions,optional" doc:"shares of all steps, ascending from 0, the model as initialised, to 1; those that round to the same step make one save point"`
}

// Evaluate tells when the validation loss is measured, and on how much: always on the same blocks, which are spread
// evenly over the validation tokens.
type Evaluate struct {
	Every  int `hcl:"every,optional" doc:"steps from one measurement to the next; 0: none in between"`
	Tokens int `hcl:"tokens,optional" doc:"how many to measure on, at most; one sequence at least"`
}

// Outputs lists weights, metrics and their summary.
func (*Pretrain) Outputs() []pipeline.Output { return training.Outputs }

// Check blames what no training could start with.
func (s *Pretrain) Check() error {
	var errs []error
	refuse := func(bad bool, field, format string, args ...any) {
		if bad {
			errs = append(errs, pipeline.Errorf(field, format, args...))
		}
	}
	refuse(s.TokensPerParameter < 0, "tokens_per_parameter", "must be above 0, is %g", s.TokensPerParameter)
	refuse(s.TrainTokens < 0, "train_tokens", "must be at least 1, is %d", s.TrainTokens)
	refuse(s.Steps < 0, "steps", "must be at least 1, is %d", s.Steps)
	var given []string
	for _, horizon := range []struct {
		name  string
		given bool
	}{{"tokens_per_parameter", s.TokensPerParameter != 0}, {"train_tokens", s.TrainTokens != 0}, {"steps", s.Steps != 0}} {
		if horizon.given {
			given = append(given, horizon.name)
		}
	}
	refuse(len(given) == 0, "tokens_per_parameter", "or train_tokens or steps must be given, to say how long to train")
	for i := 1; i < len(given); i++ {
		refuse(true, given[i], "must not be given together with %s: each says how long to train", given[0])
	}
	refuse(s.MaxEpochs < 0, "max_epochs", "must be at least 0, which sets no limit, is %g", s.MaxEpochs)
	refuse(s.Context < 1, "context", "must be at least 1, is %d", s.Context)
	refuse(len(s.Save.Fractions) == 0, "save.fractions", "must have one fraction at least")
	for _, f := range s.Save.Fractions {
		refuse(f < 0 || f > 1, "save.fractions", "must be from 0 to 1, one is %g", f)
	}
	refuse(!slices.IsSorted(s.Save.Fractions), "save.fractions", "must ascend, are %v", s.Save.Fractions)
	refuse(s.Evaluate.Every < 0, "evaluate.every", "must be at least 0, is %d", s.Evaluate.Every)
	refuse(s.Evaluate.Tokens < 1, "evaluate.tokens", "must be at least 1, is %d", s.Evaluate.Tokens)
	return errors.Join(append(errs,
		training.Check(s.Batch, s.MicroBatch, s.SnapshotEvery, s.ZLoss),
		pipeline.Within("model", s.Model.Check()),
		pipeline.Within("adamw", s.AdamW.Check()),
		pipeline.Within("schedule", s.Schedule.Check()))...)
}

// Run trains.
func (s *Pretrain) Run(ctx context.Context, t *pipeline.Task) error {
	tokens, err := artifacts.OpenTokens(t.Input(s.Tokens).Path)
	if err != nil {
		return err
	}
	defer tokens.Close()
	if n := tokens.Len(); n < s.Context+1 {
		return pipeline.Errorf("context", "is too long: a sequence of %d takes %d tokens, there are %d", s.Context, s.Context+1, n)
	}
	blocks, err := lm.NewBlocks(ids(tokens), s.Context, s.Batch, s.Seed)
	if err != nil {
		return err
	}
	steps := s.steps(tokens.VocabularySize())
	if epochs := blocks.Epochs(steps); s.MaxEpochs > 0 && epochs > s.MaxEpochs {
		return pipeline.Errorf("max_epochs", "is %g, but %d steps of %d×%d tokens read the %d blocks of %d tokens %.3f times",
			s.MaxEpochs, steps, s.Batch, s.Context, blocks.Count(), s.Context+1, epochs)
	}
	var validation []lm.Batch
	if !s.Validation.IsZero() {
		held, err := artifacts.OpenTokens(t.Input(s.Validation).Path)
		if err != nil {
			return err
		}
		defer held.Close()
		if validation, err = s.validation(tokens, held); err != nil {
			return err
		}
	}
	net, err := lm.New(s.Model, tokens.VocabularySize(), s.Context, s.Seed)
	if err != nil {
		return err
	}
	snapshots, err := training.Snapshots(s.SnapshotEvery)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Log, "%d tokens in %d blocks, %.3f epochs\n", tokens.Len(), blocks.Count(), blocks.Epochs(steps))
	return training.Run(ctx, t, training.Plan{
		Net:        net,
		Vocabulary: tokens.Vocabulary,
		Optimizer:  s.AdamW, Schedule: s.Schedule, ZLoss: s.ZLoss,
		Data: blocks, Steps: steps,
		Save:       s.Save.steps(steps),
		Validation: validation, EvaluateEvery: s.Evaluate.Every,
		MicroBatch: s.microBatch(), Snapshots: snapshots, Record: s.OnDivergence == "record",
	})
}

// Forecast tells what the training will take, given the vocabulary of its tokens.
func (s *Pretrain) Forecast(in pipeline.Inputs) (pipeline.Forecast, error) {
	path, err := in.Path(s.Tokens, artifacts.VocabularyFile)
	if err != nil {
		return pipeline.Forecast{}, err
	}
	vocab, err := artifacts.ReadVocabularySize(path)
	if err != nil {
		return pipeline.Forecast{}, err
	}
	steps := s.steps(vocab)
	return training.Forecast(s.past(steps), s.Schedule, steps, s.Save.steps(steps), s.Model.TrainingMemory(vocab, s.microBatch(), s.Context)), nil
}

// past is the stage less what the states that others may share do not depend on.
func (s *Pretrain) past(steps int) pipeline.Stage {
	past, d := *s, standard()
	past.TokensPerParameter, past.Parameters, past.TrainTokens, past.Steps = d.TokensPerParameter, d.Parameters, d.TrainTokens, d.Steps
	past.MaxEpochs, past.Save, past.OnDivergence = d.MaxEpochs, d.Save, d.OnDivergence
	past.MicroBatch, past.SnapshotEvery = d.MicroBatch, d.SnapshotEvery
	past.Schedule = training.Past(s.Schedule, steps)
	return &past
}

func (s *Pretrain) microBatch() int { return training.MicroBatch(s.MicroBatch, s.Batch, s.Context) }

// steps returns how many steps to train a model of a vocabulary of so many tokens.
func (s *Pretrain) steps(vocab int) int {
	if s.Steps > 0 {
		return s.Steps
	}
	tokens := float64(s.TrainTokens)
	if tokens == 0 {
		tokens = s.TokensPerParameter * float64(s.parameters(vocab))
	}
	return max(1, int(math.Round(tokens/float64(s.Batch*s.Context))))
}

// parameters counts those that tokens_per_parameter is about.
func (s *Pretrain) parameters(vocab int) int {
	n := s.Model.ParameterCount(vocab)
	if s.Parameters == "all" {
		return n
	}
	for _, p := range s.Model.Shapes(vocab) {
		if p.Name == "embedding" || p.Name == "output" {
			n -= p.Dims[0] * p.Dims[1]
		}
	}
	return n
}

// steps returns the steps after which to save, of so many.
func (s Save) steps(steps int) []int {
	var at []int
	for _, f := range s.Fractions {
		at = append(at, int(math.Round(f*float64(steps))))
	}
	return slices.Compact(at)
}

// validation returns the batches to evaluate.
func (s *Pretrain) validation(tokens, held *artifacts.Tokens) ([]lm.Batch, error) {
	if !held.Vocabulary.Equal(tokens.Vocabulary) {
		return nil, pipeline.Errorf("validation", "has another vocabulary than tokens")
	}
	if n := held.Len(); n < s.Context+1 {
		return nil, pipeline.Errorf("validation", "has %d tokens; one sequence of context %d takes %d", n, s.Context, s.Context+1)
	}
	return lm.EvaluationBlocks(ids(held), s.Context, s.Batch, max(1, s.Evaluate.Tokens/s.Context))
}

// ids returns the stream of token ids as lm reads them.
func ids(t *artifacts.Tokens) lm.IDs {
	if small := t.Uint16(); small != nil {
		return lm.Stream[uint16](small)
	}
	return lm.Stream[uint32](t.Uint32())
}
