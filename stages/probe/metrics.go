package probe

import (
	"math"
	"slices"

	"anneal/artifacts"
)

// Metrics of samples.
const (
	metricAccuracy        = "accuracy"
	metricFewShotAccuracy = "few_shot_accuracy"
	metricResponseLoss    = "response_loss"
	metricPass            = "pass@k"
	metricMajority        = "maj@k"
	metricCorrectRatio    = "correct_ratio@k"
	metricReward          = "rm@k"
	metricRewardScore     = "orm_score"
)

// metric is a ratio of two sums over examples: a mean over them where what each adds below is 1.
type metric struct {
	name    string
	drawn   bool                                           // of the answers drawn, for each k
	of      func(p *problem, k int) (above, below float64) // what an example adds; nothing below: it does not count
	columns func(*artifacts.ScoreRow) (value, standardError **float64)
	needs   string // in the samples, and how they come to have it
}

const needsDrawn = "drawn answers: sample with samples = 16, say"

// metrics lists what the names mean: correct_ratio@k fills two columns.
var metrics = []metric{
	{metricAccuracy, false, accuracyIf(func(shots int64) bool { return shots == 0 }),
		func(r *artifacts.ScoreRow) (v, se **float64) { return &r.Accuracy, &r.AccuracySE },
		"greedy answers to prompts by themselves: sample with greedy = true, and 0 among shots"},
	{metricFewShotAccuracy, false, accuracyIf(func(shots int64) bool { return shots > 0 }),
		func(r *artifacts.ScoreRow) (v, se **float64) { return &r.FewShotAccuracy, &r.FewShotAccuracySE },
		"answers behind demonstrations: sample with shots = [0, 2], say"},
	{metricResponseLoss, false, responseLoss,
		func(r *artifacts.ScoreRow) (v, se **float64) { return &r.ResponseLoss, &r.ResponseLossSE },
		"prompts by themselves: sample with 0 among shots"},
	{metricPass, true, func(p *problem, k int) (float64, float64) { return passAt(len(p.drawn), right(p.drawn), k), 1 },
		func(r *artifacts.ScoreRow) (v, se **float64) { return &r.PassAtK, &r.PassAtKSE }, needsDrawn},
	{metricMajority, true, func(p *problem, k int) (float64, float64) { return one(majority(p.drawn[:k]).Correct), 1 },
		func(r *artifacts.ScoreRow) (v, se **float64) { return &r.MajAtK, &r.MajAtKSE }, needsDrawn},
	{metricCorrectRatio, true, func(p *problem, k int) (float64, float64) { return float64(right(p.drawn[:k])) / float64(k), 1 },
		func(r *artifacts.ScoreRow) (v, se **float64) { return &r.CorrectRatioAtK, &r.CorrectRatioAtKSE }, needsDrawn},
	{metricCorrectRatio, true, solvedRatio,
		func(r *artifacts.ScoreRow) (v, se **float64) {
			return &r.CorrectRatioAtKSolved, &r.CorrectRatioAtKSolvedSE
		}, needsDrawn},
	{metricReward, true, func(p *problem, k int) (float64, float64) { return one(highest(p.drawn[:k]).Correct), 1 },
		func(r *artifacts.ScoreRow) (v, se **float64) { return &r.RMAtK, &r.RMAtKSE }, needsDrawn},
	{metricRewardScore, true, meanReward,
		func(r *artifacts.ScoreRow) (v, se **float64) { return &r.ORMScore, &r.ORMScoreSE }, needsDrawn},
}

// isDrawn tells whether a metric is of drawn answers.
func isDrawn(name string) bool {
	return slices.ContainsFunc(metrics, func(m metric) bool { return m.name == name && m.drawn })
}

func accuracyIf(asked func(shots int64) bool) func(*problem, int) (float64, float64) {
	return func(p *problem, _ int) (float64, float64) {
		if p.greedy == nil || !asked(p.Shots) {
			return 0, 0
		}
		return one(p.greedy.Correct), 1
	}
}

func responseLoss(p *problem, _ int) (float64, float64) {
	if p.Shots > 0 {
		return 0, 0
	}
	return -p.ReferenceLogProbability, float64(p.ReferenceTokens)
}

func solvedRatio(p *problem, k int) (float64, float64) {
	c := right(p.drawn[:k])
	if c == 0 {
		return 0, 0
	}
	return float64(c) / float64(k), 1
}

func meanReward(p *problem, k int) (float64, float64) {
	sum := 0.0
	for _, s := range p.drawn[:k] {
		sum += *s.Reward
	}
	return sum / float64(k), 1
}

// passAt returns the share of the sets of k among n answers that hold any of the c that are right, the unbiased estimator
// of Chen et al. 2021, as a product of numbers of at most 1:
//
//	1 − C(n−c,k)/C(n,k) = 1 − ∏ (1 − k/i) over i from n−c+1 to n
func passAt(n, c, k int) float64 {
	if n-c < k {
		return 1
	}
	none := 1.0
	for i := n - c + 1; i <= n; i++ {
		none *= 1 - float64(k)/float64(i)
	}
	return 1 - none
}

// majority returns the first of those samples whose answer is the most frequent, of equally frequent ones the first. A
// sample without an answer is alone with that.
func majority(samples []*artifacts.SampleRow) *artifacts.SampleRow {
	best, most := samples[0], 0
	for _, s := range samples {
		votes := 1
		if s.Extracted != "" {
			votes = 0
			for _, other := range samples {
				if other.Extracted == s.Extracted {
					votes++
				}
			}
		}
		if votes > most {
			best, most = s, votes
		}
	}
	return best
}

// highest returns the sample of the highest reward, of equal ones the first.
func highest(samples []*artifacts.SampleRow) *artifacts.SampleRow {
	best := samples[0]
	for _, s := range samples {
		if *s.Reward > *best.Reward {
			best = s
		}
	}
	return best
}

// right counts the samples that are right.
func right(samples []*artifacts.SampleRow) int {
	n := 0
	for _, s := range samples {
		if s.Correct {
			n++
		}
	}
	return n
}

func one(correct bool) float64 {
	if correct {
		return 1
	}
	return 0
}

// quotient is Σ above / Σ below over the examples added.
type quotient struct{ above, below []float64 }

func (q *quotient) add(above, below float64) {
	q.above, q.below = append(q.above, above), append(q.below, below)
}

// estimate returns the ratio of the sums over n examples, and its standard error, null where there is one example:
//
//	√(n/(n−1) · Σ(above − ratio·below)²) / Σ below
//
// which for a mean is s/√n (Cochran 1977, Sampling Techniques).
func (q *quotient) estimate() (value, standardError *float64) {
	var above, below float64
	for i := range q.above {
		above, below = above+q.above[i], below+q.below[i]
	}
	ratio := above / below
	if len(q.above) == 1 {
		return &ratio, nil
	}
	squares := 0.0
	for i := range q.above {
		e := q.above[i] - float64(ratio*q.below[i])
		squares += float64(e * e)
	}
	n := float64(len(q.above))
	return &ratio, new(math.Sqrt(n/(n-1)*squares) / below)
}
