package bench

import (
	"context"
	"errors"
	"flag"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"anneal/cli"
	"anneal/lm"
)

var train = cli.Benchmark{
	Name:  "train",
	Short: "Tokens a second of training",
	Long: `Train a model on random tokens and print tokens a second, the same by CPU time of all threads, and GFLOP/s. A step is forward, backward,
clipping to norm 1 and AdamW, in float32; two steps go before those that are measured. A token counts 6·(n - V·d) + 6·L·T·d operations, of n
parameters, V·d of them the embedding, L layers, T tokens of context and width d.

  tiny    2 layers of width 64, vocabulary 512, 32 sequences of 64 tokens
  small   4 layers of width 128, vocabulary 2048, 16 sequences of 128 tokens
  mid     6 layers of width 384, vocabulary 4096, 8 sequences of 256 tokens

One model: the median over steps. With --models more of them share the cores as a sweep's stages do, a core each where there are not more cores
than models, and tokens a second are those of all models over the time of the whole.

With --profile, the milliseconds of CPU time that a step spends by kernel, and by part of the step.`,
	Measure: func(flags *flag.FlagSet) func(context.Context, func(any)) error {
		t := training{
			size: sizeFlag(flags), cores: countFlag(flags, "cores", 1, "train on `N` cores"),
			models:  countFlag(flags, "models", 1, "train `M` models, as many at once as there are cores"),
			seconds: flags.Float64("seconds", 5, "measure for so many `SECONDS`, a step at least"),
			profile: flags.Bool("profile", false, "show where the time goes"),
		}
		return t.run
	},
}

// training is a measurement of trainings.
type training struct {
	size          *size
	cores, models *count
	seconds       *float64
	profile       *bool
}

// trainRow is its result.
type trainRow struct {
	Size               string  `json:"size"`
	Cores              int     `json:"cores"`
	Models             int     `json:"models"`
	Parameters         int     `json:"parameters"`
	TokensPerSecond    float64 `json:"tokens_per_second"`
	TokensPerCPUSecond float64 `json:"tokens_per_cpu_second"`
	GFLOPS             float64 `json:"gflops"`
}

// warmup is the number of steps that are not measured: workspaces are made, caches filled.
const warmup = 2

func (t *training) run(ctx context.Context, row func(any)) error {
	s, models, at := *t.size, make([]*model, *t.models), int(min(*t.models, *t.cores)) // at once
	var running atomic.Int32
	cores := func() int { return int(*t.cores) / max(1, int(running.Load())) }
	var err error
	for i := range models {
		if models[i], err = newModel(s, s.ids(), lm.DefaultAdamW(), cores); err != nil {
			return err
		}
		if err := models[i].run(ctx, warmup); err != nil {
			return err
		}
	}
	var p profiler
	if *t.profile {
		if err := p.start(); err != nil {
			return err
		}
	}
	start, cpu := time.Now(), cpuTime()
	err = t.train(ctx, models, at, &running)
	seconds, cpuSeconds := time.Since(start).Seconds(), (cpuTime() - cpu).Seconds()
	if *t.profile {
		p.stop()
	}
	if err != nil {
		return err
	}
	steps := 0
	for _, m := range models {
		steps += len(m.steps)
	}
	perStep := float64(s.batch * s.context)
	r := trainRow{Size: s.name, Cores: int(*t.cores), Models: len(models), Parameters: s.model().ParameterCount(s.vocab)}
	speed := float64(steps) * perStep / seconds
	if len(models) == 1 {
		speed = perStep / median(models[0].steps)
	}
	r.TokensPerSecond, r.TokensPerCPUSecond = round(speed, 0), round(float64(steps)*perStep/cpuSeconds, 0)
	r.GFLOPS = round(speed*s.operations()/1e9, 1)
	row(r)
	if *t.profile {
		return p.rows(steps, row)
	}
	return nil
}

// model is a training under way.
type model struct {
	trainer *lm.Trainer
	steps   []float64 // seconds of each step of the last run
	last    time.Time
	until   time.Time // when a run ends; zero: after its steps
}

// endless is more steps than there is time for.
const endless = 1 << 30

// errEnough ends a run.
var errEnough = errors.New("measured for long enough")

// newModel makes a training of random blocks of tokens.
func newModel(s size, ids lm.IDs, optimizer lm.AdamW, cores func() int) (*model, error) {
	n, err := s.net()
	if err != nil {
		return nil, err
	}
	data, err := lm.NewBlocks(ids, s.context, s.batch, 1)
	if err != nil {
		return nil, err
	}
	m := new(model)
	m.trainer, err = lm.NewTrainer(n, lm.Training{
		Optimizer: optimizer, Schedule: lm.Schedule{Shape: "constant"}, Steps: endless, Data: data, RowEvery: endless,
		OnStep: m.step, Cores: cores,
	})
	return m, err
}

// run trains for so many steps more, or until the time is over.
func (m *model) run(ctx context.Context, steps int) error {
	m.steps, m.last = m.steps[:0], time.Now()
	if err := m.trainer.Run(ctx, m.trainer.State().Step+steps); !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

// step notes how long a step took.
func (m *model) step(int, float64) error {
	now := time.Now()
	m.steps = append(m.steps, now.Sub(m.last).Seconds())
	m.last = now
	if !m.until.IsZero() && now.After(m.until) {
		return errEnough
	}
	return nil
}

// train trains so many models at once, each as long as lets all of them end in time.
func (t *training) train(ctx context.Context, models []*model, at int, running *atomic.Int32) error {
	each := time.Duration(*t.seconds * float64(at) / float64(len(models)) * float64(time.Second))
	slots := make(chan struct{}, at)
	failures := make([]error, len(models))
	var done sync.WaitGroup
	for i, m := range models {
		done.Go(func() {
			slots <- struct{}{}
			running.Add(1)
			defer func() {
				running.Add(-1)
				<-slots
			}()
			m.until = time.Now().Add(each)
			failures[i] = m.run(ctx, endless-warmup)
		})
	}
	done.Wait()
	return errors.Join(failures...)
}

// cpuTime is what the process has used so far, of all its threads.
func cpuTime() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r) // fails for no argument that is given here
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
