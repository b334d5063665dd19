package pretrain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
	"anneal/stages/internal/weights"
)

// digests are those of a training's outputs.
func digests(r *pipelinetest.Result) string {
	return fmt.Sprint(r.Blob("pretrain.p", "weights").Digest, r.Blob("pretrain.p", "metrics").Digest)
}

// resumed lists the steps from which trainings of a run went on.
func resumed(r *pipelinetest.Result) (steps []int) {
	for _, e := range r.Events {
		if e.Action == "resume" {
			steps = append(steps, e.Step)
		}
	}
	return steps
}

// horizon is a training of so many steps with what a study varies.
func horizon(steps int, more string) string {
	return tiny(fmt.Sprintf("  validation = given.g.held_out\n  steps = %d\n  seed  = 3\n  evaluate {\n    every  = 15\n    tokens = 100\n  }\n%s", steps, more))
}

const (
	constant = "  schedule {\n    shape        = \"constant\"\n    warmup_steps = 5\n  }\n"
	wsd      = "  schedule {\n    shape        = \"wsd\"\n    warmup_steps = 5\n    final        = 0\n  }\n"
	quarters = "  save {\n    fractions = [0, 0.25, 0.5, 1]\n  }\n"
)

// A training that goes on from where another with the same past was leaves what one leaves that starts anew.
func TestContinuation(t *testing.T) {
	type training struct {
		steps int
		more  string
		from  []int // the steps at which it goes on, as far as others came
	}
	for _, c := range []struct {
		name      string
		trainings []training
	}{
		{"longer and longer", []training{{20, constant, nil}, {40, constant, []int{20}}, {70, constant, []int{40}}, {50, constant, []int{40}}, {30, constant, []int{20}}}},
		{"save points", []training{{20, constant + quarters, nil}, {40, constant + quarters, []int{20}}, {100, constant + quarters, []int{20, 40}}, {37, constant + quarters, []int{20}}}},
		{"wsd", []training{{20, wsd + quarters, nil}, {60, wsd + quarters, []int{16}}, {61, wsd + quarters, []int{16, 48}}, {200, wsd, []int{49}}}},
		{"wsd and constant", []training{{20, wsd, nil}, {18, constant, []int{16}}, {60, wsd, []int{18}}}},
		{"divergence recorded", []training{{20, constant, nil}, {40, constant + "  on_divergence = \"record\"\n", []int{20}}}},
		{"unlike pasts", []training{{20, constant, nil}, {40, constant + "  z_loss = 0.01\n", nil}, {40, strings.Replace(constant, "5", "6", 1), nil}, {40, "", nil}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			study := pipelinetest.New(t, kinds, nil)
			for _, x := range c.trainings {
				r := study.Run(2, horizon(x.steps, x.more))
				if got := resumed(r); !slices.Equal(got, x.from) {
					t.Errorf("%d steps went on at %v, want %v", x.steps, got, x.from)
				}
				if alone := pipelinetest.Run(t, kinds, 1, horizon(x.steps, x.more), nil); digests(r) != digests(alone) {
					t.Errorf("%d steps left %s, from the start %s", x.steps, digests(r), digests(alone))
				}
			}
		})
	}
}

// ending is an executor that ends its first stage at a step: it tells it to stop, or has it panic, which leaves no time for anything.
type ending struct {
	*pipeline.Local
	step int
	stop func()
}

func (e *ending) Run(ctx context.Context, t *pipeline.Task) error {
	progress := t.Progress
	t.Progress = func(step, total int, values map[string]float64) {
		progress(step, total, values)
		if step == e.step && t.Addr == "pretrain.p" {
			e.stop()
		}
	}
	return e.Local.Run(ctx, t)
}

// A training that was ended at any step, again and again, leaves what one leaves that was not.
func TestInterruptions(t *testing.T) {
	for name, more := range map[string]string{
		"cosine":   quarters,
		"wsd":      wsd + quarters,
		"diverges": quarters + diverging + "  on_divergence = \"record\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			whole := pipelinetest.Run(t, kinds, 1, horizon(40, more), nil)
			steps := int(lastRow(t, whole).Step)
			study := pipelinetest.New(t, kinds, nil)
			g, err := study.Load(horizon(40, more+"  snapshot_every = \"0s\"\n"))
			if err != nil {
				t.Fatal(err)
			}
			var want []int // where the next attempt goes on
			for step := 1; step <= steps; step += 1 + step%3 {
				ctx, cancel := context.WithCancel(t.Context())
				e := &ending{pipeline.NewLocal(1), step, cancel}
				if step%2 == 0 {
					e.stop = func() { panic("ended") }
				}
				var resumed []int
				out, err := g.Run(ctx, study.Store, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": e}}, func(e pipeline.Event) {
					if e.Action == "resume" {
						resumed = append(resumed, e.Step)
					}
				})
				cancel()
				if err != nil || out.Results[g.Node("pretrain.p")] != nil && step < steps {
					t.Fatalf("ended at step %d it left %v, %v", step, out, err)
				}
				if !slices.Equal(resumed, want) {
					t.Errorf("up to step %d it had gone on from %v, want %v", step, resumed, want)
				}
				want = []int{step}
				if step%2 == 0 {
					want = []int{step - 1}
				}
			}
			r := study.Run(1, horizon(40, more))
			if digests(r) != digests(whole) {
				t.Errorf("left %s, undisturbed %s", digests(r), digests(whole))
			}
		})
	}
}

// diverging is a learning rate that rises until numbers overflow, in step 17.
const diverging = "  adamw {\n    learning_rate = 100\n    clip          = 0\n  }\n  schedule {\n    warmup_steps = 40\n  }\n"

// A training that diverges fails, keeping its last snapshot, or is a result with what there was before.
func TestDivergence(t *testing.T) {
	study := pipelinetest.New(t, kinds, nil)
	failing := horizon(40, quarters+diverging+"  snapshot_every = \"0s\"\n")
	for _, from := range [][]int{nil, {16}} {
		r := study.Run(1, failing)
		want := `training diverged at step 17: `
		advice := `; lower learning_rate, lengthen the warmup or set clip, or keep what there is up to then with on_divergence = "record"`
		if err := r.Err("pretrain.p"); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "is not finite at learning rate 42.5") || !strings.HasSuffix(err.Error(), advice) {
			t.Errorf("got %v, want %q", err, want)
		}
		if got := resumed(r); !slices.Equal(got, from) {
			t.Errorf("went on from %v, want %v", got, from)
		}
	}

	r := study.Run(1, horizon(40, quarters+diverging+"  on_divergence = \"record\"\n"))
	w, err := artifacts.OpenWeights(r.Path("pretrain.p", "weights"))
	if err != nil {
		t.Fatal(err)
	}
	var saved []int64
	for _, s := range w.Saves {
		saved = append(saved, s.Step)
	}
	if !slices.Equal(saved, []int64{0, 10, 16}) {
		t.Errorf("saved after steps %v", saved)
	}
	if _, err := weights.Load(r.Path("pretrain.p", "weights")); err != nil {
		t.Error(err)
	}
	rows, err := artifacts.ReadRows[artifacts.TrainingRow](r.Path("pretrain.p", "metrics"))
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		if last := i == len(rows)-1; last != (row.DivergedAt != nil) || last && (row.Step != 16 || *row.DivergedAt != 17) {
			t.Errorf("row %+v", row)
		}
	}

	// From the first step on: what is left is the model as initialised.
	r = study.Run(1, horizon(40, "  on_divergence = \"record\"\n  adamw {\n    learning_rate = 1e30\n  }\n"))
	if last := lastRow(t, r); last.Step > 1 || *last.DivergedAt != last.Step+1 || (last.TrainLoss == nil) != (last.Step == 0) {
		t.Errorf("last row is %+v", last)
	}
}

func lastRow(t *testing.T, r *pipelinetest.Result) artifacts.TrainingRow {
	t.Helper()
	rows, err := artifacts.ReadRows[artifacts.TrainingRow](r.Path("pretrain.p", "metrics"))
	if err != nil {
		t.Fatal(err)
	}
	return rows[len(rows)-1]
}
