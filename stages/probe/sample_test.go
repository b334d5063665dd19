package probe

import (
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline/pipelinetest"
)

const drawn = `
given "g" {}
probe "greedy" {
  from = given.g.weights
  sample {
    test  = given.g.examples
    limit = 6
  }
}
probe "both" {
  from = given.g.weights
  sample {
    test        = given.g.examples
    limit       = 6
    samples     = 3
    temperature = 1.5
    top_k       = 200
    top_p       = 0.9
    repetition_penalty = 1.1
  }
}
probe "drawn" {
  from = given.g.weights
  sample {
    test        = given.g.examples
    greedy      = false
    samples     = 2
    temperature = 1.5
    top_k       = 200
    top_p       = 0.9
    repetition_penalty = 1.1
  }
}
probe "other" {
  from = given.g.weights
  sample {
    test    = given.g.examples
    limit   = 6
    length  = 2
    greedy  = false
    samples = 2
    seed    = 2
  }
}
probe "s_greedy" {
  score {
    samples = probe.greedy.samples
  }
}
probe "s_both" {
  score {
    samples = probe.both.samples
  }
}
probe "s_k" {
  score {
    samples = probe.both.samples
    metrics = ["response_loss", "pass@k", "maj@k", "correct_ratio@k"]
    k       = [1, 3]
  }
}
probe "s_drawn" {
  score {
    samples = probe.drawn.samples
  }
}`

// An answer is the same whatever is sampled beside it, greedy ones are what is scored, and a row says what it is.
func TestSamples(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 2, drawn, nil)
	rows := map[string][]artifacts.SampleRow{}
	for _, name := range []string{"greedy", "both", "drawn", "other"} {
		rows[name] = read[artifacts.SampleRow](t, r, "probe."+name, "samples")
		for _, s := range rows[name] {
			if s.Greedy != (s.Sample == 0) || s.Stopped != strings.Contains(s.Response, "\n") || s.LogProbability >= 0 || s.Tokens < 1 {
				t.Errorf("%s: %+v", name, s)
			}
			if name == "other" && (s.Tokens > 2 || s.Tokens < 2 && !s.Stopped) {
				t.Errorf("of at most 2 tokens: %+v", s)
			}
		}
	}
	if len(rows["greedy"]) != 6 || len(rows["both"]) != 6*4 || len(rows["other"]) != 6*2 {
		t.Fatalf("%d, %d and %d rows", len(rows["greedy"]), len(rows["both"]), len(rows["other"]))
	}
	for i, s := range rows["both"] {
		if s.Example != rows["greedy"][i/4].Example || s.Sample != int64(i%4) {
			t.Errorf("row %d is sample %d of example %d", i, s.Sample, s.Example)
		}
		if s.Greedy && s != rows["greedy"][i/4] {
			t.Errorf("greedily %+v beside drawn ones, %+v alone", s, rows["greedy"][i/4])
		}
		if s.Sample == 1 || s.Sample == 2 {
			if !slices.Contains(rows["drawn"], s) {
				t.Errorf("without the greedy and third sample, and with the other examples, there is no %+v", s)
			}
		}
	}
	if slices.ContainsFunc(rows["other"], func(s artifacts.SampleRow) bool { return slices.Contains(rows["both"], s) }) {
		t.Error("another seed draws the same")
	}
	if r.Blob("probe.s_greedy", "scores") != r.Blob("probe.s_both", "scores") {
		t.Error("drawn samples change the scores")
	}
	if err := r.Err("probe.s_drawn"); err == nil || !strings.Contains(err.Error(), "score.metrics: accuracy needs greedy answers") {
		t.Errorf("scores without greedy samples: error %v", err)
	}
}
