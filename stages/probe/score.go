package probe

import (
	"math"
	"slices"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Metrics of samples.
const (
	metricAccuracy     = "accuracy"
	metricResponseLoss = "response_loss"
)

// Score sums up the greedy samples, by split and number of shots:
//
//	accuracy       share of examples whose greedy answer is right
//	response_loss  −Σ ln p(reference response | prompt) / Σ tokens of the references, nats a token
//
// Metrics that are not asked for are null. Sampling is apart, so that another metric generates nothing anew.
type Score struct {
	Samples pipeline.Ref `hcl:"samples" artifact:"samples" doc:"to score"`
	Metrics []string     `hcl:"metrics,optional" values:"accuracy,response_loss" doc:"share of right answers; nats a token of the reference response"`
}

// Check demands metrics, each once.
func (s *Score) Check() error {
	if len(s.Metrics) == 0 {
		return pipeline.Errorf("metrics", "must name at least one")
	}
	for i, m := range s.Metrics {
		if slices.Contains(s.Metrics[:i], m) {
			return pipeline.Errorf("metrics", "names %s twice", m)
		}
	}
	return nil
}

func (s *Score) run(t *pipeline.Task, path string) error {
	samples, err := artifacts.ReadRows[artifacts.SampleRow](t.Input(s.Samples).Path)
	if err != nil {
		return err
	}
	if len(samples) == 0 {
		return pipeline.Errorf("samples", "holds no samples")
	}
	samples = slices.DeleteFunc(samples, func(x artifacts.SampleRow) bool { return !x.Greedy })
	if len(samples) == 0 {
		return pipeline.Errorf("samples", "holds no greedy samples, which accuracy and response_loss are of: sample with greedy = true")
	}
	return artifacts.WriteRows(path, s.rows(samples))
}

// rows returns one row for each split and number of shots, in the order in which they first appear.
func (s *Score) rows(samples []artifacts.SampleRow) []artifacts.ScoreRow {
	var rows []artifacts.ScoreRow
	var totals []total
	for _, x := range samples {
		i := slices.IndexFunc(rows, func(r artifacts.ScoreRow) bool { return r.Split == x.Split && r.Shots == x.Shots })
		if i < 0 {
			i = len(rows)
			rows = append(rows, artifacts.ScoreRow{Split: x.Split, Shots: x.Shots})
			totals = append(totals, total{})
		}
		totals[i].add(x)
	}
	for i := range rows {
		n := totals[i].examples
		rows[i].Examples = int64(n)
		if slices.Contains(s.Metrics, metricAccuracy) {
			a := totals[i].correct / n
			rows[i].Accuracy, rows[i].AccuracySE = &a, new(proportionError(a, n))
		}
		if slices.Contains(s.Metrics, metricResponseLoss) {
			rows[i].ResponseLoss = new(-totals[i].logProbability / totals[i].tokens)
		}
	}
	return rows
}

// total sums up the samples of a row.
type total struct{ examples, correct, logProbability, tokens float64 }

func (t *total) add(x artifacts.SampleRow) {
	t.examples++
	if x.Correct {
		t.correct++
	}
	t.logProbability += x.ReferenceLogProbability
	t.tokens += float64(x.ReferenceTokens)
}

// proportionError returns the standard error √(a(1−a)/n) of a share a of n examples.
func proportionError(a, n float64) float64 { return math.Sqrt(a * (1 - a) / n) }
