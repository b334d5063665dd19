package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// told is a stage that does what its test says.
type told struct {
	Name  string         `hcl:"name"`
	Round int            `hcl:"round,optional"`
	After []pipeline.Ref `hcl:"after,optional" artifact:"text"`

	do scenes
}

type scenes map[string]func(context.Context, *pipeline.Task) error

func (s *told) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "out", Type: "text"}} }

func (s *told) Run(ctx context.Context, t *pipeline.Task) error {
	if do := s.do[s.Name]; do != nil {
		if err := do(ctx, t); err != nil {
			return err
		}
	}
	return os.WriteFile(t.Output("out"), fmt.Append(nil, s.Name, s.Round), 0o666)
}

// play is a pipeline of told stages, and what they do.
type play struct {
	*study
	do scenes
	g  *pipeline.Graph
}

func newPlay(t *testing.T, cast string) *play {
	p := &play{study: newStudy(t), do: scenes{}}
	p.cast(cast, 0)
	return p
}

// cast declares a stage for every word; "b<a" is a stage b that reads what a leaves. In another round all is to be run again.
func (p *play) cast(cast string, round int) {
	p.t.Helper()
	kind := &pipeline.Kind{Name: "told", Version: 1, New: func() pipeline.Stage { return &told{do: p.do} }}
	var b strings.Builder
	for _, word := range strings.Fields(cast) {
		name, after, _ := strings.Cut(word, "<")
		fmt.Fprintf(&b, "told %q {\n  name = %[1]q\n round = %d\n", name, round)
		if after != "" {
			fmt.Fprintf(&b, "  after = [told.%s.out]\n", after)
		}
		b.WriteString("}\n")
	}
	p.file("pipelines.hcl", "pipeline \"p\" {\n"+b.String()+"}\n")
	c, err := pipeline.Load(filepath.Join(p.at, "pipelines.hcl"), pipeline.LoadOptions{Kinds: []*pipeline.Kind{kind}})
	if err != nil {
		p.t.Fatal(err)
	}
	graphs, err := c.Graphs([]string{"p"})
	if err != nil {
		p.t.Fatal(err)
	}
	p.g = graphs[0]
}

func (p *play) meta(name string) *pipeline.Meta { return &p.g.Node("told." + name).Meta }

// perform runs the pipeline and tells what became of it, a line an event: "done a", "fail b: cause".
func (p *play) perform(ctx context.Context, local *pipeline.Local, o pipeline.RunOptions, heard func(pipeline.Event)) (*pipeline.Outcome, []string) {
	p.t.Helper()
	var said []string
	o.Executors = map[string]pipeline.Executor{"local": local}
	out, err := p.g.Run(ctx, p.st, o, func(e pipeline.Event) {
		if e.Addr != "" && e.Action != "plan" {
			line := e.Action + " " + strings.TrimPrefix(e.Addr, "told.")
			if e.Text != "" {
				line += ": " + e.Text
			}
			said = append(said, line)
		}
		if heard != nil {
			heard(e)
		}
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return out, said
}

// only returns what was said of an action.
func only(said []string, action string) []string {
	var words []string
	for _, s := range said {
		if rest, ok := strings.CutPrefix(s, action+" "); ok {
			words = append(words, rest)
		}
	}
	return words
}

func says(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLongestChainFirst: of what is ready, what most work waits for starts first, going by how long stages took before.
func TestLongestChainFirst(t *testing.T) {
	const cast = "a b c<b d<c e f<e"
	p := newPlay(t, cast)
	var left []float64
	_, said := p.perform(t.Context(), pipeline.NewLocal(1), pipeline.RunOptions{}, func(e pipeline.Event) {
		if e.Action == "done" {
			left = append(left, e.Left)
		}
	})
	says(t, only(said, "start")[:4], "b", "e", "c", "a")
	if slices.Max(left) > 0 {
		t.Errorf("nothing is known of these stages, and yet so many seconds are left: %v", left)
	}
	for _, r := range p.st.Results() {
		r.Made.Seconds = 1
		if slices.Contains(r.Key, store.Fact{Kind: "config", Name: "name", Value: "a"}) {
			r.Made.Seconds = 100
		}
		if err := p.st.PutResult(r); err != nil {
			t.Fatal(err)
		}
	}
	p.cast(cast, 2)
	left = nil
	_, said = p.perform(t.Context(), pipeline.NewLocal(1), pipeline.RunOptions{}, func(e pipeline.Event) {
		if e.Action == "plan" || e.Action == "done" {
			left = append(left, e.Left)
		}
	})
	says(t, only(said, "start")[:4], "a", "b", "e", "c")
	if left[0] != 105 || left[len(left)-1] != 0 {
		t.Errorf("one stage of 100 s and five of 1 s: left %v", left)
	}
}

// TestNothingStarves: a stage that does not fit is passed by as many as the machine has cores, and then waited for.
func TestNothingStarves(t *testing.T) {
	// first is the most urgent, and holds a core until big, the next, has been passed three times.
	cast := "first f1<first f2<f1 f3<f2 big b1<big b2<b1"
	for i := range 9 {
		cast += fmt.Sprintf(" small%d", i)
	}
	p := newPlay(t, cast)
	p.meta("big").Resources.Cores = 3
	passed := make(chan struct{})
	p.do["first"] = func(context.Context, *pipeline.Task) error { <-passed; return nil }
	small := 0
	_, said := p.perform(t.Context(), pipeline.NewLocal(3), pipeline.RunOptions{}, func(e pipeline.Event) {
		if e.Action == "done" && strings.HasPrefix(e.Addr, "told.small") {
			if small++; small == 3 {
				close(passed)
			}
		}
	})
	starts := only(said, "start")
	if at := slices.Index(starts, "big"); at != 4 {
		t.Errorf("big started after %v", starts[:at])
	}
}

// TestBudget: stages occupy cores, memory and GPUs, and what runs together never has more than there is.
func TestBudget(t *testing.T) {
	p := newPlay(t, "a b c d e f g h i j")
	needs := []pipeline.Resources{{Cores: 2}, {Memory: 6e9}, {GPUs: 1}, {Cores: 1, Memory: 5e9}, {GPUs: 2, Cores: 3}}
	local := &pipeline.Local{Cores: 4, Memory: "10GB", GPUs: 2}
	for i, n := range p.g.Nodes {
		n.Meta.Resources = needs[i%len(needs)]
	}
	var mu sync.Mutex
	var now pipeline.Resources
	occupy := func(r pipeline.Resources, sign int) {
		mu.Lock()
		defer mu.Unlock()
		now.Cores += sign * max(1, r.Cores)
		now.Memory += int64(sign) * r.Memory
		now.GPUs += sign * r.GPUs
		if now.Cores > 4 || now.Memory > 10e9 || now.GPUs > 2 {
			t.Errorf("at once: %+v", now)
		}
	}
	for _, n := range p.g.Nodes {
		p.do[n.Stage.(*told).Name] = func(ctx context.Context, task *pipeline.Task) error {
			occupy(task.Resources, 1)
			defer occupy(task.Resources, -1)
			runtime.Gosched()
			return nil
		}
	}
	if out, said := p.perform(t.Context(), local, pipeline.RunOptions{}, nil); out.Ran != 10 {
		t.Errorf("said %q", said)
	}
}

// TestNeverFits: what no executor could ever run is refused before anything runs, by its line.
func TestNeverFits(t *testing.T) {
	for name, c := range map[string]struct {
		need pipeline.Resources
		want string
	}{
		"cores":  {pipeline.Resources{Cores: 3}, `resources.cores is 3, and executor "local" has 2`},
		"memory": {pipeline.Resources{Memory: 2e9}, `resources.memory is 2 GB, and executor "local" has 1 GB`},
		"gpus":   {pipeline.Resources{GPUs: 1}, `resources.gpus is 1, and executor "local" has 0`},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "a b")
			p.meta("b").Resources = c.need
			out, err := p.g.Run(t.Context(), p.st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": &pipeline.Local{Cores: 2, Memory: "1GB"}}}, func(pipeline.Event) {})
			var invalid *pipeline.InvalidError
			if out != nil || !errors.As(err, &invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("says %v", err)
			}
			if _, err := os.Stat(p.st.Dir()); !os.IsNotExist(err) {
				t.Error("something was written")
			}
		})
	}
	p := newPlay(t, "a")
	p.meta("a").Executor = "locl"
	if err := p.g.Fits(map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}); err == nil || !strings.Contains(err.Error(), "Did you mean local?") {
		t.Errorf("an executor that is not declared: %v", err)
	}
}

// TestRetry: a stage is tried as often as it says, with growing pauses, unless trying again cannot help.
func TestRetry(t *testing.T) {
	pipeline.FirstPause(0)
	defer pipeline.FirstPause(time.Second)
	p := newPlay(t, "flaky after<flaky broken wrong panicking")
	tries := map[string]int{}
	p.do["flaky"] = func(context.Context, *pipeline.Task) error {
		if tries["flaky"]++; tries["flaky"] < 3 {
			return errors.New("the disk is away")
		}
		return nil
	}
	p.do["broken"] = func(context.Context, *pipeline.Task) error { tries["broken"]++; return errors.New("it is broken") }
	p.do["wrong"] = func(context.Context, *pipeline.Task) error {
		tries["wrong"]++
		return pipeline.Errorf("name", "is no name")
	}
	p.do["panicking"] = func(context.Context, *pipeline.Task) error { tries["panicking"]++; panic("no") }
	for _, n := range p.g.Nodes {
		n.Meta.Retry = 2
	}
	out, said := p.perform(t.Context(), pipeline.NewLocal(1), pipeline.RunOptions{}, nil)
	if out.Ran != 2 || out.Failed != 3 || tries["flaky"] != 3 || tries["broken"] != 3 || tries["wrong"] != 1 || tries["panicking"] != 1 {
		t.Errorf("outcome %+v after %v", out.Summary, tries)
	}
	for _, want := range []string{
		"progress flaky: failed (the disk is away), attempt 2 of 3",
		"progress flaky: failed (the disk is away), attempt 3 of 3",
		"done flaky", "done after", "fail broken: it is broken",
	} {
		if !slices.Contains(said, want) {
			t.Errorf("does not say %q: %q", want, said)
		}
	}
}

// TestTimeout: an attempt that takes too long is told to stop, and counts as failed even if it is tried again.
func TestTimeout(t *testing.T) {
	pipeline.FirstPause(0)
	defer pipeline.FirstPause(time.Second)
	p := newPlay(t, "slow fine late")
	p.do["slow"] = func(ctx context.Context, _ *pipeline.Task) error { <-ctx.Done(); return ctx.Err() }
	p.do["late"] = func(ctx context.Context, _ *pipeline.Task) error { <-ctx.Done(); return nil } // it had finished all the same
	p.meta("slow").Timeout, p.meta("slow").Retry = time.Millisecond, 1
	p.meta("late").Timeout = time.Millisecond
	p.meta("fine").Timeout = time.Hour
	out, said := p.perform(t.Context(), pipeline.NewLocal(1), pipeline.RunOptions{}, nil)
	if out.Ran != 2 || out.Failed != 1 || out.Succeeded() {
		t.Errorf("outcome %+v", out.Summary)
	}
	if !slices.Contains(said, "progress slow: failed (took longer than its timeout of 1ms), attempt 2 of 2") || !slices.Contains(said, "fail slow: took longer than its timeout of 1ms") {
		t.Errorf("said %q", said)
	}
}

// TestOnFailure: what a failure means for the rest is the stage's to say, and --fail-fast's.
func TestOnFailure(t *testing.T) {
	for name, c := range map[string]struct {
		meta      string
		failFast  bool
		succeeded bool
		skipped   []string
	}{
		"skip":      {pipeline.SkipDependents, false, false, []string{"after: needs told.bad"}},
		"ignore":    {pipeline.IgnoreFailure, false, true, []string{"after: needs told.bad"}},
		"stop":      {pipeline.StopRun, false, false, []string{"after: needs told.bad", "other: not begun", "more: not begun"}},
		"fail-fast": {pipeline.IgnoreFailure, true, false, []string{"after: needs told.bad", "other: not begun", "more: not begun"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "bad after<bad other more")
			p.do["bad"] = func(context.Context, *pipeline.Task) error { return errors.New("no") }
			p.meta("bad").OnFailure = c.meta
			out, said := p.perform(t.Context(), pipeline.NewLocal(1), pipeline.RunOptions{FailFast: c.failFast}, nil)
			if out.Succeeded() != c.succeeded || out.Failed != 1 || out.Skipped != len(c.skipped) || (out.Ended != "") != (len(c.skipped) > 1) {
				t.Errorf("outcome %+v", out)
			}
			says(t, only(said, "skip"), c.skipped...)
			r := pipeline.Runs(p.st)[0]
			says(t, r.Failed, "told.bad")
			if len(r.Skipped) != len(c.skipped) {
				t.Errorf("the record has skipped %q", r.Skipped)
			}
		})
	}
}

// TestInterruptedInTheMiddle: what runs is told to stop; what had finished its work is kept; the rest is counted.
func TestInterruptedInTheMiddle(t *testing.T) {
	p := newPlay(t, "training finishing after<training")
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan struct{})
	p.do["training"] = func(ctx context.Context, t *pipeline.Task) error {
		t.Progress(120, 400, nil)
		close(running)
		<-ctx.Done()
		return fmt.Errorf("step 120: %w", ctx.Err())
	}
	p.do["finishing"] = func(ctx context.Context, t *pipeline.Task) error {
		<-running
		cancel()
		<-ctx.Done()
		return nil
	}
	out, said := p.perform(ctx, pipeline.NewLocal(2), pipeline.RunOptions{}, nil)
	if !out.Interrupted || out.Succeeded() || out.Ran != 1 || out.Failed != 0 || out.Skipped != 2 || out.NotBegun != 1 {
		t.Errorf("outcome %+v", out)
	}
	says(t, out.Stopped, "told.training at step 120 of 400")
	says(t, only(said, "skip"), "training: interrupted at step 120 of 400", "after: not begun")
	delete(p.do, "training")
	out, said = p.perform(t.Context(), pipeline.NewLocal(2), pipeline.RunOptions{}, nil)
	if !out.Succeeded() || out.Ran != 2 || out.Cached != 1 {
		t.Errorf("the run after: %+v %q", out.Summary, said)
	}
}

// TestInterruptedWhilePausing: a stage that waits for its next attempt fails with what it failed of.
func TestInterruptedWhilePausing(t *testing.T) {
	p := newPlay(t, "flaky after<flaky")
	p.do["flaky"] = func(context.Context, *pipeline.Task) error { return errors.New("the disk is away") }
	p.meta("flaky").Retry = 1000
	pipeline.FirstPause(time.Hour)
	defer pipeline.FirstPause(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	out, said := p.perform(ctx, pipeline.NewLocal(1), pipeline.RunOptions{}, func(e pipeline.Event) {
		if e.Action == "progress" {
			cancel()
		}
	})
	if out.Failed != 1 || !out.Interrupted || !slices.Contains(said, "fail flaky: the disk is away") {
		t.Errorf("outcome %+v %q", out.Summary, said)
	}
}
