package pipeline_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
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

// march is a stage of many steps, each of which needs the one before. What it leaves is where it is at the end and at the
// steps to save.
type march struct {
	From  pipeline.Ref `hcl:"from,optional" artifact:"text"`
	Seed  int          `hcl:"seed,optional"`
	Steps int          `hcl:"steps"`
	Save  []int        `hcl:"save,optional"`
	Decay int          `hcl:"decay,optional"` // how many of the last steps depend on the number of all
	GB    int          `hcl:"gb,optional" key:"-"`
}

// place is where a march is.
type place struct {
	Step  int
	At    string
	Saved []string
}

// marched hears of every step before it is taken. Its error ends the stage.
var marched = func(m *march, step int) error { return nil }

func (m *march) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "out", Type: "text"}} }

func (m *march) Forecast(in pipeline.Inputs) (pipeline.Forecast, error) {
	if !m.From.IsZero() {
		path, err := in.Path(m.From, "")
		if err != nil {
			return pipeline.Forecast{}, err
		}
		if text, err := os.ReadFile(path); err != nil || string(text) == "" {
			return pipeline.Forecast{}, errors.Join(err, errors.New("nothing to march from"))
		}
	}
	if m.Seed < 0 {
		return pipeline.Forecast{}, pipeline.Errorf("seed", "must be at least 0, is %d", m.Seed)
	}
	f := pipeline.Forecast{Memory: int64(m.GB) * 1e9, Steps: m.Steps, Shared: m.Steps - m.Decay, Past: &march{From: m.From, Seed: m.Seed}}
	if f.Shared <= 0 {
		f.Shared, f.Alone = 0, "every step depends on the last"
	}
	for _, s := range m.Save {
		if s <= f.Shared {
			f.Stops = append(f.Stops, s)
		}
	}
	return f, nil
}

func (m *march) Run(ctx context.Context, t *pipeline.Task) error {
	f, err := m.Forecast(taskInputs{t})
	if err != nil {
		return err
	}
	p := place{At: fmt.Sprint(m.Seed)}
	if dir, step := t.Adopted(); dir != "" {
		if err := p.read(dir, step); err != nil {
			return err
		}
		t.Resumed(p.Step, m.Steps, "")
	}
	for _, stop := range slices.Sorted(slices.Values(slices.Concat(m.Save, t.Wanted(), []int{f.Shared, m.Steps}))) {
		if dir, step, err := t.KeptState(p.Step, stop); err != nil {
			return err
		} else if dir != "" {
			saved := p.Saved
			if err := p.read(dir, step); err != nil {
				return err
			}
			p.Saved = saved
			t.Resumed(step, m.Steps, fmt.Sprintf("continues from step %d of %d", step, m.Steps))
		}
		for p.Step < stop {
			if err := errors.Join(ctx.Err(), marched(m, p.Step+1)); err != nil {
				return errors.Join(t.Snapshot(p.Step, p.write), err)
			}
			p.Step++
			p.At += fmt.Sprintf(".%d", p.Step)
			if p.Step > f.Shared {
				p.At += fmt.Sprintf("/%d", m.Steps)
			}
			p.At = fmt.Sprintf("%x", sha256.Sum256([]byte(p.At)))[:16]
		}
		if p.Step > stop {
			continue
		}
		if slices.Contains(m.Save, stop) && !slices.Contains(p.Saved, p.At) {
			p.Saved = append(p.Saved, p.At)
		}
		if stop > 0 && (stop == f.Shared || slices.Contains(t.Wanted(), stop)) {
			bare := place{Step: p.Step, At: p.At}
			if err := t.KeepState(stop, bare.write); err != nil {
				fmt.Fprintln(t.Log, err)
			}
		}
	}
	return os.WriteFile(t.Output("out"), []byte(p.At+" "+strings.Join(p.Saved, " ")), 0o666)
}

func (p *place) write(dir string) error {
	data, err := json.Marshal(p)
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "place"), data, 0o666))
}

func (p *place) read(dir string, step int) error {
	data, err := os.ReadFile(filepath.Join(dir, "place"))
	if err = errors.Join(err, json.Unmarshal(data, p)); err == nil && p.Step != step {
		err = fmt.Errorf("a state of step %d is said to be of step %d", p.Step, step)
	}
	return err
}

type taskInputs struct{ *pipeline.Task }

func (in taskInputs) Path(r pipeline.Ref, _ string) (string, error) { return in.Input(r).Path, nil }

var marches = append(slices.Clone(kinds), &pipeline.Kind{Name: "march", Version: 1, New: func() pipeline.Stage { return &march{} }})

// taken counts the steps that marches take while the test goes on, by seed and number of steps. before hears of each first.
func taken(t *testing.T, before func(m *march, step int) error) func() map[string]int {
	var mu sync.Mutex
	counts := map[string]int{}
	marched = func(m *march, step int) error {
		if before != nil {
			if err := before(m, step); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		counts[fmt.Sprintf("%d/%d", m.Seed, m.Steps)]++
		return nil
	}
	t.Cleanup(func() { marched = func(*march, int) error { return nil } })
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		was := counts
		counts = map[string]int{}
		return was
	}
}

// fromScratch is what the march at addr leaves in a store of its own.
func fromScratch(t *testing.T, blocks, addr string) store.Digest {
	t.Helper()
	return pipelinetest.Run(t, marches, 1, blocks, nil).Blob(addr, "out").Digest
}

// planned tells a line a step, with what it will compute and its notes.
func planned(t *testing.T, s *pipelinetest.Study, blocks string) string {
	t.Helper()
	steps, err := s.Plan(pipeline.NewLocal(1), blocks)
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, step := range steps {
		if step.Do != pipeline.Cached {
			fmt.Fprintf(&lines, "%s %d of %d %s\n", step.Node.Addr, step.Computed, step.Steps, strings.Join(step.Notes, "; "))
		}
	}
	return lines.String()
}

// said lists the texts of events of an action.
func said(r *pipelinetest.Result, action string) []string {
	var texts []string
	for _, e := range r.Events {
		if e.Action == action && e.Text != "" {
			texts = append(texts, e.Addr+" "+e.Text)
		}
	}
	return texts
}

func blockOf(steps int, more string) string {
	return fmt.Sprintf("march \"m\" {\n  steps = %d\n%s\n}\n", steps, more)
}

// TestResume: a stage that is interrupted, or fails, goes on from its snapshot, and leaves the bytes of one that was not.
func TestResume(t *testing.T) {
	block := blockOf(10, "save = [2, 8]")
	want := fromScratch(t, block, "march.m")
	for _, how := range []string{"interrupted", "failed"} {
		s := pipelinetest.New(t, marches, nil)
		var interrupt context.CancelFunc
		count := taken(t, func(m *march, step int) error {
			if step == 6 && interrupt != nil {
				interrupt()
				interrupt = nil
				if how == "failed" {
					return errors.New("out of luck")
				}
				return context.Canceled
			}
			return nil
		})
		g, err := s.Load(block)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if interrupt = cancel; how == "failed" {
			interrupt = func() {}
		}
		out, err := g.Run(ctx, s.Store, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(1)}}, func(pipeline.Event) {})
		cancel()
		if err != nil || out.Succeeded() {
			t.Fatalf("%s: %+v, %v", how, out, err)
		}
		expect(t, planned(t, s, block), "march.m 5 of 10 resumes from the snapshot at step 5 of 10\n")
		count()
		r := s.Run(1, block)
		if got := r.Blob("march.m", "out").Digest; got != want {
			t.Errorf("%s: it has the bytes %s, want %s", how, got.Short(), want.Short())
		}
		if n := count()["0/10"]; n != 5 {
			t.Errorf("%s: the second run takes %d steps", how, n)
		}
		if text := said(r, "resume"); !slices.Equal(text, []string{"march.m resumed at step 5 of 10"}) {
			t.Errorf("%s: it says %q", how, text)
		}
	}
}

// TestContinue: a longer march goes on from where a shorter one was, over no step that it is to save, and leaves the bytes
// of one from scratch.
func TestContinue(t *testing.T) {
	s := pipelinetest.New(t, marches, nil)
	count := taken(t, nil)
	for _, c := range []struct {
		block, plan string
		taken       int
	}{
		{blockOf(40, ""), "march.m 40 of 40 \n", 40},
		{blockOf(60, ""), "march.m 20 of 60 continues from step 40 of 60\n", 20},
		{blockOf(50, ""), "march.m 10 of 50 continues from step 40 of 50\n", 10},
		{blockOf(70, "save = [10, 45]"), "march.m 25 of 70 computes 25 of 70 steps, as others are kept\n", 25},
		{blockOf(60, "save = [45]"), "march.m 5 of 60 continues from step 40 of 60; computes 5 of 60 steps, as others are kept\n", 5},
		{blockOf(80, "decay = 20\nseed = 1"), "march.m 80 of 80 \n", 80},
		{blockOf(100, "decay = 30\nseed = 1"), "march.m 40 of 100 continues from step 60 of 100\n", 40},
		{blockOf(1200, "decay = 1200\nseed = 1"), "march.m 1200 of 1200 starts over: every step depends on the last\n", 1200},
		{blockOf(1300, "decay = 1300\nseed = 2"), "march.m 1300 of 1300 \n", 1300},
	} {
		expect(t, planned(t, s, c.block), c.plan)
		want := fromScratch(t, c.block, "march.m")
		count()
		if got := s.Run(1, c.block).Blob("march.m", "out").Digest; got != want {
			t.Errorf("%s: it has the bytes %s, want %s", c.block, got.Short(), want.Short())
		}
		taken := 0
		for _, n := range count() {
			taken += n
		}
		if taken != c.taken {
			t.Errorf("%s: takes %d steps, want %d", c.block, taken, c.taken)
		}
	}
}

// TestCostOfSteps: what a step of the work took is what the steps to come are expected to take, and no others count.
func TestCostOfSteps(t *testing.T) {
	s := pipelinetest.New(t, marches, nil)
	s.Run(1, blockOf(40, ""))
	for _, r := range s.Store.Results() {
		if r.Made.Steps != 40 || r.Made.Trajectory.IsZero() {
			t.Errorf("a march of 40 steps was made by %+v", r.Made)
		}
		r.Made.Seconds = 80
		if err := s.Store.PutResult(r); err != nil {
			t.Fatal(err)
		}
	}
	for block, want := range map[string]float64{
		blockOf(60, ""):                                    40,      // goes on from the step 40
		blockOf(60, "seed = 1"):                            120,     // starts from nothing
		blockOf(40, "save = [10, 20]"):                     40,      // from step 20 on it jumps
		blockOf(60, "") + "march \"n\" {\n  steps = 50\n}": 20 + 20, // the one goes on from where the other was
	} {
		g, err := s.Load(block)
		if err != nil {
			t.Fatal(err)
		}
		steps := g.Plan(s.Store)
		if err := g.Forecast(s.Store, steps, nil); err != nil {
			t.Fatal(err)
		}
		if c := g.Cost(s.Store, steps, 1); c.Seconds != want {
			t.Errorf("%s is to take %g s, want %g s", block, c.Seconds, want)
		}
	}
}

// TestForetoldMemory: a stage that foretells more memory than its executor has is refused with its line before anything runs,
// and where its inputs are not known, when they are. What it foretells counts in the budget.
func TestForetoldMemory(t *testing.T) {
	const text = `march.big: resources.memory would have to be 5 GB, which this stage takes at its peak, and executor "local" has 3 GB: compute less at once, such as with a smaller micro_batch, use another executor, or give it more with executor "local" { memory = … }.`
	local := &pipeline.Local{Cores: 2, Memory: "3GB"}
	s := pipelinetest.New(t, marches, nil)
	steps, err := s.Plan(local, "march \"big\" {\n  steps = 2\n  gb = 5\n}")
	var invalid *pipeline.InvalidError
	if !errors.As(err, &invalid) || len(invalid.Problems()) != 1 {
		t.Fatalf("planned with %v", err)
	}
	if p := invalid.Problems()[0]; p.Line != 2 || "march.big: "+p.Detail != text || p.Summary != "A stage never fits" || steps[0].Memory != 5e9 {
		t.Errorf("%+v", p)
	}
	if _, err := s.Plan(local, "march \"big\" {\n  steps = 2\n  gb = 5\n  resources {\n    memory = \"1GB\"\n  }\n}"); err != nil {
		t.Errorf("a stage that says what it takes: %v", err)
	}
	if _, err := s.Plan(local, blockOf(3, "seed = -1")); !errors.As(err, &invalid) || invalid.Problems()[0].Detail != "seed must be at least 0, is -1." || invalid.Problems()[0].Line != 4 {
		t.Errorf("a forecast that blames a field: %v", err)
	}

	const later = "word \"w\" {\n}\nmarch \"big\" {\n  from  = word.w.out\n  steps = 2\n  gb    = 5\n}\nmarch \"small\" {\n  from  = word.w.out\n  steps = 3\n  gb    = 2\n}\nmarch \"too\" {\n  from  = word.w.out\n  steps = 4\n  gb    = 2\n  seed = 1\n}"
	if _, err := s.Plan(local, later); err != nil {
		t.Errorf("with inputs that are not known yet: %v", err)
	}
	running, most := 0, 0
	var mu sync.Mutex
	taken(t, func(m *march, step int) error {
		mu.Lock()
		defer mu.Unlock()
		if step == 1 {
			running++
			most = max(most, running)
		} else if step == m.Steps {
			running--
		}
		return nil
	})
	g, err := s.Load(later)
	if err != nil {
		t.Fatal(err)
	}
	out, err := g.Run(t.Context(), s.Store, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": local}}, func(pipeline.Event) {})
	if err != nil || len(out.Failures) != 1 || out.Ran != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	if p := out.Failures[0].Blamed().Problems()[0]; p.Addr+": "+p.Detail != text || p.Line != 4 {
		t.Errorf("%+v", p)
	}
	if most != 1 {
		t.Errorf("%d stages of 2 GB each ran at once in 3 GB", most)
	}
}

// TestRerunComputesAll: what is run again to be compared goes on from nothing, and keeps nothing.
func TestRerunComputesAll(t *testing.T) {
	s := pipelinetest.New(t, marches, nil)
	s.Run(1, blockOf(20, ""))
	block := blockOf(30, "")
	s.Run(1, block)
	g, err := s.Load(block)
	if err != nil {
		t.Fatal(err)
	}
	count := taken(t, nil)
	err = g.Rerun(t.Context(), s.Store, g.Nodes, local, func(pipeline.Event) {}, func(r *pipeline.Rerun) {
		if different := r.Different(); different != nil {
			t.Errorf("%v came out with other bytes", different)
		}
	})
	if n := count()["0/30"]; n != 30 || err != nil {
		t.Errorf("%d steps were taken, %v", n, err)
	}
}

// TestCollectStates: kept states stay while a stage of the files, or a result that stays, is on their trajectory.
func TestCollectStates(t *testing.T) {
	s := pipelinetest.New(t, marches, nil)
	collect := func(block string, runs int) (kept, gone []int) {
		t.Helper()
		g, err := s.Load(block)
		if err != nil {
			t.Fatal(err)
		}
		found, err := pipeline.Collect(s.Store, []*pipeline.Graph{g}, pipeline.Collection{KeepRuns: runs, Delete: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range found.Kept {
			kept = append(kept, k.Step)
		}
		for _, k := range found.States {
			gone = append(gone, k.Step)
			if found.Addrs[k.Trajectory] != "test/march.m" {
				t.Errorf("a state of %q goes", found.Addrs[k.Trajectory])
			}
		}
		return kept, gone
	}
	s.Run(1, blockOf(20, ""))
	s.Run(1, blockOf(30, "seed = 1"))
	for _, c := range []struct {
		why, block string
		runs       int
		kept, gone []int
	}{
		{"both of recent runs", blockOf(5, "seed = 9"), 2, []int{20, 30}, nil},
		{"a longer march can use one, a run has the other", blockOf(50, ""), 1, []int{20, 30}, nil},
		{"a longer march can use it", blockOf(50, ""), 0, []int{20}, []int{30}},
		{"limited by keep", blockOf(50, "keep = \"0\""), 0, nil, []int{20}},
	} {
		kept, gone := collect(c.block, c.runs)
		slices.Sort(kept)
		if !slices.Equal(kept, c.kept) || !slices.Equal(gone, c.gone) {
			t.Errorf("%s: %v stay and %v go, want %v and %v", c.why, kept, gone, c.kept, c.gone)
		}
	}
}
