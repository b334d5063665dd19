package lm

import (
	"math"
	"slices"
	"testing"
)

// Generation with a cache, in any company, gives the bits of the full forward pass: its tokens are the likeliest ones there, and its
// log-probabilities those of evaluation.
func TestGenerateEqualsForward(t *testing.T) {
	for _, c := range shapes {
		t.Run(c.name, func(t *testing.T) {
			n := small(t, c.groups, c.tied)
			var prompts [][]int32
			for i, length := range []int{1, 47, 60, 3, 48, 80} {
				p := make([]int32, length)
				d := newDraws(int64(i), "prompt")
				for j := range p {
					p[j] = int32(d.bits(uint64(j)) % uint64(n.vocab))
				}
				prompts = append(prompts, p)
			}
			stop := func(sequence int, generated []int32) bool { return sequence == 3 && len(generated) == 5 }
			n.UseCores(func() int { return 2 })
			got, err := n.Generate(t.Context(), prompts, 25, stop)
			if err != nil {
				t.Fatal(err)
			}
			for i, g := range got {
				want := min(25, n.context-len(prompts[i])+1)
				if i == 3 {
					want = 5
				}
				if len(g.Tokens) != want || g.Stopped != (i == 3) {
					t.Errorf("prompt %d: %d tokens, stopped %v", i, len(g.Tokens), g.Stopped)
				}
				alone, err := n.Generate(t.Context(), [][]int32{prompts[i]}, len(g.Tokens), nil)
				if err != nil || !slices.Equal(alone[0].Tokens, g.Tokens) || alone[0].LogProbability != g.LogProbability {
					t.Errorf("prompt %d alone differs: %v %v", i, alone, err)
				}
				b := new(Batch)
				all := slices.Concat(prompts[i], g.Tokens)
				b.resize(1, len(all)-1)
				copy(b.Tokens, all)
				for j := range b.Targets {
					b.Targets[j] = -1
					if j >= len(prompts[i])-1 {
						b.Targets[j] = all[j+1]
					}
				}
				var sum float64
				chosen := n.LogProbabilities(b)
				for _, v := range chosen {
					sum += v
				}
				if math.Float64bits(sum) != math.Float64bits(g.LogProbability) {
					t.Errorf("prompt %d: log-probability %v with the cache, %v without", i, g.LogProbability, sum)
				}
				for token := range int32(n.vocab) { // no other token was likelier, nor equal and lower
					for j := range b.Targets {
						if b.Targets[j] >= 0 {
							b.Targets[j] = token
						}
					}
					for j, v := range n.LogProbabilities(b) {
						if b.Targets[j] >= 0 && (v > chosen[j] || v == chosen[j] && token < all[j+1]) {
							t.Fatalf("prompt %d, position %d: %d was chosen, %d is likelier", i, j, all[j+1], token)
						}
					}
				}
			}
		})
	}
}

func TestGenerateRefuses(t *testing.T) {
	n := small(t, 0, false)
	for _, prompts := range [][][]int32{{{}}, {make([]int32, 81)}} {
		if _, err := n.Generate(t.Context(), prompts, 3, nil); err == nil {
			t.Errorf("a prompt of %d tokens was accepted", len(prompts[0]))
		}
	}
}

// A limit beyond the context is no limit.
func TestGenerateToTheEndOfTheContext(t *testing.T) {
	n := small(t, 0, false)
	got, err := n.Generate(t.Context(), [][]int32{{1, 2, 3}}, math.MaxInt, nil)
	if err != nil || len(got[0].Tokens) != n.context-2 || got[0].Stopped {
		t.Errorf("%+v, error %v", got, err)
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
