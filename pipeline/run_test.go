package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// study is a folder with a pipeline file and a store.
type study struct {
	t  *testing.T
	at string
	st *store.Store
}

func newStudy(t *testing.T) *study {
	dir := t.TempDir()
	return &study{t, dir, store.Open(filepath.Join(dir, ".anneal"))}
}

func (s *study) load(blocks string) (*pipeline.Graph, error) {
	path := filepath.Join(s.at, "pipelines.hcl")
	if err := os.WriteFile(path, []byte("pipeline \"p\" {\n"+blocks+"\n}\n"), 0o666); err != nil {
		s.t.Fatal(err)
	}
	c, err := pipeline.Load(path, kinds, nil)
	if err != nil {
		return nil, err
	}
	graphs, err := c.Graphs([]string{"p"})
	if err != nil {
		return nil, err
	}
	return graphs[0], nil
}

// plan tells a line a node: what it would do, its address, and why.
func (s *study) plan(blocks string) string {
	s.t.Helper()
	g, err := s.load(blocks)
	if err != nil {
		s.t.Fatal(err)
	}
	var lines strings.Builder
	for _, step := range g.Plan(s.st) {
		lines.WriteString(strings.TrimSpace(step.Do+" "+step.Node.Addr+": "+strings.Join(step.Why, "; ")) + "\n")
	}
	return lines.String()
}

// run tells a line a node: what became of it.
func (s *study) run(blocks string) string {
	s.t.Helper()
	g, err := s.load(blocks)
	if err != nil {
		s.t.Fatal(err)
	}
	var lines strings.Builder
	_, err = g.Run(s.t.Context(), s.st, pipeline.NewLocal(2), 2, func(e pipeline.Event) {
		if e.Action != "start" && e.Action != "summary" {
			lines.WriteString(strings.TrimSpace(e.Action+" "+e.Addr+" "+e.Text) + "\n")
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return lines.String()
}

const sweep = `
word "w" {
  for_each = grid({ weight = [0, 0.1, 1] })
  weight   = each.value.weight
  text     = "w${each.value.weight}"
}
upper "u" {
  for_each = word.w
  from     = each.value.out
}
collect "c" {
  table "all" { from = [for u in upper.u : u.out] }
}`

func TestEditOnePoint(t *testing.T) {
	s := newStudy(t)
	expect(t, s.plan(sweep), `run word.w[weight=0]: never run
run word.w[weight=0.1]: never run
run word.w[weight=1]: never run
run upper.u[weight=0]: never run; waits for word.w[weight=0]
run upper.u[weight=0.1]: never run; waits for word.w[weight=0.1]
run upper.u[weight=1]: never run; waits for word.w[weight=1]
run collect.c: never run; waits for upper.u[weight=0], upper.u[weight=0.1], upper.u[weight=1]
`)
	if _, err := os.Stat(s.st.Dir()); !os.IsNotExist(err) {
		t.Errorf("a plan wrote a store: %v", err)
	}
	s.run(sweep)
	expect(t, s.plan(sweep), `cached word.w[weight=0]:
cached word.w[weight=0.1]:
cached word.w[weight=1]:
cached upper.u[weight=0]:
cached upper.u[weight=0.1]:
cached upper.u[weight=1]:
cached collect.c:
`)
	edited := strings.Replace(sweep, "0.1", "0.2", 1)
	expect(t, s.plan(edited), `cached word.w[weight=0]:
run word.w[weight=0.2]: new point; against [weight=0.1]: text: w0.1 → w0.2; weight: 0.1 → 0.2
cached word.w[weight=1]:
cached upper.u[weight=0]:
maybe upper.u[weight=0.2]: new point; against [weight=0.1]; waits for word.w[weight=0.2]
cached upper.u[weight=1]:
run collect.c: table.all.from.1.weight: 0.1 → 0.2; waits for upper.u[weight=0.2]
`)
	expect(t, s.run(edited), `cached word.w[weight=0]
cached word.w[weight=1]
cached upper.u[weight=0]
cached upper.u[weight=1]
done word.w[weight=0.2]
done upper.u[weight=0.2]
done collect.c
`)
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
