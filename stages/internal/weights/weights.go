// Package weights carries a language model from a "weights" artifact into memory and back.
package weights

import (
	"bytes"
	"encoding/json"
	"fmt"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/lm/bpe"
)

// Model is a language model with the vocabulary it was trained on.
type Model struct {
	Net        *lm.Net
	Vocabulary *bpe.Vocabulary
	Definition *bpe.Definition // the vocabulary's, as artifacts hold it
	Save       artifacts.Save  // the save point that the parameters are of
}

// Load reads the last save point of the "weights" artifact in the folder path. Every error names a file.
func Load(path string) (*Model, error) {
	w, err := artifacts.OpenWeights(path)
	if err != nil {
		return nil, err
	}
	shape, err := shapeOf(path, w.Model)
	if err != nil {
		return nil, err
	}
	v, err := bpe.Build(w.Vocabulary)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	stored, err := w.Parameters(w.Last())
	if err != nil {
		return nil, err
	}
	defer stored.Close() // lm.Load copies
	var values []lm.Parameter
	for _, p := range stored.List {
		values = append(values, lm.NewParameter(p.Name, p.Shape, p.Values))
	}
	net, err := lm.Load(shape, w.VocabularySize, w.Context, values)
	if err != nil {
		return nil, fmt.Errorf("%s: step %d: %w", path, w.Last().Step, err)
	}
	return &Model{net, v, w.Vocabulary, w.Last()}, nil
}

// LoadShape reads the shape of the models of a "weights" artifact, of which path is the file artifacts.ModelFile, with the
// size of their vocabulary and their context.
func LoadShape(path string) (m lm.Model, vocab, context int, err error) {
	stored, err := artifacts.ReadModel(path)
	if err != nil {
		return m, 0, 0, err
	}
	m, err = shapeOf(path, stored)
	return m, stored.VocabularySize, stored.Context, err
}

func shapeOf(path string, stored artifacts.Model) (lm.Model, error) {
	m, err := unmarshalShape(stored.Shape)
	if err != nil {
		err = fmt.Errorf("%s: its model: %w", path, err)
	}
	return m, err
}

// Encode returns the ids of a text.
func (m *Model) Encode(text string) []int32 {
	ids := m.Vocabulary.Encode(nil, []byte(text))
	encoded := make([]int32, len(ids))
	for i, id := range ids {
		encoded[i] = int32(id)
	}
	return encoded
}

// A Writer writes a "weights" artifact of one network as it is trained.
type Writer struct {
	*artifacts.WeightsWriter
	net *lm.Net
}

// Create starts a "weights" artifact in the folder path.
func Create(path string, net *lm.Net, vocabulary *bpe.Definition) (*Writer, error) {
	w, err := CreateShape(path, net.Model(), net.Context(), vocabulary)
	if err != nil {
		return nil, err
	}
	return &Writer{w, net}, nil
}

// CreateShape starts a "weights" artifact of a model that is in no network.
func CreateShape(path string, m lm.Model, context int, vocabulary *bpe.Definition) (*artifacts.WeightsWriter, error) {
	shape, err := marshalShape(m)
	if err != nil {
		return nil, err
	}
	return artifacts.CreateWeights(path, artifacts.Model{Shape: shape, VocabularySize: vocabulary.Size(), Context: context}, vocabulary)
}

// Shape returns the shape of a "weights" artifact's models.
func Shape(w *artifacts.Weights) (lm.Model, error) { return unmarshalShape(w.Model.Shape) }

// Save adds a save point with the network's parameters as they are.
func (w *Writer) Save(s artifacts.Save) error {
	var parameters []artifacts.Parameter
	for _, p := range w.net.Parameters() {
		parameters = append(parameters, artifacts.Parameter{Name: p.Name, Shape: p.Value.Shape(), Values: p.Value.Data().([]float32)})
	}
	return w.WeightsWriter.Save(s, parameters)
}

// shape is an lm.Model as model.json names its fields: as the model block does, all of them; classes only where there are.
type shape struct {
	Family    string  `json:"family"`
	Layers    int     `json:"layers"`
	Width     int     `json:"width"`
	Heads     int     `json:"heads"`
	KVHeads   int     `json:"kv_heads"`
	FF        int     `json:"ff"`
	Tied      bool    `json:"tied"`
	NormEps   float64 `json:"norm_eps"`
	RopeTheta float64 `json:"rope_theta"`
	Classes   int     `json:"classes,omitempty"`
}

func marshalShape(m lm.Model) (json.RawMessage, error) { return json.Marshal(shape(m)) }

func unmarshalShape(text json.RawMessage) (lm.Model, error) {
	var s shape
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return lm.Model{}, err
	}
	return lm.Model(s), lm.Model(s).Check()
}
