package lm

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"anneal/lm/kernel"
)

// drawPlainly is the definition of Sampling: the token that u draws after tokens.
func drawPlainly(s Sampling, logits []float32, tokens []int32, u float64) int32 {
	w := distribution(s, logits, tokens)
	var all, sum float64
	for _, v := range w {
		all += v
	}
	for i, v := range w {
		if sum += v; sum >= u*all {
			return int32(i)
		}
	}
	return -1
}

// distribution returns the weights of a draw.
func distribution(s Sampling, logits []float32, tokens []int32) []float64 {
	own, weights, order := slices.Clone(logits), make([]float64, len(logits)), make([]int, len(logits))
	for i := range own {
		if slices.Contains(tokens, int32(i)) && own[i] > 0 {
			own[i] /= float32(s.RepetitionPenalty)
		} else if slices.Contains(tokens, int32(i)) {
			own[i] *= float32(s.RepetitionPenalty)
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(own[b], own[a]) })
	if s.Temperature == 0 {
		weights[order[0]] = 1
		return weights
	}
	for i, v := range own {
		x := []float32{v - own[order[0]]}
		kernel.Exp(x, x, float32(1/s.Temperature), 0)
		weights[i] = float64(x[0])
	}
	if s.TopK > 0 {
		for _, i := range order[min(s.TopK, len(order)):] {
			weights[i] = 0
		}
	}
	var all, sum float64
	for _, v := range weights {
		all += v
	}
	for _, i := range order {
		if s.TopP < 1 && sum >= s.TopP*all {
			weights[i] = 0
		}
		sum += weights[i]
	}
	return weights
}

// likely are logits with ties; the likeliest tokens are 2, 4, 0, 3, 1, with probabilities .4, .2, .2, .1, .1.
var likely = func() []float32 {
	var x []float32
	for _, p := range []float64{.2, .1, .4, .1, .2} {
		x = append(x, float32(math.Log(p))+1)
	}
	x[4] = x[0]
	x[1] = x[3]
	return x
}()

func TestWeigh(t *testing.T) {
	all := []float64{.2, .1, .4, .1, .2}
	for _, c := range []struct {
		s    Sampling
		want []float64
	}{
		{Sampling{Temperature: 1, TopP: 1}, all},
		{Sampling{Temperature: 1, TopK: 5, TopP: 1}, all},
		{Sampling{Temperature: 1, TopK: 1 << 40, TopP: 1}, all},
		{Sampling{Temperature: 1, TopK: 1, TopP: 1}, []float64{0, 0, .4, 0, 0}},
		{Sampling{Temperature: 1, TopK: 2, TopP: 1}, []float64{.2, 0, .4, 0, 0}}, // of the equal 0 and 4 the lower
		{Sampling{Temperature: 1, TopK: 4, TopP: 1}, []float64{.2, .1, .4, 0, .2}},
		{Sampling{Temperature: 1, TopP: 1e-300}, []float64{0, 0, .4, 0, 0}}, // one at least
		{Sampling{Temperature: 1, TopP: .39}, []float64{0, 0, .4, 0, 0}},
		{Sampling{Temperature: 1, TopP: .41}, []float64{.2, 0, .4, 0, 0}},
		{Sampling{Temperature: 1, TopP: .81}, []float64{.2, .1, .4, 0, .2}},
		{Sampling{Temperature: 1, TopP: 1 - 1e-6}, all},
		{Sampling{Temperature: 1, TopK: 3, TopP: .7}, []float64{.2, 0, .4, 0, 0}}, // of .8
		{Sampling{Temperature: 1, TopK: 2, TopP: .99}, []float64{.2, 0, .4, 0, 0}},
		{Sampling{Temperature: 0.5, TopP: 1}, []float64{.04, .01, .16, .01, .04}},
		{Sampling{Temperature: 0, TopP: 1}, []float64{0, 0, .4, 0, 0}},
		{Sampling{Temperature: 1e-3, TopP: 1}, []float64{0, 0, .4, 0, 0}},
		{Sampling{Temperature: 5e-324, TopP: 1}, []float64{0, 0, .4, 0, 0}},
		{Sampling{Temperature: 1e300, TopP: 1}, []float64{1, 1, 1, 1, 1}},
	} {
		c.s.RepetitionPenalty = 1
		weights, sum, plain := make([]float32, 5), 0., distribution(c.s, likely, nil)
		c.s.weigh(weights, likely, make([]uint64, 5))
		for _, p := range c.want {
			sum += p
		}
		for i, w := range weights {
			if math.Abs(float64(w)/total(weights)-c.want[i]/sum) > 1e-6 || float64(w) != plain[i] && c.s.Temperature > 1e-300 {
				t.Errorf("%+v: weights %v (by the definition %v), want %v", c.s, weights, plain, c.want)
				break
			}
		}
	}
}

// At random, with many ties, the fast way and the definition agree.
func TestWeighAtRandom(t *testing.T) {
	d := newDraws(1, "weights")
	for i := range uint64(300) {
		logits := make([]float32, 1+d.bits(i)%60)
		for j := range logits {
			logits[j] = float32(int64(d.bits(i<<20|uint64(j))%9) - 4)
			if logits[j] == 0 && j%2 == 0 {
				logits[j] = float32(math.Copysign(0, -1)) // as likely as +0
			}
		}
		s := Sampling{Temperature: 2 * d.uniform(i<<20|1<<10), TopK: int(d.bits(i<<20|1<<11) % 70), TopP: d.uniform(i<<20 | 1<<12), RepetitionPenalty: 1.3}
		tokens, own, weights := []int32{0, int32(len(logits) - 1), 0}, slices.Clone(logits), make([]float32, len(logits))
		s.penalise(own, logits, tokens)
		s.weigh(weights, own, make([]uint64, len(logits)))
		for j, w := range distribution(s, logits, tokens) {
			if float64(weights[j]) != w {
				t.Fatalf("%+v of %v: token %d has weight %g, want %g", s, logits, j, weights[j], w)
			}
		}
	}
}

// By hand: 3/1.5, 0, and -2·1.5, however often a token occurs.
func TestRepetitionPenalty(t *testing.T) {
	logits := []float32{3, 3, 0, -2, -2}
	got := slices.Clone(logits)
	Sampling{RepetitionPenalty: 1.5}.penalise(got, logits, []int32{0, 2, 3, 0, 3})
	if want := []float32{2, 3, 0, -3, -2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestDraw(t *testing.T) {
	weights := []float32{0, 1, 0, 2, 1, 0}
	for u, want := range map[float64]int32{0x1p-53: 1, .25: 1, .2500001: 3, .75: 3, .7500001: 4, 1: 4} {
		if got := draw(weights, u); got != want {
			t.Errorf("%g draws %d, want %d", u, got, want)
		}
	}
}

// Tokens are drawn as often as the distribution says, whatever names the draws: by sample, by problem and by seed.
func TestSamplesFitTheDistribution(t *testing.T) {
	n := small(t, 0, false)
	const draws = 4000
	prompt := []int32{1, 2, 3}
	for _, s := range []Sampling{DefaultSampling(), {Temperature: 1.7, TopK: 9, TopP: 0.95, RepetitionPenalty: 1.3}} {
		want := distribution(s, logitsAfter(n, prompt), prompt)
		var all float64
		freedom := -1
		for _, w := range want {
			if all += w; w > 0 {
				freedom++
			}
		}
		count := func(how func(i int) (Problem, Generation), calls int) {
			t.Helper()
			seen := make([]float64, n.vocab)
			for i := range calls {
				p, g := how(i)
				p.Prompt, g.Length, g.Sampling = prompt, 1, s
				got, err := n.Generate(t.Context(), []Problem{p}, g)
				if err != nil {
					t.Fatal(err)
				}
				for _, g := range got[0] {
					seen[g.Tokens[0]]++
				}
			}
			var square float64
			for i, w := range want {
				if expected := w / all * draws; expected > 0 {
					square += (seen[i] - expected) * (seen[i] - expected) / expected
				} else if seen[i] > 0 {
					t.Errorf("%+v: token %d was drawn", s, i)
				}
			}
			// The 99.9th percentile of chi-square (Wilson and Hilferty 1931).
			f := float64(freedom)
			if limit := f * math.Pow(1-2/(9*f)+3.09*math.Sqrt(2/(9*f)), 3); square > limit || freedom < 5 {
				t.Errorf("%+v: chi-square %g of %d degrees, limit %g: %v", s, square, freedom, limit, seen)
			}
		}
		count(func(int) (Problem, Generation) { return Problem{}, Generation{Samples: draws} }, 1)
		count(func(i int) (Problem, Generation) { return Problem{Name: fmt.Sprint(i)}, Generation{Samples: 1} }, draws)
		count(func(i int) (Problem, Generation) { return Problem{}, Generation{Samples: 1, Seed: int64(i)} }, draws)
	}
}

// A draw from the likeliest token alone, and one at temperature 0, are greedy.
func TestGreedySampling(t *testing.T) {
	n := small(t, 0, false)
	for _, s := range []Sampling{{Temperature: 3, TopK: 1, TopP: 1, RepetitionPenalty: 1}, {TopP: 1, RepetitionPenalty: 1}, {Temperature: 1, TopP: 1e-9, RepetitionPenalty: 1}} {
		got, err := n.Generate(t.Context(), problemsOf(n, 5, 9), Generation{Greedy: true, Samples: 2, Sampling: s, Text: letter})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range got {
			if !sameGenerated(g[0], g[1]) || !sameGenerated(g[0], g[2]) {
				t.Errorf("%+v: %+v", s, g)
			}
		}
	}
}

// What grows with the length of a continuation is its tokens alone.
func TestGenerationAllocatesNothingPerToken(t *testing.T) {
	n := small(t, 0, false)
	all := problemsOf(n, slices.Repeat([]int{4}, 8)...)
	allocations := func(length int) float64 {
		how := Generation{Greedy: true, Samples: 1, Sampling: Sampling{Temperature: 1, TopK: 5, TopP: 0.9, RepetitionPenalty: 1.1}, Length: length}
		return testing.AllocsPerRun(3, func() {
			if _, err := n.Generate(t.Context(), all, how); err != nil {
				t.Fatal(err)
			}
		})
	}
	if short, long := allocations(33), allocations(64); long-short > float64(2*len(all)) { // their slices double once
		t.Errorf("%g allocations for 33 tokens each, %g for 64", short, long)
	}
}

func TestSamplingRefuses(t *testing.T) {
	good := DefaultSampling()
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		change func(s *Sampling)
		want   string
	}{
		{func(s *Sampling) { s.Temperature = -1 }, "temperature: must be at least 0, is -1"},
		{func(s *Sampling) { s.Temperature = math.NaN() }, "temperature: must be at least 0, is NaN"},
		{func(s *Sampling) { s.TopK = -1 }, "top_k: must not be negative, is -1"},
		{func(s *Sampling) { s.TopP = 0 }, "top_p: must be above 0 and at most 1, is 0"},
		{func(s *Sampling) { s.TopP = 1.1 }, "top_p: must be above 0 and at most 1, is 1.1"},
		{func(s *Sampling) { s.RepetitionPenalty = 0 }, "repetition_penalty: must be above 0 and finite in float32, is 0"},
		{func(s *Sampling) { s.RepetitionPenalty = 1e-300 }, "repetition_penalty: must be above 0 and finite in float32, is 1e-300"},
		{func(s *Sampling) { s.RepetitionPenalty = 1e300 }, "repetition_penalty: must be above 0 and finite in float32, is 1e+300"},
		{func(s *Sampling) { s.RepetitionPenalty = math.NaN() }, "repetition_penalty: must be above 0 and finite in float32, is NaN"},
	} {
		s := good
		c.change(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", s, err, c.want)
		}
	}
}
