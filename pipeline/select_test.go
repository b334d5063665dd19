package pipeline_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"anneal/pipeline"
)

// wide has two sweeps, what reads from them, and a block beside.
const wide = `
word "w" {
  for_each = grid({ seed = [1, 2], task = ["sort", "a, b"], weight = [0, 0.1] })
  text     = "${each.value.seed}${each.value.task}${each.value.weight}"
}
upper "u" {
  for_each = word.w
  from     = each.value.out
}
collect "c" {
  table "all" { from = [for u in upper.u : u.out] }
}
word "beside" {}`

// TestSelect: which nodes patterns leave, told by how many of each block there are.
func TestSelect(t *testing.T) {
	for name, c := range map[string]struct {
		s    pipeline.Selection
		want string
	}{
		"a block and what it needs":     {pipeline.Selection{Target: []string{"upper.u"}}, "8 word.w, 8 upper.u"},
		"one instance":                  {pipeline.Selection{Target: []string{"upper.u[seed=1,task=sort,weight=0.1]"}}, "1 word.w, 1 upper.u"},
		"a coordinate":                  {pipeline.Selection{Target: []string{"upper.u[seed=1]"}}, "4 word.w, 4 upper.u"},
		"in any order":                  {pipeline.Selection{Target: []string{"upper.u[weight=0,seed=1]"}}, "2 word.w, 2 upper.u"},
		"a number printed otherwise":    {pipeline.Selection{Target: []string{"upper.u[weight=1e-1]"}}, "4 word.w, 4 upper.u"},
		"a quoted text with a comma":    {pipeline.Selection{Target: []string{`word.w[task="a, b",seed=2]`}}, "2 word.w"},
		"a quoted word":                 {pipeline.Selection{Target: []string{`word.w[task="sort"]`}}, "4 word.w"},
		"with its pipeline":             {pipeline.Selection{Target: []string{"p/word.beside"}}, "1 word.beside"},
		"several":                       {pipeline.Selection{Target: []string{"word.beside", "word.w[seed=1]"}}, "4 word.w, 1 word.beside"},
		"without what depends on it":    {pipeline.Selection{Exclude: []string{"upper.u[seed=2]"}}, "8 word.w, 4 upper.u, 1 word.beside"},
		"both":                          {pipeline.Selection{Target: []string{"upper.u"}, Exclude: []string{"word.w[weight=0]"}}, "4 word.w, 4 upper.u"},
		"what is replaced is not all":   {pipeline.Selection{Replace: []string{"word.beside"}}, "8 word.w, 8 upper.u, 1 collect.c, 1 word.beside"},
		"the last needs nearly all":     {pipeline.Selection{Target: []string{"collect.c"}}, "8 word.w, 8 upper.u, 1 collect.c"},
		"nothing said, nothing changed": {pipeline.Selection{}, "8 word.w, 8 upper.u, 1 collect.c, 1 word.beside"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStudy(t)
			g, err := s.load(wide)
			if err != nil {
				t.Fatal(err)
			}
			part, err := g.Select(c.s)
			if err != nil {
				t.Fatal(err)
			}
			if got := blocksOf(part); got != c.want {
				t.Errorf("selects %s, want %s", got, c.want)
			}
			if got := blocksOf(g); got != "8 word.w, 8 upper.u, 1 collect.c, 1 word.beside" {
				t.Errorf("the graph itself is now %s", got)
			}
		})
	}
}

// blocksOf counts the nodes of each block, in their order.
func blocksOf(g *pipeline.Graph) string {
	count := map[string]int{}
	var blocks []string
	for _, n := range g.Nodes {
		if count[n.Block]++; count[n.Block] == 1 {
			blocks = append(blocks, n.Block)
		}
	}
	for i, b := range blocks {
		blocks[i] = fmt.Sprintf("%d %s", count[b], b)
	}
	return strings.Join(blocks, ", ")
}

// TestSelectNothing: a pattern that means nothing is told so, with what may have been meant.
func TestSelectNothing(t *testing.T) {
	s := newStudy(t)
	g, err := s.load(wide)
	if err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		"uper.u":              "--target uper.u: there is no such stage. Did you mean upper.u?",
		"q/upper.u":           "--target q/upper.u: there is no pipeline q here.",
		"upper":               "--target upper: is no address; write kind.name, kind.name[seed=1] or PIPELINE/kind.name",
		"upper.u[seed=3]":     "--target upper.u[seed=3]: no instance is at that point; there are upper.u[seed=1,task=",
		"upper.u[size=3]":     "--target upper.u[size=3]: no instance is at that point",
		"word.beside[seed=1]": "--target word.beside[seed=1]: no instance is at that point; there are word.beside",
		"upper.u[seed=1":      "--target upper.u[seed=1: ends without a ]",
		"upper.u[]":           "--target upper.u[]: names no coordinate",
		"upper.u[seed]":       `--target upper.u[seed]: "seed" is no coordinate`,
		"upper.u[seed=1,]":    `--target upper.u[seed=1,]: "," is no coordinate`,
	} {
		if _, err := g.Select(pipeline.Selection{Target: []string{pattern}}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", pattern, err, want)
		}
	}
	for name, selection := range map[string]pipeline.Selection{
		"--target and --exclude leave no stage":                                 {Target: []string{"upper.u"}, Exclude: []string{"word.w"}},
		"--replace: word.beside is not among what --target and --exclude leave": {Target: []string{"upper.u"}, Replace: []string{"word.beside"}},
	} {
		if _, err := g.Select(selection); err == nil || err.Error() != name {
			t.Errorf("%+v: %v, want %q", selection, err, name)
		}
	}
}

// TestSelectedPlan: what is left out is neither planned nor taken for gone, and what is replaced is planned though stored.
func TestSelectedPlan(t *testing.T) {
	s := newStudy(t)
	s.run(sweep)
	planned := func(blocks string, selection pipeline.Selection) string {
		t.Helper()
		g, err := s.load(blocks)
		if err != nil {
			t.Fatal(err)
		}
		part, err := g.Select(selection)
		if err != nil {
			t.Fatal(err)
		}
		var lines strings.Builder
		for _, step := range part.Plan(s.st) {
			lines.WriteString(strings.TrimSpace(step.Do+" "+step.Node.Addr+": "+strings.Join(step.Why, "; ")) + "\n")
		}
		return lines.String()
	}
	more := strings.Replace(sweep, "0, 0.1, 1", "0, 0.1, 1, 2", 1)
	expect(t, planned(more, pipeline.Selection{Target: []string{"word.w[weight=2]"}}), "run word.w[weight=2]: new point\n")
	expect(t, planned(sweep, pipeline.Selection{Target: []string{"upper.u[weight=1]"}, Replace: []string{"word.w[weight=1]"}}),
		"run word.w[weight=1]: asked for by --replace\nmaybe upper.u[weight=1]: waits for word.w[weight=1]\n")
}

// unsteady leaves other bytes each time, as no stage should.
type unsteady struct {
	Steady bool `hcl:"steady,optional"`
	times  *int
}

func (u *unsteady) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "out", Type: "text"}} }

func (u *unsteady) Run(ctx context.Context, t *pipeline.Task) error {
	if u.Steady {
		return os.WriteFile(t.Output("out"), nil, 0o666)
	}
	*u.times++
	return os.WriteFile(t.Output("out"), []byte(fmt.Sprint(*u.times)), 0o666)
}

// TestReplaceTellsOtherBytes: what is made anew replaces what was stored, and a run says so where the two are not equal.
func TestReplaceTellsOtherBytes(t *testing.T) {
	times := 0
	kinds := []*pipeline.Kind{{Name: "unsteady", Version: 1, New: func() pipeline.Stage { return &unsteady{times: &times} }}}
	s := newStudy(t)
	said := func(selection pipeline.Selection) string {
		t.Helper()
		g, err := s.loadKinds("unsteady \"u\" {}\nunsteady \"v\" {\n  steady = true\n}", kinds).Select(selection)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		_, err = g.Run(t.Context(), s.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(e pipeline.Event) {
			if e.Action == "done" || e.Action == "cached" || e.Text != "" {
				lines = append(lines, strings.TrimSpace(e.Action+" "+e.Addr+" "+e.Text))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	said(pipeline.Selection{})
	first := s.loadKinds("unsteady \"u\" {}", kinds).Plan(s.st)[0].Result.Outputs["out"].Digest
	got := said(pipeline.Selection{Replace: []string{"unsteady.u", "unsteady.v"}})
	now := s.loadKinds("unsteady \"u\" {}", kinds).Plan(s.st)[0].Result.Outputs["out"].Digest
	want := "progress unsteady.u made anew, and not equal to before: out is " + now.Short() + ", was " + first.Short()
	if now == first || !strings.Contains(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if strings.Contains(got, "unsteady.v made anew") || !strings.Contains(got, "done unsteady.v") {
		t.Errorf("of equal bytes it says:\n%s", got)
	}
}
