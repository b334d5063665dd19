package lm

import (
	"fmt"
	"math"
)

// Model is the shape of a transformer. Layers have no biases; norms are RMSNorm, positions rotary (halves of a head paired), the feed-forward
// SwiGLU. The families differ in where they have norms:
//
//	llama (Touvron et al. 2023)       x += attention(norm(x)), x += ffn(norm(x))
//	olmo2 (OLMo team, Allen AI 2025)  x += norm(attention(x)), x += norm(ffn(x)), and a norm over all queries and one over all keys of a
//	                                  position, before they are turned
type Model struct {
	Family    string  `hcl:"family,optional" values:"llama,olmo2" doc:"architecture: rotary positions, SwiGLU, no biases, and RMSNorm before each sublayer (llama), or after it and over queries and keys (olmo2)"`
	Layers    int     `hcl:"layers" doc:"pairs of attention and feed-forward, at least 1"`
	Width     int     `hcl:"width" doc:"numbers at each position of the residual stream; heads times an even head dimension"`
	Heads     int     `hcl:"heads" doc:"of attention, by their queries; they divide the width"`
	KVHeads   int     `hcl:"kv_heads,optional" doc:"key and value heads, a divisor of heads; 0: as many as heads"`
	FF        int     `hcl:"ff" doc:"width of the feed-forward, at least 1"`
	Tied      bool    `hcl:"tied,optional" doc:"whether the output matrix is the embedding, transposed"`
	NormEps   float64 `hcl:"norm_eps,optional" doc:"added to the mean square, above 0 and below 1"`
	RopeTheta float64 `hcl:"rope_theta,optional" doc:"base of the rotary frequencies, above 1"`
	Classes   int     // what the output matrix tells apart: so many classes, or the tokens of the vocabulary where it is 0
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
	p.add(m.Classes < 0, "classes", "must not be negative, is %d", m.Classes)
	p.add(m.Classes > 0 && m.Tied, "tied", "must be false where the output matrix is of classes")
	return p.err()
}

// HeadDim returns the dimension of a head.
func (m Model) HeadDim() int { return m.Width / m.Heads }

// shared returns the columns of keys and values.
func (m Model) shared() int { return m.Groups() * m.HeadDim() }

// Groups returns the number of key and value heads.
func (m Model) Groups() int {
	if m.KVHeads == 0 {
		return m.Heads
	}
	return m.KVHeads
}

// OfClasses returns the model with an output matrix of its own that tells so many classes apart.
func (m Model) OfClasses(classes int) Model {
	m.Classes, m.Tied = classes, false
	return m
}

// outputs returns the number of logits.
func (m Model) outputs(vocab int) int {
	if m.Classes > 0 {
		return m.Classes
	}
	return vocab
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
//	llama: layers.N.attention_norm (width), .q (width,width), .k and .v (width,groups·head_dim), .o (width,width)
//	       layers.N.ffn_norm (width), .gate and .up (width,ff), .down (ff,width)
//	olmo2: layers.N.q (width,width), .q_norm (width), .k (width,groups·head_dim), .k_norm (groups·head_dim), .v (width,groups·head_dim),
//	       .o (width,width), .attention_norm (width)
//	       layers.N.gate and .up (width,ff), .down (ff,width), .ffn_norm (width)
//	norm (width)
//	output (width,vocab), unless tied; (width,classes) where there are classes
func (m Model) Shapes(vocab int) []Shape {
	s := []Shape{{"embedding", []int{vocab, m.Width}}}
	for i := range m.Layers {
		for _, p := range parts(m, new(layer[float32])) {
			s = append(s, Shape{fmt.Sprintf("layers.%d.%s", i, p.name), p.dims})
		}
	}
	s = append(s, Shape{"norm", []int{m.Width}})
	if !m.Tied {
		s = append(s, Shape{"output", []int{m.Width, m.outputs(vocab)}})
	}
	return s
}

// layer holds a layer's parameters by role, or numbers shaped like them. The gains of norms that the family lacks are nil.
type layer[T any] struct {
	attentionIn, q, qNorm, k, kNorm, v, o, attentionOut []T
	ffnIn, gate, up, down, ffnOut                       []T
}

// layerPart is a parameter of a layer: its name, its dimensions and its place.
type layerPart[T any] struct {
	name string
	dims []int
	at   *[]T
}

// parts lists a layer's parameters in their order. It is all in which the families differ.
func parts[T any](m Model, l *layer[T]) []layerPart[T] {
	w, s, ff := m.Width, m.shared(), m.FF
	if m.Family == "olmo2" {
		return []layerPart[T]{
			{"q", []int{w, w}, &l.q}, {"q_norm", []int{w}, &l.qNorm}, {"k", []int{w, s}, &l.k}, {"k_norm", []int{s}, &l.kNorm},
			{"v", []int{w, s}, &l.v}, {"o", []int{w, w}, &l.o}, {"attention_norm", []int{w}, &l.attentionOut},
			{"gate", []int{w, ff}, &l.gate}, {"up", []int{w, ff}, &l.up}, {"down", []int{ff, w}, &l.down}, {"ffn_norm", []int{w}, &l.ffnOut},
		}
	}
	return []layerPart[T]{
		{"attention_norm", []int{w}, &l.attentionIn}, {"q", []int{w, w}, &l.q}, {"k", []int{w, s}, &l.k}, {"v", []int{w, s}, &l.v}, {"o", []int{w, w}, &l.o},
		{"ffn_norm", []int{w}, &l.ffnIn}, {"gate", []int{w, ff}, &l.gate}, {"up", []int{w, ff}, &l.up}, {"down", []int{ff, w}, &l.down},
	}
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
