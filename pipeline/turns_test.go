package pipeline_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"anneal/artifacts/store"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
)

// TestTurns: of stages on one trajectory that are due, the one that shares least goes first, and no step that they share is
// taken twice; others keep the cores busy meanwhile. It is the same on one core, and where the first fails.
func TestTurns(t *testing.T) {
	const blocks = `
march "long" {
  steps = 60
}
march "decay" {
  steps = 50
  decay = 20
}
march "short" {
  steps = 30
}
march "other" {
  for_each = grid({ seed = [1, 2, 3] })
  seed     = each.value.seed
  steps    = 5
}`
	want := map[string]store.Digest{}
	for addr, steps := range map[string]string{"march.long": "steps = 60", "march.decay": "steps = 50\ndecay = 20", "march.short": "steps = 30"} {
		want[addr] = fromScratch(t, addr[:5]+" \"m\" {\n"+steps+"\n}", "march.m")
	}
	for _, jobs := range []int{1, 2, 4} {
		s := pipelinetest.New(t, marches, nil)
		expect(t, planned(t, s, blocks), `march.long 30 of 60 shares its first 30 steps with march.decay, which goes first
march.decay 50 of 50 
march.short 0 of 30 shares its first 30 steps with march.decay, which goes first
march.other[seed=1] 5 of 5 
march.other[seed=2] 5 of 5 
march.other[seed=3] 5 of 5 
`)
		count := taken(t, nil)
		r := s.Run(jobs, blocks)
		for addr, digest := range want {
			if got := r.Blob(addr, "out").Digest; got != digest {
				t.Errorf("%d jobs: %s has the bytes %s, want %s", jobs, addr, got.Short(), digest.Short())
			}
		}
		if n := count(); n["0/60"] != 30 || n["0/50"] != 50 || n["0/30"] != 0 || n["1/5"] != 5 {
			t.Errorf("%d jobs: steps taken: %v", jobs, n)
		}
	}

	// The first fails at its tenth step: the next takes its place.
	s := pipelinetest.New(t, marches, nil)
	count := taken(t, func(m *march, step int) error {
		if m.Steps == 50 && step == 10 {
			return errors.New("out of luck")
		}
		return nil
	})
	r := s.Run(2, blocks)
	if r.Err("march.decay") == nil || r.Err("march.short") != nil {
		t.Fatal(r.Err("march.short"))
	}
	if n := count(); n["0/60"] != 30 || n["0/50"] != 9 || n["0/30"] != 30 {
		t.Errorf("the first fails: steps taken: %v", n)
	}
	if got := r.Blob("march.long", "out").Digest; got != want["march.long"] {
		t.Errorf("the first fails: the last has the bytes %s", got.Short())
	}
	if waits := said(r, "progress"); !slices.Contains(waits, "march.short waits for march.decay, with which it shares its first 30 steps") {
		t.Errorf("they say %q", waits)
	}
}

// TestWanted: the one that goes first keeps the states that the others need on their way too, so that these take none of the steps that
// they share.
func TestWanted(t *testing.T) {
	const blocks = `
march "longest" {
  steps = 120
  decay = 20
  save  = [25, 30, 60, 90]
}
march "long" {
  steps = 60
  decay = 12
  save  = [15, 45]
}
march "short" {
  steps = 20
  decay = 4
  save  = [5, 10]
}`
	s := pipelinetest.New(t, marches, nil)
	expect(t, planned(t, s, blocks), `march.longest 72 of 120 shares its first 48 steps with march.long, which goes first
march.long 44 of 60 shares its first 16 steps with march.short, which goes first
march.short 20 of 20 `+"\n")
	count := taken(t, nil)
	r := s.Run(1, blocks)
	if n := count(); n["0/20"] != 20 || n["0/60"] != 44 || n["0/120"] != 72 {
		t.Errorf("steps taken: %v", n)
	}
	for addr, block := range map[string]string{
		"march.longest": "steps = 120\ndecay = 20\nsave = [25, 30, 60, 90]", "march.long": "steps = 60\ndecay = 12\nsave = [15, 45]",
	} {
		if got, want := r.Blob(addr, "out").Digest, fromScratch(t, "march \"m\" {\n"+block+"\n}", "march.m"); got != want {
			t.Errorf("%s has the bytes %s, want %s", addr, got.Short(), want.Short())
		}
	}
}

// TestOthersWaitForNobody: while a stage waits for the one that goes first on its trajectory, others have the cores; and
// where that has kept its state, it goes on beside it.
func TestOthersWaitForNobody(t *testing.T) {
	const blocks = `
march "a" {
  steps = 20
  decay = 10
}
march "b" {
  steps = 30
  decay = 20
}
march "other" {
  seed  = 1
  steps = 5
}`
	s := pipelinetest.New(t, marches, nil)
	other, b := make(chan bool), make(chan bool)
	taken(t, func(m *march, step int) error {
		switch {
		case m.Steps == 20 && step == 5: // b could have started by now
			<-other
		case m.Steps == 20 && step == 15: // b takes its own steps while a takes its last
			<-b
		case m.Seed == 1 && step == 5:
			close(other)
		case m.Steps == 30 && step <= 10:
			return errors.New("it takes a step that a has taken")
		case m.Steps == 30 && step == 30:
			close(b)
		}
		return nil
	})
	r := s.Run(2, blocks)
	for _, addr := range []string{"march.a", "march.b", "march.other"} {
		if err := r.Err(addr); err != nil {
			t.Error(err)
		}
	}
}

// TestNothingToWaitFor: a stage waits for no other on its trajectory where that will keep no state, or none that is further
// than it is itself.
func TestNothingToWaitFor(t *testing.T) {
	// b takes its first step only once a has gone past what they share.
	const blocks = "march \"a\" {\n  steps = 20\n  decay = 10\n}\nmarch \"b\" {\n  steps = 30\n  decay = 20\n}"
	s := pipelinetest.New(t, marches, nil)
	noStates := filepath.Join(s.Store.Dir(), "states") // a file
	if err := errors.Join(os.Mkdir(s.Store.Dir(), 0o777), os.WriteFile(noStates, nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	b := make(chan bool)
	taken(t, func(m *march, step int) error {
		if m.Steps == 20 && step == 15 {
			<-b
		} else if m.Steps == 30 && step == 1 {
			close(b)
		}
		return nil
	})
	r := s.Run(2, blocks)
	if err := errors.Join(r.Err("march.a"), r.Err("march.b")); err != nil {
		t.Error(err)
	}

	// b has a snapshot from further on.
	s = pipelinetest.New(t, marches, nil)
	taken(t, func(m *march, step int) error {
		if m.Steps == 50 && step == 20 {
			return errors.New("out of luck")
		}
		return nil
	})
	s.Run(1, "march \"b\" {\n  steps = 50\n}")
	count := taken(t, nil)
	const later = "march \"a\" {\n  steps = 20\n  decay = 10\n}\nmarch \"c\" {\n  steps = 60\n  decay = 10\n}\nmarch \"b\" {\n  steps = 50\n}"
	expect(t, planned(t, s, later), `march.a 20 of 20 
march.c 10 of 60 shares its first 50 steps with march.b, which goes first
march.b 31 of 50 resumes from the snapshot at step 19 of 50
`)
	for _, text := range said(s.Run(2, later), "progress") {
		if strings.HasPrefix(text, "march.b") {
			t.Error(text)
		}
	}
	if n := count(); n["0/50"] != 31 || n["0/20"] != 20 {
		t.Errorf("steps taken: %v", n)
	}
}

// TestTurnsAhead: stages that are ahead of the one that shares least share with one another; and nobody computes what is kept for the sake
// of another's save point.
func TestTurnsAhead(t *testing.T) {
	const blocks = `
march "behind" {
  steps = 19
}
march "first" {
  steps = 53
  decay = 26
}
march "second" {
  steps = 55
  decay = 25
  save  = [6, 11]
}`
	for _, jobs := range []int{1, 3} {
		s := pipelinetest.New(t, marches, nil)
		s.Run(1, blockOf(11, ""))
		s.Run(1, blockOf(23, ""))
		expect(t, planned(t, s, blocks), `march.behind 8 of 19 continues from step 11 of 19
march.first 30 of 53 continues from step 23 of 53
march.second 34 of 55 shares its first 27 steps with march.first, which goes first
`)
		count := taken(t, nil)
		s.Run(jobs, blocks)
		if n := count(); n["0/19"] != 8 || n["0/53"] != 30 || n["0/55"] != 34 {
			t.Errorf("%d jobs: steps taken: %v", jobs, n)
		}
	}
}

// TestTurnIsNotWaitedFor: a run that starts nothing new, since a stage failed, does not wait for another process's turn.
func TestTurnIsNotWaitedFor(t *testing.T) {
	s := pipelinetest.New(t, marches, nil)
	first, err := s.Load(blockOf(30, ""))
	if err != nil {
		t.Fatal(err)
	}
	begun, ended, asked := make(chan bool), make(chan bool), make(chan bool)
	taken(t, func(m *march, step int) error {
		switch {
		case m.Seed == 1:
			<-asked
			return errors.New("out of luck")
		case step == 10:
			close(begun)
			<-ended
		}
		return nil
	})
	var other sync.WaitGroup
	defer other.Wait()
	defer close(ended)
	other.Go(func() {
		first.Run(t.Context(), store.Open(s.Store.Dir()), pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(pipeline.Event) {})
	})
	<-begun
	second, err := s.Load(blockOf(30, "save = [20]") + "march \"bad\" {\n  seed  = 1\n  steps = 5\n}")
	if err != nil {
		t.Fatal(err)
	}
	o := pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(2)}, FailFast: true}
	out, err := second.Run(t.Context(), store.Open(s.Store.Dir()), o, func(e pipeline.Event) {
		if strings.HasPrefix(e.Text, "another process takes the first 30 steps") {
			close(asked)
		}
	})
	if err != nil || out.Ended != "march.bad" || out.NotBegun != 1 {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestTurnsOfProcesses: of two processes with stages on one trajectory, one takes the steps that they share while the other
// runs what else there is, and then goes on from there.
func TestTurnsOfProcesses(t *testing.T) {
	s := pipelinetest.New(t, marches, nil)
	load := func(blocks string) *pipeline.Graph {
		g, err := s.Load(blocks)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	first := load("march \"m\" {\n  steps = 30\n  decay = 10\n}")
	second := load("march \"m\" {\n  steps = 40\n  decay = 20\n}\nmarch \"other\" {\n  seed  = 1\n  steps = 5\n}")
	begun, other := make(chan bool), make(chan bool)
	count := taken(t, func(m *march, step int) error {
		switch {
		case m.Steps == 30 && step == 10:
			close(begun)
			<-other
		case m.Seed == 1 && step == 5:
			close(other)
		}
		return nil
	})
	run := func(g *pipeline.Graph) (texts []string) {
		out, err := g.Run(t.Context(), store.Open(s.Store.Dir()), pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(e pipeline.Event) { texts = append(texts, e.Text) })
		if err != nil || !out.Succeeded() {
			t.Errorf("%+v, %v", out, err)
		}
		return texts
	}
	var both sync.WaitGroup
	both.Go(func() { run(first) })
	<-begun
	texts := run(second)
	both.Wait()
	if n := count(); n["0/30"] != 30 || n["0/40"] != 20 || n["1/5"] != 5 {
		t.Errorf("steps taken: %v", n)
	}
	if !slices.Contains(texts, "another process takes the first 20 steps; waiting") {
		t.Errorf("it says %q", texts)
	}
}
