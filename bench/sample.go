package bench

import (
	"context"
	"errors"
	"flag"
	"time"

	"anneal/cli"
	"anneal/lm"
)

var sample = cli.Benchmark{
	Name:  "sample",
	Short: "Tokens a second of greedy generation",
	Long: `Generate greedily from random prompts of 32 tokens until the context is full, and print generated tokens a second, the time for the prompts
included: the median of runs. The models are those of anneal bench train.`,
	Measure: func(flags *flag.FlagSet) func(context.Context, func(any)) error {
		var g generation
		flags.StringVar(&g.size, "size", "small", sizeUsage)
		flags.IntVar(&g.cores, "cores", 1, "generate on `N` cores")
		flags.IntVar(&g.batch, "batch", 64, "generate `N` sequences at once")
		flags.Float64Var(&g.seconds, "seconds", 5, "measure for so many `SECONDS`, three runs at least")
		return g.run
	},
}

// generation is a measurement of greedy generation.
type generation struct {
	size         string
	cores, batch int
	seconds      float64
}

// sampleRow is its result.
type sampleRow struct {
	Size            string  `json:"size"`
	Cores           int     `json:"cores"`
	Batch           int     `json:"batch"`
	TokensPerSecond float64 `json:"tokens_per_second"`
}

// promptLength is the number of tokens of a prompt.
const promptLength = 32

func (g *generation) run(ctx context.Context, row func(any)) error {
	s, err := findSize(g.size)
	if err != nil {
		return err
	}
	if g.cores < 1 || g.batch < 1 || !(g.seconds > 0) {
		return errors.New("--cores, --batch and --seconds must be above 0")
	}
	n, err := s.net()
	if err != nil {
		return err
	}
	n.UseCores(func() int { return g.cores })
	var problems []lm.Problem
	for ids := random(s.vocab, g.batch*promptLength); len(ids) > 0; ids = ids[promptLength:] {
		problems = append(problems, lm.Problem{Prompt: ids[:promptLength]})
	}
	limit := s.context - promptLength
	var speeds []float64
	for start := time.Now(); len(speeds) < 4 || time.Since(start).Seconds() < g.seconds; {
		began := time.Now()
		if _, err := n.Generate(ctx, problems, lm.Generation{Greedy: true, Length: limit}); err != nil {
			return err
		}
		speeds = append(speeds, float64(g.batch*limit)/time.Since(began).Seconds())
	}
	row(sampleRow{s.name, g.cores, g.batch, round(median(speeds[1:]), 0)}) // the first makes workspaces
	return nil
}
