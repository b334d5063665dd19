package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anneal/cli"
	"anneal/pipeline"
)

type note struct {
	Text string       `hcl:"text,optional"`
	From pipeline.Ref `hcl:"from,optional" artifact:"text"`
}

func (n *note) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "out", Type: "text"}} }

func (n *note) Run(ctx context.Context, t *pipeline.Task) error {
	return os.WriteFile(t.Output("out"), []byte(n.Text), 0o666)
}

// TestAccept: what a user sees who raises the version of a kind and keeps the results.
func TestAccept(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "pipelines.hcl")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	const blocks = `
pipeline "p" {
  note "a" { text = "x" }
  note "b" {
    text = "y"
    from = note.a.out
  }
}`
	write(blocks)
	anneal := func(version, code int, args ...string) string {
		t.Helper()
		var out strings.Builder
		kind := &pipeline.Kind{Name: "note", Version: version, New: func() pipeline.Stage { return &note{} }}
		if got := cli.Main(t.Context(), cli.App{Kinds: []*pipeline.Kind{kind}}, append(args, "-f", file), &out, &out); got != code {
			t.Fatalf("%q: exit code %d, want %d:\n%s", args, got, code, &out)
		}
		return out.String()
	}
	says := func(got, want string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("does not say %q:\n%s", want, got)
		}
	}
	anneal(1, 0, "run")
	says(anneal(2, 0, "plan"), "2 to run")
	says(anneal(2, 3, "accept", "p"), "--reason")
	says(anneal(2, 3, "accept", "note.c", "--reason", "x"), "Did you mean note.")
	says(anneal(2, 1, "accept", "note.b", "--reason", "x"), "p/note.b: it reads from note.a, which must be accepted or run first")
	write(strings.Replace(blocks, `"y"`, `"z"`, 1))
	says(anneal(2, 1, "accept", "note.a", "note.b", "--reason", "x"), `p/note.b: version of note: 1 → 2; text: y → z`)
	says(anneal(2, 0, "plan"), "2 to run")
	says(anneal(2, 0, "accept", "p", "--reason", "only comments moved"), `accepted note.a (version of note: 1 → 2)
    left note.b (version of note: 1 → 2; text: y → z)
p: 1 accepted, 1 left.
`)
	says(anneal(2, 0, "show", "note.a"), "only comments moved")
	write(blocks)
	says(anneal(2, 0, "accept", "note.b", "--reason", "likewise", "--json"), `"addr":"note.b","action":"accepted","from":"`)
	says(anneal(2, 0, "plan"), "nothing to do, all 2 stages cached")
	says(anneal(2, 0, "why", "note.a"), "its result was accepted 20")
	tree := anneal(2, 0, "lineage", "note.b")
	says(tree, ": likewise\n")
	says(tree, ": only comments moved\n")
	says(anneal(2, 0, "lineage", "note.b", "--json"), `"accepted":{"from":"`)
}
