package artifacts

// ScoreRow sums up the samples of one split and number of shots.
type ScoreRow struct {
	Split        string   `parquet:"split"`
	Shots        int64    `parquet:"shots"`
	Examples     int64    `parquet:"examples"`
	Accuracy     *float64 `parquet:"accuracy"`
	AccuracySE   *float64 `parquet:"accuracy_se"`   // √(a(1−a)/n) over the examples
	ResponseLoss *float64 `parquet:"response_loss"` // −Σ ln p of reference responses / their tokens, nats a token
}
