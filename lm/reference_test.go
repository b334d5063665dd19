package lm

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"anneal/lm/kernel"
)

// reference is the same transformer in float64, written plainly: the losses of one sequence's targets and z times the square of their
// ln Σ e^logit. w maps names to numbers.
func reference(m Model, vocab int, w map[string][]float64, tokens, targets []int32, z float64) []float64 {
	dim, per := m.HeadDim(), m.Heads/m.Groups()
	shared := m.Groups() * dim
	T := len(tokens)
	apply := func(x []float64, name string, in, out int) []float64 {
		y, matrix := make([]float64, out), w[name]
		for i := range in {
			for j := range out {
				y[j] += x[i] * matrix[i*out+j]
			}
		}
		return y
	}
	norm := func(x []float64, name string) []float64 {
		var s float64
		for _, v := range x {
			s += v * v
		}
		r, y := 1/math.Sqrt(s/float64(len(x))+m.NormEps), make([]float64, len(x))
		for i, v := range x {
			y[i] = v * r * w[name][i]
		}
		return y
	}
	turn := func(x []float64, position int) {
		for h := 0; h < len(x); h += dim {
			for i := range dim / 2 {
				sin, cos := math.Sincos(float64(position) * math.Pow(m.RopeTheta, -2*float64(i)/float64(dim)))
				a, b := x[h+i], x[h+i+dim/2]
				x[h+i], x[h+i+dim/2] = a*cos-b*sin, b*cos+a*sin
			}
		}
	}
	x := make([][]float64, T)
	for t, token := range tokens {
		x[t] = append([]float64(nil), w["embedding"][int(token)*m.Width:][:m.Width]...)
	}
	for l := range m.Layers {
		name := func(part string) string { return fmt.Sprintf("layers.%d.%s", l, part) }
		llama := m.Family == "llama"
		q, k, v := make([][]float64, T), make([][]float64, T), make([][]float64, T)
		for t := range T {
			h := x[t]
			if llama {
				h = norm(h, name("attention_norm"))
			}
			q[t], k[t], v[t] = apply(h, name("q"), m.Width, m.Width), apply(h, name("k"), m.Width, shared), apply(h, name("v"), m.Width, shared)
			if !llama {
				q[t], k[t] = norm(q[t], name("q_norm")), norm(k[t], name("k_norm"))
			}
			turn(q[t], t)
			turn(k[t], t)
		}
		for t := range T {
			out := make([]float64, m.Width)
			for h := range m.Heads {
				at := h / per * dim
				p, sum := make([]float64, t+1), 0.0
				for j := range p {
					var s float64
					for i := range dim {
						s += q[t][h*dim+i] * k[j][at+i]
					}
					p[j] = math.Exp(s / math.Sqrt(float64(dim)))
					sum += p[j]
				}
				for j := range p {
					for i := range dim {
						out[h*dim+i] += p[j] / sum * v[j][at+i]
					}
				}
			}
			out = apply(out, name("o"), m.Width, m.Width)
			if !llama {
				out = norm(out, name("attention_norm"))
			}
			for i, d := range out {
				x[t][i] += d
			}
			h := x[t]
			if llama {
				h = norm(h, name("ffn_norm"))
			}
			gate, up := apply(h, name("gate"), m.Width, m.FF), apply(h, name("up"), m.Width, m.FF)
			for i, g := range gate {
				gate[i] = g / (1 + math.Exp(-g)) * up[i]
			}
			out = apply(gate, name("down"), m.FF, m.Width)
			if !llama {
				out = norm(out, name("ffn_norm"))
			}
			for i, d := range out {
				x[t][i] += d
			}
		}
	}
	loss := make([]float64, T)
	for t := range T {
		if targets[t] < 0 {
			continue
		}
		h := norm(x[t], "norm")
		logits := make([]float64, m.outputs(vocab))
		for j := range logits {
			for i := range h {
				if m.Tied {
					logits[j] += h[i] * w["embedding"][j*m.Width+i]
				} else {
					logits[j] += h[i] * w["output"][i*len(logits)+j]
				}
			}
		}
		var sum float64
		for _, v := range logits {
			sum += math.Exp(v)
		}
		lse := math.Log(sum)
		loss[t] = lse - logits[targets[t]] + z*lse*lse
	}
	return loss
}

func wide(n *Net) map[string][]float64 {
	w := map[string][]float64{}
	for _, p := range n.parameters {
		for _, v := range p.data() {
			w[p.Name] = append(w[p.Name], float64(v))
		}
	}
	return w
}

// small returns a net of a few hundred parameters.
func small(t testing.TB, groups int, tied bool) *Net {
	m := DefaultModel()
	m.Layers, m.Width, m.Heads, m.KVHeads, m.FF, m.Tied = 2, 8, 2, groups, 10, tied
	return perturbed(t, m)
}

// perturbed returns a net whose weights are all of consequence, norm gains included.
func perturbed(t testing.TB, m Model) *Net {
	n, err := New(m, 11, 80, 7)
	if err != nil {
		t.Fatal(err)
	}
	d := newDraws(3, "perturbation")
	for _, p := range n.parameters {
		for i, x := 0, p.data(); i < len(x); i++ {
			x[i] += float32(0.2 * d.normal(uint64(i)))
		}
	}
	return n
}

func sample(n *Net, sequences, length int) *Batch {
	b := new(Batch)
	b.resize(sequences, length)
	d := newDraws(4, "sample")
	for i := range b.Tokens {
		b.Tokens[i], b.Targets[i] = int32(d.bits(uint64(i))%uint64(n.vocab)), int32(d.bits(uint64(i)+1<<40)%uint64(n.outputs))
		if i%5 == 3 {
			b.Targets[i] = -1
		}
	}
	return b
}

var shapes = []struct {
	name   string
	groups int
	tied   bool
}{{"plain", 0, false}, {"grouped-query", 1, false}, {"tied", 2, true}}

// models are small ones of both families: as many key and value heads as heads, groups of them, one; tied and not.
func models() map[string]Model {
	all := map[string]Model{}
	for _, family := range []string{"llama", "olmo2"} {
		for _, groups := range []int{4, 2, 1} {
			for _, tied := range []bool{false, true} {
				m := DefaultModel()
				m.Family, m.Layers, m.Width, m.Heads, m.KVHeads, m.FF, m.Tied = family, 2, 16, 4, groups, 10, tied
				all[fmt.Sprintf("%s/groups=%d/tied=%v", family, groups, tied)] = m
			}
		}
	}
	return all
}

func TestForwardAgainstReference(t *testing.T) {
	for name, m := range models() {
		t.Run(name, func(t *testing.T) {
			n := perturbed(t, m)
			b := sample(n, 3, 70) // more than one block of queries
			got := n.LogProbabilities(b)
			sum, count := n.Loss(b)
			var total float64
			targets := 0
			for s := range b.Sequences {
				at := s * b.Length
				for i, want := range reference(n.model, n.vocab, wide(n), b.Tokens[at:at+b.Length], b.Targets[at:at+b.Length], 0) {
					if math.Abs(got[at+i]+want) > 1e-5 {
						t.Fatalf("sequence %d position %d: log-probability %g, want %g", s, i, got[at+i], -want)
					}
					total += want
				}
			}
			for _, v := range b.Targets {
				if v >= 0 {
					targets++
				}
			}
			if math.Abs(sum-total) > 1e-3 || count != targets {
				t.Errorf("loss %g of %d targets, want %g of %d", sum, count, total, targets)
			}
		})
	}
}

// The gradient of a batch that is accumulated in parts, or whose logits take several blocks, has the bits of the whole.
func TestGradientsAccumulate(t *testing.T) {
	for name, m := range models() {
		m.Layers, m.Width, m.FF = 1, 8, 3
		const vocab = 9000
		n, err := New(m, vocab, 60, 1)
		if err != nil {
			t.Fatal(err)
		}
		b := sample(n, 14, 60)
		if len(b.Tokens) <= 2*n.logitRows() {
			t.Fatal("the logits fit into two blocks")
		}
		gradient := func(micro int) string {
			g := n.newGradients()
			n.accumulate(g, b, micro, b.count(), 0)
			n.finish(g)
			return digest(g.tensors)
		}
		want := gradient(14)
		for _, micro := range []int{0, 1, 3, 10} {
			if got := gradient(micro); got != want {
				t.Errorf("%s, %d sequences at once: %s, whole %s", name, micro, got, want)
			}
		}
	}
}

// Every gradient against central differences of the float64 reference, whose own error at this step is about 1e-9.
func TestGradientsAgainstFiniteDifferences(t *testing.T) {
	const z = 0.01
	all := models()
	all["llama/classes"], all["olmo2/classes"] = all["llama/groups=2/tied=true"].OfClasses(2), all["olmo2/groups=2/tied=false"].OfClasses(3)
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			n := perturbed(t, m)
			for _, shape := range [][2]int{{2, 6}, {1, 50}} {
				b := sample(n, shape[0], shape[1])
				gradients := n.newGradients()
				n.accumulate(gradients, b, 0, b.count(), z)
				n.finish(gradients)
				w := wide(n)
				mean := func() float64 {
					var sum float64
					for s := range b.Sequences {
						at := s * b.Length
						for _, v := range reference(n.model, n.vocab, w, b.Tokens[at:at+b.Length], b.Targets[at:at+b.Length], z) {
							sum += v
						}
					}
					return sum / float64(b.count())
				}
				stride := 7
				if b.Length > 10 {
					stride = 97
				}
				for _, g := range gradients.tensors {
					for i := 0; i < len(g.data()); i += stride {
						const h = 1e-5
						x := &w[g.Name][i]
						before := *x
						*x = before + h
						up := mean()
						*x = before - h
						want := (up - mean()) / (2 * h)
						*x = before
						if got := float64(g.data()[i]); math.Abs(got-want) > 2e-6+2e-5*math.Abs(want) {
							t.Fatalf("%s[%d]: gradient %g, want %g", g.Name, i, got, want)
						}
					}
				}
			}
		})
	}
}

// What a net computes of a token does not depend on how much of its sequence a pass covers: with a cache, piece by piece, the residual stream
// has the bits of the whole.
func TestForwardInPieces(t *testing.T) {
	for name, m := range models() {
		n := perturbed(t, m)
		tokens := sample(n, 1, 60).Tokens
		n.reserve(60, false)
		n.pack(false)
		n.forward(tokens, []segment{{count: 60}}, nil, nil)
		want := slices.Clone(n.work.last)
		c := newCache(n, 60, 1)
		for from, to := 0, 0; from < 60; from = to {
			to = min(60, 2*from+1)
			n.forward(tokens[from:to], []segment{{count: to - from, start: from}}, c, nil)
			if !slices.Equal(part(n.work.last, m.Width, 0, to-from), part(want, m.Width, from, to)) {
				t.Errorf("%s: positions %d to %d differ", name, from, to-1)
			}
		}
	}
}

// goldenGradients is the digest of the gradients of the models of the family olmo2, in the order of their names. It changes only with Numbers.
const goldenGradients = "048a20be523a9065"

func TestGradientsAreReproducible(t *testing.T) {
	onEachISA(t, func(t *testing.T) {
		for _, cores := range []int{1, 2, 7} {
			var all []Parameter
			for _, name := range slices.Sorted(maps.Keys(models())) {
				if m := models()[name]; m.Family == "olmo2" {
					n := perturbed(t, m)
					n.UseCores(func() int { return cores })
					b, g := sample(n, 5, 50), n.newGradients()
					n.accumulate(g, b, 0, b.count(), 1e-3)
					n.finish(g)
					all = append(all, g.tensors...)
				}
			}
			if got := digest(all); got != goldenGradients {
				t.Errorf("%d cores: digest %s, want %s", cores, got, goldenGradients)
			}
		}
	})
}

// Once its workspaces are there, a step allocates nothing.
func TestAccumulateAllocatesNothing(t *testing.T) {
	for name, m := range models() {
		for _, cores := range []int{1, 2} {
			n := perturbed(t, m)
			n.UseCores(func() int { return cores })
			b, g := sample(n, 5, 50), n.newGradients()
			step := func() {
				g.reset()
				n.accumulate(g, b, 2, b.count(), 0)
				n.finish(g)
			}
			step()
			if got := testing.AllocsPerRun(10, step); got >= 1 {
				t.Errorf("%s, %d cores: %g allocations a step", name, cores, got)
			}
		}
	}
}

// A number that is not finite is never lost on its way: whichever weights make activations overflow, the loss or a gradient shows it.
func TestOverflowIsSeen(t *testing.T) {
	for name, m := range models() {
		n := perturbed(t, m)
		for _, p := range n.parameters {
			x := p.data()
			before := slices.Clone(x)
			for i := range x {
				x[i] = 3e38 * float32(1-2*(i%2))
			}
			b, g := sample(n, 2, 10), n.newGradients()
			loss := n.accumulate(g, b, 0, b.count(), 0)
			n.finish(g)
			copy(x, before)
			if isFinite(loss) && !slices.ContainsFunc(g.numbers, func(x []float32) bool { return !kernel.Finite(x) }) {
				t.Errorf("%s: %s overflows unseen, loss %g", name, p.Name, loss)
			}
		}
	}
}
