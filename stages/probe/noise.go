package probe

import (
	"context"
	"errors"
	"math"
	"slices"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// Noise measures how fast a model's loss rises as Gaussian noise is added to its weights (Springer et al. 2025, "Overtrained
// language models are harder to fine-tune"): each tensor w of n numbers becomes
//
//	w + scale · ‖w‖/√n · ε,  ε ~ N(0,1)
//
// so that the noise's expected norm is scale·‖w‖. The loss is that of windows of the model's context, nats a token, the mean
// over draws of ε. The draws are the same at every scale and for all models of a shape, so that both can be compared in
// pairs. The model itself stays as it is.
type Noise struct {
	Tokens pipeline.Ref `hcl:"tokens" artifact:"tokens" doc:"to measure the loss on, such as validation tokens"`
	Scales []float64    `hcl:"scales,optional" doc:"of the noise, in norms of each tensor, above 0; scale 0 comes with them"`
	Draws  int          `hcl:"draws,optional" doc:"of the noise at each scale, at least 1; a standard error takes 2"`
	Limit  int          `hcl:"limit,optional" doc:"windows at most, evenly spread over tokens"`
	Seed   int64        `hcl:"seed,optional" doc:"what the noise is drawn from"`
}

// Check demands scales, each once, draws and a limit.
func (n *Noise) Check() error {
	var errs []error
	if len(n.Scales) == 0 {
		errs = append(errs, pipeline.Errorf("scales", "must name at least one"))
	}
	for i, s := range n.Scales {
		switch {
		case !(s > 0) || math.IsInf(s, 0):
			errs = append(errs, pipeline.Errorf("scales", "must be above 0, one is %g; scale 0 is measured anyway", s))
		case slices.Contains(n.Scales[:i], s):
			errs = append(errs, pipeline.Errorf("scales", "names %g twice", s))
		}
	}
	if n.Draws < 1 {
		errs = append(errs, pipeline.Errorf("draws", "must be at least 1, is %d", n.Draws))
	}
	if n.Limit < 1 {
		errs = append(errs, pipeline.Errorf("limit", "must be at least 1, is %d", n.Limit))
	}
	return errors.Join(errs...)
}

func (n *Noise) run(ctx context.Context, t *pipeline.Task, m *weights.Model, path string) error {
	batches, err := tokenWindows(t, n.Tokens, m, n.Limit)
	if err != nil {
		return err
	}
	tokens := 0
	for _, b := range batches {
		tokens += len(b.Tokens)
	}
	noisy, err := lm.Load(m.Net.Model(), m.Net.Vocab(), m.Net.Context(), m.Net.Parameters()) // a copy
	if err != nil {
		return err
	}
	noisy.UseCores(t.Cores)
	clean := noisy.MeanLoss(batches)
	if !finite(clean) {
		return unfinite("tokens", "losses")
	}
	rows := []artifacts.NoiseRow{{Loss: clean, Tokens: int64(tokens)}}
	for i, scale := range n.Scales {
		losses := make([]float64, n.Draws)
		for draw := range losses {
			if err := ctx.Err(); err != nil {
				return err
			}
			for j, p := range noisy.Parameters() {
				copy(p.Value.Data().([]float32), m.Net.Parameters()[j].Value.Data().([]float32))
			}
			noisy.Perturb(scale, n.Seed, draw)
			losses[draw] = noisy.MeanLoss(batches)
			t.Progress(i*n.Draws+draw+1, len(n.Scales)*n.Draws, nil)
		}
		loss, se := meanAndError(losses)
		if !finite(loss) {
			return pipeline.Errorf("scales", "has %g, at which the loss is not finite: leave it out", scale)
		}
		row := artifacts.NoiseRow{Scale: scale, Loss: loss, Increase: loss - clean, Draws: int64(n.Draws), Tokens: int64(tokens)}
		if n.Draws > 1 {
			row.LossSE, row.IncreaseSE = &se, &se
		}
		rows = append(rows, row)
	}
	return artifacts.WriteRows(path, rows)
}
