package pipeline_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
	c, err := pipeline.Load(path, pipeline.LoadOptions{Kinds: kinds})
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
	return s.runGraph(g)
}

func (s *study) runGraph(g *pipeline.Graph) string {
	s.t.Helper()
	var lines strings.Builder
	_, err := g.Run(s.t.Context(), s.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(2)}}, func(e pipeline.Event) {
		if e.Addr != "" && e.Action != "start" && e.Action != "plan" {
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
run collect.c: table.all.from: [weight=0.1] → [weight=0.2]; waits for upper.u[weight=0.2]
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

func (s *study) file(name, content string) {
	if err := os.WriteFile(filepath.Join(s.at, name), []byte(content), 0o666); err != nil {
		s.t.Fatal(err)
	}
}

// spoil does something to every object of the store that holds the text.
func (s *study) spoil(text string, how func(path string) error) {
	objects, _ := filepath.Glob(filepath.Join(s.st.Dir(), "objects", "*", "*"))
	for _, path := range objects {
		if b, _ := os.ReadFile(path); string(b) == text {
			if err := how(path); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// overwrite changes the bytes of objects without moving their time, as a failing disk would.
func (s *study) overwrite(old, text string) {
	s.spoil(old, func(path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		os.Chmod(path, 0o666)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			return err
		}
		return os.Chtimes(path, info.ModTime(), info.ModTime())
	})
}

// TestEarlyCutoff: what reads an input whose bytes did not change does not run, however far upstream the edit was.
func TestEarlyCutoff(t *testing.T) {
	const chain = `
word "w" {
  text   = "a"
  weight = 1
}
upper "one" {
  from = word.w.out
}
upper "two" {
  from = upper.one.out
}
collect "three" {
  table "t" { from = [upper.two.out] }
}`
	s := newStudy(t)
	s.run(chain)
	expect(t, s.run(strings.Replace(chain, "weight = 1", "weight = 2", 1)), `done word.w
cached upper.one
cached upper.two
cached collect.three
`)
	// upper.one is now what upper.two was: it reads equal bytes under an equal configuration.
	expect(t, s.run(strings.Replace(chain, `"a"`, `"A"`, 1)), `done word.w
cached upper.one
cached upper.two
cached collect.three
`)
	// Other bytes reach upper.one, which runs and leaves what it left before.
	s.run(strings.Replace(chain, `"a"`, `"bB"`, 1))
	expect(t, s.run(strings.Replace(chain, `"a"`, `"Bb"`, 1)), `done word.w
done upper.one
cached upper.two
cached collect.three
`)
}

// TestFailure: a stage that fails stops what depends on it and nothing else, and leaves nothing but its log.
func TestFailure(t *testing.T) {
	const blocks = `
word "bad" {
  text = "fail"
}
upper "after" {
  from = word.bad.out
}
word "worse" {
  text = "panic"
}
word "good" {}
upper "fine" {
  from = word.good.out
}`
	s := newStudy(t)
	g, err := s.load(blocks)
	if err != nil {
		t.Fatal(err)
	}
	out, err := g.Run(t.Context(), s.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(pipeline.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	if out.Ran != 2 || out.Failed != 2 || out.Skipped != 1 {
		t.Errorf("outcome: %+v", out.Summary)
	}
	for _, f := range out.Failures {
		log, err := os.ReadFile(f.Log)
		if err != nil {
			t.Fatal(err)
		}
		switch f.Addr {
		case "word.bad":
			if f.Blamed() == nil || !strings.Contains(f.Blamed().Error(), "pipelines.hcl:4,3") {
				t.Errorf("blames %v", f.Blamed())
			}
			if !strings.Contains(string(log), "cannot be written") {
				t.Errorf("log: %s", log)
			}
		case "word.worse":
			if !strings.Contains(string(log), "no such word\n\nthe stack of another goroutine") || !strings.Contains(string(log), "pipeline_test.go") {
				t.Errorf("the log of a panic has no stack: %s", log)
			}
			if text := f.Error(); !strings.HasSuffix(text, "panicked: no such word") {
				t.Errorf("a panic is told as %q", text)
			}
		}
		if left, _ := os.ReadDir(filepath.Dir(f.Log)); len(left) != 1 {
			t.Errorf("beside its log %s left %v", f.Addr, left)
		}
	}
}

// TestFileMoves: a file that changes between plan and run is refused, by its line, and the next run reads it anew.
func TestFileMoves(t *testing.T) {
	const blocks = "word \"w\" {\n  file = [\"f.txt\"]\n}\nword \"g\" {\n  file = [godoc(\"no/such/package\")]\n}"
	s := newStudy(t)
	s.file("f.txt", "planned")
	g, err := s.load(blocks)
	if err != nil {
		t.Fatal(err)
	}
	s.file("f.txt", "moved")
	out, err := g.Run(t.Context(), s.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(pipeline.Event) {})
	if err != nil || len(out.Failures) != 2 {
		t.Fatalf("failures %v, %v", out.Failures, err)
	}
	for _, f := range out.Failures {
		want := map[string]string{"word.w": ":3,3", "word.g": ":6,3"}[f.Addr]
		if f.Blamed() == nil || !strings.Contains(f.Blamed().Error(), want) || !strings.Contains(f.Error(), "file.0: cannot be read: ") {
			t.Errorf("%s blames %v", f, f.Blamed())
		}
	}
	if got := s.run("word \"w\" {\n  file = [\"f.txt\"]\n}"); got != "done word.w\n" {
		t.Errorf("the next run: %s", got)
	}
}

// TestDamagedInput: an input found damaged while it is staged is made again, and the run goes on.
func TestDamagedInput(t *testing.T) {
	const chain = `
word "w" {
  text = "a b"
}
upper "u" {
  from = word.w.out
}
`
	s := newStudy(t)
	s.run(chain)
	s.overwrite("a b", "a_b")
	s.st = store.Open(s.st.Dir()) // another process
	got := s.run(chain + "collect \"c\" {\n table \"t\" { from = [word.w.out] }\n}")
	if !strings.Contains(got, "progress word.w runs again") || !strings.Contains(got, "done word.w") || !strings.Contains(got, "done collect.c") {
		t.Errorf("got:\n%s", got)
	}
}

// TestDamagedFixedPoint: a stage that leaves what it reads has the key of the one before it; its damaged output is made
// again from where the bytes come from, without waiting for itself.
func TestDamagedFixedPoint(t *testing.T) {
	const chain = `
word "w" {
  text = "A B"
}
upper "one" {
  from = word.w.out
}
upper "two" {
  from = upper.one.out
}
`
	s := newStudy(t)
	s.run(chain)
	s.overwrite("A B", "A_B")
	s.st = store.Open(s.st.Dir())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	g, err := s.load(chain + "collect \"c\" {\n table \"t\" { from = [upper.two.out] }\n}")
	if err != nil {
		t.Fatal(err)
	}
	out, err := g.Run(ctx, s.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(pipeline.Event) {})
	if err != nil || out.Ran != 3 || out.Cached != 1 {
		t.Errorf("outcome %+v, %v", out.Summary, err)
	}
}

// TestDamagedFixedPointOfTwo: likewise where two kinds that leave what they read take turns.
func TestDamagedFixedPointOfTwo(t *testing.T) {
	const chain = `
word "w" {
  text = "A B"
}
upper "one" {
  from = word.w.out
}
capitals "two" {
  from = upper.one.out
}
upper "three" {
  from = capitals.two.out
}
capitals "four" {
  from = upper.three.out
}
`
	s := newStudy(t)
	both := append(slices.Clone(kinds), &pipeline.Kind{Name: "capitals", Version: 1, New: func() pipeline.Stage { return &upper{} }})
	run := func(blocks string) *pipeline.Outcome {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		out, err := s.loadKinds(blocks, both).Run(ctx, s.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(pipeline.Event) {})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	run(chain)
	s.overwrite("A B", "A_B")
	s.st = store.Open(s.st.Dir())
	out := run(chain + "collect \"c\" {\n table \"t\" { from = [capitals.four.out] }\n}")
	if !out.Succeeded() || out.Failed > 0 {
		t.Errorf("outcome %+v, %v", out.Summary, out.Failures)
	}
}

// TestEqualKeysRunOnce: blocks that mean the same are computed once.
func TestEqualKeysRunOnce(t *testing.T) {
	got := newStudy(t).run("word \"a\" {}\nword \"b\" {}\nword \"c\" {}")
	if strings.Count(got, "done") != 1 || strings.Count(got, "cached") != 2 {
		t.Errorf("got:\n%s", got)
	}
}

// TestProgressOfNoNumber: a loss that is not finite breaks no journal.
func TestProgressOfNoNumber(t *testing.T) {
	s := newStudy(t)
	g, err := s.load("word \"w\" {\n text = \"diverge\"\n}")
	if err != nil {
		t.Fatal(err)
	}
	var reported []map[string]float64
	_, err = g.Run(t.Context(), s.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(e pipeline.Event) {
		if e.Action == "progress" {
			reported = append(reported, e.Values)
		}
	})
	if err != nil || len(reported) != 1 || len(reported[0]) != 1 || reported[0]["rate"] != 2 {
		t.Errorf("reported %v, %v", reported, err)
	}
}

// TestInterrupt: a run that is told to stop keeps what is finished and starts nothing more.
func TestInterrupt(t *testing.T) {
	s := newStudy(t)
	const chain = "word \"w\" {}\nupper \"u\" {\n from = word.w.out\n}"
	g, err := s.load(chain)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, err := g.Run(ctx, s.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(e pipeline.Event) {
		if e.Action == "done" {
			cancel()
		}
	})
	if err != nil || out.Ran != 1 || out.Skipped != 1 || out.Failed != 0 {
		t.Errorf("outcome %+v, %v", out.Summary, err)
	}
	expect(t, s.run(chain), "cached word.w\ndone upper.u\n")
}

// TestTwoProcesses: runs that share a store at the same time share the work and agree.
func TestTwoProcesses(t *testing.T) {
	s := newStudy(t)
	g, err := s.load(sweep)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := make(chan *pipeline.Outcome)
	for range 4 {
		go func() {
			out, err := g.Run(t.Context(), store.Open(s.st.Dir()), pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(2)}}, func(pipeline.Event) {})
			if err != nil {
				t.Error(err)
			}
			outcomes <- out
		}()
	}
	ran := 0
	for range 4 {
		out := <-outcomes
		ran += out.Ran
		if out.Failed+out.Skipped > 0 {
			t.Errorf("outcome %+v", out.Summary)
		}
	}
	if ran != 7 {
		t.Errorf("7 stages were run %d times", ran)
	}
}
