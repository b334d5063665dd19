package artifacts

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Schema describes the columns of a table: what a reader of it can rely on. Another version has other columns.
type Schema struct {
	Name    string
	Version int
	Doc     string // what a row is
	Columns []ColumnDoc
}

// ColumnDoc describes a column.
type ColumnDoc struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
	Unit string `json:"unit,omitempty"` // of a number: what it counts, "nats/token" and the like; "index" of a place in a list, "1" where there is none
	Null string `json:"null,omitempty"` // what null means; "" where none stands in the column
	Doc  string `json:"doc,omitempty"`
}

// Types of columns that only tables of a known schema have.
const (
	Binary Type = "binary" // []byte
	Time   Type = "time"   // time.Time, to the microsecond, UTC
)

// Schemas lists the schemas of the tables in artifacts, by name. Raise a schema's version when its columns change.
func Schemas() []Schema { return slices.Clone(schemas) }

var schemas = []Schema{
	SchemaOf[ClaimRow]("claims", 1, "the answer to a claim of a report"),
	SchemaOf[ContaminatedRow]("contaminated", 1, "an example of a task that a text has a run of"),
	SchemaOf[ContaminationRow]("contamination", 1, "a task, with how many of its examples a text has a run of"),
	SchemaOf[DuplicateRow]("duplicates", 1, "a document that was left out, beside the one that it repeats"),
	SchemaOf[Example]("examples", 1, "a problem of a task, with its reference"),
	SchemaOf[FeatureRow]("features", 1, "a layer, its hidden states centred or not: the matrix of a row each position, with singular values σ"),
	SchemaOf[LossRow]("losses", 1, "a model: its mean loss over equally many tokens that it was trained on and that it was not"),
	SchemaOf[NoiseRow]("noise", 1, "a scale of noise on a model's weights, and none"),
	SchemaOf[NormRow]("norms", 1, "a tensor w of a model, and all of them as one vector"),
	SchemaOf[ParameterRow]("parameters", 1, "a tensor of a checkpoint, with values x"),
	SchemaOf[Passage]("passages", 1, "a labelled piece of text"),
	SchemaOf[SampleRow]("samples", 1, "an answer of a model to the prompt of an example"),
	SchemaOf[Save]("saves", 1, "a moment of a training at which parameters were kept; steps ascend"),
	SchemaOf[ScoreRow]("scores", 1, "a split and number of shots, with greedy answers or with k drawn ones"),
	SchemaOf[SeparabilityRow]("separability", 1, "a linear classifier of passages on hidden states of a layer, or a baseline"),
	SchemaOf[SpectrumRow]("spectrum", 1, "a product of attention matrices of a head, with singular values σ"),
	SchemaOf[Block]("text", 1, "a block of text; blocks of a document continue one another where one starts at the byte at which another ends"),
	SchemaOf[TrainingRow]("training", 1, "a moment of a training; steps ascend"),
	SchemaOf[TrainingSummary]("training_summary", 1, "a training, as it ended; timescales are of AdamW's moving average (Wang & Aitchison 2024)"),
	SchemaOf[token]("vocabulary", 1, "a token, in the order of ids"),
}

// SchemaNamed returns the schema of the name, nil where there is none.
func SchemaNamed(name string) *Schema {
	i := slices.IndexFunc(schemas, func(s Schema) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &schemas[i]
}

// Fits tells whether columns are those of the schema. Text that is kept as it came, whether UTF-8 or not, is binary.
func (s *Schema) Fits(columns []Column) bool {
	return slices.EqualFunc(s.Columns, columns, func(want ColumnDoc, have Column) bool {
		same := want.Type == have.Type || want.Type == String && have.Type == Binary
		return want.Name == have.Name && same && (want.Null != "" || !have.Optional)
	})
}

// SchemaOf describes the rows of a table by the tags of T's fields:
//
//	Loss *float64 `parquet:"loss" unit:"nats/token" null:"not evaluated" doc:"mean over the validation set"`
//
// A number needs a unit, a pointer says what null means. A field that is described otherwise panics.
func SchemaOf[T any](name string, version int, doc string) Schema {
	s := Schema{Name: name, Version: version, Doc: doc}
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		f := t.Field(i)
		column, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		c := ColumnDoc{Name: column, Type: fieldType(f.Type), Unit: f.Tag.Get("unit"), Null: f.Tag.Get("null"), Doc: f.Tag.Get("doc")}
		number := c.Type == Int64 || c.Type == Float64
		if c.Name == "" || c.Type == "" || c.Doc == "" || (c.Unit != "") != number || (c.Null != "") != (f.Type.Kind() == reflect.Pointer) {
			panic(fmt.Sprintf("artifacts: field %s.%s wants tags parquet and doc, a number unit, a pointer null", t, f.Name))
		}
		s.Columns = append(s.Columns, c)
	}
	return s
}

// fieldType returns the type of the column that a field becomes, "" where it can become none.
func fieldType(t reflect.Type) Type {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[time.Time]() {
		return Time
	}
	return TypeOf(reflect.Zero(t).Interface())
}
