package lm

import (
	"fmt"
	"testing"
)

// Draws of 64 sequences after prompts of 16 to 32 tokens, to the end of the context: generated tokens a second. `anneal bench sample` measures
// the greedy ones.
func BenchmarkGenerate(b *testing.B) {
	const vocab = 2048
	nucleus := Sampling{Temperature: 0.8, TopK: 50, TopP: 0.95, RepetitionPenalty: 1.1}
	for _, c := range []struct {
		name string
		how  Generation
	}{
		{"drawn", Generation{Samples: 1, Sampling: DefaultSampling()}},
		{"nucleus", Generation{Samples: 1, Sampling: nucleus}},
	} {
		for _, cores := range []int{1, 2} {
			b.Run(fmt.Sprint(c.name, "/cores=", cores), func(b *testing.B) {
				m := DefaultModel()
				m.Layers, m.Width, m.Heads, m.FF = 4, 128, 4, 352
				n, err := New(m, vocab, 128, 1)
				if err != nil {
					b.Fatal(err)
				}
				n.UseCores(func() int { return cores })
				problems := make([]Problem, 64)
				for i := range problems {
					problems[i].Prompt = make([]int32, 16+i%17)
					text(vocab, 4*64+32).Copy(problems[i].Prompt, 4*i)
				}
				b.ReportAllocs()
				tokens := 0
				for b.Loop() {
					all, err := n.Generate(b.Context(), problems, c.how)
					if err != nil {
						b.Fatal(err)
					}
					for _, g := range all {
						tokens += len(g[0].Tokens)
					}
				}
				b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
}
