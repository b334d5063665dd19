package lm

import (
	"math"

	"anneal/lm/kernel"
)

// Sampling is how a token is drawn. The steps, in this order:
//
//  1. Logits of tokens that the prompt or the continuation so far holds are divided by RepetitionPenalty where they are above 0, and
//     multiplied by it elsewhere (Keskar et al. 2019, who only divide, which makes a logit below 0 larger).
//  2. A token's weight is e^((logit - largest logit)/Temperature), +0 below 2^-100.
//  3. Of all but the TopK likeliest it is 0.
//  4. Of all but the fewest likeliest whose weights sum to at least TopP of all it is 0 (Holtzman et al. 2020).
//  5. A number u, above 0 and at most 1, is drawn: the token is the first whose weight, added to those of lower tokens, is at least u of all.
//
// Likelier is the larger logit after step 1, of equal ones the lower token. Sums are in float64: those of all weights by token, those of
// step 4 by likelihood.
type Sampling struct {
	Temperature       float64 // 0: the likeliest token
	TopK              int     // 0: all
	TopP              float64 // 1: all
	RepetitionPenalty float64 // 1: none
}

// DefaultSampling draws from the model's own distribution.
func DefaultSampling() Sampling { return Sampling{Temperature: 1, TopP: 1, RepetitionPenalty: 1} }

// Check returns all that is wrong, as *FieldError.
func (s Sampling) Check() error {
	var p problems
	p.add(!(s.Temperature >= 0) || math.IsInf(s.Temperature, 0), "temperature", "must be at least 0, is %g", s.Temperature)
	p.add(s.TopK < 0, "top_k", "must not be negative, is %d", s.TopK)
	p.add(!(s.TopP > 0 && s.TopP <= 1), "top_p", "must be above 0 and at most 1, is %g", s.TopP)
	p.add(float32(s.RepetitionPenalty) <= 0 || !(s.RepetitionPenalty <= math.MaxFloat32), "repetition_penalty", "must be above 0 and finite in float32, is %g", s.RepetitionPenalty)
	return p.err()
}

// penalise is step 1: it stores in out, a copy of logits, what becomes of those of tokens.
func (s Sampling) penalise(out, logits []float32, tokens []int32) {
	if s.RepetitionPenalty == 1 {
		return
	}
	for _, t := range tokens {
		if v, penalty := logits[t], float32(s.RepetitionPenalty); v > 0 {
			out[t] = v / penalty
		} else {
			out[t] = v * penalty
		}
	}
}

// weigh stores in weights what remains of the distribution after steps 2 to 4. ranks is as long where ranked says that it is needed.
func (s Sampling) weigh(weights, logits []float32, ranks []uint64) {
	if s.Temperature == 0 {
		clear(weights)
		weights[largest(logits)] = 1
		return
	}
	peak := kernel.Max(logits)
	for i, v := range logits {
		weights[i] = v - peak
	}
	kernel.Exp(weights, weights, float32(min(1/s.Temperature, math.MaxFloat32)), 0)
	if !s.ranked() {
		return
	}
	r := newRanking(logits, ranks)
	kept := len(weights)
	if s.TopK > 0 && s.TopK < kept {
		kept = s.TopK
		r.rank(kept)
		r.drop(weights, kept)
	}
	if enough, sum := s.TopP*total(weights), 0.0; s.TopP < 1 {
		for i := range kept {
			r.rank(i + 1)
			if sum += float64(weights[r.token(i)]); sum >= enough {
				kept = i + 1
				break
			}
		}
		r.drop(weights, kept)
	}
}

// ranked tells whether tokens are chosen by likelihood.
func (s Sampling) ranked() bool { return s.TopK > 0 || s.TopP < 1 }

// draw is step 5; -1 where weights are not numbers.
func draw(weights []float32, u float64) int32 {
	enough, sum := u*total(weights), 0.0
	for i, w := range weights {
		if sum += float64(w); sum >= enough {
			return int32(i)
		}
	}
	return -1
}

func total(weights []float32) float64 {
	sum := 0.0
	for _, w := range weights {
		sum += float64(w)
	}
	return sum
}

// largest returns the index of the largest element, the first of equals.
func largest(x []float32) int32 {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return int32(best)
}

// ranking sorts tokens by likelihood, as far as it is asked to. keys hold the bits of a logit, made to ascend with it, and below them a token's
// complement: first a heap of size, the largest on top, and behind it, from the end, the likeliest tokens.
type ranking struct {
	keys []uint64
	size int
}

func newRanking(logits []float32, keys []uint64) ranking {
	r := ranking{keys, len(keys)}
	for i, v := range logits {
		bits := math.Float32bits(v + 0) // -0 equals 0
		if bits>>31 == 0 {
			bits |= 1 << 31
		} else {
			bits = ^bits
		}
		keys[i] = uint64(bits)<<32 | uint64(^uint32(i))
	}
	for i := len(keys)/2 - 1; i >= 0; i-- {
		r.sift(i)
	}
	return r
}

// sift restores the heap beneath i.
func (r *ranking) sift(i int) {
	moved := r.keys[i]
	for {
		child := 2*i + 1
		if child+1 < r.size && r.keys[child+1] > r.keys[child] {
			child++
		}
		if child >= r.size || r.keys[child] <= moved {
			r.keys[i] = moved
			return
		}
		r.keys[i] = r.keys[child]
		i = child
	}
}

// rank finds the n likeliest tokens.
func (r *ranking) rank(n int) {
	for r.size > len(r.keys)-n {
		r.size--
		r.keys[0], r.keys[r.size] = r.keys[r.size], r.keys[0]
		if r.size > 0 {
			r.sift(0)
		}
	}
}

// token returns the i-th likeliest of the tokens found.
func (r *ranking) token(i int) int32 { return int32(^uint32(r.keys[len(r.keys)-1-i])) }

// drop sets the weights of all but the n likeliest tokens to 0.
func (r *ranking) drop(weights []float32, n int) {
	for _, k := range r.keys[:len(r.keys)-n] {
		weights[^uint32(k)] = 0
	}
}
