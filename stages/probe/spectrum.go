package probe

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// Matrices of an attention head.
const (
	matrixQK = "QK"
	matrixOV = "OV"
)

// Spectrum describes how many directions each attention head uses, by the singular values of
//
//	W_QK = W_Q[h]ᵀ W_K[g]      (width × width), which scores a pair of positions
//	W_OV = W_O[:,h] W_V[g]     (width × width), which moves content
//
// for head h with its group g of keys and values, in the convention q = W_Q x. Both are products A·Bᵀ with A and B of
// width × head_dim, so their rank is at most head_dim. Every matrix comes twice: as it is, and with the gains γ of norms
// folded in, which leaves of the norms a number by position:
//
//	llama  W_Q, W_K, W_V after diag(γ) of the norm before attention
//	olmo2  diag(γ) of the norms over queries and keys after W_Q and W_K, and of the norm behind attention after W_O
//
// Rotary positions are left out.
type Spectrum struct {
	Matrices  []string `hcl:"matrices,optional" values:"QK,OV" doc:"of each head; QK scores a pair of positions, OV moves content"`
	Threshold float64  `hcl:"threshold,optional" doc:"share of the sum of singular values that the pseudo-rank holds, above 0 and at most 1"`
}

// Check demands matrices, each once, and a share.
func (s *Spectrum) Check() error {
	if len(s.Matrices) == 0 {
		return pipeline.Errorf("matrices", "must name at least one")
	}
	for i, m := range s.Matrices {
		if slices.Contains(s.Matrices[:i], m) {
			return pipeline.Errorf("matrices", "names %s twice", m)
		}
	}
	if !(s.Threshold > 0 && s.Threshold <= 1) {
		return pipeline.Errorf("threshold", "must be above 0 and at most 1, is %g", s.Threshold)
	}
	return nil
}

func (s *Spectrum) run(ctx context.Context, t *pipeline.Task, m *weights.Model, path string) error {
	shape := m.Net.Model()
	var rows []artifacts.SpectrumRow
	for layer := range shape.Layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		for head := range shape.Heads {
			for _, matrix := range s.Matrices {
				for _, norm := range []bool{false, true} {
					a, b := factors(m.Net, layer, head, matrix, norm)
					row := describe(a, b, s.Threshold)
					row.Layer, row.Head, row.Matrix, row.Norm = int64(layer+1), int64(head), matrix, norm
					rows = append(rows, row)
				}
			}
		}
		t.Progress(layer+1, shape.Layers, nil)
	}
	return artifacts.WriteRows(path, rows)
}

// factors returns A and B (width × head_dim each) of the product A·Bᵀ that is W_QK or W_OV. Weights are stored (in, out),
// so W_Q[h]ᵀ is columns of q and W_O[:,h] rows of o, transposed.
func factors(net *lm.Net, layer, head int, matrix string, norm bool) (a, b *mat.Dense) {
	shape := net.Model()
	dim := shape.HeadDim()
	group := head / (shape.Heads / shape.Groups())
	parameter := func(name string) []float32 {
		return net.Parameter(fmt.Sprintf("layers.%d.%s", layer, name)).Data().([]float32)
	}
	columns := func(w []float32, first, stride int) *mat.Dense {
		d := mat.NewDense(shape.Width, dim, nil)
		for i := range shape.Width {
			for j := range dim {
				d.Set(i, j, float64(w[i*stride+first+j]))
			}
		}
		return d
	}
	queries, keys := shape.Heads*dim, shape.Groups()*dim
	if matrix == matrixQK {
		a, b = columns(parameter("q"), head*dim, queries), columns(parameter("k"), group*dim, keys)
	} else {
		o := parameter("o") // (heads·head_dim, width)
		a = mat.NewDense(shape.Width, dim, nil)
		for i := range dim {
			for j := range shape.Width {
				a.Set(j, i, float64(o[(head*dim+i)*shape.Width+j]))
			}
		}
		b = columns(parameter("v"), group*dim, keys)
	}
	if !norm {
		return a, b
	}
	switch qk := matrix == matrixQK; {
	case shape.Family != "olmo2":
		if qk {
			scaleRows(a, parameter("attention_norm"))
		}
		scaleRows(b, parameter("attention_norm"))
	case qk:
		scaleColumns(a, parameter("q_norm")[head*dim:][:dim])
		scaleColumns(b, parameter("k_norm")[group*dim:][:dim])
	default:
		scaleRows(a, parameter("attention_norm"))
	}
	return a, b
}

func scaleRows(x *mat.Dense, gains []float32) {
	x.Apply(func(i, _ int, v float64) float64 { return float64(gains[i]) * v }, x)
}

func scaleColumns(x *mat.Dense, gains []float32) {
	x.Apply(func(_, j int, v float64) float64 { return float64(gains[j]) * v }, x)
}

// describe returns the measures of W = A·Bᵀ with singular values σ₁ ≥ σ₂ ≥ …, A and B of width × head_dim:
//
//	pseudo_rank      smallest k with σ₁+…+σ_k ≥ threshold·Σσ (Kobayashi et al. 2024, "Weight decay induces low-rank attention layers")
//	stable_rank      Σσ² / σ₁²
//	effective_rank   exp(−Σ p ln p), p = σ/Σσ (Roy & Vetterli 2007)
//	nuclear_norm     Σσ
//	frobenius_bound  ½(‖A‖² + ‖B‖²), at least the nuclear norm and what weight decay on A and B lowers
//	balancedness     ‖AᵀA − BᵀB‖, Frobenius norms throughout
//
// The singular values are those of the head_dim × head_dim product of the triangles of QR factorisations of A and B.
// All ranks of a zero matrix are 0.
func describe(a, b *mat.Dense, threshold float64) artifacts.SpectrumRow {
	_, dim := a.Dims()
	var core, aa, bb mat.Dense
	core.Mul(triangle(a), triangle(b).T())
	aa.Mul(a.T(), a)
	bb.Mul(b.T(), b)
	row := artifacts.SpectrumRow{FrobeniusBound: (mat.Trace(&aa) + mat.Trace(&bb)) / 2}
	aa.Sub(&aa, &bb)
	row.Balancedness = mat.Norm(&aa, 2)
	var svd mat.SVD
	if !svd.Factorize(&core, mat.SVDNone) {
		panic("probe: the singular values of a finite matrix did not converge")
	}
	sigma := svd.Values(nil)
	squares := 0.0
	for _, s := range sigma {
		row.NuclearNorm += s
		squares += s * s
	}
	if row.NuclearNorm == 0 || squares == 0 {
		return row
	}
	row.StableRank = squares / (sigma[0] * sigma[0])
	row.EffectiveRank = effectiveRank(sigma)
	row.PseudoRank = rankHolding(threshold, sigma)
	row.PseudoRankShare = float64(row.PseudoRank) / float64(dim)
	return row
}

// effectiveRank returns exp(−Σ p ln p), p = σ/Σσ, of singular values (Roy & Vetterli 2007); 0 where all are 0.
func effectiveRank(sigma []float64) float64 {
	total, entropy := floats.Sum(sigma), 0.0
	if total == 0 {
		return 0
	}
	for _, s := range sigma {
		if p := s / total; p > 0 {
			entropy -= p * math.Log(p)
		}
	}
	return math.Exp(entropy)
}

// rankHolding returns the smallest k whose first k of descending values sum to at least a share of all.
func rankHolding(share float64, values []float64) int64 {
	total, held := floats.Sum(values), 0.0
	for k, v := range values {
		if held >= share*total {
			return int64(k)
		}
		held += v
	}
	return int64(len(values))
}

// triangle returns R (n × n) of the QR factorisation of a (m × n, m ≥ n).
func triangle(a *mat.Dense) *mat.Dense {
	_, n := a.Dims()
	var qr mat.QR
	qr.Factorize(a)
	var r mat.Dense
	qr.RTo(&r)
	return mat.DenseCopyOf(r.Slice(0, n, 0, n))
}
