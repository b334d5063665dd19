package probe

import (
	"bytes"
	"context"
	"strings"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// Sample lets a model answer the prompts of a task: greedily, by the token of largest probability, until the example's
// stop string appears in the decoded bytes or the context is full. An answer is correct when what the example's rule
// extracts from the response equals its answer. Log-probabilities of the response and of the reference are the model's.
type Sample struct {
	Validation pipeline.Ref `hcl:"validation,optional" artifact:"examples" doc:"to answer too, so that settings are chosen on other examples than those reported on"`
	Test       pipeline.Ref `hcl:"test" artifact:"examples" doc:"to answer"`
	Limit      int          `hcl:"limit,optional" doc:"examples of each split, evenly spread; 0: all"`
}

// Check rules out a negative limit.
func (s *Sample) Check() error {
	if s.Limit < 0 {
		return pipeline.Errorf("limit", "must not be negative, is %d", s.Limit)
	}
	return nil
}

func (s *Sample) run(ctx context.Context, t *pipeline.Task, m *weights.Model, path string) error {
	splits := []*split{{name: artifacts.SplitValidation, ref: s.Validation}, {name: artifacts.SplitTest, ref: s.Test}}
	total := 0
	for _, p := range splits {
		if p.ref.IsZero() {
			continue
		}
		examples, err := artifacts.ReadExamples(t.Input(p.ref).Path)
		if err != nil {
			return err
		}
		if err := p.choose(examples, s.Limit, m); err != nil {
			return err
		}
		total += len(p.examples)
	}
	var rows []artifacts.SampleRow
	for _, p := range splits {
		for first := 0; first < len(p.examples); first += together {
			more, err := p.answer(ctx, m, first, min(first+together, len(p.examples)))
			if err != nil {
				return err
			}
			rows = append(rows, more...)
			t.Progress(len(rows), total, nil)
		}
	}
	return artifacts.WriteRows(path, rows)
}

// together is how many prompts are answered between two reports of progress.
const together = 128

// split is the chosen examples of a split.
type split struct {
	name     string
	ref      pipeline.Ref
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

// answer generates responses to the examples from first up to last, and scores their references.
func (p *split) answer(ctx context.Context, m *weights.Model, first, last int) ([]artifacts.SampleRow, error) {
	prompts := make([][]int32, last-first)
	for i := range prompts {
		prompts[i] = p.encoded[first+i].Prompt
	}
	said := make([][]byte, len(prompts))
	stop := func(i int, generated []int32) bool {
		said[i] = append(said[i], m.Vocabulary.Bytes(uint32(generated[len(generated)-1]))...)
		s := p.examples[first+i].Stop
		return s != "" && bytes.Contains(said[i], []byte(s))
	}
	generated, err := m.Net.Generate(ctx, prompts, m.Net.Context(), stop)
	if err != nil {
		return nil, err
	}
	references, err := referenceLogs(m.Net, p.encoded[first:last])
	if err != nil {
		return nil, pipeline.Errorf(p.name, "%s", err)
	}
	rows := make([]artifacts.SampleRow, len(prompts))
	for i, g := range generated {
		e := p.examples[first+i]
		response := strings.ToValidUTF8(string(said[i]), "\uFFFD")
		extracted := artifacts.ExtractAnswer(e.Extract, response, e.Stop)
		rows[i] = artifacts.SampleRow{
			Split: p.name, Example: p.numbers[first+i],
			Prompt: e.Prompt, Reference: e.Response, Answer: e.Answer,
			Response: response, Extracted: extracted, Correct: extracted == e.Answer,
			LogProbability: g.LogProbability, Tokens: int64(len(g.Tokens)),
			ReferenceLogProbability: references[i], ReferenceTokens: int64(len(p.encoded[first+i].Response)),
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
