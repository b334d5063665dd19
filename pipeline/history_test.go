package pipeline_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// TestRecord: a run leaves what became of every address, what it was called, and the files it ran from.
func TestRecord(t *testing.T) {
	p := newPlay(t, "good bad after<bad")
	p.do["bad"] = func(context.Context, *pipeline.Task) error { return errors.New("no") }
	o := pipeline.RunOptions{Name: "baseline", Note: "before the change", Command: []string{"anneal", "run"}}
	p.perform(t.Context(), pipeline.NewLocal(1), o, nil)
	r := pipeline.Runs(p.st)[0]
	if r.Pipeline != "p" || r.Name != o.Name || r.Note != o.Note || !slices.Equal(r.Command, o.Command) || r.Unfinished {
		t.Errorf("the record says %+v", r)
	}
	if len(r.Keys) != 1 || r.Keys["told.good"].IsZero() || len(r.Before) != 0 || r.Summary.Ran != 1 {
		t.Errorf("keys %v, before %v, %+v", r.Keys, r.Before, r.Summary)
	}
	says(t, r.Failed, "told.bad")
	says(t, r.Skipped, "told.after")
	for path, d := range r.Sources {
		text, err := os.ReadFile(filepath.Join(p.at, path))
		kept, err2 := p.st.Read(store.Blob{Digest: d, Size: int64(len(text)), Type: "hcl"})
		if err != nil || err2 != nil || string(kept) != string(text) {
			t.Errorf("the object of %s is not its text: %v %v", path, err, err2)
		}
	}
	if len(r.Sources) != 1 {
		t.Errorf("sources %v", r.Sources)
	}

	// What the next run does not reach is known from this one, but is not its own.
	p.do["good"] = p.do["bad"]
	p.cast("good bad after<bad", 2)
	p.perform(t.Context(), pipeline.NewLocal(1), pipeline.RunOptions{}, nil)
	if next := pipeline.Runs(p.st)[0]; len(next.Keys) != 0 || next.Before["told.good"] != r.Keys["told.good"] {
		t.Errorf("keys %v, before %v", next.Keys, next.Before)
	}
}

// TestJournal: the first line says what was asked for and with what, and what runs says before it starts why it does.
func TestJournal(t *testing.T) {
	p := newPlay(t, "a b<a")
	p.perform(t.Context(), pipeline.NewLocal(1), pipeline.RunOptions{Name: "n"}, nil)
	var actions []string
	for e, err := range pipeline.Runs(p.st)[0].Journal(p.st) {
		if err != nil {
			t.Fatal(err)
		}
		actions = append(actions, strings.TrimSpace(e.Action+" "+strings.TrimPrefix(e.Addr, "told.")))
		switch {
		case e.Pipeline != "p":
			t.Errorf("%+v has no pipeline", e)
		case e.Action == "begin":
			if e.Begin == nil || e.Begin.Name != "n" || e.Versions["go"] == "" || e.Versions["arch"] == "" || e.Stages != 2 || e.Of != 2 || len(e.Begin.Sources) != 1 {
				t.Errorf("begins with %+v", e.Begin)
			}
		case e.Action == "plan" && e.Addr == "told.a":
			if e.Do != pipeline.Run || !slices.Equal(e.Why, []string{"never run"}) || store.Key(e.Facts) != e.Key ||
				!slices.Contains(e.Facts, store.Fact{Kind: "config", Name: "name", Value: "a"}) {
				t.Errorf("plans %+v", e)
			}
		case e.Action == "summary" && e.Summary.Ran != 2:
			t.Errorf("ends with %+v", e.Summary)
		}
	}
	says(t, actions, "begin", "plan a", "start a", "done a", "plan b", "start b", "done b", "summary")
}

// TestKilledRun: a run that left a journal only is listed as unfinished, wherever the last line was cut.
func TestKilledRun(t *testing.T) {
	p := newPlay(t, "a")
	p.perform(t.Context(), pipeline.NewLocal(1), pipeline.RunOptions{Name: "killed", Note: "at night"}, nil)
	r := pipeline.Runs(p.st)[0]
	path := filepath.Join(p.st.Dir(), "runs", r.ID)
	if err := os.Remove(path + ".json"); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	first := strings.IndexByte(string(whole), '\n') + 1
	for length := first; length < len(whole); length += 7 {
		if err := os.WriteFile(path+".jsonl", whole[:length], 0o666); err != nil {
			t.Fatal(err)
		}
		runs := pipeline.Runs(p.st)
		if len(runs) != 1 || !runs[0].Unfinished || runs[0].Name != "killed" || runs[0].Note != "at night" || runs[0].Pipeline != "p" || runs[0].Started.Before(r.Started) {
			t.Fatalf("cut at %d of %d: %+v", length, len(whole), runs)
		}
		events := 0
		for _, err := range runs[0].Journal(p.st) {
			if events++; err != nil {
				t.Errorf("cut at %d of %d: %v", length, len(whole), err)
			}
		}
		if events == 0 {
			t.Errorf("cut at %d of %d: no events", length, len(whole))
		}
	}
	if err := os.WriteFile(path+".jsonl", whole[:first/2], 0o666); err != nil {
		t.Fatal(err)
	}
	if runs := pipeline.Runs(p.st); len(runs) != 0 {
		t.Errorf("a run that had not begun is listed: %+v", runs[0])
	}
}

// TestFindRun: a run goes by its id, a part of it, its name, or its place.
func TestFindRun(t *testing.T) {
	p := newPlay(t, "a")
	for _, name := range []string{"first", "", "first", "third"} {
		p.perform(t.Context(), pipeline.NewLocal(1), pipeline.RunOptions{Name: name}, nil)
	}
	runs := pipeline.Runs(p.st)
	for what, want := range map[string]*pipeline.Record{
		"last": runs[0], "third": runs[0], "first": runs[1], runs[2].ID: runs[2], runs[3].ID[:len(runs[3].ID)-1]: runs[3], runs[2].Short(): runs[2], "last~3": runs[3],
	} {
		r, err := pipeline.FindRun(p.st, "p", what)
		if err != nil || r.ID != want.ID {
			t.Errorf("%s is %v, %v, want %s", what, r, err, want.ID)
		}
	}
	for what, want := range map[string]string{
		"thrid":  `there is no run "thrid" of p; ` + "`anneal runs` lists those there are. Did you mean third?",
		"2":      "4 runs of p start with 2: write more of the id",
		"last~4": "there are fewer runs of p than last~4 asks for; `anneal runs` lists them",
	} {
		if _, err := pipeline.FindRun(p.st, "p", what); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	if _, err := pipeline.FindRun(p.st, "q", "last"); err == nil || err.Error() != "there is no run of q yet" {
		t.Errorf("of another pipeline: %v", err)
	}
}
