package lm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	_ "go4.org/unsafe/assume-no-moving-gc" // gorgonia's tensor refuses to start under a newer Go unless this is at its latest
	"gorgonia.org/tensor"

	"anneal/lm/kernel"
)

// Parameter is a named tensor of float32.
type Parameter struct {
	Name  string
	Value *tensor.Dense
}

// NewParameter returns a parameter that shares values, as many as the product of shape. Another number of them panics.
func NewParameter(name string, shape []int, values []float32) Parameter {
	return Parameter{name, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))}
}

// data returns the numbers of a parameter.
func (p Parameter) data() []float32 { return p.Value.Data().([]float32) }

// Net is a transformer with its weights and the workspaces to run it. It is not safe for concurrent use.
type Net struct {
	model          Model
	vocab, context int
	outputs        int // logits of a token
	shapes         []Shape
	parameters     []Parameter
	weights        matrices[float32]
	packed         packed
	rotation       *kernel.Rotation
	attention      kernel.Attention
	workers        *kernel.Workers
	work           workspace
	pass           pass
	jobs           jobs
}

// matrices are one set of numbers shaped like the parameters, by role.
type matrices[T any] struct {
	embedding    []T
	layers       []layer[T]
	norm, output []T // output is nil if tied
}

// bind gives vectors, which lie in the order of the parameters, their roles.
func bind[T any](m Model, vectors [][]T) matrices[T] {
	next := func() []T {
		x := vectors[0]
		vectors = vectors[1:]
		return x
	}
	w := matrices[T]{embedding: next(), layers: make([]layer[T], m.Layers)}
	for i := range w.layers {
		for _, p := range parts(m, &w.layers[i]) {
			*p.at = next()
		}
	}
	w.norm = next()
	if !m.Tied {
		w.output = next()
	}
	return w
}

// vectors returns the numbers of all tensors.
func vectors(tensors []Parameter) [][]float32 {
	var v [][]float32
	for _, t := range tensors {
		v = append(v, t.data())
	}
	return v
}

// zeros returns a tensor of zeros for every shape.
func zeros(shapes []Shape) []Parameter {
	var p []Parameter
	for _, s := range shapes {
		p = append(p, NewParameter(s.Name, s.Dims, make([]float32, s.size())))
	}
	return p
}

// New returns a net with initial weights drawn by (seed, parameter, element): normal with variance 2/(5·width) for embeddings and matrices
// (Nguyen and Salazar 2019), standard deviation 1/(√width·layers) for the projections back to the residual stream, o and down, and ones for
// norm gains. Sequences have at most context tokens.
func New(m Model, vocab, context int, seed int64) (*Net, error) {
	n, err := empty(m, vocab, context)
	if err != nil {
		return nil, err
	}
	for i, s := range n.shapes {
		fill(n.parameters[i].data(), m, s, seed)
	}
	return n, nil
}

func fill(x []float32, m Model, s Shape, seed int64) {
	if len(s.Dims) == 1 {
		for i := range x {
			x[i] = 1
		}
		return
	}
	deviation := math.Sqrt(2 / (5 * float64(m.Width)))
	if strings.HasSuffix(s.Name, ".o") || strings.HasSuffix(s.Name, ".down") {
		deviation = 1 / (math.Sqrt(float64(m.Width)) * float64(m.Layers))
	}
	d := newDraws(seed, "weights "+s.Name)
	for i := range x {
		x[i] = float32(deviation * d.normal(uint64(i)))
	}
}

// Load returns a net with a copy of the given weights. Every parameter must be there, in order, with its shape, and all numbers finite.
func Load(m Model, vocab, context int, values []Parameter) (*Net, error) {
	n, err := empty(m, vocab, context)
	if err != nil {
		return nil, err
	}
	if err := n.fits(values); err != nil {
		return nil, err
	}
	for i, v := range values {
		copy(n.parameters[i].data(), v.data())
	}
	return n, nil
}

// Classifier returns a net with a copy of n's weights and, in place of its output matrix, zeros for so many classes: all are equally likely, and
// the first step of a training leaves all other weights alone but for their decay.
func (n *Net) Classifier(classes int) (*Net, error) {
	c, err := empty(n.model.OfClasses(classes), n.vocab, n.context)
	if err != nil {
		return nil, err
	}
	for i, s := range c.shapes {
		if s.Name != "output" {
			copy(c.parameters[i].data(), n.parameters[i].data())
		}
	}
	return c, nil
}

// fits tells why values could not be a set of tensors like the parameters: all there, in order, with their shapes, and all numbers finite.
func (n *Net) fits(values []Parameter) error {
	if len(values) != len(n.shapes) {
		return fmt.Errorf("the model has %d parameters, the weights have %d", len(n.shapes), len(values))
	}
	for i, s := range n.shapes {
		v := values[i]
		if v.Name != s.Name || !slices.Equal([]int(v.Value.Shape()), s.Dims) {
			return fmt.Errorf("parameter %d should be %s %v, is %s %v", i, s.Name, s.Dims, v.Name, []int(v.Value.Shape()))
		}
		x, ok := v.Value.Data().([]float32)
		if !ok || len(x) != s.size() {
			return fmt.Errorf("parameter %s is not %d numbers of float32", s.Name, s.size())
		}
		if !kernel.Finite(x) {
			return fmt.Errorf("parameter %s has elements that are not finite", s.Name)
		}
	}
	return nil
}

func empty(m Model, vocab, context int) (*Net, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	if vocab < 1 || vocab > math.MaxInt32 {
		return nil, fmt.Errorf("a vocabulary must have at least 1 token, has %d", vocab)
	}
	if context < 1 {
		return nil, errors.New("the context must be at least 1 token")
	}
	shapes := m.Shapes(vocab)
	n := &Net{
		model: m, vocab: vocab, context: context, outputs: m.outputs(vocab), shapes: shapes, parameters: zeros(shapes),
		rotation:  kernel.NewRotation(context, m.HeadDim(), m.RopeTheta),
		attention: kernel.Attention{Heads: m.Heads, Groups: m.Groups(), Dim: m.HeadDim(), Scale: float32(1 / math.Sqrt(float64(m.HeadDim())))},
		workers:   kernel.NewWorkers(nil),
	}
	n.weights = bind(m, vectors(n.parameters))
	n.packed = newPacked(n)
	n.jobs = newJobs(n)
	return n, nil
}

// Model returns the shape of the net.
func (n *Net) Model() Model { return n.model }

// Vocab returns the number of tokens in the vocabulary.
func (n *Net) Vocab() int { return n.vocab }

// Context returns the largest number of tokens in a sequence.
func (n *Net) Context() int { return n.context }

// Parameters returns the tensors themselves, in order (see Model.Shapes). Changing their numbers changes the net.
func (n *Net) Parameters() []Parameter { return slices.Clone(n.parameters) }

// Parameter returns a tensor by name, or nil.
func (n *Net) Parameter(name string) *tensor.Dense {
	for _, p := range n.parameters {
		if p.Name == name {
			return p.Value
		}
	}
	return nil
}

// UseCores sets how many cores evaluation and generation may use; it is asked before every batch and step. The default is one.
func (n *Net) UseCores(cores func() int) { n.workers = kernel.NewWorkers(cores) }

// panels are a matrix (in,out), packed for x·W in forward and for dy·Wᵀ in backward. A tied output is the transpose of what it is packed from.
type panels struct {
	matrix            []float32
	in, out           int
	transposed        bool
	forward, backward kernel.Panels
}

// packed are the packed weights: a layer's by role, and all of them, the largest first.
type packed struct {
	layers   []layerPanels
	output   *panels
	all      []*panels
	backward bool // whether they are packed for the backward pass too
}

type layerPanels struct{ q, k, v, o, gate, up, down *panels }

func newPacked(n *Net) (p packed) {
	width, shared, ff := n.model.Width, n.model.shared(), n.model.FF
	add := func(x []float32, in, out int) *panels {
		p.all = append(p.all, &panels{matrix: x, in: in, out: out})
		return p.all[len(p.all)-1]
	}
	for _, w := range n.weights.layers {
		p.layers = append(p.layers, layerPanels{
			add(w.q, width, width), add(w.k, width, shared), add(w.v, width, shared), add(w.o, width, width),
			add(w.gate, width, ff), add(w.up, width, ff), add(w.down, ff, width),
		})
	}
	if n.model.Tied {
		p.output = add(n.weights.embedding, width, n.vocab)
		p.output.transposed = true
	} else {
		p.output = add(n.weights.output, width, n.outputs)
	}
	slices.SortStableFunc(p.all, func(a, b *panels) int { return len(b.matrix) - len(a.matrix) })
	return p
}

// pack brings the packed weights up to date.
func (n *Net) pack(backward bool) {
	n.packed.backward = backward
	n.workers.Each(len(n.packed.all), n.jobs.pack)
}

func (n *Net) packMatrix(_ *kernel.Scratch, item int) {
	p := n.packed.all[item]
	ld := p.out
	if p.transposed {
		ld = p.in
	}
	p.forward.Pack(p.transposed, p.in, p.out, p.matrix, ld)
	if n.packed.backward {
		p.backward.Pack(!p.transposed, p.out, p.in, p.matrix, ld)
	}
}
