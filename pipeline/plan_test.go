package pipeline_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// folder leaves a folder, as trainings do; it may start from another.
type folder struct {
	Text string       `hcl:"text,optional"`
	From pipeline.Ref `hcl:"from,optional" artifact:"folder"`
	With pipeline.Ref `hcl:"with,optional" artifact:"folder"`
}

func (f *folder) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "dir", Type: "folder"}} }

func (f *folder) Run(ctx context.Context, t *pipeline.Task) error {
	text := f.Text
	if !f.From.IsZero() {
		b, err := os.ReadFile(filepath.Join(t.Input(f.From).Path, "text"))
		if err != nil {
			return err
		}
		text += string(b)
	}
	if err := os.Mkdir(t.Output("dir"), 0o777); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(t.Output("dir"), "text"), []byte(text), 0o666)
}

var folders = []*pipeline.Kind{{Name: "folder", Version: 1, New: func() pipeline.Stage { return &folder{} }}}

// TestDroppedInAPlan: what was dropped is missed only by what will read it, and then with everything that it needs.
func TestDroppedInAPlan(t *testing.T) {
	const blocks = `
folder "base" {
  text = "base"
}
folder "tuned" {
  text = "tuned"
  from = folder.base.dir
}
folder "probed" {
  text = "probed"
  from = folder.tuned.dir
}
folder "beside" {
  text = "beside"
}
folder "both" {
  from = folder.base.dir
  with = folder.beside.dir
}`
	s := newStudy(t)
	g := s.loadKinds(blocks, folders)
	out, err := g.Run(t.Context(), s.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(pipeline.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Nodes[:2] {
		s.drop(out.Results[n].Outputs["dir"])
	}
	edited := func(old, text string) string {
		return strings.Replace(blocks, `text = "`+old+`"`, `text = "`+text+`"`, 1)
	}
	expect(t, s.plannedBy(folders, blocks), `cached folder.base:
cached folder.tuned:
cached folder.probed:
cached folder.beside:
cached folder.both:
`)
	expect(t, s.plannedBy(folders, edited("probed", "other")), `run folder.base: dir was dropped, and folder.tuned needs it
run folder.tuned: dir was dropped, and folder.probed needs it
run folder.probed: text: probed → other
cached folder.beside:
cached folder.both:
`)
	expect(t, s.plannedBy(folders, edited("base", "other")), `run folder.base: text: base → other
maybe folder.tuned: waits for folder.base
maybe folder.probed: waits for folder.tuned
cached folder.beside:
maybe folder.both: waits for folder.base
`)
	expect(t, s.plannedBy(folders, edited("beside", "other")), `maybe folder.base: dir was dropped, and folder.both may need it
cached folder.tuned:
cached folder.probed:
run folder.beside: text: beside → other
maybe folder.both: waits for folder.beside
`)
}

// TestDroppedCosts: to make again what was dropped is foreseen to cost what it did.
func TestDroppedCosts(t *testing.T) {
	const blocks = `
folder "base" {
  for_each = { short = "a", long = "a long one" }
  text     = each.value
}
folder "next" {
  text = "next"
  from = folder.base["short"].dir
}`
	s := newStudy(t)
	g := s.loadKinds(blocks, folders)
	out, err := g.Run(t.Context(), s.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(pipeline.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	dir := out.Results[g.Node("folder.base[key=short]")].Outputs["dir"]
	s.drop(dir)
	g = s.loadKinds(strings.Replace(blocks, `"next"
  from`, `"other"
  from`, 1), folders)
	steps := g.Plan(s.st)
	g.Cost(s.st, steps, 1)
	i := slices.IndexFunc(steps, func(s pipeline.Step) bool { return s.Node.Addr == "folder.base[key=short]" })
	if s := steps[i]; s.Do != pipeline.Run || s.Bytes != dir.Size {
		t.Errorf("%s %s is foreseen to take %d bytes, not %d", s.Do, s.Node.Addr, s.Bytes, dir.Size)
	}
}

// TestMaybe: a stage that waits may be stored only if a result has all that is known of it, and nothing else but inputs.
func TestMaybe(t *testing.T) {
	const blocks = `
folder "base" {
  text = "base"
}
folder "beside" {
  text = "beside"
}
folder "both" {
  text = "both"
  from = folder.base.dir
  with = folder.beside.dir
}
folder "third" {
  text = "third"
}`
	s := newStudy(t)
	g := s.loadKinds(blocks, folders)
	if _, err := g.Run(t.Context(), s.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(pipeline.Event) {}); err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(blocks, `"base"
}`, `"other"
}`, 1)
	for name, c := range map[string]struct{ old, new, want string }{
		"as before":              {"", "", "maybe folder.both: waits for folder.base\n"},
		"an attribute less":      {"text = \"both\"\n", "", "run folder.both: text: both → unset; waits for folder.base\n"},
		"an attribute otherwise": {"\"both\"\n", "\"none\"\n", "run folder.both: text: both → none; waits for folder.base\n"},
		"an input less":          {"with = folder.beside.dir\n", "", "run folder.both: with: an artifact → none; waits for folder.base\n"},
		"another input":          {"folder.beside.dir", "folder.third.dir", "run folder.both: with: content of folder.third.dir changed; waits for folder.base\n"},
	} {
		if got := s.plannedBy(folders, strings.Replace(edited, c.old, c.new, 1)); !strings.Contains(got, c.want) {
			t.Errorf("%s: does not say %q:\n%s", name, c.want, got)
		}
	}
}

// drop removes an artifact as a sweep of the store does.
func (s *study) drop(b store.Blob) {
	s.t.Helper()
	if err := errors.Join(os.WriteFile(s.st.DroppedPath(b), nil, 0o444), os.Remove(s.st.Path(b.Digest))); err != nil {
		s.t.Fatal(err)
	}
}

// TestPlanWritesNothing: neither where nothing exists yet, nor where everything does, nor where something is to be done.
func TestPlanWritesNothing(t *testing.T) {
	s := newStudy(t)
	for _, blocks := range []string{sweep, sweep, strings.Replace(sweep, "0.1", "0.2", 1)} {
		g, err := s.load(blocks)
		if err != nil {
			t.Fatal(err)
		}
		was := tree(t, s.at)
		g.Cost(s.st, g.Plan(s.st), 2)
		g.Acceptances(s.st, g.Nodes)
		if is := tree(t, s.at); is != was {
			t.Errorf("a plan changed the folder from\n%s\nto\n%s", was, is)
		}
		s.run(sweep)
	}
}

// TestPlanOfAnEmptyPipeline: there is nothing to say, and nothing to trip over.
func TestPlanOfAnEmptyPipeline(t *testing.T) {
	s := newStudy(t)
	expect(t, s.plan(""), "")
}

// tree lists every file under dir, with what a write would change.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var lines strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if !e.IsDir() {
			digest, _, err := store.HashFile(path)
			if err != nil {
				return err
			}
			lines.WriteString(digest.Short() + " ")
		}
		lines.WriteString(info.Mode().String() + " " + info.ModTime().String() + " " + path + "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines.String()
}
