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
	shapes         []Shape
	parameters     []Parameter
	weights        matrices
	packed         packed
	rotation       *kernel.Rotation
	attention      kernel.Attention
	workers        *kernel.Workers
	work           workspace
}

// matrices are the numbers of one set of tensors shaped like the parameters, by role.
type matrices struct {
	embedding    []float32
	layers       []layer
	norm, output []float32 // output is nil if tied
}

type layer struct{ attentionNorm, q, k, v, o, ffnNorm, gate, up, down []float32 }

func bind(m Model, tensors []Parameter) matrices {
	next := func() []float32 {
		x := tensors[0].data()
		tensors = tensors[1:]
		return x
	}
	w := matrices{embedding: next()}
	for range m.Layers {
		w.layers = append(w.layers, layer{next(), next(), next(), next(), next(), next(), next(), next(), next()})
	}
	w.norm = next()
	if !m.Tied {
		w.output = next()
	}
	return w
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
		if !finite(x) {
			return fmt.Errorf("parameter %s has elements that are not finite", s.Name)
		}
	}
	return nil
}

// finite tells whether all elements are finite: x-x is 0 if x is, else not a number. Four sums keep the adder busy.
func finite(x []float32) bool {
	var a, b, c, d float32
	for ; len(x) >= 4; x = x[4:] {
		a += x[0] - x[0]
		b += x[1] - x[1]
		c += x[2] - x[2]
		d += x[3] - x[3]
	}
	for _, v := range x {
		a += v - v
	}
	return a+b+c+d == 0
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
		model: m, vocab: vocab, context: context, shapes: shapes, parameters: zeros(shapes),
		rotation:  kernel.NewRotation(context, m.HeadDim(), m.RopeTheta),
		attention: kernel.Attention{Heads: m.Heads, Groups: m.Groups(), Dim: m.HeadDim(), Scale: float32(1 / math.Sqrt(float64(m.HeadDim())))},
		workers:   kernel.NewWorkers(nil),
	}
	n.weights = bind(m, n.parameters)
	n.packed.forward, n.packed.backward = make([]panels, m.Layers), make([]panels, m.Layers)
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

// panels are the matrices of a layer, packed for products.
type panels struct{ q, k, v, o, gate, up, down kernel.Panels }

// packed are the weights packed for the forward pass, and transposed for the backward pass.
type packed struct {
	forward, backward             []panels
	outputForward, outputBackward kernel.Panels
}

// pack brings the packed weights up to date.
func (n *Net) pack(backward bool) {
	const each = 7
	width, shared, ff := n.model.Width, n.model.Groups()*n.model.HeadDim(), n.model.FF
	n.workers.Each(each*n.model.Layers+1, func(_ *kernel.Scratch, item int) {
		if item == each*n.model.Layers {
			n.packOutput(backward)
			return
		}
		w, f, b := &n.weights.layers[item/each], &n.packed.forward[item/each], &n.packed.backward[item/each]
		one := func(x []float32, in, out int, forward, back *kernel.Panels) {
			forward.Pack(false, in, out, x, out)
			if backward {
				back.Pack(true, out, in, x, out)
			}
		}
		switch item % each {
		case 0:
			one(w.q, width, width, &f.q, &b.q)
		case 1:
			one(w.k, width, shared, &f.k, &b.k)
		case 2:
			one(w.v, width, shared, &f.v, &b.v)
		case 3:
			one(w.o, width, width, &f.o, &b.o)
		case 4:
			one(w.gate, width, ff, &f.gate, &b.gate)
		case 5:
			one(w.up, width, ff, &f.up, &b.up)
		case 6:
			one(w.down, ff, width, &f.down, &b.down)
		}
	})
}

func (n *Net) packOutput(backward bool) {
	width, w, ld := n.model.Width, n.weights.output, n.vocab
	if n.model.Tied {
		w, ld = n.weights.embedding, width
	}
	n.packed.outputForward.Pack(n.model.Tied, width, n.vocab, w, ld)
	if backward {
		n.packed.outputBackward.Pack(!n.model.Tied, n.vocab, width, w, ld)
	}
}
