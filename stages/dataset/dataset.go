// Package dataset makes what models are trained and tested on: text from files, or tasks with their answers.
// Which of them is the one attribute or block given: the table in variants lists them.
//
// A text's documents are cut into blocks. Some are held out as validation text: whole documents, or blocks all over each
// document, so that training and validation text differ in nothing but the choice. Documents pass through one by one
// (document.go), so that memory does not grow with them.
//
// A task has examples for training, validation and test, and no problem is in two of them. Those that are generated are
// a half and two quarters of their number, and are determined by the seed and the settings alone: each random choice is a
// function of the seed, its purpose and the place it is made for (draw.go), so that nothing depends on the order of
// computing.
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
	"slices"
	"strings"

	"anneal/pipeline"
)

// Kind is the kind of stage that makes data.
var Kind = &pipeline.Kind{Name: "dataset", Version: 1, Doc: doc, New: func() pipeline.Stage {
	return &Dataset{
		Format:         formatAuto,
		Column:         "text",
		InvalidUTF8:    refuseInvalid,
		Deduplicate:    &Deduplicate{Near: 0.8, Shingle: 5},
		Split:          &Split{Unit: unitAuto, Size: 4096, Validation: 0.05, Seed: 1},
		Addition:       &Addition{Digits: []int{1, 2}},
		Subtraction:    &Subtraction{Digits: []int{1, 2}},
		Multiplication: &Multiplication{Digits: []int{1, 2}},
		Modular:        &Modular{Modulus: []int{5, 9}, Terms: []int{2, 4}},
		Sorting:        &Sorting{Letters: []int{5, 5}},
		Reversing:      &Reversing{Letters: []int{3, 4}},
		Copying:        &Copying{Letters: []int{4, 6}, Gap: []int{2, 8}},
		Assignments:    &Assignments{Hops: []int{2, 4}},
		Brackets:       &Brackets{Length: []int{6, 10}},
		Passages:       &Passages{Bytes: 56},
		Cloze:          &Cloze{Bytes: 56, Choices: 3},
		Records:        &Records{Prompt: "{prompt}", Response: "{response}"},
		Template:       defaultTemplate(),
	}
}}

const doc = `Text from files, or a task of examples with their answers: exactly one of source and the blocks that say "the task".

Of a text, some documents are held out, or of each some blocks all over it. A generated task's problems are determined by the seed and the settings, and none is in two of its splits.`

// Dataset is one data set.
type Dataset struct {
	Source      []pipeline.File `hcl:"source,optional" doc:"files, folders of files or sources such as gofile(...): text, JSON Lines, CSV, TSV or Parquet, plain or compressed by gzip, zstd or xz; needs split"`
	Format      string          `hcl:"format,optional" values:"auto,text,jsonl,csv,tsv,parquet" doc:"of files: in text a file is a document, in the others a row; auto goes by what a file holds: Parquet, JSON Lines if its first line is an object, else text; csv and tsv must be said"`
	Column      string          `hcl:"column,optional" doc:"of source: the column or key of a row that holds the text"`
	InvalidUTF8 string          `hcl:"invalid_utf8,optional" values:"refuse,replace,keep" doc:"what becomes of bytes that belong to no character: the file is refused, each becomes U+FFFD, or all are kept, in a text whose column is of bytes"`
	Deduplicate *Deduplicate    `hcl:"deduplicate,block" doc:"leaves out a text's documents that repeat an earlier one, exactly or nearly, before it is split; without the block all stay"`
	Split       *Split          `hcl:"split,block" doc:"which of a text is held out for validation"`

	Addition       *Addition       `hcl:"addition,block" doc:"the task: sums with their working, place by place"`
	Subtraction    *Subtraction    `hcl:"subtraction,block" doc:"the task: differences with their working, place by place"`
	Multiplication *Multiplication `hcl:"multiplication,block" doc:"the task: products with their working, place by place"`
	Modular        *Modular        `hcl:"modular,block" doc:"the task: sums and differences modulo a number, step by step"`
	Sorting        *Sorting        `hcl:"sorting,block" doc:"the task: letters of a to j, put in order"`
	Reversing      *Reversing      `hcl:"reversing,block" doc:"the task: letters of a to z, from the last to the first"`
	Copying        *Copying        `hcl:"copying,block" doc:"the task: letters of a to z again, over a gap"`
	Assignments    *Assignments    `hcl:"assignments,block" doc:"the task: a variable's value, traced through a chain of assignments among others"`
	Brackets       *Brackets       `hcl:"brackets,block" doc:"the task: the brackets that close what a word leaves open"`
	Passages       *Passages       `hcl:"passages,block" doc:"the task: which source is a passage of a text from?"`
	Cloze          *Cloze          `hcl:"cloze,block" doc:"the task: which of several words ends a sentence of a text?"`
	Records        *Records        `hcl:"records,block" doc:"the task: examples of one's own, from files"`

	Examples int      `hcl:"examples,optional" doc:"how many a task has, at least 4: a quarter each, rounded down, for validation and test, the others for training; classes are equally frequent in each, for which a few may be left out; of records, how many of file's are taken at most, 0: all"`
	Seed     int64    `hcl:"seed,optional" doc:"of a task: what its problems and their order are drawn from"`
	Template Template `hcl:"template,block" doc:"of a task: how a problem is laid out and its answer read; travels with the examples into fine-tuning and sampling"`
}

// Outputs lists what the data set leaves.
func (d *Dataset) Outputs() []pipeline.Output {
	if given := d.given(); len(given) == 0 || given[0].block == nil {
		outputs := []pipeline.Output{
			{Name: "train", Type: "text", Doc: "of source: the blocks to train on"},
			{Name: "validation", Type: "text", Doc: "of source: the blocks held out"},
		}
		if d.Deduplicate != nil {
			outputs = append(outputs, pipeline.Output{Name: "duplicates", Type: "table", Schema: "duplicates", Doc: "of deduplicate, a row for each document left out: which one it repeats, and how nearly"})
		}
		return outputs
	}
	outputs := []pipeline.Output{
		{Name: "train", Type: "examples", Doc: "of a task: the examples to train on, a half unless its files say otherwise"},
		{Name: "validation", Type: "examples", Doc: "of a task: those to choose settings on, a quarter likewise"},
		{Name: "test", Type: "examples", Doc: "of a task: those to report on, a quarter likewise"},
	}
	if d.Passages != nil {
		outputs = append(outputs, pipeline.Output{Name: "probe", Type: "passages", Doc: "of passages: those of all three splits, with their classes and without a template"})
	}
	return outputs
}

// variant is one of the things a data set can be, named by its attribute or block.
type variant struct {
	name  string
	given bool
	block pipeline.Checker // of a task
	run   func(ctx context.Context, t *pipeline.Task) error
}

// generated is a block of a task whose problems are computed.
type generated interface {
	pipeline.Checker
	groups() []group
}

// variants lists what a data set can be.
func (d *Dataset) variants() []variant {
	task := func(name string, given bool, g generated) variant {
		return variant{name, given, g, func(_ context.Context, t *pipeline.Task) error {
			return d.runTask(t, generate(g.groups(), d.Examples, d.Seed))
		}}
	}
	return []variant{
		{"source", len(d.Source) > 0, nil, d.runText},
		task("addition", d.Addition != nil, d.Addition),
		task("subtraction", d.Subtraction != nil, d.Subtraction),
		task("multiplication", d.Multiplication != nil, d.Multiplication),
		task("modular", d.Modular != nil, d.Modular),
		task("sorting", d.Sorting != nil, d.Sorting),
		task("reversing", d.Reversing != nil, d.Reversing),
		task("copying", d.Copying != nil, d.Copying),
		task("assignments", d.Assignments != nil, d.Assignments),
		task("brackets", d.Brackets != nil, d.Brackets),
		{"passages", d.Passages != nil, d.Passages, d.runPassages},
		{"cloze", d.Cloze != nil, d.Cloze, d.runCloze},
		{"records", d.Records != nil, d.Records, d.runRecords},
	}
}

// given returns the variants that the configuration has.
func (d *Dataset) given() []variant {
	return slices.DeleteFunc(d.variants(), func(v variant) bool { return !v.given })
}

// names lists the variants in a sentence.
func (d *Dataset) names() string {
	var names []string
	for _, v := range d.variants() {
		names = append(names, v.name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// Check demands one variant, and of its settings that they can be met.
func (d *Dataset) Check() error {
	given := d.given()
	switch {
	case len(given) == 0:
		return pipeline.Errorf("source", "is needed, or else a task's block: a data set has one of %s", d.names())
	case len(given) > 1:
		return pipeline.Errorf(given[1].name, "cannot stand beside %s: a data set has one of %s", given[0].name, d.names())
	case given[0].block == nil:
		return d.checkText()
	}
	return d.checkTask(given[0])
}

// checkText checks the settings of a text.
func (d *Dataset) checkText() error {
	var errs []error
	if d.Split == nil {
		errs = append(errs, pipeline.Errorf("split", "is needed beside source: it says how much of the text is held out for validation"))
	} else {
		errs = append(errs, pipeline.Within("split", d.Split.Check()))
	}
	if d.Deduplicate != nil {
		errs = append(errs, pipeline.Within("deduplicate", d.Deduplicate.Check()))
	}
	if d.Column == "" {
		errs = append(errs, pipeline.Errorf("column", "must name a column"))
	}
	if d.Examples != 0 {
		errs = append(errs, pipeline.Errorf("examples", "is for tasks: a text has none"))
	}
	if d.Seed != 0 {
		errs = append(errs, pipeline.Errorf("seed", "is for tasks; a text has the seed of its split block"))
	}
	if !reflect.DeepEqual(d.Template, defaultTemplate()) {
		errs = append(errs, pipeline.Errorf("template", "is for tasks: a text has none"))
	}
	return errors.Join(errs...)
}

// checkTask checks the settings of a task.
func (d *Dataset) checkTask(v variant) error {
	var errs []error
	if d.Split != nil {
		errs = append(errs, pipeline.Errorf("split", "is for a source; a task's examples are a half for training, a quarter each for validation and test"))
	}
	if d.Deduplicate != nil {
		errs = append(errs, pipeline.Errorf("deduplicate", "is for a source: a task's problems are different anyway"))
	}
	if all := d.Records != nil && d.Examples == 0; d.Examples < minExamples && !all {
		errs = append(errs, pipeline.Errorf("examples", "must be at least %d, is %d", minExamples, d.Examples))
	}
	errs = append(errs, d.checkFiles(v), pipeline.Within("template", d.Template.Check()))
	err := pipeline.Within(v.name, v.block.Check())
	if g, ok := v.block.(generated); ok && err == nil {
		err = checkAvailable(d.Examples, g.groups())
	}
	return errors.Join(append(errs, err)...)
}

// checkFiles checks the settings of files beside a task, of which records alone has any.
func (d *Dataset) checkFiles(v variant) error {
	var errs []error
	if d.Column != "text" {
		errs = append(errs, pipeline.Errorf("column", "is for a source; records names columns in prompt and response"))
	}
	switch {
	case d.Records == nil && d.Format != formatAuto:
		errs = append(errs, pipeline.Errorf("format", "is for files: %s reads none", v.name))
	case d.Format == formatText:
		errs = append(errs, pipeline.Errorf("format", "must be one with columns, which records are made of, is %q", d.Format))
	}
	switch {
	case d.Records == nil && d.InvalidUTF8 != refuseInvalid:
		errs = append(errs, pipeline.Errorf("invalid_utf8", "is for files: %s reads none", v.name))
	case d.InvalidUTF8 == keepInvalid:
		errs = append(errs, pipeline.Errorf("invalid_utf8", "must be %q or %q, is %q: examples are UTF-8", refuseInvalid, replaceInvalid, keepInvalid))
	}
	return errors.Join(errs...)
}

// Run makes the data.
func (d *Dataset) Run(ctx context.Context, t *pipeline.Task) error { return d.given()[0].run(ctx, t) }
