package dataset

import (
	"errors"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Template says how a problem and its solution are laid out for a model, and how an answer is read from what it writes.
// It travels with the examples.
type Template struct {
	Prompt   string   `hcl:"prompt,optional" doc:"with {prompt} where the problem goes"`
	Response string   `hcl:"response,optional" doc:"with {response} where the solution goes; ends with the stop string"`
	Stop     []string `hcl:"stop,optional" doc:"the one string that ends a response"`
	Answer   string   `hcl:"answer,optional" values:"all,last_line" doc:"which part of the response is the answer"`
}

func defaultTemplate() Template {
	return Template{Prompt: "{prompt}\n", Response: "{response}\n\n", Stop: []string{"\n\n"}, Answer: artifacts.ExtractLastLine}
}

// Check tells whether the template can be filled.
func (t *Template) Check() error {
	var errs []error
	if !strings.Contains(t.Prompt, "{prompt}") {
		errs = append(errs, pipeline.Errorf("prompt", "must contain {prompt}, is %q", t.Prompt))
	}
	if !strings.Contains(t.Response, "{response}") {
		errs = append(errs, pipeline.Errorf("response", "must contain {response}, is %q", t.Response))
	}
	if len(t.Stop) != 1 || t.Stop[0] == "" {
		errs = append(errs, pipeline.Errorf("stop", "must be a list of one string that is not empty, is %q", t.Stop))
	} else if !strings.HasSuffix(t.Response, t.Stop[0]) {
		errs = append(errs, pipeline.Errorf("response", "must end with the stop string %q, is %q", t.Stop[0], t.Response))
	}
	return errors.Join(errs...)
}

// fill lays a problem out. A template from whose response the answer cannot be read again is an error.
func (t *Template) fill(p problem) (artifacts.Example, error) {
	e := artifacts.Example{
		Prompt:   strings.ReplaceAll(t.Prompt, "{prompt}", p.prompt),
		Response: strings.ReplaceAll(t.Response, "{response}", p.response),
		Answer:   p.answer,
		Stop:     t.Stop[0],
		Extract:  t.Answer,
		Label:    p.label,
	}
	if got := artifacts.ExtractAnswer(e.Extract, e.Response, e.Stop); got != e.Answer {
		return e, pipeline.Errorf("template", "hides an answer: of the response %q, %q up to %q is %q, not %q",
			e.Response, t.Answer, e.Stop, got, e.Answer)
	}
	return e, nil
}
