package probe

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"anneal/artifacts"
	"anneal/lm"
)

// orthonormal returns columns (rows × n) that are orthonormal.
func orthonormal(rows, n int, seed uint64) *mat.Dense {
	r := rand.New(rand.NewPCG(seed, 0))
	a := mat.NewDense(rows, n, nil)
	for i := range rows {
		for j := range n {
			a.Set(i, j, r.NormFloat64())
		}
	}
	var qr mat.QR
	qr.Factorize(a)
	var q mat.Dense
	qr.QTo(&q)
	return mat.DenseCopyOf(q.Slice(0, rows, 0, n))
}

// scaled multiplies the columns of a.
func scaled(a *mat.Dense, by ...float64) *mat.Dense {
	var s mat.Dense
	s.Mul(a, mat.NewDiagDense(len(by), by))
	return &s
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

// Matrices whose singular values are known.
func TestDescribe(t *testing.T) {
	u, v := orthonormal(9, 4, 1), orthonormal(9, 4, 2)
	for _, c := range []struct {
		name string
		a, b *mat.Dense
		want artifacts.SpectrumRow
	}{
		{"one direction: all ranks are 1", scaled(u, 3, 0, 0, 0), scaled(v, 2, 0, 0, 0),
			artifacts.SpectrumRow{PseudoRank: 1, PseudoRankShare: 0.25, StableRank: 1, EffectiveRank: 1, NuclearNorm: 6, FrobeniusBound: 6.5, Balancedness: 5}},
		{"equal values: all ranks are full", u, v,
			artifacts.SpectrumRow{PseudoRank: 4, PseudoRankShare: 1, StableRank: 4, EffectiveRank: 4, NuclearNorm: 4, FrobeniusBound: 4}},
		{"balanced factors meet the bound", scaled(u, 2, 1, 1, 1), scaled(v, 2, 1, 1, 1),
			artifacts.SpectrumRow{PseudoRank: 4, PseudoRankShare: 1, StableRank: 19. / 16, EffectiveRank: math.Exp(-4./7*math.Log(4./7) - 3./7*math.Log(1./7)), NuclearNorm: 7, FrobeniusBound: 7}},
		{"values below the threshold do not count", scaled(u, 10, 9, 0.5, 0.4), v,
			artifacts.SpectrumRow{PseudoRank: 2, PseudoRankShare: 0.5, StableRank: (100 + 81 + 0.25 + 0.16) / 100, EffectiveRank: entropyRank(10, 9, 0.5, 0.4),
				NuclearNorm: 19.9, FrobeniusBound: (181.41 + 4) / 2, Balancedness: math.Sqrt(99*99 + 80*80 + 0.75*0.75 + 0.84*0.84)}},
		{"nothing: no rank", mat.NewDense(9, 4, nil), mat.NewDense(9, 4, nil), artifacts.SpectrumRow{}},
		{"one side nothing", u, mat.NewDense(9, 4, nil), artifacts.SpectrumRow{FrobeniusBound: 2, Balancedness: 2}},
	} {
		got := describe(c.a, c.b, 0.95)
		if got.PseudoRank != c.want.PseudoRank || !near(got.PseudoRankShare, c.want.PseudoRankShare) || !near(got.StableRank, c.want.StableRank) ||
			!near(got.EffectiveRank, c.want.EffectiveRank) || !near(got.NuclearNorm, c.want.NuclearNorm) ||
			!near(got.FrobeniusBound, c.want.FrobeniusBound) || !near(got.Balancedness, c.want.Balancedness) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func entropyRank(sigma ...float64) float64 {
	sum, h := 0.0, 0.0
	for _, s := range sigma {
		sum += s
	}
	for _, s := range sigma {
		h -= s / sum * math.Log(s/sum)
	}
	return math.Exp(h)
}

// The factors are those of the scores and of what attention writes: xᵀ W_QK y is query · key of head and group, and
// W_OV y is what a position that attends to y alone receives, here computed from the weights as they are stored.
func TestFactors(t *testing.T) {
	for _, family := range []string{"llama", "olmo2"} {
		shape := lm.Model{Family: family, Layers: 2, Width: 16, Heads: 4, KVHeads: 2, FF: 8, NormEps: 1e-5, RopeTheta: 10000}
		net, err := lm.New(shape, 256, 8, 5)
		if err != nil {
			t.Fatal(err)
		}
		const layer, head, group, dim = 1, 3, 1, 4
		data := func(name string) []float32 { return net.Parameter("layers.1." + name).Data().([]float32) }
		gains := map[string][]float32{}
		for _, p := range net.Parameters() {
			name, own := strings.CutPrefix(p.Name, "layers.1.")
			if own && strings.HasSuffix(name, "_norm") {
				gains[name] = data(name)
				for i := range gains[name] {
					gains[name][i] = 0.5 + 0.1*float32(i)*float32(len(name))
				}
			}
		}
		r := rand.New(rand.NewPCG(3, 3))
		x, y := make([]float64, shape.Width), make([]float64, shape.Width)
		for i := range x {
			x[i], y[i] = r.NormFloat64(), r.NormFloat64()
		}
		// gained multiplies x by the gains of a norm if it is there and asked for.
		gained := func(x []float64, norm bool, has, name string) []float64 {
			out := slices.Clone(x)
			for i := range out {
				if norm && family == has {
					out[i] *= float64(gains[name][i])
				}
			}
			return out
		}
		// project returns the queries, keys or values of all heads.
		project := func(x []float64, name string, norm bool) []float64 {
			w, x := data(name), gained(x, norm, "llama", "attention_norm")
			out := make([]float64, len(w)/len(x))
			for i := range w {
				out[i%len(out)] += x[i/len(out)] * float64(w[i])
			}
			return out
		}
		for _, norm := range []bool{false, true} {
			a, b := factors(net, layer, head, matrixQK, norm)
			q := gained(project(x, "q", norm), norm, "olmo2", "q_norm")[head*dim:]
			k := gained(project(y, "k", norm), norm, "olmo2", "k_norm")[group*dim:]
			want := q[0]*k[0] + q[1]*k[1] + q[2]*k[2] + q[3]*k[3]
			if got := mat.Inner(mat.NewVecDense(16, x), product(a, b), mat.NewVecDense(16, y)); !near(got, want) {
				t.Errorf("%s, norm %v: xᵀ W_QK y is %g, query · key %g", family, norm, got, want)
			}

			a, b = factors(net, layer, head, matrixOV, norm)
			v := project(y, "v", norm)[group*dim:]
			var got mat.VecDense
			got.MulVec(product(a, b), mat.NewVecDense(16, y))
			written := make([]float64, shape.Width)
			for j := range written {
				for i := range dim {
					written[j] += v[i] * float64(data("o")[(head*dim+i)*shape.Width+j])
				}
			}
			for j, want := range gained(written, norm, "olmo2", "attention_norm") {
				if !near(got.AtVec(j), want) {
					t.Errorf("%s, norm %v: element %d of W_OV y is %g, attention writes %g", family, norm, j, got.AtVec(j), want)
				}
			}
		}
	}
}

func product(a, b *mat.Dense) *mat.Dense {
	var w mat.Dense
	w.Mul(a, b.T())
	return &w
}

// The thin factors give the singular values of the whole product, and the bound holds.
func TestThinFactorsGiveTheProductsSpectrum(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	a, b := mat.NewDense(20, 5, nil), mat.NewDense(20, 5, nil)
	for i := range 20 {
		for j := range 5 {
			a.Set(i, j, r.NormFloat64())
			b.Set(i, j, r.NormFloat64())
		}
	}
	var svd mat.SVD
	svd.Factorize(product(a, b), mat.SVDNone)
	nuclear, squares, sigma := 0.0, 0.0, svd.Values(nil)
	for _, s := range sigma {
		nuclear += s
		squares += s * s
	}
	got := describe(a, b, 0.95)
	if !near(got.NuclearNorm, nuclear) || !near(got.StableRank, squares/sigma[0]/sigma[0]) || got.NuclearNorm > got.FrobeniusBound {
		t.Errorf("%+v, want nuclear norm %g and stable rank %g", got, nuclear, squares/sigma[0]/sigma[0])
	}
}
