package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// busy is a pipeline of many small stages. Its words repeat, so that stages leave equal objects under different keys.
const busy = `
word "w" {
  for_each = grid({ weight = [for i in range(40) : i] })
  weight   = each.value.weight
  text     = "w${each.value.weight % 7}"
}
upper "u" {
  for_each = word.w
  from     = each.value.out
}
collect "c" {
  table "all" { from = [for u in upper.u : u.out] }
}`

var local = map[string]pipeline.Executor{"local": pipeline.NewLocal(2)}

// digests lists every output of a run.
func digests(o *pipeline.Outcome) []string {
	var all []string
	for n, r := range o.Results {
		for name, b := range r.Outputs {
			all = append(all, fmt.Sprint(n.Addr, ".", name, " ", b.Digest))
		}
	}
	slices.Sort(all)
	return all
}

// TestCollectBesideRuns: collections without any grace, again and again beside runs, take nothing from them; what is of
// no more use goes.
func TestCollectBesideRuns(t *testing.T) {
	alone := newStudy(t)
	g, err := alone.load(busy)
	if err != nil {
		t.Fatal(err)
	}
	quiet, err := g.Run(t.Context(), alone.st, pipeline.RunOptions{Executors: local}, func(pipeline.Event) {})
	if err != nil {
		t.Fatal(err)
	}

	s := newStudy(t)
	s.run(strings.ReplaceAll(busy, "w$", "old$")) // to be collected
	if g, err = s.load(busy); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var collector sync.WaitGroup
	removed := 0
	collector.Go(func() {
		other := store.Open(s.st.Dir())
		for last := false; !last; {
			select {
			case <-done:
				last = true
			default:
			}
			found, err := pipeline.Collect(other, []*pipeline.Graph{g}, pipeline.Collection{Delete: true})
			if err != nil {
				t.Error(err)
				return
			}
			removed += len(found.Gone)
		}
	})
	var beside *pipeline.Outcome
	for range 3 { // the first computes, the others look up
		if beside, err = g.Run(t.Context(), s.st, pipeline.RunOptions{Executors: local}, func(pipeline.Event) {}); err != nil {
			t.Fatal(err)
		}
		if beside.Failed+beside.Skipped > 0 {
			t.Fatalf("%+v: %v", beside.Summary, beside.Failures)
		}
	}
	close(done)
	collector.Wait()
	if !slices.Equal(digests(quiet), digests(beside)) {
		t.Error("a run beside collections has other digests than one alone")
	}
	const results = 40 + 7 + 1 // words, the 7 that differ made upper, the page
	if removed != results {
		t.Errorf("%d results went, not %d", removed, results)
	}
	for _, step := range g.Plan(store.Open(s.st.Dir())) {
		if step.Do != pipeline.Cached {
			t.Errorf("%s is to %s: %v", step.Node.Addr, step.Do, step.Why)
		}
	}
	found, err := s.st.VerifyAll(t.Context(), nil, func(int64, int64) {})
	if err != nil || len(found.Damage) > 0 || found.Results != results {
		t.Errorf("the store has %+v, %v", found, err)
	}
}

// mood makes other bytes every time.
type mood struct{}

var moods int

func (*mood) Outputs() []pipeline.Output {
	return []pipeline.Output{{Name: "even", Type: "text"}, {Name: "odd", Type: "text"}}
}

func (*mood) Run(_ context.Context, t *pipeline.Task) error {
	moods++
	return errors.Join(os.WriteFile(t.Output("even"), []byte("always the same"), 0o666),
		os.WriteFile(t.Output("odd"), fmt.Append(nil, "mood ", moods), 0o666))
}

// TestRerun: a stage that runs again beside the store leaves it as it was, and tells which outputs differ.
func TestRerun(t *testing.T) {
	s := newStudy(t)
	path := filepath.Join(s.at, "pipelines.hcl")
	if err := os.WriteFile(path, []byte("pipeline \"p\" {\nmood \"m\" {}\nupper \"u\" {\nfrom = mood.m.odd\n}\n}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	c, err := pipeline.Load(path, pipeline.LoadOptions{Kinds: append(slices.Clone(kinds), &pipeline.Kind{Name: "mood", Version: 1, New: func() pipeline.Stage { return &mood{} }})})
	if err != nil {
		t.Fatal(err)
	}
	graphs, err := c.Graphs([]string{"p"})
	if err != nil {
		t.Fatal(err)
	}
	g := graphs[0]
	again := func(addr string) (*pipeline.Rerun, error) {
		var out *pipeline.Rerun
		err := g.Rerun(t.Context(), s.st, []*pipeline.Node{g.Node(addr)}, local, func(pipeline.Event) {}, func(r *pipeline.Rerun) { out = r })
		return out, err
	}
	if _, err := again("mood.m"); err == nil || !strings.Contains(err.Error(), "mood.m: it has no stored result") {
		t.Errorf("before there is a result: %v", err)
	}
	if _, err := g.Run(t.Context(), s.st, pipeline.RunOptions{Executors: local}, func(pipeline.Event) {}); err != nil {
		t.Fatal(err)
	}
	before := files(t, s.st.Dir())

	r, err := again("upper.u")
	if err != nil || r.Different() != nil || r.Dir != "" {
		t.Errorf("upper.u came out as %+v, %v", r, err)
	}
	r, err = again("mood.m")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Different(), []string{"odd"}) {
		t.Errorf("different are %v", r.Different())
	}
	if text, err := os.ReadFile(filepath.Join(r.Dir, "odd")); string(text) != "mood 2" {
		t.Errorf("the new bytes are %q, %v", text, err)
	}
	if err := os.RemoveAll(filepath.Join(s.st.Dir(), "rerun")); err != nil {
		t.Fatal(err)
	}
	if after := files(t, s.st.Dir()); !slices.Equal(before, after) {
		t.Errorf("the store was\n%s\nand is\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}

	// An input that is not there is not made for it.
	if err := os.RemoveAll(filepath.Join(s.st.Dir(), "objects")); err != nil {
		t.Fatal(err)
	}
	if _, err := again("upper.u"); err == nil {
		t.Error("it ran without its input")
	}
}

// files lists the files under dir, but not those that are locks.
func files(t *testing.T, dir string) []string {
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasSuffix(path, ".lock") {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
