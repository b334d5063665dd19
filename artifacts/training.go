package artifacts

import "fmt"

// TrainingRow is one row of the metrics that a training leaves.
type TrainingRow struct {
	Step           int64    `parquet:"step" unit:"steps" doc:"optimizer steps done"`
	Tokens         int64    `parquet:"tokens" unit:"tokens" doc:"seen so far"`
	Epochs         float64  `parquet:"epochs" unit:"epochs" doc:"tokens seen / distinct tokens"`
	LearningRate   float64  `parquet:"learning_rate" unit:"1" doc:"of the last step"`
	TrainLoss      *float64 `parquet:"train_loss" unit:"nats/token" null:"before the first step" doc:"mean since the last regular row"`
	ValidationLoss *float64 `parquet:"validation_loss" unit:"nats/token" null:"not evaluated here" doc:"of the validation set"`
	GradientNorm   float64  `parquet:"gradient_norm" unit:"nats/token" doc:"over all parameters, before clipping, of the last step"`
	WeightNorm     float64  `parquet:"weight_norm" unit:"1" doc:"over all parameters, after the last step"`
	DivergedAt     *int64   `parquet:"diverged_at" unit:"steps" null:"all numbers were finite so far" doc:"the step whose numbers were not finite; in the last row of a training that diverged"`
}

// TrainingSummary is what a training came to: the one row of its "summary". Timescales are those of AdamW's weights, which are an exponential
// moving average of its updates (Wang & Aitchison 2024), in trainings: the share of all steps that the average reaches back over.
type TrainingSummary struct {
	Parameters     int64    `parquet:"parameters" unit:"parameters" doc:"of the model"`
	Steps          int64    `parquet:"steps" unit:"steps" doc:"optimizer steps done"`
	Tokens         int64    `parquet:"tokens" unit:"tokens" doc:"seen"`
	Repetition     float64  `parquet:"repetition" unit:"epochs" doc:"tokens seen / distinct tokens"`
	TimescalePeak  *float64 `parquet:"timescale_peak" unit:"trainings" null:"without weight decay: infinite" doc:"τ = 1/(lr_peak·weight_decay·steps)"`
	Timescale      *float64 `parquet:"timescale" unit:"trainings" null:"without weight decay: infinite" doc:"τ = 1/(weight_decay·Σ lr), which compares across schedules"`
	TrainLoss      *float64 `parquet:"train_loss" unit:"nats/token" null:"before the first step" doc:"of the last row of the metrics"`
	ValidationLoss *float64 `parquet:"validation_loss" unit:"nats/token" null:"not evaluated" doc:"of the last row of the metrics"`
	DivergedAt     *int64   `parquet:"diverged_at" unit:"steps" null:"all numbers were finite" doc:"the step whose numbers were not finite"`
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
