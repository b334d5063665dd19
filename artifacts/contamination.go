package artifacts

// ContaminationRow is how many examples of a task stand in a text. Where tasks are of a sweep, the coordinates of each
// come before these columns.
type ContaminationRow struct {
	Element      int64    `parquet:"element" unit:"index" doc:"of the task in the list of tasks"`
	Examples     int64    `parquet:"examples" unit:"examples" doc:"of the task"`
	Contaminated int64    `parquet:"contaminated" unit:"examples" doc:"those that the text has a run of"`
	Share        float64  `parquet:"share" unit:"1" doc:"contaminated / examples"`
	ShareSE      *float64 `parquet:"share_se" unit:"1" null:"there is one example" doc:"standard error of share over examples"`
}

// ContaminatedRow is one of these examples. Coordinates come before it likewise.
type ContaminatedRow struct {
	Element int64  `parquet:"element" unit:"index" doc:"of the task in the list of tasks"`
	Example int64  `parquet:"example" unit:"index" doc:"row of the examples artifact"`
	Run     string `parquet:"run" doc:"what was looked for: words: runs of so many words; characters: runs of so many characters, of an example with fewer words; whole: all words of a shorter one"`
	Overlap string `parquet:"overlap" doc:"the longest stretch of the example whose runs are all in the text: its words, in lower case"`
}
