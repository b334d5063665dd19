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
}

// SeparabilityRow is how well one linear classifier tells classes apart on the test split. Layer, Pool and L2 are null
// for the baselines, which read no hidden state; Margin and L2 are null where there are no such things.
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

// ScoreRow sums up the samples of one split and number of shots.
type ScoreRow struct {
	Split        string   `parquet:"split"`
	Shots        int64    `parquet:"shots"`
	Examples     int64    `parquet:"examples"`
	Accuracy     *float64 `parquet:"accuracy"`
	AccuracySE   *float64 `parquet:"accuracy_se"`   // √(a(1−a)/n) over the examples
	ResponseLoss *float64 `parquet:"response_loss"` // −Σ ln p of reference responses / their tokens, nats a token
}
