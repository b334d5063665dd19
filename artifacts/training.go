package artifacts

import "fmt"

// TrainingRow is one row of the metrics that a training leaves.
type TrainingRow struct {
	Step           int64    `parquet:"step"`            // optimizer steps done
	Tokens         int64    `parquet:"tokens"`          // seen so far
	Epochs         float64  `parquet:"epochs"`          // tokens seen / distinct tokens
	LearningRate   float64  `parquet:"learning_rate"`   // of the last step
	TrainLoss      *float64 `parquet:"train_loss"`      // nats a token, mean since the last regular row; null before the first step
	ValidationLoss *float64 `parquet:"validation_loss"` // nats a token; null where it was not evaluated
	GradientNorm   float64  `parquet:"gradient_norm"`   // over all parameters, before clipping, of the last step
	WeightNorm     float64  `parquet:"weight_norm"`     // over all parameters, after the last step
	DivergedAt     *int64   `parquet:"diverged_at"`     // in the last row of a training that diverged: the step whose numbers were not finite
}

// TrainingSummary is what a training came to: the one row of its "summary". Timescales are those of AdamW's weights, which are an exponential
// moving average of its updates (Wang & Aitchison 2024), in trainings: the share of all steps that the average reaches back over.
type TrainingSummary struct {
	Parameters     int64    `parquet:"parameters"`
	Steps          int64    `parquet:"steps"`           // done
	Tokens         int64    `parquet:"tokens"`          // seen
	Repetition     float64  `parquet:"repetition"`      // tokens seen / distinct tokens
	TimescalePeak  *float64 `parquet:"timescale_peak"`  // τ = 1/(lr_peak·weight_decay·steps); null without weight decay: infinite
	Timescale      *float64 `parquet:"timescale"`       // τ = 1/(weight_decay·Σ lr), which compares across schedules
	TrainLoss      *float64 `parquet:"train_loss"`      // of the last row of the metrics
	ValidationLoss *float64 `parquet:"validation_loss"` // likewise; null where it was not evaluated
	DivergedAt     *int64   `parquet:"diverged_at"`     // the step whose numbers were not finite; null where all were
}

// WriteTraining writes the metrics of a training. All numbers must be finite.
func WriteTraining(path string, rows []TrainingRow) error {
	for _, r := range rows {
		for _, column := range []struct {
			name  string
			value *float64
		}{
			{"epochs", &r.Epochs},
			{"learning_rate", &r.LearningRate},
			{"train_loss", r.TrainLoss},
			{"validation_loss", r.ValidationLoss},
			{"gradient_norm", &r.GradientNorm},
			{"weight_norm", &r.WeightNorm},
		} {
			if column.value != nil && !finite(*column.value) {
				return fmt.Errorf("%s: step %d: %s is %g", path, r.Step, column.name, *column.value)
			}
		}
	}
	return WriteRows(path, rows)
}
