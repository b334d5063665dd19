package artifacts

import "github.com/apache/arrow/go/v15/arrow"

// TypeDoc describes a type of artifacts: the files that one consists of.
type TypeDoc struct {
	Name  string
	Doc   string
	Files []FileDoc
}

// FileDoc describes a file of an artifact.
type FileDoc struct {
	Name    string // in the folder; "" where the artifact is this one file
	Doc     string
	Schema  string      // of Parquet
	Columns []ColumnDoc // of Arrow, whose types have Arrow's names
}

// Types lists the types of artifacts, by name.
func Types() []TypeDoc {
	return []TypeDoc{
		{"examples", "Problems of a task, of one split.", []FileDoc{{Schema: "examples"}}},
		{"folder", "Files in the format of another program, which reads them as they are: the output says of which.", nil},
		{"passages", "Labelled pieces of text, of all splits.", []FileDoc{{Schema: "passages"}}},
		{"report", "What a report says, without addresses; `run` leaves a copy under results/, which has them.", []FileDoc{
			{Name: "report.html", Doc: "the page"},
			{Name: "NAME.parquet", Doc: "the rows of a table or compare block, coordinates first, then columns of the tables that it reads"},
			{Name: "claims.parquet", Doc: "the answers, where it makes claims", Schema: "claims"},
		}},
		{"samples", "Answers of a model, in the order of splits, shots, examples and samples.", []FileDoc{{Schema: "samples"}}},
		{"table", "A table of measurements. Outputs name its schema; one that names none has columns that depend on settings, which the output describes.", nil},
		{"text", "Text in blocks. Where a dataset keeps bytes that are not UTF-8, the column `text` is binary.", []FileDoc{{Schema: "text"}}},
		{"tokens", "A stream of token ids, and the vocabulary that they belong to.", []FileDoc{
			{Name: idsFile, Doc: "one record, without nulls; 16 bits an id where the vocabulary has at most 65,536, as here, 32 otherwise", Columns: arrowColumns(idsSchema(0), "index", "of tokens")},
			{Name: VocabularyFile, Schema: "vocabulary"},
		}},
		{"vocabulary", "Tokens by id. What rows leave open, as special tokens and the pattern that cuts text, stands as JSON under the key \"" + tokenizerKey + "\" of the file's metadata.", []FileDoc{{Schema: "vocabulary"}}},
		{"weights", "A model at its save points.", []FileDoc{
			{Name: ModelFile, Doc: "a JSON object: `model`, its shape; `vocabulary_size`, in tokens; `context`, in positions"},
			{Name: VocabularyFile, Schema: "vocabulary"},
			{Name: savesFile, Schema: "saves"},
			{Name: "step-00000000.arrow", Doc: "the parameters of a save point, a record of one row each, without nulls", Columns: arrowColumns(weightsSchema,
				"", "of the tensor", "elements", "along each dimension", "1", "row-major, as many as the product of shape")},
		}},
	}
}

// arrowColumns describes the fields of a schema, each with a unit and a text.
func arrowColumns(schema *arrow.Schema, words ...string) []ColumnDoc {
	var columns []ColumnDoc
	for i, f := range schema.Fields() {
		columns = append(columns, ColumnDoc{Name: f.Name, Type: Type(f.Type.String()), Unit: words[2*i], Doc: words[2*i+1]})
	}
	return columns
}
