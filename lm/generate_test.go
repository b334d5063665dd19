package lm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"anneal/lm/kernel"
)

// problemsOf returns problems whose prompts have these lengths.
func problemsOf(n *Net, lengths ...int) []Problem {
	var all []Problem
	for i, length := range lengths {
		p := Problem{Name: fmt.Sprint("problem ", i), Prompt: make([]int32, length)}
		d := newDraws(int64(i), "prompt")
		for j := range p.Prompt {
			p.Prompt[j] = int32(d.bits(uint64(j)) % uint64(n.vocab))
		}
		all = append(all, p)
	}
	return all
}

// letter is the text of a token of the nets here: "a", "bb", "c", "dd", ….
func letter(token int32) []byte {
	return []byte(strings.Repeat(string('a'+rune(token)), 1+int(token)%2))
}

// logitsAfter runs the whole of a sequence through the net, without a cache, and returns the logits of its last position.
func logitsAfter(n *Net, tokens []int32) []float32 {
	n.workers.Resize()
	n.reserve(len(tokens), false)
	n.pack(false)
	n.forward(tokens, []segment{{count: len(tokens)}}, nil, nil)
	out := make([]float32, n.vocab)
	n.computeLogits(len(tokens)-1, len(tokens), out)
	return out
}

// plainly continues a problem by whole forward passes, a token at a time; sample 0 is the greedy one.
func plainly(n *Net, p Problem, how Generation, sample int) Generated {
	var g Generated
	tokens := slices.Clone(p.Prompt)
	d := newDraws(how.Seed, fmt.Sprintf("sample %d of %s", sample, p.Name))
	for !g.Stopped && len(tokens) <= n.context && (how.Length == 0 || len(g.Tokens) < how.Length) {
		logits := logitsAfter(n, tokens)
		next := largest(logits)
		if sample > 0 {
			next = drawPlainly(how.Sampling, logits, tokens, d.uniform(uint64(len(g.Tokens))))
		}
		loss := make([]float64, 1)
		kernel.CrossEntropy(loss, logits, []int32{next}, false, 0, 0)
		tokens, g.Tokens = append(tokens, next), append(g.Tokens, next)
		g.LogProbability -= loss[0]
		g.Text = append(g.Text, how.Text(next)...)
		for _, s := range p.Stops {
			g.Stopped = g.Stopped || s != "" && strings.Contains(string(g.Text), s)
		}
	}
	return g
}

func sameGenerated(a, b Generated) bool {
	return slices.Equal(a.Tokens, b.Tokens) && string(a.Text) == string(b.Text) && a.Stopped == b.Stopped &&
		math.Float64bits(a.LogProbability) == math.Float64bits(b.LogProbability)
}

// Generation with a cache gives the bits of whole forward passes: more continuations than run at a time, in any order and company, on any number
// of cores and by every instruction set.
func TestGenerateEqualsForward(t *testing.T) {
	defer func(name string) { _ = kernel.Choose(name) }(kernel.ISA())
	how := Generation{
		Greedy: true, Samples: 11, Sampling: Sampling{Temperature: 0.9, TopK: 8, TopP: 0.9, RepetitionPenalty: 1.2}, Seed: 5, Length: 14, Text: letter,
	}
	for _, name := range []string{"llama/groups=4/tied=false", "llama/groups=2/tied=true", "olmo2/groups=2/tied=false", "olmo2/groups=1/tied=true"} {
		t.Run(name, func(t *testing.T) {
			n := perturbed(t, models()[name])
			all := problemsOf(n, 1, 47, 60, 3, 17, 80)
			all[3].Stops, all[4].Stops = []string{"never", "da"}, []string{"k", ""}
			var want [][]Generated
			stopped := 0
			for _, p := range all {
				var w []Generated
				for sample := range 1 + how.Samples {
					g := plainly(n, p, how, sample)
					w = append(w, g)
					if g.Stopped {
						stopped++
					}
				}
				want = append(want, w)
			}
			if stopped == 0 || stopped == 2*(1+how.Samples) {
				t.Errorf("%d of %d continuations stopped", stopped, 2*(1+how.Samples))
			}
			check := func(what string, got []Generated, problem, first int) {
				t.Helper()
				for i, g := range got {
					if w := want[problem][first+i]; !sameGenerated(g, w) {
						t.Errorf("%s: problem %d, continuation %d is %+v, want %+v", what, problem, first+i, g, w)
					}
				}
			}
			for _, isa := range slices.Backward(kernel.Choices()) { // the fastest stays chosen
				if err := kernel.Choose(isa); err != nil {
					t.Fatal(err)
				}
				for _, cores := range []int{1, 2, 7} {
					n.UseCores(func() int { return cores })
					got, err := n.Generate(t.Context(), all, how)
					if err != nil {
						t.Fatal(err)
					}
					for i := range got {
						check(fmt.Sprint(isa, " on ", cores, " cores"), got[i], i, 0)
					}
				}
				reversed := slices.Clone(all)
				slices.Reverse(reversed)
				got, err := n.Generate(t.Context(), reversed, how)
				if err != nil {
					t.Fatal(err)
				}
				for i := range got {
					check(isa+" reversed", got[i], len(all)-1-i, 0)
				}
			}
			for i := range all {
				alone := how
				alone.Greedy, alone.Samples = false, 2
				got, err := n.Generate(t.Context(), all[i:i+1], alone)
				if err != nil {
					t.Fatal(err)
				}
				check("two samples of one problem", got[0], i, 1)
				alone.Greedy, alone.Samples = true, 0
				if got, err = n.Generate(t.Context(), all[i:i+1], alone); err != nil {
					t.Fatal(err)
				}
				check("one problem greedily", got[0], i, 0)
			}
		})
	}
}

// Tokens and log-probabilities are the same on every processor. The digest changes only with Numbers.
func TestGenerationIsReproducible(t *testing.T) {
	const golden = "bf4aa43db778ad42"
	h := sha256.New()
	for _, name := range []string{"llama/groups=2/tied=true", "olmo2/groups=2/tied=false"} {
		n := perturbed(t, models()[name])
		how := Generation{Greedy: true, Samples: 3, Sampling: Sampling{Temperature: 1.3, TopK: 9, TopP: 0.9, RepetitionPenalty: 1.2}, Seed: 6}
		got, err := n.Generate(t.Context(), problemsOf(n, 1, 20, 70), how)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range slices.Concat(got...) {
			fmt.Fprintf(h, "%v %x\n", g.Tokens, math.Float64bits(g.LogProbability))
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)[:8]); got != golden {
		t.Errorf("digest %s, want %s", got, golden)
	}
}

// The log-probabilities are those of evaluation, and no token was likelier than the one taken greedily, nor equal and lower.
func TestGreedyIsLikeliest(t *testing.T) {
	n := small(t, 1, false)
	for i, p := range problemsOf(n, 1, 50, 80) {
		got, err := n.Generate(t.Context(), []Problem{p}, Generation{Greedy: true, Length: 25})
		if err != nil {
			t.Fatal(err)
		}
		all, b := slices.Concat(p.Prompt, got[0][0].Tokens), new(Batch)
		b.resize(1, len(all)-1)
		copy(b.Tokens, all)
		logs := func(target func(j int) int32) []float64 {
			for j := range b.Targets {
				if b.Targets[j] = -1; j >= len(p.Prompt)-1 {
					b.Targets[j] = target(j)
				}
			}
			return n.LogProbabilities(b)
		}
		chosen := logs(func(j int) int32 { return all[j+1] })
		var sum float64
		for _, v := range chosen {
			sum += v
		}
		if math.Float64bits(sum) != math.Float64bits(got[0][0].LogProbability) {
			t.Errorf("prompt %d: log-probability %v, by evaluation %v", i, got[0][0].LogProbability, sum)
		}
		for token := range int32(n.vocab) {
			for j, v := range logs(func(int) int32 { return token }) {
				if j >= len(p.Prompt)-1 && (v > chosen[j] || v == chosen[j] && token < all[j+1]) {
					t.Fatalf("prompt %d, position %d: %d was chosen, %d is likelier", i, j, all[j+1], token)
				}
			}
		}
	}
}

// A continuation ends with the context, however long it may be.
func TestGenerateToTheEndOfTheContext(t *testing.T) {
	n := small(t, 0, false)
	for _, length := range []int{0, 1000, math.MaxInt} {
		got, err := n.Generate(t.Context(), problemsOf(n, 3, n.context, n.context-1), Generation{Greedy: true, Length: length})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{n.context - 2, 1, 2} {
			if g := got[i][0]; len(g.Tokens) != want || g.Stopped || g.Text != nil {
				t.Errorf("length %d, prompt %d: %+v, want %d tokens", length, i, g, want)
			}
		}
	}
}

func TestStopStrings(t *testing.T) {
	for _, c := range []struct {
		text  string
		added int
		stops []string
		want  bool
	}{
		{"a\n", 1, []string{"\n\n"}, false},
		{"a\n\n", 1, []string{"\n\n"}, true},          // over the boundary of tokens
		{"a\n\nb", 2, []string{"\n\n"}, true},         // within one
		{"xyz", 1, []string{"xyz"}, true},             // over several
		{"xyz", 3, []string{"nothing", "y"}, true},    // any of them
		{"xyz", 3, []string{"", "nothing"}, false},    // the empty one never
		{"ab\xe2\x82\xac", 1, []string{"\xac"}, true}, // in bytes
		{"", 0, []string{"a"}, false},
	} {
		if got := ends([]byte(c.text), c.added, c.stops); got != c.want {
			t.Errorf("%q after %d more bytes, stops %q: %v", c.text, c.added, c.stops, got)
		}
	}
}

func TestGenerateNothing(t *testing.T) {
	n := small(t, 0, false)
	for _, c := range []struct {
		problems []Problem
		how      Generation
	}{
		{nil, Generation{Greedy: true}},
		{problemsOf(n, 3, 4), Generation{}},
	} {
		got, err := n.Generate(t.Context(), c.problems, c.how)
		if err != nil || len(got) != len(c.problems) || len(got) > 0 && len(got[0]) > 0 {
			t.Errorf("%v, error %v", got, err)
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	n := small(t, 0, false)
	for _, c := range []struct {
		length int
		how    Generation
		want   string
	}{
		{0, Generation{Greedy: true}, "prompt 0 is empty"},
		{81, Generation{Greedy: true}, "prompt 0 has 81 tokens, the context is 80"},
		{3, Generation{Samples: 1}, "top_p: must be above 0"},
		{3, Generation{Greedy: true, Samples: -1}, "samples: must not be negative"},
	} {
		if _, err := n.Generate(t.Context(), problemsOf(n, c.length), c.how); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d tokens, %+v: error %v", c.length, c.how, err)
		}
	}
	all, much := make([]int32, n.vocab), Sampling{Temperature: 1, TopP: 1, RepetitionPenalty: 1e-45}
	for i := range all {
		all[i] = int32(i)
	}
	if _, err := n.Generate(t.Context(), []Problem{{Prompt: all}}, Generation{Samples: 1, Sampling: much}); err == nil || !strings.Contains(err.Error(), "penalty") {
		t.Errorf("logits that overflow by the penalty: error %v", err)
	}
	n.parameters[0].data()[0] = float32(math.NaN())
	for _, how := range []Generation{{Greedy: true}, {Samples: 1, Sampling: DefaultSampling()}, {Samples: 1, Sampling: Sampling{Temperature: 1, TopK: 3, TopP: 0.5, RepetitionPenalty: 2}}} {
		if _, err := n.Generate(t.Context(), []Problem{{Prompt: []int32{0}}}, how); err == nil || !strings.Contains(err.Error(), "not finite") {
			t.Errorf("weights that are not numbers: error %v", err)
		}
	}
}

// Prompts that are together longer than what is read at once, each with two continuations.
func TestManyPrompts(t *testing.T) {
	n := small(t, 1, true)
	all := problemsOf(n, slices.Repeat([]int{75, 60, 1}, 2*hiddenRows/75)...)
	how := Generation{Greedy: true, Samples: 1, Sampling: DefaultSampling(), Length: 2, Text: letter}
	got, err := n.Generate(t.Context(), all, how)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range all {
		for sample, g := range got[i] {
			if w := plainly(n, p, how, sample); !sameGenerated(g, w) {
				t.Errorf("problem %d, sample %d is %+v, want %+v", i, sample, g, w)
			}
		}
	}
}

func TestGenerateIsCancelled(t *testing.T) {
	n := small(t, 0, false)
	ctx, cancel := context.WithCancel(t.Context())
	var told []int
	how := Generation{Greedy: true, Length: 3, Done: func(sequences int) {
		if told = append(told, sequences); sequences > 0 {
			cancel()
		}
	}}
	all := problemsOf(n, slices.Repeat([]int{5}, together+1)...)
	if _, err := n.Generate(ctx, all, how); !errors.Is(err, context.Canceled) || !slices.Equal(told, []int{0, 0, together}) {
		t.Errorf("error %v after %v", err, told)
	}
}

func TestHidden(t *testing.T) {
	n := small(t, 2, false)
	sequences := [][]int32{{1, 2, 3}, {4}, {5, 6, 7, 8, 9, 10}, {}}
	seen := map[[2]int][]float32{}
	n.Hidden(sequences, func(sequence, layer int, states []float32) {
		seen[[2]int{sequence, layer}] = slices.Clone(states)
	})
	if len(seen) != len(sequences)*(n.model.Layers+1) {
		t.Fatalf("%d states", len(seen))
	}
	for i, s := range sequences {
		if len(seen[[2]int{i, 2}]) != 8*len(s) || len(s) > 0 && !slices.Equal(seen[[2]int{i, 0}][:8], n.weights.embedding[s[0]*8:][:8]) {
			t.Errorf("sequence %d: wrong states", i)
		}
		n.Hidden([][]int32{s}, func(_, layer int, states []float32) {
			if !slices.Equal(states, seen[[2]int{i, layer}]) {
				t.Errorf("sequence %d layer %d differs alone", i, layer)
			}
		})
	}
}
