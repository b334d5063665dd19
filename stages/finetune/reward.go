package finetune

import (
	"fmt"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/reward"
	"anneal/stages/internal/weights"
)

// Reward is what a reward model learns from: answers to the prompts of a task that the verifier has labelled. An outcome
// reward model (Cobbe et al. 2021, Uesato et al. 2022) reads a prompt and a response, and at the last token tells how
// likely the response is right.
//
// Each different answer counts once, whether it was drawn or is the greedy one: frequent ones would drown out rare ones.
type Reward struct {
	Samples    []pipeline.Ref `hcl:"samples" artifact:"samples" doc:"to train on: answers to training prompts, never to those of a test; equal ones count once"`
	Validation []pipeline.Ref `hcl:"validation,optional" artifact:"samples" doc:"to measure the validation loss on, once an epoch: answers to other prompts"`
}

// Check demands samples.
func (r *Reward) Check() error {
	if len(r.Samples) == 0 {
		return pipeline.Errorf("samples", "must name at least one")
	}
	return nil
}

// read returns the answers to train on and those to validate on, each a sequence with its class as the one target.
func (r *Reward) read(t *pipeline.Task, m *weights.Model) (train, held []lm.Example, err error) {
	samples, err := distinct(staged(t, r.Samples))
	if err != nil {
		return nil, nil, err
	}
	right, prompts := 0, map[string]bool{}
	for _, s := range samples {
		prompts[s.Prompt] = true
		if s.Correct {
			right++
		}
	}
	switch n := len(samples); right {
	case 0:
		return nil, nil, pipeline.Errorf("reward.samples", "holds %d different answers, none of them right: a reward model learns from right and wrong ones; draw more, or from a model that is right at times", n)
	case n:
		return nil, nil, pipeline.Errorf("reward.samples", "holds %d different answers, all of them right: a reward model learns from right and wrong ones; draw more, at a higher temperature, or from a model that is wrong at times", n)
	}
	fmt.Fprintf(t.Log, "%d different answers, %d right and %d wrong\n", len(samples), right, len(samples)-right)
	if train, err = labelled(m, "reward.samples", samples); err != nil || len(r.Validation) == 0 {
		return train, nil, err
	}
	if samples, err = distinct(staged(t, r.Validation)); err != nil {
		return nil, nil, err
	}
	if len(samples) == 0 {
		return nil, nil, pipeline.Errorf("reward.validation", "holds no samples")
	}
	for _, s := range samples {
		if prompts[s.Prompt] {
			return nil, nil, pipeline.Errorf("reward.validation", "has answers to prompts that samples has answers to, example %d of %s among them: validate on other prompts", s.Example, s.Split)
		}
	}
	held, err = labelled(m, "reward.validation", samples)
	return train, held, err
}

// staged lists where the artifacts lie.
func staged(t *pipeline.Task, refs []pipeline.Ref) (paths []string) {
	for _, r := range refs {
		paths = append(paths, t.Input(r).Path)
	}
	return paths
}

// distinct reads samples, and leaves out those that came before: of equal prompt, response and label.
func distinct(paths []string) (all []artifacts.SampleRow, err error) {
	type answer struct {
		prompt, response string
		correct          bool
	}
	seen := map[answer]bool{}
	for _, path := range paths {
		samples, err := artifacts.ReadRows[artifacts.SampleRow](path)
		if err != nil {
			return nil, err
		}
		for _, s := range samples {
			if a := (answer{s.Prompt, s.Response, s.Correct}); !seen[a] {
				seen[a] = true
				all = append(all, s)
			}
		}
	}
	return all, nil
}

// labelled encodes the samples of a field: what is predicted after the last token is the class.
func labelled(m *weights.Model, field string, samples []artifacts.SampleRow) ([]lm.Example, error) {
	sequences, err := reward.Encode(m, field, samples)
	if err != nil {
		return nil, err
	}
	all := make([]lm.Example, len(samples))
	for i, s := range samples {
		all[i] = lm.Example{Prompt: sequences[i], Response: []int32{reward.Target(s.Correct)}}
	}
	return all, nil
}
