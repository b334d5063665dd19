package probe

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
)

// answered returns a problem's samples: the greedy answer, and then those drawn, with rewards 1, 2, ….
func answered(split string, example int64, reference float64, tokens int64, answers ...string) []artifacts.SampleRow {
	var all []artifacts.SampleRow
	for i, a := range answers {
		s := artifacts.SampleRow{
			Split: split, Example: example, Sample: int64(i), Greedy: i == 0,
			Reference: "so\n7\n\n", Answer: "7", Stop: "\n\n", Response: a + "\n\n", Extracted: a, Correct: a == "7",
			ReferenceLogProbability: reference, ReferenceTokens: tokens,
		}
		if i > 0 {
			s.Reward = new(float64(i))
		}
		all = append(all, s)
	}
	return all
}

// Every metric of a handful of samples, by hand.
func TestScores(t *testing.T) {
	samples := slices.Concat(
		answered("validation", 0, -1, 1, "7"),
		answered("test", 4, -2, 4, "7", "7", "7", "7", "7"), // the first is the greedy answer
		answered("test", 5, -7, 2, "1", "7", "2", "2", ""),
		answered("test", 6, 0, 3, "7", "3", "", "", "7"),
		answered("test", 7, -9, 3, "7", "1", "1", "7", "2"),
		answered("test", 8, -2, 3, "", "3", "", "4", "5"),
	)
	few := answered("test", 4, -4, 4, "7")
	few[0].Shots = 2
	all := []string{metricAccuracy, metricFewShotAccuracy, metricResponseLoss, metricPass, metricMajority, metricCorrectRatio, metricReward, metricRewardScore}
	rows, err := (&Score{Metrics: all, K: []int{4, 1}}).rows(append(samples, few...))
	if err != nil {
		t.Fatal(err)
	}
	null := math.NaN()
	want := []struct {
		split                              string
		shots, k, examples, samples        int64
		accuracy, few, loss                float64
		pass, maj, ratio, solved, rm, orms float64
	}{
		{"validation", 0, 0, 1, 0, 1, null, 1, null, null, null, null, null, null},
		{"test", 0, 0, 5, 0, 3. / 5, null, 20. / 15, null, null, null, null, null, null}, // by tokens, not by examples
		// Example 5's most frequent answer is 2; of 6, an answer is as frequent as the first, each lack of one counting by itself; of 7, 1.
		{"test", 0, 4, 5, 4, null, null, null, 4. / 5, 1. / 5, (1 + .25 + .25 + .25) / 5, (1 + .25 + .25 + .25) / 4, 2. / 5, 2.5},
		// Any one of the four: the share that is right. Of the first alone, 4 and 5 are.
		{"test", 0, 1, 5, 4, null, null, null, (1 + .25 + .25 + .25) / 5, 2. / 5, 2. / 5, 1, 2. / 5, 1},
		{"test", 2, 0, 1, 0, null, 1, null, null, null, null, null, null, null},
	}
	if len(rows) != len(want) {
		t.Fatalf("%d rows, want %d: %+v", len(rows), len(want), rows)
	}
	for i, w := range want {
		r := rows[i]
		k := int64(0)
		if r.K != nil {
			k = *r.K
		}
		if r.Split != w.split || r.Shots != w.shots || k != w.k || r.Examples != w.examples || r.Samples != w.samples {
			t.Errorf("row %d is of %+v, k %d", i, r, k)
		}
		for _, c := range []struct {
			name      string
			value, se *float64
			want      float64
		}{
			{"accuracy", r.Accuracy, r.AccuracySE, w.accuracy},
			{"few_shot_accuracy", r.FewShotAccuracy, r.FewShotAccuracySE, w.few},
			{"response_loss", r.ResponseLoss, r.ResponseLossSE, w.loss},
			{"pass_at_k", r.PassAtK, r.PassAtKSE, w.pass},
			{"maj_at_k", r.MajAtK, r.MajAtKSE, w.maj},
			{"correct_ratio_at_k", r.CorrectRatioAtK, r.CorrectRatioAtKSE, w.ratio},
			{"correct_ratio_at_k_solved", r.CorrectRatioAtKSolved, r.CorrectRatioAtKSolvedSE, w.solved},
			{"rm_at_k", r.RMAtK, r.RMAtKSE, w.rm},
			{"orm_score", r.ORMScore, r.ORMScoreSE, w.orms},
		} {
			if (c.value == nil) != math.IsNaN(c.want) || c.value != nil && !near(*c.value, c.want) {
				t.Errorf("row %d: %s is %s, want %g", i, c.name, shown(c.value), c.want)
			}
			if (c.se == nil) != (c.value == nil || w.examples == 1) {
				t.Errorf("row %d: standard error of %s is %s, of %d examples", i, c.name, shown(c.se), w.examples)
			}
		}
	}

	rows, err = (&Score{Metrics: []string{metricResponseLoss}}).rows(samples)
	if err != nil || len(rows) != 2 || rows[1].Accuracy != nil || rows[1].ResponseLoss == nil {
		t.Errorf("response loss alone: %+v, %v", rows, err)
	}
	unsolved := slices.Concat(answered("test", 0, -1, 1, "1", "2"), answered("test", 1, -1, 1, "1", "2"))
	rows, err = (&Score{Metrics: []string{metricCorrectRatio}, K: []int{1}}).rows(unsolved)
	if err != nil || *rows[0].CorrectRatioAtK != 0 || rows[0].CorrectRatioAtKSolved != nil {
		t.Errorf("a ratio over solved examples where none is: %+v, %v", rows, err)
	}
}

func shown(x *float64) string {
	if x == nil {
		return "null"
	}
	return fmt.Sprint(*x)
}

// pass@k is the share of the sets of k samples that hold one that is right.
func TestPassAtK(t *testing.T) {
	for n := 1; n <= 10; n++ {
		for c := 0; c <= n; c++ {
			for k := 1; k <= n; k++ {
				sets, passed := 0, 0
				for set := range 1 << n { // of samples by their bits, the lowest c of which are right
					if bits.OnesCount(uint(set)) == k {
						sets++
						if set&(1<<c-1) != 0 {
							passed++
						}
					}
				}
				if got, want := passAt(n, c, k), float64(passed)/float64(sets); math.Abs(got-want) > 1e-14 {
					t.Errorf("pass@%d of %d samples, %d right, is %g, want %g", k, n, c, got, want)
				}
			}
		}
	}
	// C(10000,5000) has 3,009 digits. 1 − C(9999,5000)/C(10000,5000) = 5000/10000.
	if got := passAt(10000, 1, 5000); got != 0.5 {
		t.Errorf("pass@5000 of 10000 samples, one right, is %g", got)
	}
}

func TestMajority(t *testing.T) {
	for _, c := range []struct {
		answers string
		want    int
	}{
		{"a", 0},
		{"a b b", 1},
		{"a b b a", 0},     // the first of two groups of two
		{"a b c b c c", 2}, // the largest group, though another was there before
		{"- - a", 0},       // each without an answer is a group of one
		{"- - a a", 2},
		{"- -", 0},
	} {
		var samples []*artifacts.SampleRow
		for i, a := range strings.Fields(c.answers) {
			samples = append(samples, &artifacts.SampleRow{Sample: int64(i), Extracted: strings.Trim(a, "-")})
		}
		if got := majority(samples); got.Sample != int64(c.want) {
			t.Errorf("of %s it is answer %d, want %d", c.answers, got.Sample, c.want)
		}
	}
}

func TestHighestReward(t *testing.T) {
	var samples []*artifacts.SampleRow
	for i, r := range []float64{-3, -1, -2, -1} {
		samples = append(samples, &artifacts.SampleRow{Sample: int64(i), Reward: &r})
	}
	if got := highest(samples); got.Sample != 1 {
		t.Errorf("sample %d, want 1, the first of the two highest", got.Sample)
	}
}

// A mean's standard error is s/√n; a ratio's, checked by hand: residuals of (2, 4) and (7, 2) from 1.5 are −4 and 4.
func TestStandardErrors(t *testing.T) {
	var mean, ratio quotient
	values := []float64{1, 0, 0, 1, 1}
	for _, v := range values {
		mean.add(v, 1)
	}
	m, se := mean.estimate()
	if wantMean, wantSE := meanAndError(values); !near(*m, wantMean) || !near(*se, wantSE) {
		t.Errorf("mean %g ± %g, want %g ± %g", *m, *se, wantMean, wantSE)
	}
	ratio.add(2, 4)
	ratio.add(7, 2)
	if r, se := ratio.estimate(); *r != 1.5 || !near(*se, math.Sqrt(2*(16+16))/6) {
		t.Errorf("ratio %g ± %g", *r, *se)
	}
}

// Another rule finds answers anew, in responses and in references.
func TestExtraction(t *testing.T) {
	samples := slices.Concat(answered("test", 0, -1, 1, "so\n7"), answered("test", 1, -1, 1, "7"))
	for _, c := range []struct {
		rule string
		want float64
	}{
		{"", 0.5},                      // as when sampling: only the second was right
		{artifacts.ExtractLastLine, 1}, // the last lines are 7
		{"after:s", 0.5},               // "o": the second has no s
		{artifacts.ExtractAll, 0.5},    // the reference is "so\n7": only the first is
	} {
		rows, err := (&Score{Metrics: []string{metricAccuracy}, Extract: c.rule}).rows(slices.Clone(samples))
		if err != nil || *rows[0].Accuracy != c.want {
			t.Errorf("%q: %+v, error %v", c.rule, rows, err)
		}
	}
	samples[1].Reference = "\n\n"
	if _, err := (&Score{Metrics: []string{metricAccuracy}, Extract: artifacts.ExtractAll}).rows(samples); err == nil || !strings.Contains(err.Error(), `extract: "all" finds no answer in "\n\n", the reference of example 1 of test`) {
		t.Errorf("a reference without an answer: error %v", err)
	}
}

// A score that samples cannot give is refused, with what is there and what to do.
func TestRefusedScores(t *testing.T) {
	greedy := answered("test", 0, -1, 1, "7")
	drawn := answered("test", 0, -1, 1, "7", "1", "2")
	few := answered("test", 0, -1, 1, "7")
	few[0].Shots = 2
	unrewarded := answered("test", 3, -1, 1, "7", "1", "2")
	unrewarded[2].Reward = nil
	for _, c := range []struct {
		samples []artifacts.SampleRow
		metric  string
		k       []int
		want    string
	}{
		{nil, metricAccuracy, nil, "samples: holds no samples"},
		{drawn[1:], metricAccuracy, nil, "metrics: accuracy needs greedy answers to prompts by themselves: sample with greedy = true, and 0 among shots"},
		{few, metricAccuracy, nil, "metrics: accuracy needs"},
		{greedy, metricFewShotAccuracy, nil, "metrics: few_shot_accuracy needs answers behind demonstrations: sample with shots = [0, 2], say"},
		{few, metricResponseLoss, nil, "metrics: response_loss needs prompts by themselves"},
		{greedy, metricPass, []int{1}, "metrics: pass@k needs drawn answers: sample with samples = 16, say"},
		{drawn, metricPass, []int{1, 4}, "k: holds 4, and 2 answers were drawn for example 0 of test: sample with samples = 4, or ask for at most 2"},
		{unrewarded, metricReward, []int{1}, "metrics: rm@k needs rewards, and sample 2 of example 3 of test has none: score the samples that a probe's reward block leaves"},
		{unrewarded, metricRewardScore, []int{1}, "metrics: orm_score needs rewards"},
	} {
		rows, err := (&Score{Metrics: []string{c.metric}, K: c.k}).rows(c.samples)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, k %v: error %v, want %q, rows %+v", c.metric, c.k, err, c.want, rows)
		}
	}
}

// Another metric and another extraction score the same samples.
func TestScoringGeneratesNothing(t *testing.T) {
	blocks := func(score string) string {
		return `
given "g" {}
probe "p" {
  from = given.g.weights
  sample {
    test    = given.g.examples
    limit   = 8
    samples = 4
  }
}
probe "s" {
  score {
    samples = probe.p.samples
` + score + `
  }
}`
	}
	study := pipelinetest.New(t, kinds, nil)
	for i, score := range []string{"", "metrics = [\"pass@k\", \"maj@k\", \"correct_ratio@k\"]\nk = [1, 4]", `extract = "last_line"`} {
		r := study.Run(2, blocks(score))
		if len(read[artifacts.ScoreRow](t, r, "probe.s", "scores")) == 0 {
			t.Errorf("%s: no scores", score)
		}
		sampled := slices.ContainsFunc(r.Events, func(e pipeline.Event) bool { return e.Addr == "probe.p" && e.Action == "start" })
		if sampled != (i == 0) {
			t.Errorf("run %d: sampled %t", i, sampled)
		}
	}
}

func TestMeanAndError(t *testing.T) {
	if m, se := meanAndError([]float64{1, 2, 3, 4}); m != 2.5 || !near(se, math.Sqrt(5./3/4)) {
		t.Errorf("mean %g, standard error %g", m, se)
	}
}
