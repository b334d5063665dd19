package artifacts

// DuplicateRow is a document that a dataset's deduplicate block left out, beside the one that it repeats.
type DuplicateRow struct {
	Source     int64    `parquet:"source" unit:"index" doc:"in the list of sources of the dataset"`
	Document   int64    `parquet:"document" unit:"index" doc:"of the document in its source"`
	OfSource   int64    `parquet:"of_source" unit:"index" doc:"source of the document that it repeats, which stands before it"`
	OfDocument int64    `parquet:"of_document" unit:"index" doc:"of that document in its source"`
	Kind       string   `parquet:"kind" doc:"exact: every byte is the same; near: most shingles are"`
	Jaccard    *float64 `parquet:"jaccard" unit:"1" null:"an exact duplicate" doc:"shingles that both have / shingles that either has"`
}

// Kinds of duplicates.
const (
	DuplicateExact = "exact"
	DuplicateNear  = "near"
)
