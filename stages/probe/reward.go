package probe

import (
	"context"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/stages/internal/reward"
	"anneal/stages/internal/weights"
)

// Reward lets a reward model judge samples: each gets the logarithm of the odds that it is right, as the model sees them
// at its last token.
type Reward struct {
	Samples pipeline.Ref `hcl:"samples" artifact:"samples" doc:"to judge: of any model, on prompts other than those that the reward model was trained on"`
}

// Check finds nothing that its only field could get wrong.
func (*Reward) Check() error { return nil }

func (r *Reward) run(ctx context.Context, t *pipeline.Task, m *weights.Model, path string) error {
	samples, err := artifacts.ReadRows[artifacts.SampleRow](t.Input(r.Samples).Path)
	if err != nil {
		return err
	}
	if len(samples) == 0 {
		return pipeline.Errorf("samples", "holds no samples")
	}
	answers, err := reward.Encode(m, "samples", samples)
	if err != nil {
		return err
	}
	for from := 0; from < len(answers); from += windows {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(len(answers), from+windows)
		for i, x := range reward.Of(m.Net, answers[from:to]) {
			if !finite(x) {
				return pipeline.Errorf("samples", "gets rewards from the reward model that are not finite: train it with a lower learning_rate")
			}
			samples[from+i].Reward = &x
		}
		t.Progress(to, len(samples), nil)
	}
	return artifacts.WriteRows(path, samples)
}

// suits tells whether a model is of the kind that the blocks measure: reward a reward model, all others a language model.
func (p *Probe) suits(m *weights.Model) error {
	switch is := reward.Is(m.Net.Model()); {
	case is && p.Reward == nil:
		return pipeline.Errorf("from", "is a reward model, which predicts no tokens: only the reward block takes one")
	case !is && p.Reward != nil:
		return pipeline.Errorf("from", "is a language model: the reward block takes a model that a finetune with a reward block has trained")
	}
	return nil
}
