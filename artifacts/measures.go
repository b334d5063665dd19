package artifacts

// LossRow is one row of what a probe's overfit block leaves: the mean loss of a model over equally many tokens that it
// was trained on and that it was not. Losses are nats a token. Their standard errors are s/√n over the sequences' mean
// losses, s with n−1 degrees of freedom.
type LossRow struct {
	TrainLoss        float64 `parquet:"train_loss" unit:"nats/token" doc:"mean over text that was trained on"`
	ValidationLoss   float64 `parquet:"validation_loss" unit:"nats/token" doc:"mean over text that was not"`
	Gap              float64 `parquet:"gap" unit:"nats/token" doc:"validation_loss − train_loss"`
	Tokens           int64   `parquet:"tokens" unit:"tokens" doc:"on each side"`
	TrainLossSE      float64 `parquet:"train_loss_se" unit:"nats/token" doc:"standard error of train_loss over sequences"`
	ValidationLossSE float64 `parquet:"validation_loss_se" unit:"nats/token" doc:"standard error of validation_loss over sequences"`
	GapSE            float64 `parquet:"gap_se" unit:"nats/token" doc:"√(train_loss_se² + validation_loss_se²): the samples are independent"`
}

// SeparabilityRow is how well one linear classifier tells classes apart on the test split. Layer and Pool
// are null for the baselines, which read no hidden state; Margin and L2 where there are no such things.
type SeparabilityRow struct {
	Layer      *int64   `parquet:"layer" unit:"index" null:"a baseline, which reads no hidden state" doc:"0 is the embedding's output, l the residual stream after layer l"`
	Pool       *string  `parquet:"pool" null:"a baseline, which reads no hidden state" doc:"how positions become one vector: mean or last"`
	Features   string   `parquet:"features" doc:"what the classifier reads: hidden, bag_of_bytes, majority or chance"`
	Accuracy   float64  `parquet:"accuracy" unit:"1" doc:"share of the test passages that are told right"`
	AccuracySE float64  `parquet:"accuracy_se" unit:"1" doc:"√(a(1−a)/n) over the test passages"`
	Margin     *float64 `parquet:"margin" unit:"nats" null:"nothing is fitted" doc:"mean over test passages of the true class's score minus the best other's"`
	L2         *float64 `parquet:"l2" unit:"1" null:"nothing is fitted" doc:"the penalty chosen on the validation split"`
	Classes    int64    `parquet:"classes" unit:"classes" doc:"to tell apart"`
	Train      int64    `parquet:"train" unit:"passages" doc:"of the training split"`
	Test       int64    `parquet:"test" unit:"passages" doc:"of the test split"`
	MarginSE   *float64 `parquet:"margin_se" unit:"nats" null:"nothing is fitted, or there is one test passage" doc:"s/√n over the test passages"`
}

// SpectrumRow describes the singular values of one product of attention matrices.
type SpectrumRow struct {
	Layer           int64   `parquet:"layer" unit:"index" doc:"of the transformer, from 1"`
	Head            int64   `parquet:"head" unit:"index" doc:"of the layer, from 0"`
	Matrix          string  `parquet:"matrix" doc:"which product of attention matrices"`
	Norm            bool    `parquet:"norm" doc:"whether the gains of norms are folded in"`
	PseudoRank      int64   `parquet:"pseudo_rank" unit:"directions" doc:"smallest k whose singular values hold the share asked for of their sum"`
	PseudoRankShare float64 `parquet:"pseudo_rank_share" unit:"1" doc:"pseudo_rank / head_dim"`
	StableRank      float64 `parquet:"stable_rank" unit:"1" doc:"Σσ²/max σ²"`
	EffectiveRank   float64 `parquet:"effective_rank" unit:"1" doc:"exp of the entropy of σ/Σσ"`
	NuclearNorm     float64 `parquet:"nuclear_norm" unit:"1" doc:"Σσ"`
	FrobeniusBound  float64 `parquet:"frobenius_bound" unit:"1" doc:"½(‖A‖² + ‖B‖²) of the factors, never below the nuclear norm"`
	Balancedness    float64 `parquet:"balancedness" unit:"1" doc:"‖AᵀA − BᵀB‖, 0 where the bound is met"`
}

// FeatureRow describes the features of one layer: the matrix of the residual stream at so many positions, a row each, with
// singular values σ, and the units of the layer's feed-forward. Ranks of zeros are 0.
type FeatureRow struct {
	Layer         int64    `parquet:"layer" unit:"index" doc:"0 is the embedding's output, l the residual stream after layer l"`
	Centred       bool     `parquet:"centred" doc:"whether each column's mean was subtracted"`
	EffectiveRank float64  `parquet:"effective_rank" unit:"1" doc:"exp of the entropy of σ/Σσ"`
	Rank99Squares int64    `parquet:"rank_99_squares" unit:"directions" doc:"smallest k whose σ² hold 99 % of Σσ²"`
	Rank99Sum     int64    `parquet:"rank_99_sum" unit:"directions" doc:"smallest k whose σ hold 99 % of Σσ"`
	Dormant       *float64 `parquet:"dormant" unit:"1" null:"the embedding, which has no feed-forward" doc:"share of the feed-forward's units that hardly anything activates"`
	Positions     int64    `parquet:"positions" unit:"tokens" doc:"rows of the matrix"`
}

// NormRow is the size of one tensor, or of all of them as one vector, the row named "all". What divides by a norm of zero is
// null, and so is what was not asked for.
type NormRow struct {
	Tensor                string   `parquet:"tensor" doc:"its name; all: every tensor as one vector"`
	Elements              int64    `parquet:"elements" unit:"elements" doc:"of the tensor"`
	Norm                  float64  `parquet:"norm" unit:"1" doc:"‖w‖ = √Σw²"`
	RMS                   float64  `parquet:"rms" unit:"1" doc:"‖w‖/√elements"`
	UpdateNorm            *float64 `parquet:"update_norm" unit:"1" null:"not asked for" doc:"‖w − w₀‖, w₀ that of the save point since"`
	RelativeUpdate        *float64 `parquet:"relative_update" unit:"1" null:"not asked for, or ‖w₀‖ is 0" doc:"‖w − w₀‖/‖w₀‖"`
	EffectiveLearningRate *float64 `parquet:"effective_learning_rate" unit:"1" null:"not asked for, or ‖w‖ is 0" doc:"learning_rate/‖w‖"`
}

// NoiseRow is the loss of a model whose weights carry noise, nats a token, the mean over draws of the noise. Standard errors
// are over the draws, on the same tokens; null at scale 0, where nothing is drawn, and of a single draw.
type NoiseRow struct {
	Scale      float64  `parquet:"scale" unit:"1" doc:"the noise's norm against each tensor's"`
	Loss       float64  `parquet:"loss" unit:"nats/token" doc:"mean over draws of the noise"`
	LossSE     *float64 `parquet:"loss_se" unit:"nats/token" null:"scale is 0, or there is one draw" doc:"standard error over the draws"`
	Increase   float64  `parquet:"increase" unit:"nats/token" doc:"over the loss at scale 0"`
	IncreaseSE *float64 `parquet:"increase_se" unit:"nats/token" null:"scale is 0, or there is one draw" doc:"standard error over the draws"`
	Draws      int64    `parquet:"draws" unit:"draws" doc:"of the noise"`
	Tokens     int64    `parquet:"tokens" unit:"tokens" doc:"in each draw"`
}

// ParameterRow describes the values x of one tensor of a checkpoint.
type ParameterRow struct {
	Name            string  `parquet:"name" doc:"of the tensor"`
	Shape           string  `parquet:"shape" doc:"rows×columns"`
	Elements        int64   `parquet:"elements" unit:"elements" doc:"n, of the tensor"`
	Mean            float64 `parquet:"mean" unit:"1" doc:"Σx/n"`
	Std             float64 `parquet:"std" unit:"1" doc:"√(Σ(x−mean)²/n)"`
	RMS             float64 `parquet:"rms" unit:"1" doc:"√(Σx²/n)"`
	AbsoluteMaximum float64 `parquet:"absolute_maximum" unit:"1" doc:"max |x|"`
	Norm            float64 `parquet:"norm" unit:"1" doc:"√Σx²"`
}
