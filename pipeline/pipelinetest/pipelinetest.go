// Package pipelinetest runs small pipelines in tests of stages.
package pipelinetest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// Study is a folder with a pipeline file and a store, for runs that follow one another.
type Study struct {
	Store *store.Store

	t     *testing.T
	kinds []*pipeline.Kind
	dir   string
}

// New makes a study, with files beside the pipeline file by their names.
func New(t *testing.T, kinds []*pipeline.Kind, files map[string]string) *Study {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return &Study{store.Open(filepath.Join(dir, ".anneal")), t, kinds, dir}
}

// Load writes the blocks into the file as one pipeline, and decodes it.
func (s *Study) Load(blocks string) (*pipeline.Graph, error) {
	s.t.Helper()
	path := filepath.Join(s.dir, "pipelines.hcl")
	if err := os.WriteFile(path, []byte("pipeline \"test\" {\n"+blocks+"\n}\n"), 0o666); err != nil {
		s.t.Fatal(err)
	}
	c, err := pipeline.Load(path, pipeline.LoadOptions{Kinds: s.kinds})
	if err != nil {
		return nil, err
	}
	graphs, err := c.Graphs([]string{"test"})
	if err != nil {
		return nil, err
	}
	return graphs[0], nil
}

// Plan tells what a run of the blocks on the executor would do, with what its stages foretell. The error is that of stages
// that cannot run.
func (s *Study) Plan(local *pipeline.Local, blocks string) ([]pipeline.Step, error) {
	s.t.Helper()
	g, err := s.Load(blocks)
	if err != nil {
		s.t.Fatal(err)
	}
	steps := g.Plan(s.Store)
	return steps, g.Forecast(s.Store, steps, map[string]pipeline.Executor{"local": local})
}

// Result is what a run of a pipeline left.
type Result struct {
	Events []pipeline.Event

	t       *testing.T
	store   *store.Store
	graph   *pipeline.Graph
	outcome *pipeline.Outcome
}

// Run runs the blocks with jobs stages at once. A file that does not load ends the test.
func (s *Study) Run(jobs int, blocks string) *Result {
	s.t.Helper()
	return s.RunUntil(jobs, blocks, func(pipeline.Event) bool { return false })
}

// RunUntil is Run, interrupted at the first event of which last holds.
func (s *Study) RunUntil(jobs int, blocks string, last func(pipeline.Event) bool) *Result {
	s.t.Helper()
	g, err := s.Load(blocks)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(s.t.Context())
	defer interrupt()
	r := &Result{t: s.t, store: s.Store, graph: g}
	r.outcome, err = g.Run(ctx, s.Store, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(jobs)}}, func(e pipeline.Event) {
		r.Events = append(r.Events, e)
		if last(e) {
			interrupt()
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// Run writes the blocks into a file as one pipeline, beside the files given by name, and runs it with jobs stages at
// once in a store of its own. A file that does not load ends the test.
func Run(t *testing.T, kinds []*pipeline.Kind, jobs int, blocks string, files map[string]string) *Result {
	t.Helper()
	return New(t, kinds, files).Run(jobs, blocks)
}

// Load writes the blocks into a file as one pipeline, beside the files given by name, and decodes it.
func Load(t *testing.T, kinds []*pipeline.Kind, blocks string, files map[string]string) (*pipeline.Graph, error) {
	t.Helper()
	return New(t, kinds, files).Load(blocks)
}

// Err returns why the stage at addr failed, nil where it did not.
func (r *Result) Err(addr string) error {
	for _, f := range r.outcome.Failures {
		if f.Addr == addr {
			return f
		}
	}
	return nil
}

// Blob returns an output of the stage at addr. A stage that left none ends the test.
func (r *Result) Blob(addr, output string) store.Blob {
	r.t.Helper()
	if err := r.Err(addr); err != nil {
		r.t.Fatal(err)
	}
	res := r.outcome.Results[r.graph.Node(addr)]
	if res == nil {
		for _, f := range r.outcome.Failures {
			r.t.Error(f)
		}
		r.t.Fatalf("%s left no result", addr)
	}
	b, ok := res.Outputs[output]
	if !ok {
		r.t.Fatalf("%s has no output %s", addr, output)
	}
	return b
}

// Path returns the verified file, or folder, of an output.
func (r *Result) Path(addr, output string) string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), output)
	if err := r.store.Stage(r.Blob(addr, output), path); err != nil {
		r.t.Fatal(err)
	}
	return path
}
