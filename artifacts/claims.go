package artifacts

// ClaimRow is the answer to one claim of a report: a row of its claims.parquet.
type ClaimRow struct {
	Name      string `parquet:"name" doc:"of the claim"`
	Says      string `parquet:"says" doc:"the claim in words"`
	Verdict   string `parquet:"verdict" doc:"holds, does not hold, underpowered or not measured"`
	Sentence  string `parquet:"sentence" doc:"what the numbers say to it"`
	Cases     int64  `parquet:"cases" unit:"cases" doc:"that were told of on their own"`
	Holds     int64  `parquet:"holds" unit:"cases" doc:"for which the claim holds"`
	Fails     int64  `parquet:"fails" unit:"cases" doc:"for which it does not"`
	MoreSeeds *int64 `parquet:"more_seeds" unit:"units" null:"none are needed, or no number would do" doc:"about how many more units of replication would bring a verdict"`
	Unit      string `parquet:"unit" doc:"of replication: the axis, such as seed"`
	Seeds     *int64 `parquet:"seeds" unit:"units" null:"none are needed, or no number would do" doc:"how many there would be then"`
}
