package probe

import (
	"slices"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Score sums up samples by split and number of shots. In a row of its own, of greedy answers:
//
//	accuracy           share of examples whose answer is right, asked without demonstrations
//	few_shot_accuracy  the same, asked behind demonstrations
//	response_loss      −Σ ln p(reference response | prompt) / Σ tokens of the references, nats a token; no demonstrations
//
// And in a row for each k, means over examples, of the n answers drawn for each, of which c are right:
//
//	pass@k           1 − C(n−c,k)/C(n,k): the probability that of k of the n any is right (Chen et al. 2021)
//	maj@k            whether the answer that most of the first k give is right (Wang et al. 2023)
//	correct_ratio@k  share of the first k that is right; beside it, the mean over the examples where any is right
//	rm@k             whether that of the first k with the highest reward is right
//	orm_score        mean reward of the first k
//
// Metrics that are not asked for are null. Sampling is apart, so that another metric or extraction generates nothing anew.
type Score struct {
	Samples pipeline.Ref `hcl:"samples" artifact:"samples" doc:"to score; rm@k and orm_score need those of a probe's reward block"`
	Metrics []string     `hcl:"metrics,optional" values:"accuracy,few_shot_accuracy,response_loss,pass@k,maj@k,correct_ratio@k,rm@k,orm_score" doc:"the first three of greedy answers, orm_score and those at k of drawn ones"`
	K       []int        `hcl:"k,optional" doc:"numbers of drawn answers, each at most as many as were drawn; needed by the metrics of drawn answers"`
	Extract string       `hcl:"extract,optional" doc:"how answers are found anew, in responses and references: all, last_line, or after:MARKER; unless given, they are as they were when sampled"`
}

// Check demands metrics, each once, and k where and only where there are metrics of drawn answers.
func (s *Score) Check() error {
	if len(s.Metrics) == 0 {
		return pipeline.Errorf("metrics", "must name at least one")
	}
	drawn := ""
	for i, m := range s.Metrics {
		if slices.Contains(s.Metrics[:i], m) {
			return pipeline.Errorf("metrics", "names %s twice", m)
		}
		if isDrawn(m) {
			drawn = m
		}
	}
	switch {
	case drawn != "" && len(s.K) == 0:
		return pipeline.Errorf("k", "is required by %s: numbers of drawn answers, [1, 4] say", drawn)
	case drawn == "" && len(s.K) > 0:
		return pipeline.Errorf("k", "must be left out: none of the metrics is of drawn answers")
	}
	for i, k := range s.K {
		if k < 1 {
			return pipeline.Errorf("k", "must be at least 1, one is %d", k)
		}
		if slices.Contains(s.K[:i], k) {
			return pipeline.Errorf("k", "names %d twice", k)
		}
	}
	marker, after := strings.CutPrefix(s.Extract, artifacts.ExtractAfter+":")
	if known := []string{"", artifacts.ExtractAll, artifacts.ExtractLastLine}; !slices.Contains(known, s.Extract) && (!after || strings.TrimSpace(marker) == "") {
		return pipeline.Errorf("extract", "must be %q, %q, or %q with a colon and a marker, such as \"after:#### \"; is %q",
			artifacts.ExtractAll, artifacts.ExtractLastLine, artifacts.ExtractAfter, s.Extract)
	}
	return nil
}

func (s *Score) run(t *pipeline.Task, path string) error {
	samples, err := artifacts.ReadRows[artifacts.SampleRow](t.Input(s.Samples).Path)
	if err != nil {
		return err
	}
	rows, err := s.rows(samples)
	if err != nil {
		return err
	}
	return artifacts.WriteRows(path, rows)
}

// greedyRow stands for no k.
const greedyRow = 0

// rows returns the rows of each split and number of shots, in the order in which these first appear.
func (s *Score) rows(samples []artifacts.SampleRow) ([]artifacts.ScoreRow, error) {
	if len(samples) == 0 {
		return nil, pipeline.Errorf("samples", "holds no samples")
	}
	if s.Extract != "" {
		if err := extract(s.Extract, samples); err != nil {
			return nil, err
		}
	}
	groups := groupsOf(samples)
	if err := s.suits(groups); err != nil {
		return nil, err
	}
	var rows []artifacts.ScoreRow
	measured := map[string]bool{}
	for _, g := range groups {
		ks := []int{greedyRow}
		if g.drawn() {
			ks = append(ks, s.K...)
		}
		for _, k := range ks {
			row := artifacts.ScoreRow{Split: g.split, Shots: g.shots, Examples: int64(len(g.problems))}
			if k != greedyRow {
				row.K, row.Samples = new(int64(k)), int64(len(g.problems[0].drawn))
			}
			some := false
			for _, m := range metrics {
				if m.drawn != (k != greedyRow) || !slices.Contains(s.Metrics, m.name) {
					continue
				}
				if value, se := m.columns(&row); g.measure(m, k, value, se) {
					some, measured[m.name] = true, true
				}
			}
			if some {
				rows = append(rows, row)
			}
		}
	}
	for _, m := range metrics {
		if slices.Contains(s.Metrics, m.name) && !measured[m.name] {
			return nil, pipeline.Errorf("metrics", "%s needs %s", m.name, m.needs)
		}
	}
	return rows, nil
}

// suits tells whether as many answers were drawn as k asks for, and each has a reward where a metric reads it.
func (s *Score) suits(groups []*group) error {
	for _, g := range groups {
		if !g.drawn() || len(s.K) == 0 {
			continue
		}
		for _, p := range g.problems {
			if k, n := slices.Max(s.K), len(p.drawn); k > n {
				return pipeline.Errorf("k", "holds %d, and %d answers were drawn for example %d of %s: sample with samples = %d, or ask for at most %d", k, n, p.Example, p.Split, k, n)
			}
			for _, d := range p.drawn {
				for _, m := range s.Metrics {
					if d.Reward == nil && (m == metricReward || m == metricRewardScore) {
						return pipeline.Errorf("metrics", "%s needs rewards, and sample %d of example %d of %s has none: score the samples that a probe's reward block leaves", m, d.Sample, d.Example, d.Split)
					}
				}
			}
		}
	}
	return nil
}

// extract finds the answers of responses and references anew.
func extract(rule string, samples []artifacts.SampleRow) error {
	for i := range samples {
		s := &samples[i]
		s.Answer = artifacts.ExtractAnswer(rule, s.Reference, s.Stop)
		if s.Answer == "" {
			return pipeline.Errorf("extract", "%q finds no answer in %q, the reference of example %d of %s", rule, s.Reference, s.Example, s.Split)
		}
		s.Extracted = artifacts.ExtractAnswer(rule, s.Response, s.Stop)
		s.Correct = s.Extracted == s.Answer
	}
	return nil
}

// group is the samples of one split and number of shots.
type group struct {
	split    string
	shots    int64
	problems []*problem
}

func (g *group) drawn() bool { return len(g.problems[0].drawn) > 0 }

// measure sets a metric and its standard error, and tells whether any example counts.
func (g *group) measure(m metric, k int, value, se **float64) bool {
	var q quotient
	for _, p := range g.problems {
		if above, below := m.of(p, k); below > 0 {
			q.add(above, below)
		}
	}
	if len(q.above) == 0 {
		return false
	}
	*value, *se = q.estimate()
	return true
}

// problem is the answers to one example's prompt.
type problem struct {
	*artifacts.SampleRow                      // any of them, for what they share
	greedy               *artifacts.SampleRow // nil where there is none
	drawn                []*artifacts.SampleRow
}

// groupsOf sorts samples into groups and problems, in the order in which these first appear.
func groupsOf(samples []artifacts.SampleRow) []*group {
	type place struct {
		split          string
		shots, example int64
	}
	var groups []*group
	problems := map[place]*problem{}
	for i := range samples {
		x := &samples[i]
		at := place{x.Split, x.Shots, x.Example}
		p := problems[at]
		if p == nil {
			p = &problem{SampleRow: x}
			problems[at] = p
			j := slices.IndexFunc(groups, func(g *group) bool { return g.split == x.Split && g.shots == x.Shots })
			if j < 0 {
				j = len(groups)
				groups = append(groups, &group{split: x.Split, shots: x.Shots})
			}
			groups[j].problems = append(groups[j].problems, p)
		}
		if x.Greedy {
			p.greedy = x
		} else {
			p.drawn = append(p.drawn, x)
		}
	}
	return groups
}
