// Package reward is what a reward model is: a language model whose output matrix tells wrong answers from right ones.
package reward

import (
	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// The classes of answers.
const (
	wrong = iota
	right
	classes
)

// New returns a reward model that is yet to be trained: all of its rewards are 0.
func New(net *lm.Net) (*lm.Net, error) { return net.Classifier(classes) }

// Shape returns the shape of the reward model that New makes of a model.
func Shape(m lm.Model) lm.Model { return m.OfClasses(classes) }

// Is tells whether a model is a reward model.
func Is(m lm.Model) bool { return m.Classes == classes }

// Target is the class of an answer.
func Target(correct bool) int32 {
	if correct {
		return right
	}
	return wrong
}

// Encode returns what a reward model reads of the samples of a field: prompt and response, each encoded by itself, as far
// as the context goes. The last token of a response that filled the context was only predicted, and is not read.
func Encode(m *weights.Model, field string, samples []artifacts.SampleRow) ([][]int32, error) {
	context := m.Net.Context()
	all := make([][]int32, len(samples))
	for i, s := range samples {
		prompt := m.Encode(s.Prompt)
		if len(prompt) >= context {
			return nil, pipeline.Errorf(field, "has a prompt of %d tokens, of example %d of %s: the reward model's context of %d leaves no room for a response",
				len(prompt), s.Example, s.Split, context)
		}
		ids := append(prompt, m.Encode(s.Response)...)
		if len(ids) == 0 {
			return nil, pipeline.Errorf(field, "has an empty prompt with an empty response, of example %d of %s", s.Example, s.Split)
		}
		all[i] = ids[:min(len(ids), context)]
	}
	return all, nil
}

// Of returns the rewards that a reward model gives to answers: with the logits z at the last token,
//
//	z_right − z_wrong = ln (p(right) / p(wrong))
//
// which is one linear function of the last hidden state, with the difference of the output matrix's two columns.
func Of(net *lm.Net, answers [][]int32) []float64 {
	all := make([]float64, len(answers))
	for i, z := range net.LastLogits(answers) {
		all[i] = float64(z[right]) - float64(z[wrong])
	}
	return all
}
