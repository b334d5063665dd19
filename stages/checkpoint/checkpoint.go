// Package checkpoint is the kind of stage that chooses one save point, of a training or among several, or takes a published model, and hands
// it to other programs.
package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/stages/internal/huggingface"
)

// Kind is checkpoint. Its outputs are weights with exactly one save point, statistics of their parameters and, where it was
// chosen among several trainings, what there was to choose.
var Kind = &pipeline.Kind{Name: "checkpoint", Version: 1, Doc: doc, New: func() pipeline.Stage {
	return &Checkpoint{Select: "last", Step: -1, Export: &Export{DType: "float32", Shard: 5_000_000_000}}
}}

const doc = `One save point of a training, or a published model, with statistics of its parameters.

With among it is that of the lowest validation loss of several trainings, such as the best weight decay: each stands with its own lowest, and of equal ones the first in the list is chosen.`

// Checkpoint chooses a save point.
type Checkpoint struct {
	From   pipeline.Ref   `hcl:"from,optional" artifact:"weights" doc:"to choose from; this or among"`
	Among  []pipeline.Row `hcl:"among,optional" artifact:"weights" doc:"to choose the best of, with select = lowest_validation_loss: [for p in pretrain.base : p.weights]"`
	Select string         `hcl:"select,optional" values:"last,first,lowest_validation_loss,step" doc:"which save point; of equal losses the earliest"`
	Step   int            `hcl:"step,optional" doc:"the step that was saved, with select = step alone; -1: none"`

	Import  pipeline.File `hcl:"import,optional" doc:"instead of from or among: a folder of Hugging Face, with config.json, safetensors and tokenizer.json, of LlamaForCausalLM or Olmo2ForCausalLM"`
	Context int           `hcl:"context,optional" doc:"with import alone: positions that the model is used with, at most those of config.json; 0: all of them"`
	Export  *Export       `hcl:"export,block" doc:"leaves a folder of Hugging Face in the output huggingface, which transformers and its like open"`
}

// Export is how a model is handed to other programs.
type Export struct {
	DType string `hcl:"dtype,optional" values:"float32,float16,bfloat16" doc:"of the numbers, each rounded to the nearest that it has"`
	Shard int64  `hcl:"shard,optional" doc:"bytes up to which a file has several tensors, at least 1"`
}

// Check tells whether there can be files.
func (e *Export) Check() error {
	if e.Shard < 1 {
		return pipeline.Errorf("shard", "must be at least 1, is %d", e.Shard)
	}
	return nil
}

// imports tells whether a published model is given.
func (s *Checkpoint) imports() bool { return s.Import != pipeline.File{} }

// Outputs lists weights and parameters; of a choice among several, the one chosen and the candidates; the folder of export.
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
	if s.Export != nil {
		outputs = append(outputs, pipeline.Output{Name: "huggingface", Type: "folder", Doc: "of export: config.json, generation_config.json, model.safetensors or its shards and their index, tokenizer.json, tokenizer_config.json"})
	}
	return outputs
}

// Check blames a selection that cannot be made.
func (s *Checkpoint) Check() error {
	if s.Export != nil {
		if err := s.Export.Check(); err != nil {
			return pipeline.Within("export", err)
		}
	}
	if s.imports() {
		return s.checkImport()
	}
	switch {
	case s.Context != 0:
		return pipeline.Errorf("context", "is that of a model that import names; one that was trained has its own")
	case s.From.IsZero() == (len(s.Among) == 0):
		return pipeline.Errorf("from", "or among must be given, and not both: what to choose from; or import, a published model")
	case len(s.Among) > 0 && s.Select != "lowest_validation_loss":
		return pipeline.Errorf("select", "must be \"lowest_validation_loss\" where among is given, is %q", s.Select)
	case s.Select == "step" && s.Step < 0:
		return pipeline.Errorf("step", "must be given, at least 0, where select is \"step\"")
	case s.Select != "step" && s.Step != -1:
		return pipeline.Errorf("step", "needs select = \"step\", which is %q", s.Select)
	}
	return nil
}

// checkImport blames what stands beside import and cannot.
func (s *Checkpoint) checkImport() error {
	switch {
	case !s.From.IsZero():
		return pipeline.Errorf("from", "cannot stand beside import: the model is one or the other")
	case len(s.Among) > 0:
		return pipeline.Errorf("among", "cannot stand beside import: the model is one or the other")
	case s.Select != "last":
		return pipeline.Errorf("select", "is for save points of a training; what import names has one alone")
	case s.Step != -1:
		return pipeline.Errorf("step", "is for save points of a training; what import names has one alone")
	case s.Context < 0:
		return pipeline.Errorf("context", "must not be negative, is %d", s.Context)
	}
	return nil
}

// Run leaves the model, describes its parameters and exports it.
func (s *Checkpoint) Run(ctx context.Context, t *pipeline.Task) error {
	if err := s.leave(ctx, t); err != nil {
		return err
	}
	w, err := artifacts.OpenWeights(t.Output("weights"))
	if err != nil {
		return err
	}
	if err := describeAll(ctx, t, w); err != nil || s.Export == nil {
		return err
	}
	progress := func(done, total int) { t.Progress(done, total, nil) }
	err = huggingface.Export(ctx, w, w.Last(), t.Output("huggingface"), s.Export.DType, s.Export.Shard, progress)
	if err != nil && ctx.Err() == nil {
		return pipeline.Errorf("export", "cannot be made: %v", err)
	}
	return err
}

// leave writes the weights: what import names, or the save point chosen.
func (s *Checkpoint) leave(ctx context.Context, t *pipeline.Task) error {
	if s.imports() {
		if info, err := os.Stat(t.File(s.Import)); err != nil || !info.IsDir() {
			return errors.Join(err, pipeline.Errorf("import", "names %q, a file; a model is a folder of them, config.json among them", s.Import.Name))
		}
		err := huggingface.Import(ctx, t.File(s.Import), t.Output("weights"), s.Context, func(done, total int) { t.Progress(done, total, nil) })
		if err != nil && ctx.Err() == nil {
			return pipeline.Errorf("import", "names %q, which cannot be taken as a model: %v", s.Import.Name, err)
		}
		return err
	}
	from, chosen, err := s.chosen(t)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Log, "step %d\n", chosen.Step)
	w, err := artifacts.CreateWeights(t.Output("weights"), from.Model, from.Vocabulary)
	if err != nil {
		return err
	}
	return errors.Join(w.Copy(from, chosen), w.Close())
}

// describeAll writes the statistics of the parameters.
func describeAll(ctx context.Context, t *pipeline.Task, w *artifacts.Weights) error {
	parameters, err := w.Parameters(w.Last())
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
