// Package checkpoint is the kind of stage that chooses one save point of a training.
package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Kind is checkpoint. Its outputs are weights with exactly one save point and statistics of their parameters.
var Kind = &pipeline.Kind{Name: "checkpoint", Version: 1, Doc: "One save point of a training, with statistics of its parameters.", New: func() pipeline.Stage {
	return &Checkpoint{Select: "last", Step: -1}
}}

// Checkpoint chooses a save point.
type Checkpoint struct {
	From   pipeline.Ref `hcl:"from" artifact:"weights" doc:"to choose from"`
	Select string       `hcl:"select,optional" values:"last,first,lowest_validation_loss,step" doc:"which save point; of equal losses the earliest"`
	Step   int          `hcl:"step,optional" doc:"the step that was saved, with select = step alone; -1: none"`
}

// Outputs lists weights and parameters.
func (*Checkpoint) Outputs() []pipeline.Output {
	return []pipeline.Output{
		{Name: "weights", Type: "weights", Doc: "the one save point chosen"},
		{Name: "parameters", Type: "table", Doc: "statistics of each of its tensors"},
	}
}

// Check blames a selection that cannot be made.
func (s *Checkpoint) Check() error {
	switch {
	case s.Select == "step" && s.Step < 0:
		return pipeline.Errorf("step", "must be given, at least 0, where select is \"step\"")
	case s.Select != "step" && s.Step != -1:
		return pipeline.Errorf("step", "needs select = \"step\", which is %q", s.Select)
	}
	return nil
}

// Run copies the save point chosen and describes its parameters.
func (s *Checkpoint) Run(ctx context.Context, t *pipeline.Task) error {
	from, err := artifacts.OpenWeights(t.Input(s.From).Path)
	if err != nil {
		return err
	}
	chosen, err := s.choose(from.Saves)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Log, "step %d\n", chosen.Step)
	w, err := artifacts.CreateWeights(t.Output("weights"), from.Model, from.Vocabulary)
	if err != nil {
		return err
	}
	if err := errors.Join(w.Copy(from, chosen), w.Close()); err != nil {
		return err
	}
	parameters, err := from.Parameters(chosen)
	if err != nil {
		return err
	}
	defer parameters.Close()
	var rows []Statistics
	for i, p := range parameters.List {
		t.Progress(i, len(parameters.List), nil)
		if err := ctx.Err(); err != nil {
			return err
		}
		rows = append(rows, describe(p))
	}
	return artifacts.WriteRows(t.Output("parameters"), rows)
}

// choose returns the save point that is asked for. saves has one at least, and steps ascend.
func (s *Checkpoint) choose(saves []artifacts.Save) (artifacts.Save, error) {
	switch s.Select {
	case "first":
		return saves[0], nil
	case "lowest_validation_loss":
		best := -1
		for i, save := range saves {
			if save.ValidationLoss != nil && (best < 0 || *save.ValidationLoss < *saves[best].ValidationLoss) {
				best = i
			}
		}
		if best < 0 {
			return artifacts.Save{}, pipeline.Errorf("select", "is \"lowest_validation_loss\", but none of the %d save points has a validation loss: train with validation", len(saves))
		}
		return saves[best], nil
	case "step":
		var steps []string
		for _, save := range saves {
			if save.Step == int64(s.Step) {
				return save, nil
			}
			steps = append(steps, fmt.Sprint(save.Step))
		}
		return artifacts.Save{}, pipeline.Errorf("step", "%d was not saved; saved were %s", s.Step, strings.Join(steps, ", "))
	default:
		return saves[len(saves)-1], nil
	}
}
