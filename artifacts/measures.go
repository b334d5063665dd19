package artifacts

// LossRow is one row of what a probe's overfit block leaves: the mean loss of a model over equally many tokens that it
// was trained on and that it was not. Losses are nats a token. Their standard errors are s/√n over the sequences' mean
// losses, s with n−1 degrees of freedom.
type LossRow struct {
	TrainLoss        float64 `parquet:"train_loss"`
	ValidationLoss   float64 `parquet:"validation_loss"`
	Gap              float64 `parquet:"gap"`    // validation_loss − train_loss
	Tokens           int64   `parquet:"tokens"` // on each side
	TrainLossSE      float64 `parquet:"train_loss_se"`
	ValidationLossSE float64 `parquet:"validation_loss_se"`
	GapSE            float64 `parquet:"gap_se"` // √(train_loss_se² + validation_loss_se²): the samples are independent
}

// SeparabilityRow is how well one linear classifier tells classes apart on the test split. Layer and Pool
// are null for the baselines, which read no hidden state; Margin and L2 where there are no such things.
type SeparabilityRow struct {
	Layer      *int64   `parquet:"layer"`    // 0 is the embedding's output, l the residual stream after layer l
	Pool       *string  `parquet:"pool"`     // mean | last
	Features   string   `parquet:"features"` // hidden | bag_of_bytes | majority | chance
	Accuracy   float64  `parquet:"accuracy"`
	AccuracySE float64  `parquet:"accuracy_se"` // √(a(1−a)/n) over the test passages
	Margin     *float64 `parquet:"margin"`      // mean over test passages of the true class's score minus the best other's
	L2         *float64 `parquet:"l2"`          // the penalty chosen on the validation split
	Classes    int64    `parquet:"classes"`
	Train      int64    `parquet:"train"`
	Test       int64    `parquet:"test"`
	MarginSE   *float64 `parquet:"margin_se"` // s/√n over the test passages; null where there is one
}

// SpectrumRow describes the singular values of one product of attention matrices.
type SpectrumRow struct {
	Layer           int64   `parquet:"layer"` // from 1
	Head            int64   `parquet:"head"`  // from 0
	Matrix          string  `parquet:"matrix"`
	Norm            bool    `parquet:"norm"` // whether the gains of norms are folded in
	PseudoRank      int64   `parquet:"pseudo_rank"`
	PseudoRankShare float64 `parquet:"pseudo_rank_share"` // of head_dim
	StableRank      float64 `parquet:"stable_rank"`
	EffectiveRank   float64 `parquet:"effective_rank"`
	NuclearNorm     float64 `parquet:"nuclear_norm"`
	FrobeniusBound  float64 `parquet:"frobenius_bound"` // ½(‖A‖² + ‖B‖²) of the factors, never below the nuclear norm
	Balancedness    float64 `parquet:"balancedness"`    // ‖AᵀA − BᵀB‖, 0 where the bound is met
}

// FeatureRow describes the features of one layer: the matrix of the residual stream at so many positions, a row each, with
// singular values σ, and the units of the layer's feed-forward. Ranks of zeros are 0.
type FeatureRow struct {
	Layer         int64    `parquet:"layer"`   // 0 is the embedding's output, l the residual stream after layer l
	Centred       bool     `parquet:"centred"` // whether each column's mean was subtracted
	EffectiveRank float64  `parquet:"effective_rank"`
	Rank99Squares int64    `parquet:"rank_99_squares"` // smallest k whose σ² hold 99 % of Σσ²
	Rank99Sum     int64    `parquet:"rank_99_sum"`     // smallest k whose σ hold 99 % of Σσ
	Dormant       *float64 `parquet:"dormant"`         // share of the feed-forward's units; null for the embedding
	Positions     int64    `parquet:"positions"`
}

// NormRow is the size of one tensor, or of all of them as one vector, the row named "all". What divides by a norm of zero is
// null, and so is what was not asked for.
type NormRow struct {
	Tensor                string   `parquet:"tensor"`
	Elements              int64    `parquet:"elements"`
	Norm                  float64  `parquet:"norm"`                    // ‖w‖ = √Σw²
	RMS                   float64  `parquet:"rms"`                     // ‖w‖/√elements
	UpdateNorm            *float64 `parquet:"update_norm"`             // ‖w − w₀‖, w₀ that of the save point since
	RelativeUpdate        *float64 `parquet:"relative_update"`         // ‖w − w₀‖/‖w₀‖
	EffectiveLearningRate *float64 `parquet:"effective_learning_rate"` // learning_rate/‖w‖
}

// NoiseRow is the loss of a model whose weights carry noise, nats a token, the mean over draws of the noise. Standard errors
// are over the draws, on the same tokens; null at scale 0, where nothing is drawn, and of a single draw.
type NoiseRow struct {
	Scale      float64  `parquet:"scale"` // the noise's norm against each tensor's
	Loss       float64  `parquet:"loss"`
	LossSE     *float64 `parquet:"loss_se"`
	Increase   float64  `parquet:"increase"` // over the loss at scale 0
	IncreaseSE *float64 `parquet:"increase_se"`
	Draws      int64    `parquet:"draws"`
	Tokens     int64    `parquet:"tokens"`
}
