package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"anneal/artifacts"
)

const sweptTraining = `
variable "decay" {
  default = [0, 0.1]
}
pipeline "study" {
  dataset "text" {
    source = ["text.txt"]
    split { size = 32 }
  }
  tokenize "bytes" {
    text = [dataset.text.train]
  }
  pretrain "base" {
    for_each = grid({ weight_decay = var.decay, seed = [7], shape = { "a b" = 1 } })
    tokens   = tokenize.bytes.tokens
    steps    = 2
    context  = 8
    batch    = 1
    seed     = each.value.seed
    model {
      layers = 1
      width  = 8
      heads  = 1
      ff     = 8
    }
    adamw {
      weight_decay = each.value.weight_decay
    }
  }
  dataset "short" {
    source = ["text.txt"]
    split { size = 4096 }
  }
  tokenize "short" {
    text = [dataset.short.train]
  }
}
`

// TestExportRuns: the tables of all runs join, and tell what every step did, what it depended on and what came of it.
func TestExportRuns(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"pipelines.hcl": sweptTraining, "text.txt": strings.Repeat("It reads well as a fixture. ", 12)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	anneal := func(args ...string) string {
		cmd := exec.Command("anneal", args...)
		cmd.Dir = dir
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil && args[0] != "run" { // in which two stages are to fail
			t.Fatalf("anneal %q: %v\n%s", args, err, said.String())
		}
		return string(out)
	}
	before := time.Now()
	anneal("run", "--name", "first")
	anneal("run", "--name", "wider", "--var", "decay=[0, 0.1, 0.3]")
	// And one that was killed when it had begun to train, in the middle of a line.
	journals, err := filepath.Glob(filepath.Join(dir, ".anneal/runs/*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(journals[0])
	if err != nil {
		t.Fatal(err)
	}
	cut := strings.Index(string(lines), `"action":"start"`)
	if err := os.WriteFile(filepath.Join(dir, ".anneal/runs/20010203T040506.000000Z-KILLED.jsonl"), lines[:cut+30], 0o666); err != nil {
		t.Fatal(err)
	}
	if got, want := anneal("export", "--runs", "--to", "all"), "all/runs.parquet\nall/steps.parquet\nall/coordinates.parquet\nall/configuration.parquet\nall/metrics.parquet\nall/load.sql\n"; got != want {
		t.Errorf("export --runs says %q", got)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "all")); err != nil || len(entries) != 6 {
		t.Errorf("export --runs leaves %v, %v", entries, err)
	}

	type run struct {
		Run       string    `parquet:"run,dict"`
		Pipeline  string    `parquet:"pipeline,dict"`
		Name      *string   `parquet:"name"`
		Note      *string   `parquet:"note"`
		Started   time.Time `parquet:"started,timestamp(microsecond)"`
		Seconds   float64   `parquet:"seconds"`
		Finished  bool      `parquet:"finished"`
		Ran       int64     `parquet:"ran"`
		Cached    int64     `parquet:"cached"`
		Failed    int64     `parquet:"failed"`
		Skipped   int64     `parquet:"skipped"`
		Command   *string   `parquet:"command"`
		Variables *string   `parquet:"variables"`
		Anneal    *string   `parquet:"anneal"`
		Revision  *string   `parquet:"revision"`
		Go        *string   `parquet:"go"`
		Platform  *string   `parquet:"platform"`
	}
	type step struct {
		Run      string   `parquet:"run,dict"`
		Pipeline string   `parquet:"pipeline,dict"`
		Addr     string   `parquet:"addr,dict"`
		Kind     string   `parquet:"kind,dict"`
		Block    string   `parquet:"block,dict"`
		Outcome  string   `parquet:"outcome,dict"`
		Seconds  *float64 `parquet:"seconds"`
		Key      *string  `parquet:"key,dict"`
		Why      *string  `parquet:"why"`
		Text     *string  `parquet:"text"`
	}
	type coordinate struct {
		Addr   string   `parquet:"addr,dict"`
		Name   string   `parquet:"name,dict"`
		Number *float64 `parquet:"number"`
		Text   string   `parquet:"text,dict"`
	}
	type setting struct {
		Key    string   `parquet:"key,dict"`
		Kind   string   `parquet:"kind,dict"`
		Name   string   `parquet:"name,dict"`
		Value  string   `parquet:"value,dict"`
		Number *float64 `parquet:"number"`
	}
	type metric struct {
		Key    string   `parquet:"key,dict"`
		Output string   `parquet:"output,dict"`
		Row    int64    `parquet:"row"`
		Step   *int64   `parquet:"step"`
		Name   string   `parquet:"name,dict"`
		Value  *float64 `parquet:"value"`
		Text   *string  `parquet:"text"`
	}
	runs := rows[run](t, dir, "runs")
	if len(runs) != 3 || runs[0].Finished || !strings.HasSuffix(runs[0].Run, "KILLED") || runs[0].Ran != 0 {
		t.Fatalf("%d runs, of them %+v", len(runs), runs)
	}
	killed, runs := runs[0], runs[1:]
	for i, want := range []struct {
		name                 string
		ran, cached, fail, n int64
		variables            string
	}{
		{"first", 4, 0, 1, 6, `{"decay":"[0, 0.1]"}`},
		{"wider", 1, 4, 1, 7, `{"decay":"[0, 0.1, 0.3]"}`},
	} {
		r := runs[i]
		if r.Pipeline != "study" || *r.Name != want.name || r.Note != nil || !r.Finished || !strings.HasPrefix(*r.Command, "anneal run --name ") || *r.Variables != want.variables {
			t.Errorf("run %d is %+v", i, r)
		}
		if r.Ran != want.ran || r.Cached != want.cached || r.Failed != want.fail || r.Skipped != 1 {
			t.Errorf("run %d counts %d, %d, %d, %d", i, r.Ran, r.Cached, r.Failed, r.Skipped)
		}
		if r.Started.Before(before.Add(-time.Millisecond)) || time.Since(r.Started) < 0 || !strings.HasPrefix(*r.Go, "go1.") {
			t.Errorf("run %d started at %s with %s", i, r.Started, *r.Go)
		}
	}

	steps := map[string]step{}
	for _, s := range rows[step](t, dir, "steps") {
		if s.Run != killed.Run {
			steps[s.Run+s.Addr] = s
		} else if s.Outcome != "unfinished" || s.Seconds != nil {
			t.Errorf("of the run that was killed: %+v", s)
		}
	}
	if len(steps) != 6+7 {
		t.Errorf("%d steps", len(steps))
	}
	point := func(decay string) string { return `pretrain.base[seed=7,shape="a b",weight_decay=` + decay + `]` }
	for _, c := range []struct {
		run           int
		addr, outcome string
	}{
		{0, point("0.1"), "ran"}, {1, point("0.1"), "cached"}, {1, point("0.3"), "ran"},
		{0, "dataset.short", "failed"}, {1, "tokenize.short", "skipped"}, {1, "dataset.text", "cached"},
	} {
		s := steps[runs[c.run].Run+c.addr]
		block, _, _ := strings.Cut(c.addr, "[")
		kind, _, _ := strings.Cut(block, ".")
		if s.Outcome != c.outcome || s.Block != block || s.Kind != kind {
			t.Errorf("%s is %+v, want %s", c.addr, s, c.outcome)
		}
		done := c.outcome == "ran" || c.outcome == "cached"
		if done && s.Key == nil || (s.Seconds != nil) != (c.outcome == "ran") || (s.Text != nil) == done {
			t.Errorf("%s says %+v", c.addr, s)
		}
	}
	wider := steps[runs[1].Run+point("0.3")]
	if wider.Why == nil || !strings.Contains(*wider.Why, "new point") {
		t.Errorf("why the new point ran: %v", wider.Why)
	}

	coordinates := map[string]coordinate{}
	for _, c := range rows[coordinate](t, dir, "coordinates") {
		coordinates[c.Addr+" "+c.Name] = c
	}
	if c := coordinates[point("0.3")+" weight_decay"]; len(coordinates) != 9 || c.Number == nil || *c.Number != 0.3 || c.Text != "0.3" {
		t.Errorf("%d coordinates, of them %+v", len(coordinates), c)
	}
	if c := coordinates[point("0")+" shape"]; c.Number != nil || c.Text != "a b" {
		t.Errorf("a name is %+v", c)
	}

	found := false
	for _, s := range rows[setting](t, dir, "configuration") {
		if s.Key == *wider.Key && s.Kind == "config" && s.Name == "adamw.weight_decay" {
			found = s.Value == "0.3" && *s.Number == 0.3
		}
		if s.Kind == "input" && s.Number != nil {
			t.Errorf("the digest of an input is the number %g", *s.Number)
		}
	}
	if !found {
		t.Error("the configuration of the new point lacks its weight decay")
	}

	losses := map[string]int{}
	for _, m := range rows[metric](t, dir, "metrics") {
		if m.Output == "metrics" && m.Name == "train_loss" {
			if m.Step == nil || m.Value == nil || !(*m.Value > 0) || math.IsInf(*m.Value, 0) {
				t.Errorf("a loss is %+v", m)
			}
			losses[m.Key]++
		}
	}
	if len(losses) != 3 || losses[*wider.Key] != 1 {
		t.Errorf("losses stand under %v", losses) // once a result, though two runs had it
	}
}

// rows reads a table that export --runs wrote.
func rows[T any](t *testing.T, dir, name string) []T {
	t.Helper()
	all, err := artifacts.ReadRows[T](filepath.Join(dir, "all", name+".parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
