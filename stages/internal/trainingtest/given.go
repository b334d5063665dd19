// Package trainingtest gives tests of stages that train small artifacts to read.
package trainingtest

import (
	"context"
	"fmt"
	"strings"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/lm/bpe"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// Kind is a kind of stage, "given", that has nothing to configure and leaves the same artifacts always.
var Kind = &pipeline.Kind{Name: "given", Version: 1, New: func() pipeline.Stage { return &given{} }}

type given struct{}

// Outputs: 3,000 tokens and 400 held out, 12 tokens, 400 tokens of plain bytes; 50 examples and 20 for validation, 5 of
// which one is too long for the weights, none at all; samples that answer the examples and those for validation, samples
// without a right answer, without a wrong one, none at all; weights with three save points, of which the second has the lowest
// validation loss, and weights without one.
func (*given) Outputs() []pipeline.Output {
	return []pipeline.Output{
		{Name: "tokens", Type: "tokens"},
		{Name: "held_out", Type: "tokens"},
		{Name: "few", Type: "tokens"},
		{Name: "bytes", Type: "tokens"},
		{Name: "examples", Type: "examples"},
		{Name: "validation", Type: "examples"},
		{Name: "long", Type: "examples"},
		{Name: "none", Type: "examples"},
		{Name: "answered", Type: "samples"},
		{Name: "answered_validation", Type: "samples"},
		{Name: "wrong", Type: "samples"},
		{Name: "right", Type: "samples"},
		{Name: "unanswered", Type: "samples"},
		{Name: "weights", Type: "weights"},
		{Name: "unvalidated", Type: "weights"},
	}
}

// Model is the shape of the given weights, Context theirs, Merges their vocabulary's.
var (
	Model   = lm.Model{Family: "llama", Layers: 1, Width: 8, Heads: 2, FF: 16, NormEps: 1e-5, RopeTheta: 10000}
	Context = 16
	Merges  = []bpe.Merge{{Left: 't', Right: 'h'}, {Left: 256, Right: 'e'}}
)

func (*given) Run(ctx context.Context, t *pipeline.Task) error {
	for name, write := range map[string]func(path string) error{
		"tokens":     tokens(3000, Merges),
		"held_out":   tokens(400, Merges),
		"few":        tokens(12, Merges),
		"bytes":      tokens(400, nil),
		"examples":   examples(0, 50),
		"validation": examples(50, 70),
		"long":       examples(97, 102),
		"none":       examples(0, 0),

		"answered":            answers(0, 50, "no", "yes", "no", "yeah, yes and yes again"),
		"answered_validation": answers(50, 70, "no", "yes"),
		"wrong":               answers(0, 50, "no"),
		"right":               answers(0, 50, "yes"),
		"unanswered":          answers(0, 0),

		"weights":     saved(3, 1, 2),
		"unvalidated": saved(),
	} {
		if err := write(t.Output(name)); err != nil {
			return err
		}
	}
	return nil
}

// tokens are the first n of a text that never ends.
func tokens(n int, merges []bpe.Merge) func(path string) error {
	return func(path string) error {
		v, err := bpe.New(merges)
		if err != nil {
			return err
		}
		var ids []uint32
		words := strings.Fields("the sun warms the sea and the wind moves the sand")
		for state := uint32(1); len(ids) < n; state = state*1664525 + 1013904223 {
			ids = v.Encode(ids, []byte(words[state>>16%uint32(len(words))]+" "))
		}
		return artifacts.WriteTokens(path, ids[:n], v.Definition())
	}
}

// examples ask for a number with its digits reversed. Those from 100 on are long.
func examples(from, to int) func(path string) error {
	return func(path string) error {
		var all []artifacts.Example
		for i := from; i < to; i++ {
			prompt, answer := fmt.Sprintf("%02d>", i), fmt.Sprintf("%d%d", i%10, i/10)
			if i >= 100 {
				answer += strings.Repeat(answer, i-97)
			}
			all = append(all, artifacts.Example{Prompt: prompt, Response: answer + "\n", Answer: answer, Stop: "\n", Extract: artifacts.ExtractAll})
		}
		return artifacts.WriteExamples(path, all)
	}
}

// answers are the same to each prompt of examples: right where they begin with yes, the first of them greedy.
func answers(from, to int, responses ...string) func(path string) error {
	return func(path string) error {
		var all []artifacts.SampleRow
		for i := from; i < to; i++ {
			for j, response := range responses {
				all = append(all, artifacts.SampleRow{
					Split: artifacts.SplitTest, Example: int64(i), Sample: int64(j), Greedy: j == 0,
					Prompt: fmt.Sprintf("%02d>", i), Response: response + "\n", Stopped: true, Correct: strings.HasPrefix(response, "yes"),
				})
			}
		}
		return artifacts.WriteRows(path, all)
	}
}

// saved are random weights: a save point a validation loss, five steps apart, or one without any.
func saved(validationLosses ...float64) func(path string) error {
	return func(path string) error {
		net, err := lm.New(Model, 256+len(Merges), Context, 1)
		if err != nil {
			return err
		}
		w, err := weights.Create(path, net, bpe.Plain(Merges))
		if err != nil {
			return err
		}
		gain := net.Parameter("norm").Data().([]float32)
		for i, loss := range validationLosses {
			gain[0] = float32(i + 1)
			if err := w.Save(artifacts.Save{Step: int64(5 * i), Tokens: int64(100 * i), ValidationLoss: &loss}); err != nil {
				return err
			}
		}
		if len(validationLosses) == 0 {
			if err := w.Save(artifacts.Save{Step: 7}); err != nil {
				return err
			}
		}
		return w.Close()
	}
}
