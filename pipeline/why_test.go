package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRowReasons: what changes in a list of rows is told by their points, not by where they stand.
func TestRowReasons(t *testing.T) {
	const blocks = `
word "w" {
  for_each = grid({ task = ["a", "b"], weight = [VALUES] })
  text     = "${each.value.task}${each.value.weight}TEXT"
}
collect "c" {
  table "one" { from = [for w in word.w : w.out] }
  table "two" { from = ORDER([for w in word.w : w.out]) }
}`
	write := func(values, text, order string) string {
		return strings.NewReplacer("VALUES", values, "TEXT", text, "ORDER", order).Replace(blocks)
	}
	for name, c := range map[string]struct{ before, after, want string }{
		"added": {write("1", "", ""), write("1, 2", "", ""),
			`run collect.c: table.one.from, table.two.from: with [task=a,weight=2], [task=b,weight=2]; waits`},
		"removed": {write("1, 2", "", ""), write("2", "", ""),
			`run collect.c: table.one.from, table.two.from: without [task=a,weight=1], [task=b,weight=1]`},
		"content": {write("1", "", ""), write("1", "x", ""),
			`maybe collect.c: waits for`},
		"order": {write("1", "", ""), write("1", "", "reverse"),
			`run collect.c: table.two.from: another order`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStudy(t)
			s.run(c.before)
			if got := s.plan(c.after); !strings.Contains(got, c.want) {
				t.Errorf("does not say %q:\n%s", c.want, got)
			}
		})
	}
}

// TestReasons: a plan names the cause, whatever it is.
func TestReasons(t *testing.T) {
	const two = `
word "w" {
  text = "a b"
}
upper "u" {
  from = word.w.out
}`
	for name, c := range map[string]struct {
		before, after string
		meanwhile     func(s *study)
		want          []string
	}{
		"changed":       {two, strings.Replace(two, "a b", "c", 1), nil, []string{"run word.w: text: a b → c", "maybe upper.u: waits for word.w"}},
		"removed":       {two, strings.Replace(two, `text = "a b"`, "", 1), nil, []string{"run word.w: text: a b → a"}},
		"added":         {two, strings.Replace(two, `text = "a b"`, "text = \"a b\"\nweight = 3", 1), nil, []string{"run word.w: weight: 0 → 3"}},
		"block added":   {two, strings.Replace(two, `text = "a b"`, "text = \"a b\"\ntwice {}", 1), nil, []string{"run word.w: twice: block added\n"}},
		"other input":   {two + "\nword \"v\" {}", strings.Replace(two, "word.w.out", "word.v.out", 1) + "\nword \"v\" {}", nil, []string{"run upper.u: from: content of word.v.out changed"}},
		"file":          {two + "\nword \"f\" {\nfile = [\"f.txt\"]\n}", two + "\nword \"f\" {\nfile = [\"f.txt\"]\n}", func(s *study) { s.file("f.txt", "new") }, []string{"run word.f: file: content of f.txt changed"}},
		"store emptied": {two, two, func(s *study) { os.RemoveAll(filepath.Join(s.st.Dir(), "results")) }, []string{"run word.w: its stored result is gone"}},
		"records spoilt": {two, strings.Replace(two, "a b", "c", 1), func(s *study) {
			records, _ := filepath.Glob(filepath.Join(s.st.Dir(), "runs", "*.json"))
			for i, path := range records {
				os.WriteFile(path, []byte([]string{"{", `{"pipeline":"p"}`, `{"pipeline":"p","keys":{"word.w":"x"}}`}[i%3]), 0o666)
			}
		}, []string{"run word.w: never run", "maybe upper.u: never run"}},
		"object lost": {two, two, func(s *study) { s.spoil("a b", os.Remove) }, []string{"run word.w: stored result is incomplete: output out is missing"}},
		"object damaged": {two, two, func(s *study) {
			s.spoil("a b", func(path string) error { os.Chmod(path, 0o666); return os.WriteFile(path, []byte("xyz"), 0o666) })
		}, []string{"run word.w: stored result is damaged: output out:"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStudy(t)
			s.file("f.txt", "old")
			s.run(c.before)
			if c.meanwhile != nil {
				c.meanwhile(s)
			}
			got := s.plan(c.after)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("does not say %q:\n%s", want, got)
				}
			}
			s.run(c.after)
			if got := s.plan(c.after); strings.Contains(got, "run ") || strings.Contains(got, "maybe ") {
				t.Errorf("after a run there is still something to do:\n%s", got)
			}
		})
	}
}
