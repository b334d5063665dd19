package artifacts

// Passage is a labelled piece of text: a row of a "passages" artifact, which linear probes read.
type Passage struct {
	Text  string `parquet:"text" doc:"the passage"`
	Label int64  `parquet:"label" unit:"index" doc:"of the class, from 0"`
	Split string `parquet:"split" doc:"train, validation or test"`
}

// Names of the splits.
const (
	SplitTrain      = "train"
	SplitValidation = "validation"
	SplitTest       = "test"
)

// WritePassages writes a "passages" artifact.
func WritePassages(path string, passages []Passage) error { return WriteRows(path, passages) }

// ReadPassages reads a "passages" artifact.
func ReadPassages(path string) ([]Passage, error) { return ReadRows[Passage](path) }
