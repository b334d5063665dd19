package lm

import (
	"fmt"
	"testing"
	"time"
)

// Generation of 64 sequences after prompts of 16 to 32 tokens, to the end of the context: generated tokens a second, and a second of CPU
// time, which other work on the machine disturbs less.
func BenchmarkGenerate(b *testing.B) {
	nucleus := Sampling{Temperature: 0.8, TopK: 50, TopP: 0.95, RepetitionPenalty: 1.1}
	for _, c := range []struct {
		name                                     string
		vocab, width, layers, heads, ff, context int
		how                                      Generation
	}{
		{"tiny", 512, 64, 2, 2, 176, 64, Generation{Greedy: true}},
		{"small", 2048, 128, 4, 4, 352, 128, Generation{Greedy: true}},
		{"small_drawn", 2048, 128, 4, 4, 352, 128, Generation{Samples: 1, Sampling: DefaultSampling()}},
		{"small_nucleus", 2048, 128, 4, 4, 352, 128, Generation{Samples: 1, Sampling: nucleus}},
	} {
		for _, cores := range []int{1, 2} {
			b.Run(fmt.Sprint(c.name, "/cores=", cores), func(b *testing.B) {
				m := DefaultModel()
				m.Layers, m.Width, m.Heads, m.FF = c.layers, c.width, c.heads, c.ff
				n, err := New(m, c.vocab, c.context, 1)
				if err != nil {
					b.Fatal(err)
				}
				n.UseCores(func() int { return cores })
				problems := make([]Problem, 64)
				for i := range problems {
					problems[i].Prompt = make([]int32, 16+i%17)
					text(c.vocab, 4*64+32).Copy(problems[i].Prompt, 4*i)
				}
				b.ReportAllocs()
				tokens, before := 0, time.Duration(0)
				for i := 0; b.Loop(); i++ {
					if i == 0 {
						before = cpuTime(b)
					}
					all, err := n.Generate(b.Context(), problems, c.how)
					if err != nil {
						b.Fatal(err)
					}
					for _, g := range all {
						tokens += len(g[0].Tokens)
					}
				}
				b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
				b.ReportMetric(float64(tokens)/(cpuTime(b)-before).Seconds(), "tokens/cpu-s")
			})
		}
	}
}
