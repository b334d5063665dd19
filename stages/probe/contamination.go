package probe

import (
	"context"
	"errors"
	"fmt"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Contamination is the share of a task's examples that stand in a text, such as the one that a model was pretrained on.
// Prompt and response count, joined as a model reads them, with what their template adds. Both sides are compared word by
// word: letters and digits in lower case, whatever stands between them.
//
// An example is contaminated if the text has
//
//	any run of ngram of its words,
//	if these are fewer, any run of so many characters of it (Unicode code points of its words, a space between two), or
//	if these are fewer too, all of its words, one behind the other.
//
// An example without words is not. A run of the text lies within a document, and in one stretch of it where blocks are held
// out. Each match is compared letter by letter.
type Contamination struct {
	Text       []pipeline.Ref `hcl:"text" artifact:"text" doc:"where to look: what was trained on"`
	Tasks      []pipeline.Row `hcl:"tasks" artifact:"examples" doc:"what to look for: [for d in dataset.task : d.test]"`
	Ngram      int            `hcl:"ngram,optional" doc:"words of a run that no text has by chance, within 1 and 1000"`
	Characters int            `hcl:"characters,optional" doc:"the same in characters, for an example with fewer words; within 1 and 10000"`
}

// Outputs of a contamination block.
var (
	contamination = pipeline.Output{Name: "contamination", Type: "table", Schema: "contamination", Doc: "of contamination, a row for each task, behind its coordinates: how many examples stand in the text, their share and its standard error"}
	contaminated  = pipeline.Output{Name: "contaminated", Type: "table", Schema: "contaminated", Doc: "of contamination, a row for each of these examples, behind its task's coordinates: which words stand in the text"}
)

// Check demands texts, tasks and lengths of runs.
func (c *Contamination) Check() error {
	var errs []error
	if len(c.Text) == 0 {
		errs = append(errs, pipeline.Errorf("text", "must name at least one text"))
	}
	if len(c.Tasks) == 0 {
		errs = append(errs, pipeline.Errorf("tasks", "must name the examples of at least one task"))
	}
	if c.Ngram < 1 || c.Ngram > 1000 {
		errs = append(errs, pipeline.Errorf("ngram", "must lie within 1 and 1000, is %d", c.Ngram))
	}
	if c.Characters < 1 || c.Characters > 10_000 {
		errs = append(errs, pipeline.Errorf("characters", "must lie within 1 and 10000, is %d", c.Characters))
	}
	_, err := c.coordinates()
	return errors.Join(append(errs, err)...)
}

// coordinates are those of the tasks, as columns.
func (c *Contamination) coordinates() ([]artifacts.Column, error) {
	return coordinatesOf(c.Tasks, contamination.Schema, contaminated.Schema)
}

func (c *Contamination) run(ctx context.Context, t *pipeline.Task) error {
	coordinates, err := c.coordinates()
	if err != nil {
		return err
	}
	x := newOverlaps(c.Ngram, c.Characters)
	of := make([][]*asked, len(c.Tasks))
	for i, task := range c.Tasks {
		examples, err := artifacts.ReadExamples(t.Input(task.Ref).Path)
		if err != nil {
			return err
		}
		if len(examples) == 0 {
			return pipeline.Errorf("tasks", "has no examples in element %d", i)
		}
		for _, e := range examples {
			of[i] = append(of[i], x.ask(e.Prompt+e.Response))
		}
	}
	for _, text := range c.Text {
		if err := x.scan(ctx, t.Input(text).Path); err != nil {
			return err
		}
	}
	var shares []artifacts.ContaminationRow
	var examples []artifacts.ContaminatedRow
	for i, asked := range of {
		row := artifacts.ContaminationRow{Element: int64(i), Examples: int64(len(asked))}
		var q quotient
		for j, a := range asked {
			overlap, there := a.overlap()
			if there {
				row.Contaminated++
				examples = append(examples, artifacts.ContaminatedRow{Element: int64(i), Example: int64(j), Run: a.run, Overlap: overlap})
			}
			q.add(one(there), 1)
		}
		share, se := q.estimate()
		row.Share, row.ShareSE = *share, se
		shares = append(shares, row)
		fmt.Fprintf(t.Log, "task %d: %d of %d examples stand in the text\n", i, row.Contaminated, row.Examples)
	}
	return errors.Join(
		writeBehind(t.Output(contamination.Name), coordinates, shares, func(r artifacts.ContaminationRow) int64 { return r.Element }),
		writeBehind(t.Output(contaminated.Name), coordinates, examples, func(r artifacts.ContaminatedRow) int64 { return r.Element }))
}
