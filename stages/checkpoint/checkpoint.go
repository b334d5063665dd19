// Package checkpoint is the kind of stage that chooses one save point, of a training or among several.
package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Kind is checkpoint. Its outputs are weights with exactly one save point, statistics of their parameters and, where it was
// chosen among several trainings, what there was to choose.
var Kind = &pipeline.Kind{Name: "checkpoint", Version: 1, Doc: doc, New: func() pipeline.Stage {
	return &Checkpoint{Select: "last", Step: -1}
}}

const doc = `One save point of a training, with statistics of its parameters.

With among it is that of the lowest validation loss of several trainings, such as the best weight decay: each stands with its own lowest, and of equal ones the first in the list is chosen.`

// Checkpoint chooses a save point.
type Checkpoint struct {
	From   pipeline.Ref   `hcl:"from,optional" artifact:"weights" doc:"to choose from; this or among"`
	Among  []pipeline.Row `hcl:"among,optional" artifact:"weights" doc:"to choose the best of, with select = lowest_validation_loss: [for p in pretrain.base : p.weights]"`
	Select string         `hcl:"select,optional" values:"last,first,lowest_validation_loss,step" doc:"which save point; of equal losses the earliest"`
	Step   int            `hcl:"step,optional" doc:"the step that was saved, with select = step alone; -1: none"`
}

// Outputs lists weights and parameters and, of a choice among several, the one chosen and the candidates.
func (s *Checkpoint) Outputs() []pipeline.Output {
	outputs := []pipeline.Output{
		{Name: "weights", Type: "weights", Doc: "the one save point chosen"},
		{Name: "parameters", Type: "table", Schema: "parameters", Doc: "statistics of each of its tensors"},
	}
	if len(s.Among) > 0 {
		outputs = append(outputs,
			pipeline.Output{Name: "chosen", Type: "table", Doc: "of among, one row: the coordinates in which the candidates differ, step, validation loss (nats a token)"},
			pipeline.Output{Name: "candidates", Type: "table", Doc: "of among, such a row for each"})
	}
	return outputs
}

// Check blames a selection that cannot be made.
func (s *Checkpoint) Check() error {
	switch {
	case s.From.IsZero() == (len(s.Among) == 0):
		return pipeline.Errorf("from", "or among must be given, and not both: what to choose from")
	case len(s.Among) > 0 && s.Select != "lowest_validation_loss":
		return pipeline.Errorf("select", "must be \"lowest_validation_loss\" where among is given, is %q", s.Select)
	case s.Select == "step" && s.Step < 0:
		return pipeline.Errorf("step", "must be given, at least 0, where select is \"step\"")
	case s.Select != "step" && s.Step != -1:
		return pipeline.Errorf("step", "needs select = \"step\", which is %q", s.Select)
	}
	return nil
}

// Run copies the save point chosen and describes its parameters.
func (s *Checkpoint) Run(ctx context.Context, t *pipeline.Task) error {
	from, chosen, err := s.chosen(t)
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
	var rows []artifacts.ParameterRow
	for i, p := range parameters.List {
		t.Progress(i, len(parameters.List), nil)
		if err := ctx.Err(); err != nil {
			return err
		}
		rows = append(rows, describe(p))
	}
	return artifacts.WriteRows(t.Output("parameters"), rows)
}

// chosen returns the save point that is asked for and the weights that it is of. Of a choice among several it writes the tables.
func (s *Checkpoint) chosen(t *pipeline.Task) (*artifacts.Weights, artifacts.Save, error) {
	if len(s.Among) == 0 {
		from, err := artifacts.OpenWeights(t.Input(s.From).Path)
		if err != nil {
			return nil, artifacts.Save{}, err
		}
		save, err := s.choose(from.Saves)
		return from, save, err
	}
	all, err := s.candidates(t)
	if err != nil {
		return nil, artifacts.Save{}, err
	}
	best := least(all)
	fmt.Fprintf(t.Log, "%s, validation loss %.4f\n", name(best, all[best].point), *all[best].save.ValidationLoss)
	listed, err := table(all)
	if err != nil {
		return nil, artifacts.Save{}, err
	}
	return all[best].weights, all[best].save, errors.Join(
		listed.Write(t.Output("candidates"), artifacts.Uncompressed), row(listed, best).Write(t.Output("chosen"), artifacts.Uncompressed))
}

// choose returns the save point that is asked for. saves has one at least, and steps ascend.
func (s *Checkpoint) choose(saves []artifacts.Save) (artifacts.Save, error) {
	switch s.Select {
	case "first":
		return saves[0], nil
	case "lowest_validation_loss":
		best, ok := lowest(saves)
		if !ok {
			return best, pipeline.Errorf("select", "is \"lowest_validation_loss\", but none of the %d save points has a validation loss: train with validation", len(saves))
		}
		return best, nil
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

// lowest returns the save point of the lowest validation loss, the earliest of equals, and whether any has one.
func lowest(saves []artifacts.Save) (best artifacts.Save, ok bool) {
	for _, s := range saves {
		if s.ValidationLoss != nil && (!ok || *s.ValidationLoss < *best.ValidationLoss) {
			best, ok = s, true
		}
	}
	return best, ok
}
