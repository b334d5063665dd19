// Package bench measures the language model: what `anneal bench` runs. The scripts beside it pair it with PyTorch, OpenBLAS and the peak of
// the machine.
package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"anneal/cli"
	"anneal/lm"
)

// Benchmarks returns all benchmarks.
func Benchmarks() []cli.Benchmark { return []cli.Benchmark{train, gemm, sample, decay, tokenize} }

// size is a model and the batches that it is measured with: those of bench/torch_train.py.
type size struct {
	name                                            string
	vocab, width, layers, heads, ff, context, batch int
}

var sizes = []size{
	{"tiny", 512, 64, 2, 2, 176, 64, 32},
	{"small", 2048, 128, 4, 4, 352, 128, 16},
	{"mid", 4096, 384, 6, 6, 1024, 256, 8},
}

const sizeUsage = "the `tiny|small|mid` model"

func findSize(name string) (size, error) {
	i := slices.IndexFunc(sizes, func(s size) bool { return s.name == name })
	if i < 0 {
		return size{}, fmt.Errorf("there is no size %q; there are tiny, small and mid", name)
	}
	return sizes[i], nil
}

func (s size) model() lm.Model {
	m := lm.DefaultModel()
	m.Width, m.Layers, m.Heads, m.FF = s.width, s.layers, s.heads, s.ff
	return m
}

func (s size) net() (*lm.Net, error) { return lm.New(s.model(), s.vocab, s.context, 1) }

// operations is what training needs for a token: six for each weight that is multiplied, and those of causal attention, half of its square.
func (s size) operations() float64 {
	return float64(6*(s.model().ParameterCount(s.vocab)-s.vocab*s.width) + 6*s.layers*s.context*s.width)
}

// ids are tokens for many batches.
func (s size) ids() lm.IDs { return lm.Stream[int32](random(s.vocab, 64*(s.context+1))) }

// random returns n tokens below limit. Nothing can be learnt of them, which takes as long as any.
func random(limit, n int) []int32 {
	r := rand.New(rand.NewPCG(1, 2))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = r.Int32N(int32(limit))
	}
	return ids
}

// median returns the middle of x, the mean of the two in the middle where their number is even.
func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	n := len(x)
	return (x[(n-1)/2] + x[n/2]) / 2
}

func round(x float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(x*p) / p
}
