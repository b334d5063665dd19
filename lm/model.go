package lm

import (
	"fmt"
	"math"
)

// Model is the shape of a transformer. Layers have no biases; norms are RMSNorm before each sublayer, positions rotary (halves of a head
// paired), the feed-forward SwiGLU.
type Model struct {
	Family    string  `hcl:"family,optional" values:"llama" doc:"architecture; llama: RMSNorm before each sublayer, rotary positions, SwiGLU, no biases"`
	Layers    int     `hcl:"layers" doc:"pairs of attention and feed-forward, at least 1"`
	Width     int     `hcl:"width" doc:"numbers at each position of the residual stream; heads times an even head dimension"`
	Heads     int     `hcl:"heads" doc:"of attention, by their queries; they divide the width"`
	KVHeads   int     `hcl:"kv_heads,optional" doc:"key and value heads, a divisor of heads; 0: as many as heads"`
	FF        int     `hcl:"ff" doc:"width of the feed-forward, at least 1"`
	Tied      bool    `hcl:"tied,optional" doc:"whether the output matrix is the embedding, transposed"`
	NormEps   float64 `hcl:"norm_eps,optional" doc:"added to the mean square, above 0 and below 1"`
	RopeTheta float64 `hcl:"rope_theta,optional" doc:"base of the rotary frequencies, above 1"`
}

// DefaultModel returns a Model with its optional fields set.
func DefaultModel() Model { return Model{Family: "llama", NormEps: 1e-5, RopeTheta: 10000} }

// Check returns all that is wrong with the model, as *FieldError.
func (m Model) Check() error {
	var p problems
	p.words(m)
	p.add(m.Layers < 1, "layers", "must be at least 1, is %d", m.Layers)
	p.add(m.Width < 1, "width", "must be at least 1, is %d", m.Width)
	p.add(m.Heads < 1, "heads", "must be at least 1, is %d", m.Heads)
	if m.Heads > 0 {
		p.add(m.Width > 0 && m.Width%(2*m.Heads) != 0, "heads", "must divide width %d into heads of even dimension, is %d", m.Width, m.Heads)
		p.add(m.KVHeads < 0 || m.KVHeads > 0 && m.Heads%m.KVHeads != 0, "kv_heads", "must divide heads %d, is %d", m.Heads, m.KVHeads)
	}
	p.add(m.FF < 1, "ff", "must be at least 1, is %d", m.FF)
	p.add(!(m.NormEps > 0 && m.NormEps < 1) || float32(m.NormEps) == 0, "norm_eps", "must be above 0 and below 1, is %g", m.NormEps)
	p.add(!(m.RopeTheta > 1) || math.IsInf(m.RopeTheta, 0), "rope_theta", "must be above 1, is %g", m.RopeTheta)
	return p.err()
}

// HeadDim returns the dimension of a head.
func (m Model) HeadDim() int { return m.Width / m.Heads }

// Groups returns the number of key and value heads.
func (m Model) Groups() int {
	if m.KVHeads == 0 {
		return m.Heads
	}
	return m.KVHeads
}

// Shape names a parameter and its dimensions.
type Shape struct {
	Name string
	Dims []int
}

// Shapes lists the parameters in their order. Matrices are stored (in,out): y = x·W. The columns of q, k and v, and the rows of o, are the
// heads side by side.
//
//	embedding (vocab,width)
//	layers.N.attention_norm (width), .q (width,width), .k and .v (width,groups·head_dim), .o (width,width)
//	layers.N.ffn_norm (width), .gate and .up (width,ff), .down (ff,width)
//	norm (width)
//	output (width,vocab), unless tied
func (m Model) Shapes(vocab int) []Shape {
	shared := m.Groups() * m.HeadDim()
	s := []Shape{{"embedding", []int{vocab, m.Width}}}
	for l := range m.Layers {
		name := func(part string) string { return fmt.Sprintf("layers.%d.%s", l, part) }
		s = append(s,
			Shape{name("attention_norm"), []int{m.Width}},
			Shape{name("q"), []int{m.Width, m.Width}},
			Shape{name("k"), []int{m.Width, shared}},
			Shape{name("v"), []int{m.Width, shared}},
			Shape{name("o"), []int{m.Width, m.Width}},
			Shape{name("ffn_norm"), []int{m.Width}},
			Shape{name("gate"), []int{m.Width, m.FF}},
			Shape{name("up"), []int{m.Width, m.FF}},
			Shape{name("down"), []int{m.FF, m.Width}},
		)
	}
	s = append(s, Shape{"norm", []int{m.Width}})
	if !m.Tied {
		s = append(s, Shape{"output", []int{m.Width, vocab}})
	}
	return s
}

// ParameterCount returns the number of trained numbers, embeddings included.
func (m Model) ParameterCount(vocab int) int {
	n := 0
	for _, s := range m.Shapes(vocab) {
		n += s.size()
	}
	return n
}

func (s Shape) size() int {
	n := 1
	for _, d := range s.Dims {
		n *= d
	}
	return n
}
