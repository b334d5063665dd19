package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anneal/pipeline"
)

// leaky is a sweep of which a point fails, and what collects it all the same.
const leaky = `
word "w" {
  for_each = grid({ weight = [0, 0.1, 1] })
  weight   = each.value.weight
  text     = each.value.weight == 0.1 ? "fail" : "w${each.value.weight}"
}
upper "u" {
  for_each = word.w
  from     = each.value.out
}
collect "c" {
  partial = true
  table "words" { from = [for w in word.w : w.out] }
  table "all" { from = [for u in upper.u : u.out] }
}`

// table reads what collect.c left in its newest run.
func (s *study) table(name string) string {
	s.t.Helper()
	r, err := s.st.Result(s.key("collect.c"))
	if err != nil {
		s.t.Fatal(err)
	}
	objects, err := s.st.Objects(r.Outputs["page"])
	if err != nil {
		s.t.Fatal(err)
	}
	for _, o := range objects {
		if filepath.Base(o.Name) == name {
			text, err := os.ReadFile(s.st.Path(o.Digest))
			if err != nil {
				s.t.Fatal(err)
			}
			return string(text)
		}
	}
	s.t.Fatalf("no table %s", name)
	return ""
}

// TestLenient: what a stage does without is told to it and part of its key; what comes later is taken in.
func TestLenient(t *testing.T) {
	s := newStudy(t)
	if got := s.run(leaky); !strings.Contains(got, "fail word.w[weight=0.1] text cannot be written\nskip upper.u[weight=0.1] needs word.w[weight=0.1]\n") || !strings.Contains(got, "done collect.c\n") {
		t.Errorf("the run:\n%s", got)
	}
	expect(t, s.table("words"), "weight=0 w0\nweight=1 w1\nno weight=0.1: failed\n")
	expect(t, s.table("all"), "weight=0 W0\nweight=1 W1\nno weight=0.1: skipped\n")
	expect(t, s.plan(leaky), `cached word.w[weight=0]:
run word.w[weight=0.1]: failed last time: text cannot be written
cached word.w[weight=1]:
cached upper.u[weight=0]:
maybe upper.u[weight=0.1]: never run; waits for word.w[weight=0.1]
cached upper.u[weight=1]:
maybe collect.c: table.all.from, table.words.from: with [weight=0.1]; waits for word.w[weight=0.1], upper.u[weight=0.1]
`)
	if got := s.run(leaky); !strings.Contains(got, "cached collect.c\n") {
		t.Errorf("with the same missing again:\n%s", got)
	}

	mended := strings.Replace(leaky, `"fail"`, `"w0.1"`, 1)
	expect(t, s.run(mended), `cached word.w[weight=0]
cached word.w[weight=1]
cached upper.u[weight=0]
cached upper.u[weight=1]
done word.w[weight=0.1]
done upper.u[weight=0.1]
done collect.c
`)
	expect(t, s.table("all"), "weight=0 W0\nweight=0.1 W0.1\nweight=1 W1\n")

	s = newStudy(t)
	s.run(leaky)
	if got, want := s.plan(strings.Replace(leaky, "0.1, 1]", "1]", 1)), "run collect.c: no longer reads [weight=0.1] (skipped), [weight=0.1] (failed)\n"; !strings.HasSuffix(got, want) {
		t.Errorf("without the point:\n%swant %s", got, want)
	}

	s = newStudy(t)
	s.run(mended)
	s.run(leaky)
	plan := pipeline.LastRuns(s.st, "p", []string{"collect.c"})["collect.c"].Plan
	expect(t, strings.Join(plan.Why, "; "), "table.all.from, table.words.from: without [weight=0.1]; does without [weight=0.1] (skipped), [weight=0.1] (failed)")
}

// TestLenientExcludes: what a selection leaves out is missing, however often it was stored.
func TestLenientExcludes(t *testing.T) {
	s := newStudy(t)
	whole := strings.Replace(leaky, `"fail"`, `"w0.1"`, 1)
	s.run(whole)
	g, err := s.load(whole)
	if err != nil {
		t.Fatal(err)
	}
	part, err := g.Select(pipeline.Selection{Exclude: []string{"upper.u[weight=1]"}})
	if err != nil {
		t.Fatal(err)
	}
	steps := part.Plan(s.st)
	last := steps[len(steps)-1]
	expect(t, last.Do+" "+last.Node.Addr+": "+strings.Join(append(last.Why, last.Notes...), "; "),
		"run collect.c: table.all.from: without [weight=1]; does without [weight=1] (excluded)")
	s.runGraph(part)
	expect(t, s.table("all"), "weight=0 W0\nweight=0.1 W0.1\nno weight=1: excluded\n")
	expect(t, s.table("words"), "weight=0 w0\nweight=0.1 w0.1\nweight=1 w1\n")

	for name, exclude := range map[string]string{"of one list nothing is left": "upper.u", "of any": "word.w"} {
		part, err := g.Select(pipeline.Selection{Exclude: []string{exclude}})
		if err == nil && part.Node("collect.c") != nil {
			t.Errorf("%s, and the stage is to run", name)
		}
	}
}

// TestLenientIsSkipped: a stage that has nothing left of a list is skipped, and so is one that is not lenient.
func TestLenientIsSkipped(t *testing.T) {
	for name, blocks := range map[string]string{
		"nothing left": strings.Replace(leaky, "each.value.weight == 0.1 ?", "each.value.weight >= 0 ?", 1),
		"not lenient":  strings.Replace(leaky, "partial = true", "", 1),
	} {
		s := newStudy(t)
		if got := s.run(blocks); !strings.Contains(got, "skip collect.c needs ") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// TestLenientFailed: what did without is part of what --failed goes on with.
func TestLenientFailed(t *testing.T) {
	s := newStudy(t)
	s.run(leaky)
	g, err := s.load(strings.Replace(leaky, `"fail"`, `"w0.1"`, 1))
	if err != nil {
		t.Fatal(err)
	}
	part, _, err := g.Failed(s.st)
	if err != nil {
		t.Fatal(err)
	}
	s.runGraph(part)
	expect(t, s.table("all"), "weight=0 W0\nweight=0.1 W0.1\nweight=1 W1\n")
}
