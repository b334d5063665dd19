package training

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"anneal/artifacts"
	"anneal/lm"
)

// Files of a state, which is a folder.
const (
	countersFile = "counters.json"
	weightsFile  = "weights.arrow"
	mFile        = "m.arrow"
	vFile        = "v.arrow"
	rowsFile     = "rows.parquet"
)

// state is a training at a step, with its regular rows of metrics so far: all that what follows depends on.
type state struct {
	lm.State
	rows []artifacts.TrainingRow

	files []*artifacts.Parameters // that the tensors lie in
}

// counters are the numbers of a state beside its tensors. JSON has the shortest digits that lead back to the same bits.
type counters struct {
	Step         int     `json:"step"`
	Tokens       int64   `json:"tokens"`
	Beta1Power   float64 `json:"beta1_power"`
	Beta2Power   float64 `json:"beta2_power"`
	LossSum      float64 `json:"loss_sum"`
	LossCount    int64   `json:"loss_count"`
	GradientNorm float64 `json:"gradient_norm"`
}

// write puts the state into the folder dir. Numbers that are not finite are an error.
func (s *state) write(dir string) error {
	text, err := json.MarshalIndent(counters{s.Step, s.Tokens, s.Beta1Power, s.Beta2Power, s.LossSum, s.LossCount, s.GradientNorm}, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, countersFile), append(text, '\n'), 0o666),
		artifacts.WriteParameters(filepath.Join(dir, weightsFile), stored(s.Weights)),
		artifacts.WriteParameters(filepath.Join(dir, mFile), stored(s.M)),
		artifacts.WriteParameters(filepath.Join(dir, vFile), stored(s.V)),
		artifacts.WriteTraining(filepath.Join(dir, rowsFile), s.rows))
}

// read reads the state in the folder dir. Its tensors hold until close.
func read(dir string) (s *state, err error) {
	text, err := os.ReadFile(filepath.Join(dir, countersFile))
	if err != nil {
		return nil, err
	}
	var c counters
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, err
	}
	s = &state{State: lm.State{
		Step: c.Step, Tokens: c.Tokens, Beta1Power: c.Beta1Power, Beta2Power: c.Beta2Power,
		LossSum: c.LossSum, LossCount: c.LossCount, GradientNorm: c.GradientNorm,
	}}
	if s.rows, err = artifacts.ReadRows[artifacts.TrainingRow](filepath.Join(dir, rowsFile)); err != nil {
		return nil, err
	}
	for _, t := range []struct {
		file string
		to   *[]lm.Parameter
	}{{weightsFile, &s.Weights}, {mFile, &s.M}, {vFile, &s.V}} {
		p, err := artifacts.ReadParameters(filepath.Join(dir, t.file))
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.files = append(s.files, p)
		for _, x := range p.List {
			*t.to = append(*t.to, lm.NewParameter(x.Name, x.Shape, x.Values))
		}
	}
	return s, nil
}

func (s *state) close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// stored are tensors as artifacts hold them.
func stored(tensors []lm.Parameter) []artifacts.Parameter {
	all := make([]artifacts.Parameter, len(tensors))
	for i, t := range tensors {
		all[i] = artifacts.Parameter{Name: t.Name, Shape: t.Value.Shape(), Values: t.Value.Data().([]float32)}
	}
	return all
}
