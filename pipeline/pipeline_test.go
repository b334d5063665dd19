package pipeline_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"anneal/pipeline"
)

// The kinds of these tests: word writes a text, upper changes one, collect gathers rows.

type word struct {
	Text   string          `hcl:"text,optional"`
	Weight float64         `hcl:"weight,optional"`
	Betas  []float64       `hcl:"betas,optional"`
	File   []pipeline.File `hcl:"file,optional"`
	Fast   bool            `hcl:"fast,optional" key:"-"`
	Adam   adam            `hcl:"adam,block"`
	Twice  *twice          `hcl:"twice,block"`
}

type adam struct {
	Rate float64 `hcl:"rate,optional"`
}

type twice struct {
	Times int `hcl:"times,optional"`
}

var wordRuns = map[string]int{}

func (w *word) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "out", Type: "text"}} }

func (w *word) Check() error {
	if w.Weight < 0 {
		return pipeline.Errorf("weight", "must be at least 0, is %g", w.Weight)
	}
	if w.Adam.Rate < 0 {
		return pipeline.Within("adam", pipeline.Errorf("rate", "must be at least 0, is %g", w.Adam.Rate))
	}
	return nil
}

func (w *word) Run(ctx context.Context, t *pipeline.Task) error {
	if w.Text == "fail" {
		return pipeline.Errorf("text", "cannot be written")
	}
	if w.Text == "panic" {
		panic("no such word\n\nthe stack of another goroutine")
	}
	if w.Text == "diverge" {
		t.Progress(1, 1, map[string]float64{"loss": math.Inf(1), "rate": 2})
	}
	text := w.Text
	for _, f := range w.File {
		err := filepath.WalkDir(t.File(f), func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			text += string(b)
			return err
		})
		if err != nil {
			return err
		}
	}
	return os.WriteFile(t.Output("out"), []byte(text), 0o666)
}

type upper struct {
	From pipeline.Ref `hcl:"from" artifact:"text"`
}

func (u *upper) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "out", Type: "text"}} }

func (u *upper) Run(ctx context.Context, t *pipeline.Task) error {
	b, err := os.ReadFile(t.Input(u.From).Path)
	if err != nil {
		return err
	}
	return os.WriteFile(t.Output("out"), []byte(strings.ToUpper(string(b))), 0o666)
}

type collect struct {
	Partial bool   `hcl:"partial,optional"`
	Tables  []rows `hcl:"table,block"`
}

func (c *collect) Lenient() bool { return c.Partial }

type rows struct {
	Name string         `hcl:"name,label"`
	From []pipeline.Row `hcl:"from" artifact:"text"`
}

func (c *collect) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "page", Type: "page"}} }

func (c *collect) Run(ctx context.Context, t *pipeline.Task) error {
	if err := os.Mkdir(t.Output("page"), 0o777); err != nil {
		return err
	}
	for _, table := range c.Tables {
		var text strings.Builder
		for _, r := range table.From {
			b, err := os.ReadFile(t.Input(r.Ref).Path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&text, "%s %s\n", r.Point, b)
		}
		for _, m := range t.Missing {
			if m.Field == "table."+table.Name+".from" {
				fmt.Fprintf(&text, "no %s: %s\n", m.Point, m.Reason)
			}
		}
		if err := os.WriteFile(t.Output("page")+"/"+table.Name, []byte(text.String()), 0o666); err != nil {
			return err
		}
	}
	return nil
}

var kinds = []*pipeline.Kind{
	{Name: "word", Version: 1, New: func() pipeline.Stage {
		return &word{Text: "a", Betas: []float64{0.9, 0.95}, Adam: adam{Rate: 0.1}, Twice: &twice{Times: 2}}
	}},
	{Name: "upper", Version: 1, New: func() pipeline.Stage { return &upper{} }},
	{Name: "collect", Version: 1, New: func() pipeline.Stage { return &collect{} }},
}
