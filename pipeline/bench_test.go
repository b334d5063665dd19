package pipeline_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// join writes its name and what it reads, one after the other.
type join struct {
	Name string         `hcl:"name"`
	From []pipeline.Ref `hcl:"from,optional" artifact:"text"`
}

func (j *join) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "out", Type: "text"}} }

func (j *join) Run(ctx context.Context, t *pipeline.Task) error {
	text := j.Name
	for _, r := range j.From {
		b, err := os.ReadFile(t.Input(r).Path)
		if err != nil {
			return err
		}
		text += store.Digest(sha256.Sum256(b)).Short()
	}
	return os.WriteFile(t.Output("out"), []byte(text), 0o666)
}

var joins = []*pipeline.Kind{{Name: "join", Version: 1, New: func() pipeline.Stage { return &join{} }}}

// layered is a pipeline of n stages: 10 layers of 10 groups, where stage i of a layer's group reads i and i+1 of the layer
// before. swept, it has a block a layer, else a block a stage.
func layered(n int, swept bool) string {
	width := n / 100
	var b strings.Builder
	b.WriteString("pipeline \"p\" {\n")
	for l := range 10 {
		if swept {
			from := ""
			if l > 0 {
				from = fmt.Sprintf(`from = [for i in [each.value.i, (each.value.i + 1) %% %d] : join.l%d["g=${each.value.g},i=${i}"].out]`, width, l-1)
			}
			fmt.Fprintf(&b, "join \"l%d\" {\n for_each = grid({ g = range(10), i = range(%d) })\n name = \"%d_${each.value.g}_${each.value.i}\"\n %s\n}\n", l, width, l, from)
			continue
		}
		for g := range 10 {
			for i := range width {
				from := ""
				if l > 0 {
					from = fmt.Sprintf("from = [join.s%d_%d_%d.out, join.s%d_%d_%d.out]", l-1, g, i, l-1, g, (i+1)%width)
				}
				fmt.Fprintf(&b, "join \"s%d_%d_%d\" {\n name = \"%d_%d_%d\"\n %s\n}\n", l, g, i, l, g, i, from)
			}
		}
	}
	b.WriteString("}\n")
	return b.String()
}

func write(tb testing.TB, dir, text string) string {
	tb.Helper()
	path := filepath.Join(dir, "pipelines.hcl")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		tb.Fatal(err)
	}
	return path
}

func loadJoins(tb testing.TB, path string) *pipeline.Graph {
	tb.Helper()
	c, err := pipeline.Load(path, pipeline.LoadOptions{Kinds: joins})
	if err != nil {
		tb.Fatal(err)
	}
	graphs, err := c.Graphs(c.Pipelines)
	if err != nil {
		tb.Fatal(err)
	}
	return graphs[0]
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		for _, swept := range []bool{true, false} {
			b.Run(fmt.Sprintf("stages=%d/swept=%v", n, swept), func(b *testing.B) {
				path := write(b, b.TempDir(), layered(n, swept))
				for b.Loop() {
					loadJoins(b, path)
				}
			})
		}
	}
}

// BenchmarkPlan plans with everything stored, with nothing stored, with other names in the first layer, and with every point
// of the sweeps moved.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		dir := b.TempDir()
		text := layered(n, true)
		g := loadJoins(b, write(b, dir, text))
		full, empty := store.Open(filepath.Join(dir, "full")), store.Open(filepath.Join(dir, "empty"))
		out, err := g.Run(b.Context(), full, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(2)}}, func(pipeline.Event) {})
		if err != nil || out.Ran != n {
			b.Fatal(out.Summary, err)
		}
		edited := loadJoins(b, write(b, dir, strings.Replace(text, `name = "0_`, `name = "x_`, 1)))
		moved := loadJoins(b, write(b, dir, strings.NewReplacer("g = range(10)", "g = range(100, 110)", `name = "`, `name = "m`).Replace(text)))
		for _, c := range []struct {
			name  string
			graph *pipeline.Graph
			st    *store.Store
		}{{"cached", g, full}, {"empty", g, empty}, {"edited", edited, full}, {"moved", moved, full}} {
			b.Run(fmt.Sprintf("stages=%d/%s", n, c.name), func(b *testing.B) {
				for b.Loop() {
					c.graph.Plan(c.st)
				}
			})
		}
	}
}

// BenchmarkRun runs from nothing, and again with nothing to do. The time of a stage is to be the same in a large graph.
func BenchmarkRun(b *testing.B) {
	for _, n := range []int{1000, 5000, 20000} {
		dir := b.TempDir()
		g := loadJoins(b, write(b, dir, layered(n, true)))
		run := func(b *testing.B, st *store.Store) {
			out, err := g.Run(b.Context(), st, pipeline.RunOptions{Executors: local}, func(pipeline.Event) {})
			if err != nil || out.Ran+out.Cached != n {
				b.Fatal(out.Summary, err)
			}
		}
		perStage := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/stage")
		}
		var st *store.Store
		rounds := 0
		b.Run(fmt.Sprintf("stages=%d/cold", n), func(b *testing.B) {
			for b.Loop() {
				rounds++
				st = store.Open(filepath.Join(dir, fmt.Sprint("store", rounds)))
				run(b, st)
			}
			perStage(b)
		})
		b.Run(fmt.Sprintf("stages=%d/cached", n), func(b *testing.B) {
			for b.Loop() {
				run(b, st)
			}
			perStage(b)
		})
	}
}

// TestAnEditRunsWhatItConcerns: of a layered graph, an edit of one group's first stages runs that group and no other.
func TestAnEditRunsWhatItConcerns(t *testing.T) {
	for _, swept := range []bool{true, false} {
		dir, text := t.TempDir(), layered(200, swept)
		st := store.Open(filepath.Join(dir, ".anneal"))
		run := func(text string) (ran []string) {
			g := loadJoins(t, write(t, dir, text))
			_, err := g.Run(t.Context(), st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(2)}}, func(e pipeline.Event) {
				if e.Action == "done" {
					ran = append(ran, e.Addr)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			return ran
		}
		if ran := run(text); len(ran) != 200 {
			t.Errorf("at first %d ran", len(ran))
		}
		edited := strings.NewReplacer(`"0_3_0"`, `"0_3_0 anew"`, `"0_3_1"`, `"0_3_1 anew"`, `"0_${each.value.g}`, `"0_${each.value.g == 3 ? "3 anew" : each.value.g}`).Replace(text)
		ran := run(edited)
		if len(ran) != 20 {
			t.Errorf("after the edit %d ran", len(ran))
		}
		for _, addr := range ran {
			if !strings.Contains(addr, "_3_") && !strings.Contains(addr, "g=3") {
				t.Errorf("after the edit %s ran", addr)
			}
		}
		if ran := run(edited); ran != nil {
			t.Errorf("with nothing to do %s ran", ran)
		}
	}
}
