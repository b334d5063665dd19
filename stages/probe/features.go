package probe

import (
	"context"
	"errors"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// Features describes what a model makes of text at each layer: the residual stream as a matrix Φ (positions, width), by its
// singular values σ₁ ≥ σ₂ ≥ …, and the units of the feed-forward, h = silu(gate)·up (positions, ff), by their activity.
//
//	effective_rank   exp(−Σ p ln p), p = σ/Σσ (Roy & Vetterli 2007)
//	rank_99_squares  smallest k with σ₁²+…+σ_k² ≥ 0.99·Σσ² (Dohare et al. 2024, "Loss of plasticity in deep continual learning")
//	rank_99_sum      smallest k with σ₁+…+σ_k ≥ 0.99·Σσ
//	dormant          share of units i with mean|h_i| / (mean over units of mean|h|) ≤ threshold, means over positions
//	                 (Sokar et al. 2023, "The dormant neuron phenomenon in deep reinforcement learning"); 1 where all h are 0
//
// A residual stream has a large mean, which is one direction of Φ: each layer has a row with Φ as it is and one with the
// mean of each column subtracted. Every position of every sequence is a row of Φ.
type Features struct {
	Tokens    pipeline.Ref `hcl:"tokens,optional" artifact:"tokens" doc:"whose windows of the model's context are read; this or examples"`
	Examples  pipeline.Ref `hcl:"examples,optional" artifact:"passages" doc:"passages that are read; this or tokens"`
	Limit     int          `hcl:"limit,optional" doc:"windows or passages at most, evenly spread over what there is"`
	Threshold float64      `hcl:"threshold,optional" doc:"a unit is dormant whose mean absolute value is at most this share of its layer's; at least 0 and below 1"`
}

// Check demands one source of text, a limit and a threshold.
func (f *Features) Check() error {
	var errs []error
	if f.Tokens.IsZero() == f.Examples.IsZero() {
		errs = append(errs, pipeline.Errorf("tokens", "or examples must be given, and not both: what the model reads"))
	}
	if f.Limit < 1 {
		errs = append(errs, pipeline.Errorf("limit", "must be at least 1, is %d", f.Limit))
	}
	if !(f.Threshold >= 0 && f.Threshold < 1) {
		errs = append(errs, pipeline.Errorf("threshold", "must be at least 0 and below 1, is %g", f.Threshold))
	}
	return errors.Join(errs...)
}

func (f *Features) run(ctx context.Context, t *pipeline.Task, m *weights.Model, path string) error {
	sequences, err := f.sequences(t, m)
	if err != nil {
		return err
	}
	field := "tokens"
	if f.Tokens.IsZero() {
		field = "examples"
	}
	layers := make([]layerFeatures, m.Net.Model().Layers+1)
	for i := range layers {
		layers[i].products = mat.NewSymDense(m.Net.Model().Width, nil)
		layers[i].sums = make([]float64, m.Net.Model().Width)
		layers[i].activity = make([]float64, m.Net.Model().FF)
	}
	for from := 0; from < len(sequences); from += windows {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(len(sequences), from+windows)
		m.Net.Features(sequences[from:to], func(_, layer int, states, units []float32) { layers[layer].add(states, units) })
		t.Progress(to, len(sequences), nil)
	}
	var rows []artifacts.FeatureRow
	for i := range layers {
		if !finite(mat.Trace(layers[i].products)) {
			return unfinite(field, "hidden states")
		}
		for _, centred := range []bool{false, true} {
			row := layers[i].describe(centred)
			row.Layer = int64(i)
			if i > 0 {
				row.Dormant = new(dormant(layers[i].activity, f.Threshold))
			}
			rows = append(rows, row)
		}
	}
	return artifacts.WriteRows(path, rows)
}

// sequences returns the tokens of at most Limit windows or passages.
func (f *Features) sequences(t *pipeline.Task, m *weights.Model) ([][]int32, error) {
	if f.Tokens.IsZero() {
		passages, err := artifacts.ReadPassages(t.Input(f.Examples).Path)
		if err != nil {
			return nil, err
		}
		if len(passages) == 0 {
			return nil, pipeline.Errorf("examples", "holds no passages")
		}
		all, err := encode(m, passages)
		if err != nil {
			return nil, err
		}
		chosen := make([][]int32, min(f.Limit, len(all)))
		for i := range chosen {
			chosen[i] = all[i*len(all)/len(chosen)]
		}
		return chosen, nil
	}
	batches, err := tokenWindows(t, f.Tokens, m, f.Limit)
	if err != nil {
		return nil, err
	}
	var all [][]int32
	for _, b := range batches {
		for i := range b.Sequences {
			all = append(all, b.Tokens[i*b.Length:(i+1)*b.Length])
		}
	}
	return all, nil
}

// tokenWindows returns at most limit windows of the field tokens, evenly spread.
func tokenWindows(t *pipeline.Task, r pipeline.Ref, m *weights.Model, limit int) ([]lm.Batch, error) {
	s, err := openStream(t, "tokens", r, m)
	if err != nil {
		return nil, err
	}
	defer s.close()
	batches, err := lm.EvaluationBlocks(s.ids, m.Net.Context(), windows, limit)
	if err != nil {
		return nil, pipeline.Errorf("tokens", "are too few: %s", err)
	}
	return batches, nil
}

// layerFeatures sums up a layer over positions.
type layerFeatures struct {
	positions int
	products  *mat.SymDense // ΦᵀΦ (width, width)
	sums      []float64     // of the columns of Φ
	activity  []float64     // Σ|h| of each unit
}

func (l *layerFeatures) add(states, units []float32) {
	width, ff := len(l.sums), len(l.activity)
	n := len(states) / width
	rows := mat.NewDense(n, width, nil)
	for i := range n {
		row := rows.RawRowView(i)
		for j := range row {
			row[j] = float64(states[i*width+j])
		}
		floats.Add(l.sums, row)
	}
	l.products.SymRankK(l.products, 1, rows.T())
	l.positions += n
	for i, h := range units {
		l.activity[i%ff] += math.Abs(float64(h))
	}
}

// describe returns the measures of Φ. Its σ² are the eigenvalues of ΦᵀΦ, of which those that rounding may have made count
// as 0.
func (l *layerFeatures) describe(centred bool) artifacts.FeatureRow {
	products := l.products
	if centred {
		products = mat.NewSymDense(len(l.sums), nil)
		products.SymRankOne(l.products, -1/float64(l.positions), mat.NewVecDense(len(l.sums), l.sums))
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(products, false) {
		panic("probe: the eigenvalues of a finite matrix did not converge")
	}
	squares := eigen.Values(nil) // ascending
	rounding := float64(len(squares)) * 0x1p-52 * mat.Trace(l.products)
	sigma := make([]float64, len(squares))
	for i, v := range squares {
		if v <= rounding {
			v = 0
		}
		squares[i], sigma[len(sigma)-1-i] = v, math.Sqrt(v)
	}
	floats.Reverse(squares)
	return artifacts.FeatureRow{Centred: centred, EffectiveRank: effectiveRank(sigma), Rank99Squares: rankHolding(0.99, squares), Rank99Sum: rankHolding(0.99, sigma),
		Positions: int64(l.positions)}
}

// dormant returns the share of units whose activity is at most threshold times the mean of all.
func dormant(activity []float64, threshold float64) float64 {
	limit, n := threshold*floats.Sum(activity)/float64(len(activity)), 0
	for _, a := range activity {
		if a <= limit {
			n++
		}
	}
	return float64(n) / float64(len(activity))
}
