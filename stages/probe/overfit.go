package probe

import (
	"context"
	"errors"
	"fmt"
	"math"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// Overfit measures the mean loss on equally many tokens of the stream a model was trained on and of one it was not, and
// their difference:
//
//	gap = validation_loss − train_loss
//
// Each side is a sample of windows of context+1 tokens, evenly spread over its stream, as many as Tokens and the shorter
// stream allow. The streams should be drawn alike, of interleaved blocks of the same documents: windows of another
// subject would measure the subject.
//
// A training that ended before the end of its first epoch has read some windows of its stream alone. Which ones follows
// from its seed and the tokens that it had seen at the save point: with Seed, the training side is a sample of those.
// Without, it is one of the whole stream, and the gap of such a training understates overfitting.
type Overfit struct {
	Train      pipeline.Ref `hcl:"train" artifact:"tokens" doc:"what the model was trained on"`
	Validation pipeline.Ref `hcl:"validation" artifact:"tokens" doc:"what it was not, drawn alike"`
	Tokens     int          `hcl:"tokens,optional" doc:"on each side, at most; rounded down to whole windows, two at least"`
	Seed       int64        `hcl:"seed,optional" doc:"of the pretraining that read train: windows that it had not read by then are left out; -1: all of train counts as read, exact from one epoch on"`
}

// noSeed is a seed that is not known.
const noSeed = -1

// Check rules out samples too small for a standard error.
func (o *Overfit) Check() error {
	var errs []error
	if o.Tokens < 1 {
		errs = append(errs, pipeline.Errorf("tokens", "must be at least 1, is %d", o.Tokens))
	}
	if o.Seed < noSeed {
		errs = append(errs, pipeline.Errorf("seed", "must be that of a training, at least 0, or -1, is %d", o.Seed))
	}
	return errors.Join(errs...)
}

// windows is how many sequences are evaluated at a time.
const windows = 32

func (o *Overfit) run(ctx context.Context, t *pipeline.Task, m *weights.Model, path string) error {
	train, err := openStream(t, "train", o.Train, m)
	if err != nil {
		return err
	}
	defer train.close()
	validation, err := openStream(t, "validation", o.Validation, m)
	if err != nil {
		return err
	}
	defer validation.close()
	length := m.Net.Context()
	for _, s := range []*stream{train, validation} {
		if s.ids.Len() < 2*(length+1) {
			return pipeline.Errorf(s.field, "has %d tokens, fewer than two windows of the context of %d and one more", s.ids.Len(), length)
		}
	}
	seen := train.ids.Len() / (length + 1)
	if o.Seed != noSeed {
		if seen = min(seen, int(m.Save.Tokens)/length); seen < 2 {
			return pipeline.Errorf("seed", "is given, but by step %d the model had read %d windows of train; it takes two: leave it out", m.Save.Step, seen)
		}
	}
	n := min(max(2, o.Tokens/length), seen, validation.ids.Len()/(length+1))
	fmt.Fprintf(t.Log, "%d windows of %d tokens on each side, of %d that were read\n", n, length, seen)
	read, err := lm.SeenBlocks(train.ids, length, windows, n, o.Seed, seen)
	if err != nil {
		return pipeline.Errorf("train", "%s", err)
	}
	held, err := lm.EvaluationBlocks(validation.ids, length, windows, n)
	if err != nil {
		return pipeline.Errorf("validation", "%s", err)
	}
	var losses [2][]float64
	for side, batches := range [][]lm.Batch{read, held} {
		field := []string{"train", "validation"}[side]
		for i := range batches {
			if err := ctx.Err(); err != nil {
				return err
			}
			losses[side] = append(losses[side], sequenceLosses(m.Net, &batches[i])...)
			t.Progress(len(losses[0])+len(losses[1]), 2*n, nil)
		}
		if !finite(losses[side]...) {
			return unfinite(field, "losses")
		}
	}
	row := artifacts.LossRow{Tokens: int64(n * length)}
	row.TrainLoss, row.TrainLossSE = meanAndError(losses[0])
	row.ValidationLoss, row.ValidationLossSE = meanAndError(losses[1])
	row.Gap, row.GapSE = row.ValidationLoss-row.TrainLoss, math.Hypot(row.TrainLossSE, row.ValidationLossSE)
	return artifacts.WriteRows(path, []artifacts.LossRow{row})
}

// sequenceLosses returns the mean loss of each sequence of a batch, nats a token.
func sequenceLosses(net *lm.Net, b *lm.Batch) []float64 {
	logs := net.LogProbabilities(b)
	losses := make([]float64, b.Sequences)
	for i := range losses {
		sum := 0.0
		for _, l := range logs[i*b.Length : (i+1)*b.Length] {
			sum -= l
		}
		losses[i] = sum / float64(b.Length)
	}
	return losses
}

// meanAndError returns the mean of x (n) and its standard error √(Σ(x−mean)²/(n−1)/n).
func meanAndError(x []float64) (mean, se float64) {
	n := float64(len(x))
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		se += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(se / (n - 1) / n)
}

// stream is an opened "tokens" artifact of a field.
type stream struct {
	field string
	ids   lm.IDs
	close func() error
}

// openStream opens the tokens of a field, which must have the model's vocabulary.
func openStream(t *pipeline.Task, field string, r pipeline.Ref, m *weights.Model) (*stream, error) {
	tokens, err := artifacts.OpenTokens(t.Input(r).Path)
	if err != nil {
		return nil, err
	}
	if !tokens.Vocabulary.Equal(m.Definition) {
		tokens.Close()
		return nil, pipeline.Errorf(field, "has another vocabulary than the model")
	}
	s := &stream{field: field, ids: lm.Stream[uint16](tokens.Uint16()), close: tokens.Close}
	if tokens.Uint32() != nil {
		s.ids = lm.Stream[uint32](tokens.Uint32())
	}
	return s, nil
}
