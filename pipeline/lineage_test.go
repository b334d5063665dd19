package pipeline_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// key returns the key at addr in the newest run.
func (s *study) key(addr string) store.Digest {
	s.t.Helper()
	r, err := pipeline.FindRun(s.st, "p", pipeline.Latest)
	if err != nil {
		s.t.Fatal(err)
	}
	for a, key := range r.Reached() {
		if a == addr {
			return key
		}
	}
	s.t.Fatalf("the newest run has nothing at %s", addr)
	return store.Digest{}
}

func (s *study) result(addr string) *store.Result {
	s.t.Helper()
	r, err := s.st.Result(s.key(addr))
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func TestFirstCause(t *testing.T) {
	const chain = `
word "a" { text = "one" }
word "b" {
  for_each = grid({ seed = [1, 2] })
  weight   = 0.5
  text     = "b${each.value.seed}"
}
upper "ua" { from = word.a.out }
upper "uua" { from = upper.ua.out }
upper "ub" {
  for_each = word.b
  from     = each.value.out
}
collect "c" {
  table "a" { from = [upper.uua.out] }
  table "b" { from = [for u in upper.ub : u.out] }
}`
	for _, c := range []struct{ name, old, new, want string }{
		{"followed up to where it begins", `"one"`, `"two"`,
			"table.a.from.0 <- word.a: text: one → two"},
		{"rows by their points", `"b${each.value.seed}"`, `each.value.seed == 2 ? "x" : "b1"`,
			"table.b.from[seed=2] <- word.b: text: b2 → x"},
		{"a point that came is a change of its own", `[1, 2]`, `[1, 2, 3]`,
			"table.b.from: with [seed=3]"},
		{"places in a list do not matter", `[1, 2]`, `[0, 1, 2]`,
			"table.b.from: with [seed=0]"},
		{"another block in its place", `[upper.uua.out]`, `[word.a.out]`,
			"table.a.from.0 <- word.a: stands where upper.uua stood"},
		{"what came to equal bytes is no cause", "\"one\" }\nword \"b\" {", "\"two\" }\nword \"b\" {\n  adam { rate = 0.2 }\n  twice {}",
			"table.a.from.0 <- word.a: text: one → two"},
		{"several causes", "\"one\" }\nword \"b\" {\n  for_each = grid({ seed = [1, 2] })", "\"two\" }\nword \"b\" {\n  for_each = grid({ seed = [1, 3] })",
			"table.b.from: [seed=2] → [seed=3]\ntable.a.from.0 <- word.a: text: one → two"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStudy(t)
			s.run(chain)
			was := s.result("collect.c")
			edited := strings.Replace(chain, c.old, c.new, 1)
			if edited == chain {
				t.Fatalf("%q is not in the file", c.old)
			}
			s.run(edited)
			d := pipeline.Compare(s.st, kinds).Results(was, s.result("collect.c"))
			got := slices.Clone(d.Changes)
			for _, in := range d.Inputs {
				for _, cause := range in.Causes {
					got = append(got, in.Field+" <- "+cause.String())
				}
			}
			if text := strings.Join(got, "\n"); text != c.want {
				t.Errorf("it differs in\n%s\nwant\n%s", text, c.want)
			}
		})
	}
}

func TestLineage(t *testing.T) {
	s := newStudy(t)
	s.run(sweep)
	o := pipeline.Lineage(s.st, s.key("collect.c"))
	all := o.Ancestors()
	if len(all) != 7 || all[6] != o || len(o.Inputs) != 3 {
		t.Fatalf("collect.c came from %d results by %d inputs, want 6 by 3", len(all)-1, len(o.Inputs))
	}
	for i, a := range all {
		for _, in := range a.Inputs {
			if !slices.Contains(all[:i], in.From) {
				t.Errorf("what %s came from stands behind it", a.Key.Short())
			}
			if in.Output != "out" || in.From.Result.Outputs["out"].Digest != in.Blob.Digest {
				t.Errorf("%s is output %q of %s", in.Field, in.Output, in.From.Key.Short())
			}
		}
	}

	places := pipeline.Places(s.st, []store.Digest{s.key("word.w[weight=0.1]"), {1}})
	if p := places[s.key("word.w[weight=0.1]")]; len(places) != 1 || p.Addr != "word.w[weight=0.1]" || p.Run.Pipeline != "p" {
		t.Errorf("it stands at %v", places)
	}
}

// TestMakings: the journals tell of each result which run made it and why, however many runs found it stored since.
func TestMakings(t *testing.T) {
	s := newStudy(t)
	s.run(sweep)
	edited := strings.Replace(sweep, `text     = "w`, `text     = "v`, 1)
	s.run(edited)
	s.run(edited)
	runs := pipeline.Runs(s.st)
	upper, collected := s.key("upper.u[weight=1]"), s.key("collect.c")
	made := pipeline.Makings(s.st, []store.Digest{upper, collected, {7}})
	if len(made) != 2 {
		t.Fatalf("journals tell of %d results, want 2", len(made))
	}
	for key, addr := range map[store.Digest]string{upper: "upper.u[weight=1]", collected: "collect.c"} {
		m := made[key]
		if m.Run.ID != runs[1].ID || m.Addr != addr || m.End.Action != "done" || m.Plan == nil || len(m.Plan.Why) == 0 {
			t.Errorf("%s: made in %s as %s, planned %v", addr, m.Run.ID, m.Addr, m.Plan)
		}
	}
	last := pipeline.LastRuns(s.st, "p", []string{"collect.c", "word.gone"})
	if len(last) != 1 || last["collect.c"].Run.ID != runs[1].ID {
		t.Errorf("what ran last is %v", last)
	}
	if other := pipeline.LastRuns(s.st, "q", []string{"collect.c"}); len(other) != 0 {
		t.Errorf("another pipeline has %v", other)
	}
}

// TestOddAddress: journals are searched without decoding them, whatever addresses and reasons hold.
func TestOddAddress(t *testing.T) {
	s := newStudy(t)
	odd := `
word "w" {
  for_each = grid({ x = ["a\\", "\"key\":\"b\"", "\",\"action\":\"fail"] })
  text     = each.value.x
}`
	s.run(odd)
	r := pipeline.Runs(s.st)[0]
	var addrs []string
	for addr := range r.Reached() {
		addrs = append(addrs, addr)
	}
	if last := pipeline.LastRuns(s.st, "p", addrs); len(last) != 3 {
		t.Errorf("%d of the 3 stages %q are found to have run", len(last), addrs)
	}
	for _, addr := range addrs {
		if m := pipeline.Makings(s.st, []store.Digest{r.Keys[addr]}); len(m) != 1 || m[r.Keys[addr]].Addr != addr {
			t.Errorf("%s is not found by its key", addr)
		}
	}
}

func TestSettings(t *testing.T) {
	s := newStudy(t)
	s.run(`word "w" {
  text  = "a, b"
  betas = [0.5]
  adam { rate = 0.3 }
}
word "plain" {}`)
	got := pipeline.Settings(kinds[0], s.result("word.w").Key)
	if want := []string{"adam.rate = 0.3", "betas = [0.5]", `text = "a, b"`}; !reflect.DeepEqual(got, want) {
		t.Errorf("settings are %q, want %q", got, want)
	}
	if got := pipeline.Settings(kinds[0], s.result("word.plain").Key); got != nil {
		t.Errorf("a stage of defaults has the settings %q", got)
	}
}

func TestSortAddrs(t *testing.T) {
	addrs := []string{"a.b[x=0.5]", "a.b[x=0]", "a.b[x=10]", "a.b[x=2]", "a.b", "a.a[y=z]", "t.from.10", "t.from.9"}
	pipeline.SortAddrs(addrs)
	want := []string{"a.a[y=z]", "a.b", "a.b[x=0]", "a.b[x=0.5]", "a.b[x=2]", "a.b[x=10]", "t.from.9", "t.from.10"}
	if !slices.Equal(addrs, want) {
		t.Errorf("sorted: %q", addrs)
	}
}

func TestFindRunBack(t *testing.T) {
	s := newStudy(t)
	for range 3 {
		s.run(`word "w" {}`)
	}
	runs := pipeline.Runs(s.st)
	for what, i := range map[string]int{"last": 0, "last~0": 0, "last~1": 1, "last~2": 2, runs[1].Short(): 1} {
		if r, err := pipeline.FindRun(s.st, "", what); err != nil || r.ID != runs[i].ID {
			t.Errorf("%s is %v, %v; want %s", what, r, err, runs[i].ID)
		}
	}
	for _, what := range []string{"last~3", "last~x", "last~-1", "last1"} {
		if r, err := pipeline.FindRun(s.st, "", what); err == nil {
			t.Errorf("%s is %s", what, r.ID)
		}
	}
}

// TestMatchOfARecord: where a run left no result it says why, and does not take the stage for one that is not there.
func TestMatchOfARecord(t *testing.T) {
	ended := &pipeline.Record{Pipeline: "p", Keys: map[string]store.Digest{"text.a": {1}, "text.b[seed=1]": {2}},
		Failed: []string{"text.b[seed=2]"}, Skipped: []string{"text.c"}}
	for _, c := range []struct {
		run           *pipeline.Record
		pattern, want string // an error
	}{
		{ended, "text.b", ""},
		{ended, "text.b[seed=2]", "it failed or was skipped"},
		{ended, "p/text.c", "it failed or was skipped"},
		{ended, "text.d", "there is no such stage"},
		{&pipeline.Record{Pipeline: "p", Unfinished: true}, "text.a", "it is unfinished"},
	} {
		_, err := c.run.Match(c.pattern)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.pattern, err, c.want)
		}
	}
}
