// Package bench measures the language model: what `anneal bench` runs. The scripts beside it pair it with PyTorch, OpenBLAS and the peak of
// the machine.
package bench

import (
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"anneal/cli"
	"anneal/lm"
)

// Benchmarks returns all benchmarks.
func Benchmarks() []cli.Benchmark {
	return []cli.Benchmark{train, gemm, sample, decay, tokenize, storing, tokens}
}

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

// sizeFlag defines --size.
func sizeFlag(flags *flag.FlagSet) *size {
	s := sizes[1]
	flags.Var(&s, "size", "the `tiny|small|mid` model")
	return &s
}

// Set implements flag.Value.
func (s *size) Set(name string) error {
	i := slices.IndexFunc(sizes, func(s size) bool { return s.name == name })
	if i < 0 {
		return errors.New("there are tiny, small and mid")
	}
	*s = sizes[i]
	return nil
}

// String implements flag.Value.
func (s *size) String() string { return s.name }

// count is a flag that takes a number above 0.
type count int

// countFlag defines such a flag.
func countFlag(flags *flag.FlagSet, name string, value count, usage string) *count {
	flags.Var(&value, name, usage)
	return &value
}

// Set implements flag.Value.
func (c *count) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return errors.New("it takes a whole number above 0")
	}
	*c = count(n)
	return nil
}

// String implements flag.Value.
func (c *count) String() string { return strconv.Itoa(int(*c)) }

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
