package pretrain

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
)

// plain is the model block of tiny.
const plain = "  model {\n    layers = 1\n    width  = 8\n    heads  = 2\n    ff     = 16\n  }\n"

// pick returns one of several.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomPast is what trainings of one trajectory have in common, with rates that may diverge.
func randomPast(r *rand.Rand) string {
	model := pick(r, "", "    family = \"olmo2\"\n") + pick(r, "", "    tied = true\n")
	return fmt.Sprintf("  validation = given.g.held_out\n  seed       = %d\n  z_loss     = %g\n  evaluate {\n    every  = %d\n    tokens = 64\n  }\n", r.IntN(3), pick(r, 0, 0.01), pick(r, 0, 3, 10, 15)) +
		fmt.Sprintf("  adamw {\n    learning_rate = %g\n    clip          = %d\n    decay         = %q\n  }\n", pick(r, 0.01, 0.01, 100), r.IntN(2), pick(r, "all", "matrices", "no_embeddings")) +
		fmt.Sprintf("%s%s  }\n", strings.TrimSuffix(plain, "  }\n"), model)
}

// randomHorizon is what they need not have in common. A word in it, WARMUP, is still to be said.
func randomHorizon(r *rand.Rand) string {
	schedule := pick(r, "    shape = \"constant\"\n", "    shape = \"wsd\"\n    final = 0\n", "    shape = \"wsd\"\n    decay = 0.5\n", "    shape = \"wsd\"\n    decay = 1\n", "")
	return fmt.Sprintf("  steps         = %d\n  on_divergence = %q\n  micro_batch   = %d\n  schedule {\n    warmup_steps = WARMUP\n%s  }\n  save {\n    fractions = %s\n  }\n",
		1+r.IntN(50), pick(r, "record", "record", "fail"), r.IntN(5), schedule, pick(r, "[1]", "[0, 0.25, 0.5, 1]", "[0]", "[0.1, 0.9]"))
}

// killing is an executor whose stages end once so many steps were taken: told to stop, or by a panic.
type killing struct {
	*pipeline.Local
	left atomic.Int64
	stop func()
}

func (e *killing) Run(ctx context.Context, t *pipeline.Task) error {
	progress := t.Progress
	t.Progress = func(step, total int, values map[string]float64) {
		progress(step, total, values)
		if e.left.Add(-1) == 0 {
			e.stop()
		}
	}
	return e.Local.Run(ctx, t)
}

// Whatever trainings there are, in whatever order and company they run, and wherever they are ended: each leaves what it leaves alone.
func TestRandomTrainings(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			past, warmup := randomPast(r), fmt.Sprint(pick(r, 0, 3, 40))
			var trainings []string
			for i := range 4 {
				training := tiny(past + strings.Replace(randomHorizon(r), "WARMUP", warmup, 1))
				training = strings.Replace(training, plain, "", 1)
				_, training, _ = strings.Cut(training, "pretrain \"p\"")
				trainings = append(trainings, fmt.Sprintf("pretrain \"p%d\"%s\n", i, training))
			}
			study := pipelinetest.New(t, kinds, nil)
			left := func(r *pipelinetest.Result, i int) string {
				addr := fmt.Sprintf("pretrain.p%d", i)
				if err := r.Err(addr); err != nil {
					return err.Error()
				}
				return fmt.Sprint(r.Blob(addr, "weights").Digest, r.Blob(addr, "metrics").Digest)
			}
			for range 6 {
				some := "given \"g\" {}\n"
				for _, i := range r.Perm(len(trainings))[:1+r.IntN(3)] {
					some += strings.Replace(trainings[i], "context = 16", "context = 16\n  snapshot_every = "+pick(r, `"0s"`, `"60s"`), 1)
				}
				g, err := study.Load(some)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				e := &killing{Local: pipeline.NewLocal(1 + r.IntN(2)), stop: pick(r, cancel, func() { panic("killed") })}
				e.left.Store(int64(1 + r.IntN(80)))
				if _, err := g.Run(ctx, study.Store, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": e}}, func(pipeline.Event) {}); err != nil {
					t.Fatal(err)
				}
				cancel()
			}
			together := study.Run(2, "given \"g\" {}\n"+strings.Join(trainings, ""))
			for i, training := range trainings {
				alone := pipelinetest.Run(t, kinds, 1, "given \"g\" {}\n"+training, nil)
				if is, want := left(together, i), left(alone, i); is != want {
					t.Errorf("%s\nleft %s\nalone %s", training, is, want)
				}
			}
		})
	}
}
