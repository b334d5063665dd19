package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// Sample lets a model answer the prompts of a task: greedily, by the token of largest probability, and by draws, until
// the example's stop string appears in the decoded bytes or the context is full. An answer is correct when what the
// example's rule extracts from the response equals its answer. Log-probabilities of the response and of the reference are
// the model's. Draws are for the prompts of test by themselves: behind demonstrations, and on validation, by which settings
// are chosen, answers are greedy.
type Sample struct {
	Validation        pipeline.Ref `hcl:"validation,optional" artifact:"examples" doc:"to answer too, so that settings are chosen on other examples than those reported on"`
	Test              pipeline.Ref `hcl:"test" artifact:"examples" doc:"to answer"`
	Limit             int          `hcl:"limit,optional" doc:"examples of each split, evenly spread; 0: all"`
	Length            int          `hcl:"length,optional" doc:"tokens of an answer, at most; 0: what the context holds"`
	Shots             []int        `hcl:"shots,optional" doc:"numbers of demonstrations, prompt and response, behind which each prompt is asked; 0: the prompt by itself"`
	Demonstrations    pipeline.Ref `hcl:"demonstrations,optional" artifact:"examples" doc:"to draw those from: of the same template, and never one with the prompt that is asked"`
	Greedy            bool         `hcl:"greedy,optional" doc:"whether each prompt is answered by the likeliest token each time: sample 0"`
	Samples           int          `hcl:"samples,optional" doc:"answers drawn for each prompt of test without demonstrations, samples 1, 2, …: temperature to repetition_penalty are for them alone"`
	Temperature       float64      `hcl:"temperature,optional" doc:"the logits are divided by it, after the penalty; 0: the likeliest token"`
	TopK              int          `hcl:"top_k,optional" doc:"only so many likeliest tokens are drawn; 0: all"`
	TopP              float64      `hcl:"top_p,optional" doc:"only the fewest likeliest tokens with at least this probability together are drawn, of those that top_k leaves; above 0 and at most 1"`
	RepetitionPenalty float64      `hcl:"repetition_penalty,optional" doc:"logits of tokens that the prompt or the answer holds already are divided by it if above 0, and multiplied by it if below; 1: none"`
	Seed              int64        `hcl:"seed,optional" doc:"of the draws: of a token, a function of the seed, the split and number of the example, the sample and the position; of demonstrations, of the seed, the split and the number"`
}

// Check rules out negative counts, sampling that cannot be, and no answers at all.
func (s *Sample) Check() error {
	var errs []error
	for _, c := range []struct {
		name  string
		value int
	}{{"limit", s.Limit}, {"length", s.Length}, {"samples", s.Samples}} {
		if c.value < 0 {
			errs = append(errs, pipeline.Errorf(c.name, "must not be negative, is %d", c.value))
		}
	}
	if !s.Greedy && s.Samples == 0 {
		errs = append(errs, pipeline.Errorf("samples", "must be at least 1 where greedy is false"))
	}
	if s.Samples == 0 && s.sampling() != lm.DefaultSampling() {
		errs = append(errs, pipeline.Errorf("samples", "must be at least 1: temperature, top_k, top_p and repetition_penalty are of the answers drawn"))
	}
	if !s.Greedy && !s.Validation.IsZero() {
		errs = append(errs, pipeline.Errorf("validation", "is answered greedily alone: leave out greedy = false, or draw for validation as the test of another probe"))
	}
	if s.Validation == s.Test && !s.Test.IsZero() {
		errs = append(errs, pipeline.Errorf("validation", "must be other examples than test: settings chosen on those reported on look better than they are"))
	}
	return errors.Join(append(errs, s.checkShots(), s.sampling().Check())...)
}

// checkShots demands numbers of demonstrations, each once, and demonstrations exactly where there are some to show.
func (s *Sample) checkShots() error {
	if len(s.Shots) == 0 {
		return pipeline.Errorf("shots", "must name at least one number; 0 is the prompt by itself")
	}
	var errs []error
	for i, n := range s.Shots {
		switch {
		case n < 0:
			errs = append(errs, pipeline.Errorf("shots", "must not be negative, one is %d", n))
		case slices.Contains(s.Shots[:i], n):
			errs = append(errs, pipeline.Errorf("shots", "names %d twice", n))
		case n > 0 && !s.Greedy:
			errs = append(errs, pipeline.Errorf("shots", "must be [0] where greedy is false: prompts behind demonstrations are answered greedily alone"))
		}
	}
	if s.Samples > 0 && !slices.Contains(s.Shots, 0) {
		errs = append(errs, pipeline.Errorf("shots", "must include 0 where samples are drawn: they are of prompts without demonstrations"))
	}
	if most := slices.Max(s.Shots); most > 0 && s.Demonstrations.IsZero() {
		errs = append(errs, pipeline.Errorf("demonstrations", "is required: shots asks for %d, drawn from the training examples of the task, say", most))
	} else if most == 0 && !s.Demonstrations.IsZero() {
		errs = append(errs, pipeline.Errorf("demonstrations", "must be left out where shots is 0"))
	}
	return errors.Join(errs...)
}

func (s *Sample) sampling() lm.Sampling {
	return lm.Sampling{Temperature: s.Temperature, TopK: s.TopK, TopP: s.TopP, RepetitionPenalty: s.RepetitionPenalty}
}

func (s *Sample) run(ctx context.Context, t *pipeline.Task, m *weights.Model, path string) error {
	splits, err := s.ask(t, m)
	if err != nil {
		return err
	}
	total, before := 0, 0
	for _, p := range splits {
		each := p.samples
		if s.Greedy {
			each++
		}
		total += each * len(p.examples)
	}
	var rows []artifacts.SampleRow
	for _, p := range splits {
		more, err := p.answer(ctx, m, lm.Generation{
			Greedy: s.Greedy, Samples: p.samples, Sampling: s.sampling(), Seed: s.Seed, Length: s.Length,
			Text: func(token int32) []byte { return m.Vocabulary.Bytes(uint32(token)) },
			Done: func(n int) { t.Progress(before+n, total, nil) },
		})
		if err != nil {
			return err
		}
		rows = append(rows, more...)
		before = len(rows)
	}
	return artifacts.WriteRows(path, rows)
}

// ask returns what is to be answered: each split, with each number of shots.
func (s *Sample) ask(t *pipeline.Task, m *weights.Model) ([]*split, error) {
	var pool []artifacts.Example
	if !s.Demonstrations.IsZero() {
		var err error
		if pool, err = artifacts.ReadExamples(t.Input(s.Demonstrations).Path); err != nil {
			return nil, err
		}
	}
	var all []*split
	for _, in := range []struct {
		name string
		ref  pipeline.Ref
	}{{artifacts.SplitValidation, s.Validation}, {artifacts.SplitTest, s.Test}} {
		if in.ref.IsZero() {
			continue
		}
		examples, err := artifacts.ReadExamples(t.Input(in.ref).Path)
		if err != nil {
			return nil, err
		}
		p := &split{name: in.name}
		if err := p.choose(examples, s.Limit, m); err != nil {
			return nil, err
		}
		demonstrations, err := p.demonstrations(pool, slices.Max(s.Shots), s.Seed)
		if err != nil {
			return nil, err
		}
		for _, shots := range s.Shots {
			q, err := p.behind(demonstrations, shots, m)
			if err != nil {
				return nil, err
			}
			if in.name == artifacts.SplitTest && shots == 0 {
				q.samples = s.Samples
			}
			all = append(all, q)
		}
	}
	return all, nil
}

// split is the chosen examples of a split, behind a number of demonstrations.
type split struct {
	name     string
	shots    int
	samples  int // to be drawn
	examples []artifacts.Example
	numbers  []int64 // of the examples in their artifact
	encoded  []lm.Example
}

// choose takes at most limit examples, evenly spread, and encodes prompt and response of each by itself.
func (p *split) choose(all []artifacts.Example, limit int, m *weights.Model) error {
	if len(all) == 0 {
		return pipeline.Errorf(p.name, "holds no examples")
	}
	n := len(all)
	if limit > 0 {
		n = min(n, limit)
	}
	room := m.Net.Context() + 1 // the last token is only predicted, never read
	for i := range n {
		k := i * len(all) / n
		e := lm.Example{Prompt: m.Encode(all[k].Prompt), Response: m.Encode(all[k].Response)}
		switch size := len(e.Prompt) + len(e.Response); {
		case len(e.Prompt) == 0:
			return pipeline.Errorf(p.name, "example %d has an empty prompt", k)
		case all[k].Answer == "":
			return pipeline.Errorf(p.name, "example %d has an empty answer, as a response has in which none is found", k)
		case len(e.Response) == 0:
			return pipeline.Errorf(p.name, "example %d has an empty response", k)
		case size > room:
			return pipeline.Errorf(p.name, "example %d has %d tokens, the context of %d has room for %d", k, size, room-1, room)
		}
		p.examples = append(p.examples, all[k])
		p.numbers = append(p.numbers, int64(k))
		p.encoded = append(p.encoded, e)
	}
	return nil
}

// answer generates responses to the examples, and scores their references.
func (p *split) answer(ctx context.Context, m *weights.Model, how lm.Generation) ([]artifacts.SampleRow, error) {
	problems := make([]lm.Problem, len(p.examples))
	for i, e := range p.examples {
		problems[i] = lm.Problem{Prompt: p.encoded[i].Prompt, Name: fmt.Sprintf("%s %d", p.name, p.numbers[i]), Stops: []string{e.Stop}}
	}
	generated, err := m.Net.Generate(ctx, problems, how)
	if err != nil {
		return nil, err
	}
	references, err := referenceLogs(m.Net, p.encoded)
	if err != nil {
		return nil, pipeline.Errorf(p.name, "%s", err)
	}
	var rows []artifacts.SampleRow
	for i, e := range p.examples {
		for j, g := range generated[i] {
			greedy := how.Greedy && j == 0
			sample := j
			if !how.Greedy {
				sample++
			}
			response := strings.ToValidUTF8(string(g.Text), "\uFFFD")
			extracted := artifacts.ExtractAnswer(e.Extract, response, e.Stop)
			rows = append(rows, artifacts.SampleRow{
				Split: p.name, Example: p.numbers[i], Shots: int64(p.shots), Sample: int64(sample), Greedy: greedy,
				Prompt: e.Prompt, Reference: e.Response, Answer: e.Answer, Stop: e.Stop,
				Response: response, Stopped: g.Stopped, Extracted: extracted, Correct: extracted == e.Answer,
				LogProbability: g.LogProbability, Tokens: int64(len(g.Tokens)),
				ReferenceLogProbability: references[i], ReferenceTokens: int64(len(p.encoded[i].Response)),
			})
		}
	}
	return rows, nil
}

// referenceLogs returns ln p(response | prompt) of each example.
func referenceLogs(net *lm.Net, examples []lm.Example) ([]float64, error) {
	batches, err := lm.EvaluationExamples(examples, net.Context(), windows)
	if err != nil {
		return nil, err
	}
	var all []float64
	for i := range batches {
		b := &batches[i]
		logs := net.LogProbabilities(b)
		for s := range b.Sequences {
			sum := 0.0
			for _, l := range logs[s*b.Length : (s+1)*b.Length] {
				sum += l
			}
			all = append(all, sum)
		}
	}
	return all, nil
}
