package probe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline/pipelinetest"
)

const demonstrated = `
given "g" {}
probe "zero" {
  from = given.g.weights
  sample {
    validation = given.g.validation
    test       = given.g.examples
    samples    = 2
  }
}
probe "one" {
  from = given.g.weights
  sample {
    validation     = given.g.validation
    test           = given.g.examples
    samples        = 2
    shots          = [1, 0]
    demonstrations = given.g.examples
  }
}`

// Prompts behind demonstrations are those of the same examples, greedily answered, and draws go on without them.
func TestShots(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 2, demonstrated, nil)
	type asked struct {
		split  string
		shots  int64
		greedy bool
	}
	count := map[asked]int{}
	demonstrations := map[string]bool{}
	var zero []artifacts.SampleRow
	for _, s := range read[artifacts.SampleRow](t, r, "probe.one", "samples") {
		count[asked{s.Split, s.Shots, s.Greedy}]++
		if s.Shots == 0 {
			zero = append(zero, s)
			continue
		}
		demonstration, prompt, _ := strings.Cut(s.Prompt, "\n")
		demonstrations[demonstration] = true
		if prompt == "" || strings.HasPrefix(demonstration, prompt) || !strings.HasPrefix(prompt, fmt.Sprint(s.Answer[1:]+s.Answer[:1])) || s.ReferenceTokens != 3 {
			t.Errorf("behind a demonstration: %+v", s)
		}
	}
	want := map[asked]int{
		{"validation", 1, true}: 20, {"validation", 0, true}: 20, {"test", 1, true}: 50, {"test", 0, true}: 50, {"test", 0, false}: 100,
	}
	if !maps.Equal(count, want) {
		t.Errorf("rows by split, shots and greedy: %v, want %v", count, want)
	}
	if len(demonstrations) < 30 { // 50 · (1 − 1/e^(70/50)) = 38 are expected
		t.Errorf("%d different demonstrations for 70 prompts", len(demonstrations))
	}
	if !slices.Equal(zero, read[artifacts.SampleRow](t, r, "probe.zero", "samples")) {
		t.Error("demonstrations change the answers to prompts without them")
	}
}

// Demonstrations depend on the seed, the split and the example; fewer are the first of more; none comes twice or gives
// the answer away.
func TestDemonstrations(t *testing.T) {
	var pool []artifacts.Example
	for i := range 6 {
		pool = append(pool, artifacts.Example{Prompt: fmt.Sprint("p", i), Response: "r", Stop: "r"})
	}
	ask := func(name string, seed int64, count int, numbers ...int64) [][]artifacts.Example {
		p := &split{name: name, numbers: numbers}
		for _, n := range numbers {
			p.examples = append(p.examples, pool[n])
		}
		all, err := p.demonstrations(pool, count, seed)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := ask("test", 1, 5, 0, 1, 2, 3, 4, 5)
	for i, d := range all {
		if slices.Contains(d, pool[i]) {
			t.Errorf("example %d demonstrates itself", i)
		}
		for j := range d {
			if slices.Contains(d[:j], d[j]) {
				t.Errorf("%s comes twice for example %d", d[j].Prompt, i)
			}
		}
		if alone := ask("test", 1, 3, int64(i))[0]; !slices.Equal(alone, d[:3]) {
			t.Errorf("3 for example %d alone are %v, 5 beside others' %v", i, alone, d)
		}
	}
	for name, other := range map[string][][]artifacts.Example{
		"seed": ask("test", 2, 5, 0, 1, 2, 3, 4, 5), "split": ask("validation", 1, 5, 0, 1, 2, 3, 4, 5),
	} {
		if fmt.Sprint(other) == fmt.Sprint(all) {
			t.Errorf("another %s draws the same", name)
		}
	}

	p := &split{name: "test", examples: []artifacts.Example{{Prompt: "q", Stop: "\n\n", Extract: artifacts.ExtractAll}}, numbers: []int64{7}}
	if _, err := p.demonstrations(pool, 1, 1); err == nil || !strings.Contains(err.Error(), `take demonstrations of the same template`) {
		t.Errorf("demonstrations of another template: error %v", err)
	}
}
