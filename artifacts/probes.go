package artifacts

// ScoreRow sums up the samples of one split and number of shots: the greedy ones where K is null, otherwise those drawn.
// A metric is null where it was not asked for or is of other rows, and its standard error over examples where there is
// one example.
type ScoreRow struct {
	Split    string `parquet:"split" doc:"validation or test"`
	Shots    int64  `parquet:"shots" unit:"examples" doc:"demonstrations at the head of the prompt"`
	K        *int64 `parquet:"k" unit:"answers" null:"a row of greedy answers" doc:"how many answers the metrics at k read"`
	Examples int64  `parquet:"examples" unit:"examples" doc:"that were asked"`
	Samples  int64  `parquet:"samples" unit:"answers" doc:"drawn for each example; 0 where k is null"`

	Accuracy          *float64 `parquet:"accuracy" unit:"1" null:"not asked for, or not of such rows" doc:"share of greedy answers that are right, asked without demonstrations"`
	AccuracySE        *float64 `parquet:"accuracy_se" unit:"1" null:"not asked for, or not of such rows, or there is one example" doc:"standard error of accuracy over examples"`
	FewShotAccuracy   *float64 `parquet:"few_shot_accuracy" unit:"1" null:"not asked for, or not of such rows" doc:"share of greedy answers that are right, behind demonstrations"`
	FewShotAccuracySE *float64 `parquet:"few_shot_accuracy_se" unit:"1" null:"not asked for, or not of such rows, or there is one example" doc:"standard error of few_shot_accuracy over examples"`
	ResponseLoss      *float64 `parquet:"response_loss" unit:"nats/token" null:"not asked for, or not of such rows" doc:"−Σ ln p(reference | prompt) / Σ tokens of the references"`
	ResponseLossSE    *float64 `parquet:"response_loss_se" unit:"nats/token" null:"not asked for, or not of such rows, or there is one example" doc:"standard error of response_loss over examples"`

	PassAtK                 *float64 `parquet:"pass_at_k" unit:"1" null:"not asked for, or not of such rows" doc:"probability that k answers of those drawn hold one that is right"`
	PassAtKSE               *float64 `parquet:"pass_at_k_se" unit:"1" null:"not asked for, or not of such rows, or there is one example" doc:"standard error of pass_at_k over examples"`
	MajAtK                  *float64 `parquet:"maj_at_k" unit:"1" null:"not asked for, or not of such rows" doc:"share of examples where the most frequent of the first k answers is right"`
	MajAtKSE                *float64 `parquet:"maj_at_k_se" unit:"1" null:"not asked for, or not of such rows, or there is one example" doc:"standard error of maj_at_k over examples"`
	CorrectRatioAtK         *float64 `parquet:"correct_ratio_at_k" unit:"1" null:"not asked for, or not of such rows" doc:"share of the first k answers that is right"`
	CorrectRatioAtKSE       *float64 `parquet:"correct_ratio_at_k_se" unit:"1" null:"not asked for, or not of such rows, or there is one example" doc:"standard error of correct_ratio_at_k over examples"`
	CorrectRatioAtKSolved   *float64 `parquet:"correct_ratio_at_k_solved" unit:"1" null:"not asked for, or not of such rows, or no example is solved" doc:"correct_ratio_at_k over the examples that one answer solves at least"`
	CorrectRatioAtKSolvedSE *float64 `parquet:"correct_ratio_at_k_solved_se" unit:"1" null:"not asked for, or not of such rows, or no example is solved, or there is one example" doc:"standard error of correct_ratio_at_k_solved over examples"`
	RMAtK                   *float64 `parquet:"rm_at_k" unit:"1" null:"not asked for, or not of such rows" doc:"share of examples where the answer of the highest reward among the first k is right"`
	RMAtKSE                 *float64 `parquet:"rm_at_k_se" unit:"1" null:"not asked for, or not of such rows, or there is one example" doc:"standard error of rm_at_k over examples"`
	ORMScore                *float64 `parquet:"orm_score" unit:"log-odds" null:"not asked for, or not of such rows" doc:"mean reward of the first k answers"`
	ORMScoreSE              *float64 `parquet:"orm_score_se" unit:"log-odds" null:"not asked for, or not of such rows, or there is one example" doc:"standard error of orm_score over examples"`
}
