package bench

import (
	"context"
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
		g := generation{
			size: sizeFlag(flags), cores: countFlag(flags, "cores", 1, "generate on `N` cores"),
			batch:   countFlag(flags, "batch", 64, "generate `N` sequences at once"),
			seconds: flags.Float64("seconds", 5, "measure for so many `SECONDS`, three runs at least"),
		}
		return g.run
	},
}

// generation is a measurement of greedy generation.
type generation struct {
	size         *size
	cores, batch *count
	seconds      *float64
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
	s, cores, batch := *g.size, int(*g.cores), int(*g.batch)
	n, err := s.net()
	if err != nil {
		return err
	}
	n.UseCores(func() int { return cores })
	var problems []lm.Problem
	for ids := random(s.vocab, batch*promptLength); len(ids) > 0; ids = ids[promptLength:] {
		problems = append(problems, lm.Problem{Prompt: ids[:promptLength]})
	}
	limit := s.context - promptLength
	var speeds []float64
	for start := time.Now(); len(speeds) < 4 || time.Since(start).Seconds() < *g.seconds; {
		began := time.Now()
		if _, err := n.Generate(ctx, problems, lm.Generation{Greedy: true, Length: limit}); err != nil {
			return err
		}
		speeds = append(speeds, float64(batch*limit)/time.Since(began).Seconds())
	}
	row(sampleRow{s.name, cores, batch, round(median(speeds[1:]), 0)}) // the first makes workspaces
	return nil
}
