package probe

import (
	"math"
	"testing"

	"anneal/artifacts"
)

func TestScores(t *testing.T) {
	samples := []artifacts.SampleRow{
		{Split: "validation", Correct: true, ReferenceLogProbability: -1, ReferenceTokens: 1},
		{Split: "test", Correct: true, ReferenceLogProbability: -2, ReferenceTokens: 4},
		{Split: "test", Correct: false, ReferenceLogProbability: -7, ReferenceTokens: 2},
		{Split: "test", Correct: true, ReferenceLogProbability: 0, ReferenceTokens: 3},
		{Split: "test", Correct: true, ReferenceLogProbability: -9, ReferenceTokens: 3},
		{Split: "test", Shots: 2, Correct: false, ReferenceLogProbability: -1, ReferenceTokens: 1},
	}
	rows := (&Score{Metrics: []string{metricAccuracy, metricResponseLoss}}).rows(samples)
	if len(rows) != 3 || rows[0].Split != "validation" || rows[2].Shots != 2 {
		t.Fatalf("%+v", rows)
	}
	// 18 nats over 12 tokens: by tokens, not by examples.
	if r := rows[1]; r.Examples != 4 || *r.Accuracy != 0.75 || !near(*r.AccuracySE, math.Sqrt(0.75*0.25/4)) || *r.ResponseLoss != 1.5 {
		t.Errorf("%+v, accuracy %g, response loss %g", r, *r.Accuracy, *r.ResponseLoss)
	}
	rows = (&Score{Metrics: []string{metricResponseLoss}}).rows(samples)
	if rows[0].Accuracy != nil || rows[0].AccuracySE != nil || rows[0].ResponseLoss == nil {
		t.Errorf("a metric that is not asked for has a value: %+v", rows[0])
	}
}

func TestMeanAndError(t *testing.T) {
	if m, se := meanAndError([]float64{1, 2, 3, 4}); m != 2.5 || !near(se, math.Sqrt(5./3/4)) {
		t.Errorf("mean %g, standard error %g", m, se)
	}
}
