// Package dataset makes what models are trained and tested on: text from files, or generated tasks with their answers.
// Which of them is the one attribute or block given: source, addition, sorting or passages.
//
// A text's sources are cut into blocks, of which some are held out as validation text; they lie all over each document,
// so that training and validation text differ in nothing but the choice.
//
// A task has examples for training, validation and test, a half and two quarters of their number, and no problem is in
// two of them. They are determined by the seed and the settings alone: each random choice is a function of the seed,
// its purpose and the place it is made for (draw.go), so that nothing depends on the order of computing.
//
// The default template makes examples such as
//
//	"sort dbcae\n"   "abcde\n\n"
//	"add 47+85\n"    "7+5=12\n4+8+1=13\n132\n\n"
//
// which fit a context of 64 bytes, and end as documents do.
package dataset

import (
	"context"
	"errors"
	"reflect"

	"anneal/pipeline"
)

// Kind is the kind of stage that makes data.
var Kind = &pipeline.Kind{Name: "dataset", Version: 1, Doc: doc, New: func() pipeline.Stage {
	return &Dataset{
		Split:    &Split{Unit: "block", Size: 4096, Validation: 0.05, Seed: 1},
		Addition: &Addition{Digits: []int{1, 2}},
		Sorting:  &Sorting{Letters: []int{5, 5}},
		Passages: &Passages{Bytes: 56},
		Template: defaultTemplate(),
	}
}}

const doc = `Text from files, or a generated task with its answers: exactly one of source, addition, sorting and passages.

A text's documents are cut into blocks, of which some, all over each document, are held out. A task's problems are determined by the seed and the settings, and none is in two of its splits.`

// Dataset is one data set.
type Dataset struct {
	Source []pipeline.File `hcl:"source,optional" doc:"files or sources such as gofile(...), UTF-8, one document each; needs split"`
	Split  *Split          `hcl:"split,block" doc:"which of a text's blocks are held out for validation"`

	Addition *Addition `hcl:"addition,block" doc:"the task: sums with their working, place by place"`
	Sorting  *Sorting  `hcl:"sorting,block" doc:"the task: letters of a to j, put in order"`
	Passages *Passages `hcl:"passages,block" doc:"the task: which source is a passage of a text from?"`

	Examples int      `hcl:"examples,optional" doc:"how many a task has, at least 4: a half, rounded up, for training, a quarter each for validation and test; classes are equally frequent in each, for which a few may be left out"`
	Seed     int64    `hcl:"seed,optional" doc:"of a task: what its problems and their order are drawn from"`
	Template Template `hcl:"template,block" doc:"of a task: how a problem is laid out and its answer read; travels with the examples into fine-tuning and sampling"`
}

// Outputs lists what the data set leaves.
func (d *Dataset) Outputs() []pipeline.Output {
	if d.Addition == nil && d.Sorting == nil && d.Passages == nil {
		return []pipeline.Output{
			{Name: "train", Type: "text", Doc: "of source: the blocks to train on"},
			{Name: "validation", Type: "text", Doc: "of source: the blocks held out"},
		}
	}
	outputs := []pipeline.Output{
		{Name: "train", Type: "examples", Doc: "of a task: a half of the examples"},
		{Name: "validation", Type: "examples", Doc: "of a task: a quarter, to choose settings on"},
		{Name: "test", Type: "examples", Doc: "of a task: a quarter, to report on"},
	}
	if d.Passages != nil {
		outputs = append(outputs, pipeline.Output{Name: "probe", Type: "passages", Doc: "of passages: those of all three splits, with their classes and without a template"})
	}
	return outputs
}

// Check demands one variant, and of its settings that they can be met.
func (d *Dataset) Check() error {
	variants := []struct {
		name  string
		given bool
	}{
		{"source", len(d.Source) > 0}, {"addition", d.Addition != nil}, {"sorting", d.Sorting != nil}, {"passages", d.Passages != nil},
	}
	first := ""
	for _, v := range variants {
		switch {
		case !v.given:
		case first == "":
			first = v.name
		default:
			return pipeline.Errorf(v.name, "cannot stand beside %s: a data set has one of source, addition, sorting and passages", first)
		}
	}
	switch first {
	case "":
		return pipeline.Errorf("source", "is needed, or else a block addition, sorting or passages")
	case "source":
		return d.checkText()
	}
	return d.checkTask()
}

// checkText checks the settings of a text.
func (d *Dataset) checkText() error {
	var errs []error
	if d.Split == nil {
		errs = append(errs, pipeline.Errorf("split", "is needed beside source: it says how much of the text is held out for validation"))
	} else {
		errs = append(errs, pipeline.Within("split", d.Split.Check()))
	}
	if d.Examples != 0 {
		errs = append(errs, pipeline.Errorf("examples", "is for addition, sorting and passages: a text has none"))
	}
	if d.Seed != 0 {
		errs = append(errs, pipeline.Errorf("seed", "is for addition, sorting and passages; a text has the seed of its split block"))
	}
	if !reflect.DeepEqual(d.Template, defaultTemplate()) {
		errs = append(errs, pipeline.Errorf("template", "is for addition, sorting and passages: a text has none"))
	}
	return errors.Join(errs...)
}

// checkTask checks the settings of a task.
func (d *Dataset) checkTask() error {
	var errs []error
	if d.Split != nil {
		errs = append(errs, pipeline.Errorf("split", "is for a source; a task's examples are a half for training, a quarter each for validation and test"))
	}
	if d.Examples < minExamples {
		errs = append(errs, pipeline.Errorf("examples", "must be at least %d, is %d", minExamples, d.Examples))
	}
	errs = append(errs, pipeline.Within("template", d.Template.Check()))
	switch {
	case d.Addition != nil:
		err := pipeline.Within("addition", d.Addition.Check())
		if err == nil {
			err = checkAvailable(d.Examples, d.Addition.groups())
		}
		errs = append(errs, err)
	case d.Sorting != nil:
		err := pipeline.Within("sorting", d.Sorting.Check())
		if err == nil {
			err = checkAvailable(d.Examples, d.Sorting.groups())
		}
		errs = append(errs, err)
	case d.Passages != nil:
		errs = append(errs, pipeline.Within("passages", d.Passages.Check()))
	}
	return errors.Join(errs...)
}

// Run makes the data.
func (d *Dataset) Run(ctx context.Context, t *pipeline.Task) error {
	switch {
	case d.Addition != nil:
		return d.runTask(t, generate(d.Addition.groups(), d.Examples, d.Seed))
	case d.Sorting != nil:
		return d.runTask(t, generate(d.Sorting.groups(), d.Examples, d.Seed))
	case d.Passages != nil:
		return d.runPassages(t)
	}
	return d.runText(ctx, t)
}
