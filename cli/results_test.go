package cli_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"anneal/cli"
	"anneal/pipeline"
)

type page struct{}

func (*page) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "page", Type: "report"}} }

func (*page) Run(ctx context.Context, t *pipeline.Task) error {
	dir := t.Output("page")
	return errors.Join(os.Mkdir(dir, 0o777), os.WriteFile(filepath.Join(dir, "report.html"), pageText, 0o666))
}

var pageText = bytes.Repeat([]byte("<p>"), 1<<20)

// TestResultsOfRunsThatEndTogether: runs of one pipeline write its report one after the other, and nobody sees half of one.
func TestResultsOfRunsThatEndTogether(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pipelines.hcl"), []byte(`pipeline "p" {
  page "a" {}
}`), 0o666); err != nil {
		t.Fatal(err)
	}
	app := cli.App{Kinds: []*pipeline.Kind{{Name: "page", Version: 1, New: func() pipeline.Stage { return &page{} }}}}
	var runs sync.WaitGroup
	for range 8 {
		runs.Go(func() {
			var out strings.Builder
			if code := cli.Main(t.Context(), app, []string{"run", "-f", dir}, &out, &out); code != 0 {
				t.Errorf("exit code %d:\n%s", code, &out)
				return
			}
			for range 20 {
				if got, err := os.ReadFile(filepath.Join(dir, "results", "p", "report.html")); err != nil || !bytes.Equal(got, pageText) {
					t.Errorf("the page has %d bytes of %d, %v", len(got), len(pageText), err)
					return
				}
			}
		})
	}
	runs.Wait()
}
