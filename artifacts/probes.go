package artifacts

// ScoreRow sums up the samples of one split and number of shots: the greedy ones where K is null, otherwise those drawn.
// A metric is null where it was not asked for or is of other rows, and its standard error over examples where there is
// one example.
type ScoreRow struct {
	Split    string `parquet:"split"`
	Shots    int64  `parquet:"shots"`
	K        *int64 `parquet:"k"`
	Examples int64  `parquet:"examples"`
	Samples  int64  `parquet:"samples"` // drawn for each example; 0 where K is null

	Accuracy          *float64 `parquet:"accuracy"`
	AccuracySE        *float64 `parquet:"accuracy_se"`
	FewShotAccuracy   *float64 `parquet:"few_shot_accuracy"`
	FewShotAccuracySE *float64 `parquet:"few_shot_accuracy_se"`
	ResponseLoss      *float64 `parquet:"response_loss"` // nats a token
	ResponseLossSE    *float64 `parquet:"response_loss_se"`

	PassAtK                 *float64 `parquet:"pass_at_k"`
	PassAtKSE               *float64 `parquet:"pass_at_k_se"`
	MajAtK                  *float64 `parquet:"maj_at_k"`
	MajAtKSE                *float64 `parquet:"maj_at_k_se"`
	CorrectRatioAtK         *float64 `parquet:"correct_ratio_at_k"`
	CorrectRatioAtKSE       *float64 `parquet:"correct_ratio_at_k_se"`
	CorrectRatioAtKSolved   *float64 `parquet:"correct_ratio_at_k_solved"` // null where no example is solved
	CorrectRatioAtKSolvedSE *float64 `parquet:"correct_ratio_at_k_solved_se"`
	RMAtK                   *float64 `parquet:"rm_at_k"`
	RMAtKSE                 *float64 `parquet:"rm_at_k_se"`
	ORMScore                *float64 `parquet:"orm_score"`
	ORMScoreSE              *float64 `parquet:"orm_score_se"`
}
