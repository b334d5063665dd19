// Package pipelinetest runs small pipelines in tests of stages.
package pipelinetest

import (
	"os"
	"path/filepath"
	"testing"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// Result is what a run of a pipeline left.
type Result struct {
	t       *testing.T
	store   *store.Store
	graph   *pipeline.Graph
	outcome *pipeline.Outcome
}

// Run writes the blocks into a file as one pipeline, beside the files given by name, and runs it with jobs stages at
// once in a store of its own. A file that does not load ends the test.
func Run(t *testing.T, kinds []*pipeline.Kind, jobs int, blocks string, files map[string]string) *Result {
	t.Helper()
	g, err := Load(t, kinds, blocks, files)
	if err != nil {
		t.Fatal(err)
	}
	st := store.Open(filepath.Join(t.TempDir(), ".anneal"))
	out, err := g.Run(t.Context(), st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(jobs)}}, func(pipeline.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	return &Result{t, st, g, out}
}

// Load writes the blocks into a file as one pipeline, beside the files given by name, and decodes it.
func Load(t *testing.T, kinds []*pipeline.Kind, blocks string, files map[string]string) (*pipeline.Graph, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "pipelines.hcl")
	if err := os.WriteFile(path, []byte("pipeline \"test\" {\n"+blocks+"\n}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	c, err := pipeline.Load(path, pipeline.LoadOptions{Kinds: kinds})
	if err != nil {
		return nil, err
	}
	graphs, err := c.Graphs([]string{"test"})
	if err != nil {
		return nil, err
	}
	return graphs[0], nil
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
