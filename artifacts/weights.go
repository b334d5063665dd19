package artifacts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"anneal/lm/bpe"
)

// Files of a "weights" artifact, which is a folder, beside one Arrow file a save point.
const (
	ModelFile      = "model.json"
	VocabularyFile = "vocabulary.parquet" // also of "tokens"
	savesFile      = "saves.parquet"
)

// Model is what model.json says: all that is needed beside the parameters to compute with them.
type Model struct {
	Shape          json.RawMessage `json:"model"`           // layers, width and the like, as an object
	VocabularySize int             `json:"vocabulary_size"` // number of token ids
	Context        int             `json:"context"`         // number of positions the model was trained with
}

// Save is a row of saves.parquet: a moment of the training at which the parameters were kept.
type Save struct {
	Step           int64    `parquet:"step" unit:"steps" doc:"optimizer steps done; 0: as initialised"`
	Tokens         int64    `parquet:"tokens" unit:"tokens" doc:"seen in training"`
	TrainLoss      *float64 `parquet:"train_loss" unit:"nats/token" null:"before the first step" doc:"lately"`
	ValidationLoss *float64 `parquet:"validation_loss" unit:"nats/token" null:"there is no validation set" doc:"of the validation set"`
	File           string   `parquet:"file" doc:"that holds the parameters, by its name in the folder"`
}

// Parameter is one tensor of a model, row-major.
type Parameter struct {
	Name   string
	Shape  []int
	Values []float32 // as many as the product of Shape
}

// weightsSchema is that of a save point's file. It has a record a parameter, of one row, in the order of the model's
// parameter list: so one is written and read where it lies, and offsets of 32 bits last for tensors of 2³¹
// elements.
var weightsSchema = arrow.NewSchema([]arrow.Field{
	{Name: "name", Type: arrow.BinaryTypes.String},
	{Name: "shape", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Int64)},
	{Name: "values", Type: arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32)},
}, nil)

// WeightsWriter writes a "weights" artifact.
type WeightsWriter struct {
	dir   string
	saves []Save
}

// CreateWeights starts a "weights" artifact in the folder dir, which it makes.
func CreateWeights(dir string, m Model, vocabulary *bpe.Definition) (*WeightsWriter, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, ModelFile)
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, at(path, err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o666); err != nil {
		return nil, err
	}
	if err := WriteVocabulary(filepath.Join(dir, VocabularyFile), vocabulary); err != nil {
		return nil, err
	}
	return &WeightsWriter{dir: dir}, nil
}

// Save adds a save point, whose File it names by its step. Steps ascend. Losses and values must be finite: a model that
// diverged is refused.
func (w *WeightsWriter) Save(s Save, parameters []Parameter) error {
	return w.SaveEach(s, listed(parameters))
}

// SaveEach is Save of parameters that come one by one: each is written before the next is asked for.
func (w *WeightsWriter) SaveEach(s Save, parameters iter.Seq2[Parameter, error]) error {
	path, err := w.add(s)
	if err != nil {
		return err
	}
	return writeParameters(path, parameters)
}

// WriteParameters writes tensors to a file as a save point has them. Values must be finite.
func WriteParameters(path string, parameters []Parameter) error {
	return writeParameters(path, listed(parameters))
}

func listed(parameters []Parameter) iter.Seq2[Parameter, error] {
	return func(yield func(Parameter, error) bool) {
		for _, p := range parameters {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func writeParameters(path string, parameters iter.Seq2[Parameter, error]) error {
	return writeArrow(path, weightsSchema, func(put func(arrow.Record) error) error {
		for p, err := range parameters {
			if err != nil {
				return err
			}
			if err := p.check(); err != nil {
				return fmt.Errorf("parameter %s: %w", p.Name, err)
			}
			if err := put(p.record()); err != nil {
				return err
			}
		}
		return nil
	})
}

// Hand puts the save points so far into the folder dir, which it makes: their list, and their files by second names, or
// copied where the file system has none.
func (w *WeightsWriter) Hand(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, s := range w.saves {
		if err := linkFile(filepath.Join(dir, s.File), filepath.Join(w.dir, s.File)); err != nil {
			return err
		}
	}
	return WriteRows(filepath.Join(dir, savesFile), w.saves)
}

// Handed lists the save points that Hand put into the folder dir.
func Handed(dir string) ([]Save, error) { return ReadRows[Save](filepath.Join(dir, savesFile)) }

// Adopt begins with save points that Hand put into the folder dir.
func (w *WeightsWriter) Adopt(dir string, saves []Save) error {
	for _, s := range saves {
		path, err := w.add(s)
		if err != nil {
			return err
		}
		if err := linkFile(path, filepath.Join(dir, filepath.Base(path))); err != nil {
			return err
		}
	}
	return nil
}

// Has tells whether there is a save point of a step.
func (w *WeightsWriter) Has(step int64) bool {
	return slices.ContainsFunc(w.saves, func(s Save) bool { return s.Step == step })
}

// Copy adds a save point of another artifact, byte for byte.
func (w *WeightsWriter) Copy(from *Weights, s Save) error {
	path, err := w.add(s)
	if err != nil {
		return err
	}
	return copyFile(path, filepath.Join(from.dir, s.File))
}

// add appends a row to the saves and returns the path of its file.
func (w *WeightsWriter) add(s Save) (string, error) {
	s.File = fmt.Sprintf("step-%08d.arrow", s.Step)
	path := filepath.Join(w.dir, s.File)
	if n := len(w.saves); n > 0 && s.Step <= w.saves[n-1].Step {
		return "", fmt.Errorf("%s: step %d does not come after step %d", path, s.Step, w.saves[n-1].Step)
	}
	for _, loss := range []*float64{s.TrainLoss, s.ValidationLoss} {
		if loss != nil && !finite(*loss) {
			return "", fmt.Errorf("%s: a loss is %g", path, *loss)
		}
	}
	w.saves = append(w.saves, s)
	return path, nil
}

// Close writes the list of saves, of which there must be one at least.
func (w *WeightsWriter) Close() error {
	path := filepath.Join(w.dir, savesFile)
	if len(w.saves) == 0 {
		return fmt.Errorf("%s: there is no save point", path)
	}
	return WriteRows(path, w.saves)
}

func (p Parameter) check() error {
	if err := p.fits(); err != nil {
		return err
	}
	for i, v := range p.Values {
		if !finite(float64(v)) {
			return fmt.Errorf("element %d is %g", i, v)
		}
	}
	return nil
}

// fits tells whether there are as many values as the shape asks for.
func (p Parameter) fits() error {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	if n != len(p.Values) {
		return fmt.Errorf("it has %d values, its shape %v asks for %d", len(p.Values), p.Shape, n)
	}
	return nil
}

// record lends the parameter's values to a record of one row.
func (p Parameter) record() arrow.Record {
	shape := make([]int64, len(p.Shape))
	for i, d := range p.Shape {
		shape[i] = int64(d)
	}
	name := array.NewData(arrow.BinaryTypes.String, 1,
		[]*memory.Buffer{nil, offsets(len(p.Name)), memory.NewBufferBytes([]byte(p.Name))}, nil, 0, 0)
	return array.NewRecord(weightsSchema, []arrow.Array{
		array.MakeFromData(name),
		oneList(weightsSchema.Field(1).Type, len(shape), arrow.Int64Traits.CastToBytes(shape)),
		oneList(weightsSchema.Field(2).Type, len(p.Values), arrow.Float32Traits.CastToBytes(p.Values)),
	}, 1)
}

// oneList is a column of one row, a list of n numbers.
func oneList(t arrow.DataType, n int, numbers []byte) arrow.Array {
	child := array.NewData(t.(*arrow.ListType).Elem(), n, []*memory.Buffer{nil, memory.NewBufferBytes(numbers)}, nil, 0, 0)
	return array.MakeFromData(array.NewData(t, 1, []*memory.Buffer{nil, offsets(n)}, []arrow.ArrayData{child}, 0, 0))
}

// offsets are those of one row of n elements.
func offsets(n int) *memory.Buffer {
	return memory.NewBufferBytes(arrow.Int32Traits.CastToBytes([]int32{0, int32(n)}))
}

// Weights is a "weights" artifact that is read.
type Weights struct {
	Model
	Vocabulary *bpe.Definition
	Saves      []Save // at least one; steps ascend

	dir string
}

// OpenWeights reads what the folder dir says of its model and its save points, but none of their values.
func OpenWeights(dir string) (*Weights, error) {
	path := filepath.Join(dir, ModelFile)
	model, err := ReadModel(path)
	if err != nil {
		return nil, err
	}
	w := &Weights{Model: model, dir: dir}
	if w.Vocabulary, err = ReadVocabulary(filepath.Join(dir, VocabularyFile)); err != nil {
		return nil, err
	}
	if n := w.Vocabulary.Size(); n != w.VocabularySize {
		return nil, fmt.Errorf("%s: a vocabulary of %d tokens, beside one of %d", path, w.VocabularySize, n)
	}
	path = filepath.Join(dir, savesFile)
	if w.Saves, err = ReadRows[Save](path); err != nil {
		return nil, err
	}
	if len(w.Saves) == 0 {
		return nil, fmt.Errorf("%s: there is no save point", path)
	}
	for _, s := range w.Saves {
		if !filepath.IsLocal(s.File) {
			return nil, fmt.Errorf("%s: step %d: file %q is not one of this folder", path, s.Step, s.File)
		}
	}
	return w, nil
}

// ReadModel reads the ModelFile of a "weights" artifact.
func ReadModel(path string) (m Model, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, at(path, err)
	}
	return m, nil
}

// Last is the save point with the most steps.
func (w *Weights) Last() Save { return w.Saves[len(w.Saves)-1] }

// Parameters are the tensors of one save point. Their values lie in a map of the file and must not be written to.
type Parameters struct {
	List []Parameter

	file *mapped
}

// Parameters maps the tensors of a save point into memory.
func (w *Weights) Parameters(s Save) (*Parameters, error) {
	return ReadParameters(filepath.Join(w.dir, s.File))
}

// ReadParameters maps the tensors of a file of WriteParameters into memory.
func ReadParameters(path string) (*Parameters, error) {
	file, err := mapArrow(path, weightsSchema)
	if err != nil {
		return nil, err
	}
	p := &Parameters{file: file}
	for i, r := range file.records {
		if r.NumRows() != 1 {
			return nil, errors.Join(fmt.Errorf("%s: record %d has %d rows, want 1", path, i, r.NumRows()), file.Close())
		}
		p.List = append(p.List, Parameter{
			Name:   r.Column(0).(*array.String).Value(0),
			Shape:  shapeOf(r.Column(1).(*array.List)),
			Values: r.Column(2).(*array.List).ListValues().(*array.Float32).Float32Values(),
		})
		if err := p.List[i].fits(); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: parameter %s: %w", path, p.List[i].Name, err), file.Close())
		}
	}
	return p, nil
}

// Close gives the memory back. The values must not be touched after it.
func (p *Parameters) Close() error {
	p.List = nil
	return p.file.Close()
}

func shapeOf(l *array.List) []int {
	var shape []int
	for _, d := range l.ListValues().(*array.Int64).Int64Values() {
		shape = append(shape, int(d))
	}
	return shape
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// linkFile gives a file a second name, or copies it where the file system has none.
func linkFile(to, from string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	return copyFile(to, from)
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return create(to, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}
