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
	Answer   string   `hcl:"answer,optional" values:"all,last_line,after" doc:"which part of the response is the answer; after: the rest of the line behind the last marker"`
	Marker   string   `hcl:"marker,optional" doc:"of answer = \"after\": what stands before the answer, such as \"#### \""`
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
	if after := t.Answer == artifacts.ExtractAfter; after && strings.TrimSpace(t.Marker) == "" {
		errs = append(errs, pipeline.Errorf("marker", "must say what stands before the answer, such as \"#### \""))
	} else if !after && t.Marker != "" {
		errs = append(errs, pipeline.Errorf("marker", "is for answer = \"after\", is %q", t.Marker))
	}
	return errors.Join(errs...)
}

// extract returns the rule by which an answer is found, as examples have it.
func (t *Template) extract() string {
	if t.Answer == artifacts.ExtractAfter {
		return t.Answer + ":" + t.Marker
	}
	return t.Answer
}

// lay lays a problem out.
func (t *Template) lay(p problem) artifacts.Example {
	return artifacts.Example{
		Prompt:   strings.ReplaceAll(t.Prompt, "{prompt}", p.prompt),
		Response: strings.ReplaceAll(t.Response, "{response}", p.response),
		Answer:   p.answer,
		Stop:     t.Stop[0],
		Extract:  t.extract(),
		Label:    p.label,
	}
}

// fill lays a problem out. A template from whose response the answer cannot be read again is an error.
func (t *Template) fill(p problem) (artifacts.Example, error) {
	e := t.lay(p)
	if got := artifacts.ExtractAnswer(e.Extract, e.Response, e.Stop); got != e.Answer {
		return e, pipeline.Errorf("template", "hides an answer: of the response %q, %q up to %q is %q, not %q",
			e.Response, e.Extract, e.Stop, got, e.Answer)
	}
	return e, nil
}
