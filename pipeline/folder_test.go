package pipeline_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const folderBlocks = `word "w" {
  text = ""
  file = ["corpus"]
}`

// corpus makes a folder of two files, of which one is also there by a link, and of what does not count.
func corpus(s *study) {
	s.t.Helper()
	dir := filepath.Join(s.at, "corpus")
	err := errors.Join(os.MkdirAll(filepath.Join(dir, "deep", ".git"), 0o777), os.Symlink("deep/b.txt", filepath.Join(dir, "c.txt")))
	if err != nil {
		s.t.Fatal(err)
	}
	s.file("corpus/a.txt", "one ")
	s.file("corpus/deep/b.txt", "two ")
	s.file("corpus/.hidden", "none")
	s.file("corpus/deep/.git/config", "none")
}

// TestFolderSource: a local folder is what its files are, hidden ones aside.
func TestFolderSource(t *testing.T) {
	s := newStudy(t)
	corpus(s)
	expect(t, s.run(folderBlocks), "done word.w\n")
	r := s.result("word.w")
	if text, err := s.st.Read(r.Outputs["out"]); err != nil || string(text) != "one two two " {
		t.Errorf("the stage read %q, %v", text, err)
	}
	if facts := fmt.Sprint(r.Key); !strings.Contains(facts, "{folder file.0 ") || strings.Contains(facts, "corpus") {
		t.Errorf("the facts are %s", facts)
	}
	g, err := s.load(folderBlocks)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(slices.Sorted(maps.Keys(g.Files()))); got != "[corpus/a.txt corpus/c.txt corpus/deep/b.txt]" {
		t.Errorf("reads the files %s", got)
	}

	s.file("corpus/.hidden", "something else")
	expect(t, s.plan(folderBlocks), "cached word.w:\n")
	if err := os.Rename(filepath.Join(s.at, "corpus"), filepath.Join(s.at, "texts")); err != nil {
		t.Fatal(err)
	}
	expect(t, s.plan(strings.Replace(folderBlocks, "corpus", "texts", 1)), "cached word.w:\n")
	if err := os.Rename(filepath.Join(s.at, "texts"), filepath.Join(s.at, "corpus")); err != nil {
		t.Fatal(err)
	}

	s.file("corpus/deep/b.txt", "2 ")
	expect(t, s.plan(folderBlocks), "run word.w: file: content of corpus changed\n")
	s.file("corpus/deep/b.txt", "two ")
	if err := os.Rename(filepath.Join(s.at, "corpus", "a.txt"), filepath.Join(s.at, "corpus", "z.txt")); err != nil {
		t.Fatal(err)
	}
	expect(t, s.plan(folderBlocks), "run word.w: file: content of corpus changed\n")
}

// TestFolderMoves: a folder that is another when its stage starts than when it was planned is refused.
func TestFolderMoves(t *testing.T) {
	for name, move := range map[string]func(s *study){
		"content":  func(s *study) { s.file("corpus/a.txt", "1 ") },
		"new file": func(s *study) { s.file("corpus/d.txt", "three ") },
		"gone":     func(s *study) { os.Remove(filepath.Join(s.at, "corpus", "a.txt")) },
	} {
		s := newStudy(t)
		corpus(s)
		g, err := s.load(folderBlocks)
		if err != nil {
			t.Fatal(err)
		}
		move(s)
		if got := s.runGraph(g); !strings.Contains(got, "fail word.w file.0 cannot be read: "+filepath.Join(s.at, "corpus")+" changed after it was planned; run again") {
			t.Errorf("%s: %s", name, got)
		}
		if left, _ := filepath.Glob(filepath.Join(s.st.Dir(), "results", "*", "*")); left != nil {
			t.Errorf("%s: left %q", name, left)
		}
	}
}

// TestBadFolders: what a folder holds is said to be wrong before anything runs.
func TestBadFolders(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(dir string) error
		want  string
	}{
		"no file":           {func(dir string) error { return errors.Join(os.RemoveAll(dir), os.MkdirAll(dir+"/.git/a", 0o777)) }, "names the folder %s, in which there is no file; hidden ones do not count"},
		"link out":          {func(dir string) error { return os.Symlink("../pipelines.hcl", dir+"/x") }, "names the folder %[1]s, which cannot be taken: %[1]s/x is a link that leads out of the folder; put the file itself there"},
		"link to nothing":   {func(dir string) error { return os.Symlink("none", dir+"/x") }, "%[1]s/x is a link that leads nowhere"},
		"link to a folder":  {func(dir string) error { return os.Symlink("deep", dir+"/x") }, "%[1]s/x is a link that does not lead to a file"},
		"link to itself":    {func(dir string) error { return os.Symlink("x", dir+"/x") }, "%[1]s/x is a link"},
		"pipe":              {func(dir string) error { return syscall.Mkfifo(dir+"/x", 0o666) }, "%[1]s/x is neither a file nor a folder"},
		"name of two lines": {func(dir string) error { return os.WriteFile(dir+"/x\ny", nil, 0o666) }, `/x\ny", which is not UTF-8 or has a line break; rename it`},
		"name in Latin-1":   {func(dir string) error { return os.WriteFile(dir+"/\xe9", nil, 0o666) }, `/\xe9", which is not UTF-8 or has a line break; rename it`},
	} {
		s := newStudy(t)
		corpus(s)
		dir := filepath.Join(s.at, "corpus")
		if err := c.spoil(dir); err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(strings.ReplaceAll(c.want, "%[1]s", dir), "%s", dir)
		if _, err := s.load(folderBlocks); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
