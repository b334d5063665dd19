package pipeline_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts/store"
	"anneal/pipeline"
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
		"changed":               {two, strings.Replace(two, "a b", "c", 1), nil, []string{"run word.w: text: a b → c", "maybe upper.u: waits for word.w"}},
		"removed":               {two, strings.Replace(two, `text = "a b"`, "", 1), nil, []string{"run word.w: text: a b → a (default)\n"}},
		"added":                 {two, strings.Replace(two, `text = "a b"`, "text = \"a b\"\nweight = 3", 1), nil, []string{"run word.w: weight: 0 → 3"}},
		"block added":           {two, strings.Replace(two, `text = "a b"`, "text = \"a b\"\ntwice {}", 1), nil, []string{"run word.w: twice: block added\n"}},
		"block removed":         {strings.Replace(two, `text = "a b"`, "twice {\ntimes = 3\n}", 1), strings.Replace(two, `text = "a b"`, "", 1), nil, []string{"run word.w: twice: block removed\n"}},
		"block added, values":   {two, strings.Replace(two, `text = "a b"`, "text = \"a b\"\ntwice {\ntimes = 3\n}", 1), nil, []string{"run word.w: twice: block added (times = 3)\n"}},
		"value in a block":      {strings.Replace(two, `text = "a b"`, "adam {\nrate = 0.2\n}", 1), strings.Replace(two, `text = "a b"`, "adam {\nrate = 0.3\n}", 1), nil, []string{"run word.w: adam.rate: 0.2 → 0.3\n"}},
		"block left out":        {strings.Replace(two, `text = "a b"`, "adam {\nrate = 0.2\n}", 1), strings.Replace(two, `text = "a b"`, "", 1), nil, []string{"run word.w: adam.rate: 0.2 → 0.1 (default)\n"}},
		"default written":       {two, strings.Replace(two, `"a b"`, `"a"`, 1), nil, []string{"run word.w: text: a b → a\n"}},
		"list":                  {two, strings.Replace(two, `text = "a b"`, "text = \"a b\"\nbetas = [0.9, 0.99, 1]", 1), nil, []string{"run word.w: betas: [0.9, 0.95] → [0.9, 0.99, 1]\n"}},
		"list removed":          {strings.Replace(two, `text = "a b"`, "betas = []", 1), strings.Replace(two, `text = "a b"`, "", 1), nil, []string{"run word.w: betas: [] → [0.9, 0.95] (default)\n"}},
		"text of lines":         {two, strings.Replace(two, "a b", `a\nb `, 1), nil, []string{`run word.w: text: a b → "a\nb "` + "\n"}},
		"empty text":            {two, strings.Replace(two, "a b", "", 1), nil, []string{`run word.w: text: a b → ""` + "\n"}},
		"long text":             {strings.Replace(two, "a b", strings.Repeat("x", 100)+"1"+strings.Repeat("y", 100), 1), strings.Replace(two, "a b", strings.Repeat("x", 100)+"2"+strings.Repeat("y", 100), 1), nil, []string{"run word.w: text: …" + strings.Repeat("x", 20) + "1" + strings.Repeat("y", 39) + "… → …" + strings.Repeat("x", 20) + "2" + strings.Repeat("y", 39) + "…\n"}},
		"several":               {two, strings.Replace(two, `text = "a b"`, "text = \"c\"\nweight = 3", 1), nil, []string{"run word.w: text: a b → c; weight: 0 → 3\n"}},
		"file added":            {two + "\nword \"f\" {\nfile = [\"f.txt\"]\n}", two + "\nword \"f\" {\nfile = [\"g.txt\", \"f.txt\"]\n}", nil, []string{"run word.f: file: 1 → 2 files, with g.txt\n"}},
		"file removed":          {two + "\nword \"f\" {\nfile = [\"g.txt\", \"f.txt\"]\n}", two + "\nword \"f\" {\nfile = [\"f.txt\"]\n}", nil, []string{"run word.f: file: 2 → 1 file\n"}},
		"no files any more":     {two + "\nword \"f\" {\nfile = [\"f.txt\"]\nweight = 3\n}", two + "\nword \"f\" {\nweight = 3\n}", nil, []string{"run word.f: file: 1 → 0 files\n"}},
		"another block":         {two, two + "\nword \"v\" {\ntext = \"v\"\n}\nupper \"v\" {\nfrom = word.v.out\n}", nil, []string{"run word.v: never run\n", "maybe upper.v: never run; waits for word.v\n"}},
		"another name":          {two, strings.ReplaceAll(strings.Replace(two, `word "w"`, `word "x"`, 1), "word.w", "word.x"), nil, []string{"cached word.x:\n", "cached upper.u:\n"}},
		"swept from now on":     {two, "word \"w\" {\nfor_each = grid({ n = [1, 2] })\ntext = \"a b${each.value.n}\"\n}", nil, []string{"run word.w[n=1]: new point; against the stage without for_each: text: a b → a b1\n"}},
		"swept no longer":       {table("one"), "word \"w\" {\ntext = \"c\"\n}\ncollect \"c\" {\ntable \"one\" { from = [word.w.out] }\n}", nil, []string{"run word.w: no longer swept; against [task=a]: text: a → c\n"}},
		"table added":           {table("one"), table("one", "two"), nil, []string{"run collect.c: table \"two\": block added\n"}},
		"table removed":         {table("one", "two"), table("one"), nil, []string{"run collect.c: table \"two\": block removed\n"}},
		"tables renamed":        {table("one"), table("uno"), nil, []string{"run collect.c: table \"uno\": block added; table \"one\": block removed\n"}},
		"tables in other order": {table("one", "two"), table("two", "one"), nil, []string{"run collect.c: table: blocks in another order\n"}},
		"no table any more":     {table("one"), table(), nil, []string{"run collect.c: table \"one\": block removed\n"}},
		"older result gone":     {two, strings.Replace(two, "a b", "c", 1), func(s *study) { os.RemoveAll(filepath.Join(s.st.Dir(), "results")) }, []string{"run word.w: changed; how is not known, as the older result is gone\n", "run upper.u: its stored result is gone; waits for word.w\n"}},
		"result damaged":        {two, two, func(s *study) { s.results(func(b []byte) []byte { b[len(b)-2] ^= 1; return b }) }, []string{"run word.w: stored result is damaged:"}},
		"older result damaged":  {two, strings.Replace(two, "a b", "c", 1), func(s *study) { s.results(func(b []byte) []byte { return b[:len(b)/2] }) }, []string{"run word.w: changed; how is not known, as the older result is damaged:"}},
		"other input":           {two + "\nword \"v\" {}", strings.Replace(two, "word.w.out", "word.v.out", 1) + "\nword \"v\" {}", nil, []string{"run upper.u: from: content of word.v.out changed"}},
		"file":                  {two + "\nword \"f\" {\nfile = [\"f.txt\"]\n}", two + "\nword \"f\" {\nfile = [\"f.txt\"]\n}", func(s *study) { s.file("f.txt", "new") }, []string{"run word.f: file: content of f.txt changed"}},
		"store emptied":         {two, two, func(s *study) { os.RemoveAll(filepath.Join(s.st.Dir(), "results")) }, []string{"run word.w: its stored result is gone"}},
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
			s.file("g.txt", "other")
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

// table is a pipeline with a report of so many tables.
func table(names ...string) string {
	text := `
word "w" {
  for_each = grid({ task = ["a", "b"] })
  text     = each.value.task
}
collect "c" {
`
	for _, name := range names {
		text += "  table \"" + name + "\" { from = [for w in word.w : w.out] }\n"
	}
	return text + "}"
}

// results rewrites every stored result.
func (s *study) results(how func([]byte) []byte) {
	files, _ := filepath.Glob(filepath.Join(s.st.Dir(), "results", "*", "*"))
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err == nil {
			os.Chmod(path, 0o666)
			err = os.WriteFile(path, how(b), 0o666)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestFailedLastTime: a stage that failed is told so beside what changed, or alone where it never did any better.
func TestFailedLastTime(t *testing.T) {
	blocks := func(text string) string {
		return "word \"w\" {\n  text = \"" + text + "\"\n}\nupper \"u\" {\n  from = word.w.out\n}"
	}
	s := newStudy(t)
	s.run(blocks("fail"))
	expect(t, s.plan(blocks("fail")), "run word.w: failed last time: text cannot be written\nrun upper.u: never run; waits for word.w\n")
	s.run(blocks("good"))
	s.run(blocks("fail"))
	expect(t, s.plan(blocks("fail")), "run word.w: text: good → fail; failed last time: text cannot be written\nmaybe upper.u: waits for word.w\n")
	expect(t, s.plan(blocks("better")), "run word.w: text: good → better; failed last time: text cannot be written\nmaybe upper.u: waits for word.w\n")
	expect(t, s.plan(blocks("good")), "cached word.w:\ncached upper.u:\n")
}

// TestChangesOfFacts: causes that take another toolchain or another program to come about.
func TestChangesOfFacts(t *testing.T) {
	digest := func(digit string) string { return strings.Repeat(digit, 64) }
	fact := func(kind, name, value string) store.Fact { return store.Fact{Kind: kind, Name: name, Value: value} }
	for name, c := range map[string]struct {
		old, now []store.Fact
		want     string
	}{
		"version of the kind": {[]store.Fact{fact("kind", "word", "1")}, []store.Fact{fact("kind", "word", "2")}, "version of word: 1 → 2"},
		"arithmetic":          {[]store.Fact{fact("numbers", "numbers", "1")}, []store.Fact{fact("numbers", "numbers", "2")}, "version of the arithmetic: 1 → 2"},
		"godoc": {
			[]store.Fact{fact("config", "file", "len 1"), fact("godoc", "file.0", "std go1.26.7")},
			[]store.Fact{fact("config", "file", "len 1"), fact("godoc", "file.0", "std go1.26.8")},
			"file: godoc std go1.26.7 → godoc std go1.26.8"},
		"gofile": {
			[]store.Fact{fact("config", "file", "len 1"), fact("file", "file.0", digest("1"))},
			[]store.Fact{fact("config", "file", "len 1"), fact("file", "file.0", digest("2"))},
			"file: content changed"},
		"gomodule": {
			[]store.Fact{fact("config", "file", "len 1"), fact("gomodule", "file.0", "golang.org/x/text@v0.1.0 README.md")},
			[]store.Fact{fact("config", "file", "len 1"), fact("gomodule", "file.0", "golang.org/x/text@v0.2.0 README.md")},
			"file: gomodule golang.org/x/text@v0.1.0 README.md → gomodule golang.org/x/text@v0.2.0 README.md"},
		"a file for documentation": {
			[]store.Fact{fact("config", "file", "len 1"), fact("file", "file.0", digest("1"))},
			[]store.Fact{fact("config", "file", "len 1"), fact("godoc", "file.0", "std go1.26.8")},
			"file: 111111111111 → godoc std go1.26.8"},
		"a field that is no more":         {[]store.Fact{fact("config", "speed", "3")}, nil, "speed: 3 → unset"},
		"a block that is no more":         {[]store.Fact{fact("config", "sgd", "present"), fact("config", "sgd.rate", "3")}, nil, "sgd: present → unset; sgd.rate: 3 → unset"},
		"rows of a field that is no more": {[]store.Fact{fact("point", "rows.0.weight", "1"), fact("point", "rows.1.weight", "2")}, nil, "rows: without [weight=1], [weight=2]"},
		"nothing":                         {[]store.Fact{fact("config", "weight", "3")}, []store.Fact{fact("config", "weight", "3")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(pipeline.Changes(kinds[0], c.old, c.now), "; "); got != c.want {
				t.Errorf("says %q, want %q", got, c.want)
			}
		})
	}
}

// TestEveryStepHasItsReason: whatever was edited, a step that is not cached says why, the same way each time, and one that
// is cached says nothing.
func TestEveryStepHasItsReason(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	pipelineText := func() string {
		text := "word \"w\" {\n for_each = grid({ a = [" + pick("1", "1, 2", "2, 3") + "], b = [" + pick(`"x"`, `"x", "y"`) + "] })\n" +
			pick("", "text = each.value.b\n", "text = \"t${each.value.a}\"\n") + pick("", "weight = each.value.a\n") +
			pick("", "betas = [1]\n", "betas = []\n") + pick("", "twice {}\n", "twice {\ntimes = 5\n}\n") + pick("", "adam {\nrate = 1\n}\n") + "}\n"
		text += pick("", "word \"v\" {\n"+pick("", "file = [\"f.txt\"]\n", "file = [\"g.txt\", \"f.txt\"]\n")+"}\n")
		text += "upper \"u\" {\n for_each = word.w\n from = each.value.out\n}\n"
		tables := ""
		for _, name := range []string{"one", "two"} {
			tables += pick("", "table \""+name+"\" { from = "+pick("", "reverse")+"([for x in "+pick("word.w", "upper.u")+" : x.out]) }\n")
		}
		return text + "collect \"c\" {\n" + tables + "}\n"
	}
	s := newStudy(t)
	s.file("f.txt", "f")
	s.file("g.txt", "g")
	for range 40 {
		text := pipelineText()
		g, err := s.load(text)
		if err != nil {
			t.Fatal(err)
		}
		first, second := g.Plan(s.st), g.Plan(s.st)
		for i, step := range first {
			if (len(step.Why) == 0) != (step.Do == pipeline.Cached) || slices.Contains(step.Why, "") || slices.Contains(step.Why, "its facts changed") {
				t.Errorf("%s %s: %q in\n%s", step.Do, step.Node.Addr, step.Why, text)
			}
			if again := second[i]; again.Do != step.Do || !slices.Equal(again.Why, step.Why) {
				t.Errorf("%s says %q, and then %q", step.Node.Addr, step.Why, again.Why)
			}
			if waits := step.Key.IsZero(); waits != slices.ContainsFunc(step.Why, func(w string) bool { return strings.HasPrefix(w, pipeline.WaitsFor) }) {
				t.Errorf("%s has a key: %v; and says %q", step.Node.Addr, !waits, step.Why)
			}
		}
		if r.IntN(3) == 0 {
			s.run(text)
		}
	}
}

// TestReasonsAfterAnInterruption: a run that was interrupted takes no reason away from the next, and a point that was never
// reached is not called new where nothing of its block was ever run.
func TestReasonsAfterAnInterruption(t *testing.T) {
	s := newStudy(t)
	stopped := func(blocks string) {
		t.Helper()
		g, err := s.load(blocks)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		out, err := g.Run(ctx, s.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(pipeline.Event) {})
		if err != nil || out.Ran > 0 {
			t.Fatalf("outcome %+v, %v", out, err)
		}
	}
	says := func(blocks string, want ...string) {
		t.Helper()
		got := s.plan(blocks)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("does not say %q:\n%s", w, got)
			}
		}
	}
	swept := func(values string) string { return strings.Replace(sweep, "0, 0.1, 1", values, 1) }
	stopped(swept("0, 0.1"))
	says(swept("0, 0.1"), "run word.w[weight=0.1]: never run\n", "upper.u[weight=0]: never run; waits")
	s.run(strings.Replace(swept("0, 0.1"), "w${each.value.weight}", "${each.value.weight == 0 ? \"fail\" : \"w\"}", 1))
	says(swept("0, 0.1"), "upper.u[weight=0]: never run; waits")
	s.run(swept("0, 0.1"))
	says(swept("0, 0.1, 1"), "run word.w[weight=1]: new point\n")
	for range 2 {
		stopped(swept("0, 0.2"))
		says(swept("0, 0.2"), "run word.w[weight=0.2]: new point; against [weight=0.1]: text: w0.1 → w0.2; weight: 0.1 → 0.2\n",
			"maybe upper.u[weight=0.2]: new point; against [weight=0.1]; waits for word.w[weight=0.2]\n")
	}
	s.run(swept("0, 0.2"))
	says(swept("0, 0.1, 0.3"), "run word.w[weight=0.3]: new point; against [weight=0.2]: text: w0.2 → w0.3;")
	s.run(strings.Replace(swept("0, 0.4"), "w${each.value.weight}", "${each.value.weight == 0 ? \"w0\" : \"fail\"}", 1))
	says(swept("0, 0.4"), "run word.w[weight=0.4]: new point; against [weight=0.2]: text: w0.2 → w0.4; weight: 0.2 → 0.4; failed last time: text cannot be written\n")
}
