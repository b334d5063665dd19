// Package probe is the kind of stage that measures a model: losses, linear separability and rank of its hidden states,
// spectra of its attention, norms of its weights and what noise does to them, samples, and scores of samples; and of
// a text, how much of a task it holds. Each block of a probe leaves artifacts of its own.
package probe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// Kind is registered as "probe".
var Kind = &pipeline.Kind{Name: "probe", Version: 3, Doc: doc, Numbers: lm.Numbers, New: func() pipeline.Stage {
	return &Probe{
		Overfit:      &Overfit{Tokens: 1 << 16, Seed: noSeed},
		Separability: &Separability{Pool: []string{poolMean, poolLast}, Standardise: true},
		Spectrum:     &Spectrum{Matrices: []string{matrixQK, matrixOV}, Threshold: 0.95},
		Features:     &Features{Limit: 256, Threshold: 0.025},
		Norms:        &Norms{},
		Noise:        &Noise{Scales: []float64{0.01, 0.03, 0.1}, Draws: 4, Limit: 256},
		Sample:       &Sample{Shots: []int{0}, Greedy: true, Temperature: 1, TopP: 1, RepetitionPenalty: 1},
		Score:        &Score{Metrics: []string{metricAccuracy, metricResponseLoss}},

		Contamination: &Contamination{Ngram: 13, Characters: 50},
	}
}}

const doc = `Measurements of a model, each a block with an output of its own: at least one. Score measures samples, and contamination a text.

They follow "Weight Decay Improves Language Model Plasticity" (Han, Bordt, Zhang and Kakade, arXiv 2602.11137).`

// Probe is the configuration of a probe: at least one block, and a model for all but score and contamination.
type Probe struct {
	From         pipeline.Ref  `hcl:"from,optional" artifact:"weights" doc:"the model: the last save point, where there are several; needed by all but score and contamination"`
	Overfit      *Overfit      `hcl:"overfit,block" doc:"loss on text that the model was trained on, beside text that it was not"`
	Separability *Separability `hcl:"separability,block" doc:"how well a linear classifier tells the classes of passages apart by the hidden states of every layer"`
	Spectrum     *Spectrum     `hcl:"spectrum,block" doc:"how many directions each attention head uses, by the singular values of its matrices"`
	Features     *Features     `hcl:"features,block" doc:"how many directions the hidden states of every layer use, and how many units of its feed-forward hardly any"`
	Norms        *Norms        `hcl:"norms,block" doc:"how large each tensor is, how far it has moved, and what a learning rate amounts to against it"`
	Noise        *Noise        `hcl:"noise,block" doc:"how fast the loss rises as noise is added to the weights"`
	Sample       *Sample       `hcl:"sample,block" doc:"answers to the prompts of a task: greedy and drawn, up to the stop string or the end of the context"`
	Reward       *Reward       `hcl:"reward,block" doc:"how right a reward model finds each sample: the samples again, with their rewards"`
	Score        *Score        `hcl:"score,block" doc:"metrics of samples, apart from the sampling, so that another metric generates nothing anew"`

	Contamination *Contamination `hcl:"contamination,block" doc:"how many examples of tasks stand in a text, such as the one that a model was pretrained on"`
}

// measure is a block that reads a model.
type measure interface {
	pipeline.Checker
	run(ctx context.Context, t *pipeline.Task, m *weights.Model, path string) error
}

// section is a block of a probe that is there, with the output it leaves.
type section struct {
	block   string
	output  pipeline.Output
	measure measure
}

// sections lists the blocks that read the model.
func (p *Probe) sections() []section {
	var all []section
	if p.Overfit != nil {
		all = append(all, section{"overfit", pipeline.Output{Name: "losses", Type: "table", Schema: "losses", Doc: "of overfit, one row: mean losses (nats a token), their gap and standard errors"}, p.Overfit})
	}
	if p.Separability != nil {
		all = append(all, section{"separability", pipeline.Output{Name: "separability", Type: "table", Schema: "separability", Doc: "of separability, a row for each layer and pool, and for chance, the majority and a bag of bytes"}, p.Separability})
	}
	if p.Spectrum != nil {
		all = append(all, section{"spectrum", pipeline.Output{Name: "spectrum", Type: "table", Schema: "spectrum", Doc: "of spectrum, a row for each layer, head and matrix, with and without the gains of norms"}, p.Spectrum})
	}
	if p.Features != nil {
		all = append(all, section{"features", pipeline.Output{Name: "features", Type: "table", Schema: "features", Doc: "of features, a row for each layer, centred and not: ranks of the hidden states, share of dormant units"}, p.Features})
	}
	if p.Norms != nil {
		all = append(all, section{"norms", pipeline.Output{Name: "norms", Type: "table", Schema: "norms", Doc: "of norms, a row for each tensor and one for all: norms of weights and updates, learning rate against norm"}, p.Norms})
	}
	if p.Noise != nil {
		all = append(all, section{"noise", pipeline.Output{Name: "noise", Type: "table", Schema: "noise", Doc: "of noise, a row for each scale and one for none: mean loss (nats a token), its increase and standard errors"}, p.Noise})
	}
	if p.Sample != nil {
		all = append(all, section{"sample", pipeline.Output{Name: "samples", Type: "samples", Doc: "of sample, a row for each prompt and sample: response, reference, whether it is right, log-probabilities"}, p.Sample})
	}
	if p.Reward != nil {
		all = append(all, section{"reward", pipeline.Output{Name: "samples", Type: "samples", Doc: "of reward, the rows of its samples, with their rewards"}, p.Reward})
	}
	return all
}

// scores is the output of the score block.
var scores = pipeline.Output{Name: "scores", Type: "table", Schema: "scores", Doc: "of score, a row for each split and number of shots, and for each k of drawn answers"}

// Outputs is one artifact a block: losses, separability, spectrum, features, norms, noise, samples, scores, and
// two of contamination.
func (p *Probe) Outputs() []pipeline.Output {
	var all []pipeline.Output
	for _, s := range p.sections() {
		all = append(all, s.output)
	}
	if p.Score != nil {
		all = append(all, scores)
	}
	if p.Contamination != nil {
		all = append(all, contamination, contaminated)
	}
	return all
}

// Check demands a block, and a model for those that read one.
func (p *Probe) Check() error {
	var errs []error
	sections := p.sections()
	if len(sections) == 0 && p.Score == nil && p.Contamination == nil {
		errs = append(errs, pipeline.Errorf("", "a probe needs at least one block: overfit, separability, spectrum, features, norms, noise, sample, reward, score or contamination"))
	}
	if len(sections) > 0 && p.From.IsZero() {
		errs = append(errs, pipeline.Errorf("from", "is required: the %s block measures a model", sections[0].block))
	}
	if free := p.Score != nil || p.Contamination != nil; len(sections) == 0 && free && !p.From.IsZero() {
		errs = append(errs, pipeline.Errorf("from", "must be left out: score reads samples, not a model, and contamination text"))
	}
	if p.Reward != nil && len(sections) > 1 {
		errs = append(errs, pipeline.Errorf("reward", "must be the only block that reads a model: it takes a reward model, %s a language model", sections[0].block))
	}
	for _, s := range sections {
		errs = append(errs, pipeline.Within(s.block, s.measure.Check()))
	}
	if p.Score != nil {
		errs = append(errs, pipeline.Within("score", p.Score.Check()))
	}
	if p.Contamination != nil {
		errs = append(errs, pipeline.Within("contamination", p.Contamination.Check()))
	}
	return errors.Join(errs...)
}

// Run measures block by block.
func (p *Probe) Run(ctx context.Context, t *pipeline.Task) error {
	if sections := p.sections(); len(sections) > 0 {
		model, err := weights.Load(t.Input(p.From).Path)
		if err != nil {
			return err
		}
		if err := p.suits(model); err != nil {
			return err
		}
		model.Net.UseCores(t.Cores)
		fmt.Fprintf(t.Log, "model of step %d\n", model.Save.Step)
		for _, s := range sections {
			fmt.Fprintf(t.Log, "%s\n", s.block)
			if err := s.measure.run(ctx, t, model, t.Output(s.output.Name)); err != nil {
				return blame(s.block, err)
			}
		}
	}
	if p.Score != nil {
		if err := p.Score.run(t, t.Output(scores.Name)); err != nil {
			return blame("score", err)
		}
	}
	if p.Contamination != nil {
		return blame("contamination", p.Contamination.run(ctx, t))
	}
	return nil
}

// unfinite blames the field with the text of which a model makes numbers that are not finite, as finite weights still may.
func unfinite(field, numbers string) error {
	return pipeline.Errorf(field, "the model makes %s of it that are not finite, as one may whose training diverged: leave this point out", numbers)
}

// finite tells whether all of x are numbers, and no infinite ones.
func finite(x ...float64) bool {
	return !slices.ContainsFunc(x, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// blame puts an error that names a field under its block and leaves others, of the world, as they are.
func blame(block string, err error) error {
	var field interface{ Blame() (field, text string) }
	if errors.As(err, &field) {
		return pipeline.Within(block, err)
	}
	return err
}
