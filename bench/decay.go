package bench

import (
	"context"
	"flag"

	"anneal/cli"
	"anneal/lm"
)

var decay = cli.Benchmark{
	Name:  "decay",
	Short: "Whether a large weight decay slows training down",
	Long: `Train two models with weight decays of 0.1 and 10 in turns, at a learning rate of 0.03, when weights of tokens that never occur have decayed
for 300 steps: 0.7 to that power is far below the smallest numbers that processors are fast with. Both should train equally fast, since AdamW
stores numbers below 2^-100 as 0. The model is tiny with 4 sequences and 16 different tokens; medians, by CPU time.`,
	Measure: func(*flag.FlagSet) func(context.Context, func(any)) error { return decays },
}

// decayRow is the result for one weight decay.
type decayRow struct {
	WeightDecay        float64 `json:"weight_decay"`
	TokensPerCPUSecond float64 `json:"tokens_per_cpu_second"`
}

func decays(ctx context.Context, row func(any)) error {
	const occurring, settle, rounds, steps = 16, 300, 10, 20
	s := sizes[0]
	s.batch = 4
	ids := lm.Stream[int32](random(occurring, 64*(s.context+1)))
	rates := []float64{0.1, 10}
	models, speeds := make([]*model, len(rates)), make([][]float64, len(rates))
	for i, rate := range rates {
		optimizer := lm.DefaultAdamW()
		optimizer.LearningRate, optimizer.WeightDecay = 0.03, rate
		var err error
		if models[i], err = newModel(s, ids, optimizer, nil); err != nil {
			return err
		}
		if err := models[i].run(ctx, settle); err != nil {
			return err
		}
	}
	for range rounds {
		for i, m := range models {
			start := cpuTime()
			if err := m.run(ctx, steps); err != nil {
				return err
			}
			speeds[i] = append(speeds[i], float64(steps*s.batch*s.context)/(cpuTime()-start).Seconds())
		}
	}
	for i, rate := range rates {
		row(decayRow{rate, round(median(speeds[i]), 0)})
	}
	return nil
}
