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

// Kind is pretrain. Its outputs are the weights of every save point and the metrics of the training.
var Kind = &pipeline.Kind{Name: "pretrain", Version: 1, Doc: doc, Numbers: lm.Numbers, New: func() pipeline.Stage {
	return &Pretrain{
		Model:    lm.DefaultModel(),
		AdamW:    lm.DefaultAdamW(),
		Schedule: lm.DefaultSchedule(),
		Save:     Save{Fractions: []float64{1}},
		Evaluate: Evaluate{Every: 50, Tokens: 16384},
	}
}}

const doc = `A decoder-only transformer of the Llama family, trained by AdamW from random weights on a stream of tokens.

The stream is cut into blocks of context + 1 tokens; each epoch reads all of them, in an order drawn from the seed. Equal seeds give equal initial weights and equal order of the data, whatever else differs, so that trainings can be compared in pairs.`

// Pretrain is one training.
type Pretrain struct {
	Tokens     pipeline.Ref `hcl:"tokens" artifact:"tokens" doc:"to train on; they carry their vocabulary"`
	Validation pipeline.Ref `hcl:"validation,optional" artifact:"tokens" doc:"to measure the validation loss on; of the same vocabulary"`

	TokensPerParameter float64 `hcl:"tokens_per_parameter,optional" doc:"how long to train, this or steps: tokens trained on per parameter, embeddings included; rounded to whole steps, one at least"`
	Steps              int     `hcl:"steps,optional" doc:"how long to train, this or tokens_per_parameter: steps of the optimizer"`

	MaxEpochs float64 `hcl:"max_epochs,optional" doc:"refuses a training that repeats its data more often; 0: no limit"`
	Context   int     `hcl:"context" doc:"positions of a sequence, at least 1"`
	Batch     int     `hcl:"batch" doc:"sequences of a step, at least 1"`
	Seed      int64   `hcl:"seed,optional" doc:"what the initial weights and the order of the data are drawn from"`

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

// Outputs lists weights and metrics.
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
	refuse(s.Steps < 0, "steps", "must be at least 1, is %d", s.Steps)
	refuse(s.TokensPerParameter == 0 && s.Steps == 0, "tokens_per_parameter", "or steps must be given, to say how long to train")
	refuse(s.TokensPerParameter != 0 && s.Steps != 0, "steps", "must not be given together with tokens_per_parameter")
	refuse(s.MaxEpochs < 0, "max_epochs", "must be at least 0, which sets no limit, is %g", s.MaxEpochs)
	refuse(s.Context < 1, "context", "must be at least 1, is %d", s.Context)
	refuse(s.Batch < 1, "batch", "must be at least 1, is %d", s.Batch)
	refuse(len(s.Save.Fractions) == 0, "save.fractions", "must have one fraction at least")
	for _, f := range s.Save.Fractions {
		refuse(f < 0 || f > 1, "save.fractions", "must be from 0 to 1, one is %g", f)
	}
	refuse(!slices.IsSorted(s.Save.Fractions), "save.fractions", "must ascend, are %v", s.Save.Fractions)
	refuse(s.Evaluate.Every < 0, "evaluate.every", "must be at least 0, is %d", s.Evaluate.Every)
	refuse(s.Evaluate.Tokens < 1, "evaluate.tokens", "must be at least 1, is %d", s.Evaluate.Tokens)
	return errors.Join(append(errs,
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
	steps := s.steps(s.Model.ParameterCount(tokens.VocabularySize()))
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
	fmt.Fprintf(t.Log, "%d tokens in %d blocks, %.3f epochs\n", tokens.Len(), blocks.Count(), blocks.Epochs(steps))
	return training.Run(ctx, t, training.Plan{
		Net:        net,
		Vocabulary: tokens.Vocabulary,
		Optimizer:  s.AdamW, Schedule: s.Schedule,
		Data: blocks, Steps: steps,
		Save:       s.Save.steps(steps),
		Validation: validation, EvaluateEvery: s.Evaluate.Every,
	})
}

// steps returns how many steps to train a model of so many parameters.
func (s *Pretrain) steps(parameters int) int {
	if s.Steps > 0 {
		return s.Steps
	}
	steps := s.TokensPerParameter * float64(parameters) / float64(s.Batch*s.Context)
	return max(1, int(math.Round(steps)))
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
	if !slices.Equal(held.Vocabulary, tokens.Vocabulary) {
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
