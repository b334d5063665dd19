package pipeline_test

import (
	"context"
	"strings"
	"testing"

	"anneal/pipeline"
)

// raised returns the kinds of these tests with versions raised, and a version of the arithmetic if it is not 0.
func raised(numbers int, names ...string) []*pipeline.Kind {
	var all []*pipeline.Kind
	for _, k := range kinds {
		next := *k
		for _, name := range names {
			if name == k.Name {
				next.Version++
				next.Numbers = numbers
			}
		}
		all = append(all, &next)
	}
	return all
}

const chain = `
word "w" {
  text = "a"
}
upper "one" {
  from = word.w.out
}
upper "two" {
  from = upper.one.out
}`

// accepted tells a line a node: what could be done about it.
func (s *study) accepted(blocks string, kinds []*pipeline.Kind, pattern string) string {
	s.t.Helper()
	g := s.loadKinds(blocks, kinds)
	nodes := g.Nodes
	if pattern != "" {
		var err error
		if nodes, err = g.Match(pattern); err != nil {
			s.t.Fatal(err)
		}
	}
	all := g.Acceptances(s.st, nodes)
	var lines strings.Builder
	for _, a := range all {
		what := "left"
		if a.Possible() {
			what = "accepted"
		} else if a.Stored {
			what = "stored"
		}
		lines.WriteString(strings.TrimSpace(what+" "+a.Node.Addr+": "+strings.Join(a.Change, "; ")) + "\n")
	}
	if err := pipeline.Accept(s.t.Context(), s.st, all, "same bytes"); err != nil {
		s.t.Fatal(err)
	}
	return lines.String()
}

func (s *study) loadKinds(blocks string, kinds []*pipeline.Kind) *pipeline.Graph {
	s.t.Helper()
	s.file("pipelines.hcl", "pipeline \"p\" {\n"+blocks+"\n}\n")
	c, err := pipeline.Load(s.at+"/pipelines.hcl", pipeline.LoadOptions{Kinds: kinds})
	if err != nil {
		s.t.Fatal(err)
	}
	graphs, err := c.Graphs([]string{"p"})
	if err != nil {
		s.t.Fatal(err)
	}
	return graphs[0]
}

// plannedBy tells a line a node, as plan does, for kinds of other versions.
func (s *study) plannedBy(kinds []*pipeline.Kind, blocks string) string {
	s.t.Helper()
	var lines strings.Builder
	for _, step := range s.loadKinds(blocks, kinds).Plan(s.st) {
		lines.WriteString(strings.TrimSpace(step.Do+" "+step.Node.Addr+": "+strings.Join(step.Why, "; ")) + "\n")
	}
	return lines.String()
}

// TestAccept: results go over a version bump, a chain at once, and nothing else changes on the way.
func TestAccept(t *testing.T) {
	s := newStudy(t)
	s.run(chain)
	next := raised(3, "upper", "word")
	expect(t, s.plannedBy(next, chain), `run word.w: version of word: 1 → 2; version of the arithmetic: none → 3
run upper.one: version of upper: 1 → 2; version of the arithmetic: none → 3; waits for word.w
run upper.two: version of upper: 1 → 2; version of the arithmetic: none → 3; waits for upper.one
`)
	expect(t, s.accepted(chain, next, ""), `accepted word.w: version of word: 1 → 2; version of the arithmetic: none → 3
accepted upper.one: version of upper: 1 → 2; version of the arithmetic: none → 3
accepted upper.two: version of upper: 1 → 2; version of the arithmetic: none → 3
`)
	expect(t, s.plannedBy(next, chain), "cached word.w:\ncached upper.one:\ncached upper.two:\n")
	steps := s.loadKinds(chain, next).Plan(s.st)
	old := s.loadKinds(chain, kinds).Plan(s.st)
	for i, step := range steps {
		a := step.Result.Made.Accepted
		if a == nil || a.From != old[i].Key || a.Reason != "same bytes" || a.Time.IsZero() {
			t.Errorf("%s was accepted as %+v, want from %s", step.Node.Addr, a, old[i].Key)
		}
		if i > 0 && step.Result.Made.Inputs["from"] != steps[i-1].Key {
			t.Errorf("%s does not come from the result that was accepted before it", step.Node.Addr)
		}
	}
	expect(t, s.accepted(chain, next, ""), "stored word.w:\nstored upper.one:\nstored upper.two:\n")
}

// TestAcceptRefuses: more than versions differs, or there is nothing to go by.
func TestAcceptRefuses(t *testing.T) {
	next := raised(0, "upper", "word")
	for name, c := range map[string]struct {
		blocks, pattern string
		meanwhile       func(s *study)
		want            string
	}{
		"a changed attribute": {strings.Replace(chain, `"a"`, `"b"`, 1), "word.w", nil, "left word.w: version of word: 1 → 2; text: a → b\n"},
		"another block":       {chain + "\nword \"v\" {\n  text = \"v\"\n}", "word.v", nil, "left word.v: never run\n"},
		"its input first":     {chain, "upper.two", nil, "left upper.two: it reads from upper.one, which must be accepted or run first\n"},
		"a lost artifact": {chain, "word.w", func(s *study) {
			s.overwrite("a", "longer")
		}, "left word.w: the older result cannot be carried over: output out:"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStudy(t)
			s.run(chain)
			if c.meanwhile != nil {
				c.meanwhile(s)
			}
			if got := s.accepted(c.blocks, next, c.pattern); !strings.HasPrefix(got, c.want) {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
		})
	}
}

// bound is a word of a later version, which leaves something else.
type bound struct {
	Text   string `hcl:"text,optional"`
	leaves []pipeline.Output
}

func (b *bound) Outputs() []pipeline.Output                    { return b.leaves }
func (*bound) Run(ctx context.Context, t *pipeline.Task) error { return nil }

// TestAcceptOtherOutputs: a result that lacks what the newer version leaves is none of its own.
func TestAcceptOtherOutputs(t *testing.T) {
	s := newStudy(t)
	const one = "word \"w\" {\n  text = \"x\"\n}"
	s.run(one)
	for want, leaves := range map[string][]pipeline.Output{
		"it has no output log of the type text": {{Name: "out", Type: "text"}, {Name: "log", Type: "text"}},
		"it has no output out of the type page": {{Name: "out", Type: "page"}},
		"its outputs are out":                   nil,
	} {
		next := pipeline.Kind{Name: "word", Version: 2, New: func() pipeline.Stage { return &bound{"a", leaves} }}
		want = "left word.w: the older result cannot be carried over: " + want + "\n"
		if got := s.accepted(one, []*pipeline.Kind{&next}, ""); got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	}
}

// TestAcceptAfterRenaming: a block by a new name finds the result that equals its own but for the version, the newest of
// several.
func TestAcceptAfterRenaming(t *testing.T) {
	const old, renamed = "word \"old\" {\n text = \"x\"\n}", "word \"new\" {\n text = \"x\"\n}"
	s := newStudy(t)
	as := func(version int) []*pipeline.Kind {
		k := *kinds[0]
		k.Version = version
		return []*pipeline.Kind{&k}
	}
	s.run(old) // as version 1
	for version := 9; version <= 11; version++ {
		g := s.loadKinds(old, as(version))
		if err := pipeline.Accept(t.Context(), s.st, g.Acceptances(s.st, g.Nodes), "to have several"); err != nil {
			t.Fatal(err)
		}
	}
	newest := s.loadKinds(old, as(11)).Plan(s.st)[0].Key
	g := s.loadKinds(renamed, as(12))
	if all := g.Acceptances(s.st, g.Nodes); len(all) != 1 || all[0].From != newest || newest.IsZero() {
		t.Errorf("found %+v, want the result of version 11, %s", all, newest)
	}
}
