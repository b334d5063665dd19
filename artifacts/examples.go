package artifacts

import (
	"fmt"
	"strings"
)

// Example is a task's problem with its reference: a row of an "examples" artifact. Prompt and Response are what a model
// reads and is to write; templates have been applied.
type Example struct {
	Prompt   string `parquet:"prompt" doc:"what a model reads"`
	Response string `parquet:"response" doc:"what it is to write; ends with stop"`
	Answer   string `parquet:"answer" doc:"what extract finds in response"`
	Stop     string `parquet:"stop" doc:"where it appears, generation ends"`
	Extract  string `parquet:"extract" doc:"how an answer is found in a response: all, last_line, or after: and a marker"`
	Label    *int64 `parquet:"label" unit:"index" null:"there are no classes" doc:"of the class"`
}

// How an answer is found in a response.
const (
	ExtractAll      = "all"       // the response before the stop string, without the space around it
	ExtractLastLine = "last_line" // its last line
	ExtractAfter    = "after"     // what follows a marker on its line; the last marker counts
)

// ExtractAnswer finds the answer in a response, which may go on after the stop string or lack it. Extract is ExtractAll,
// ExtractLastLine, or ExtractAfter with a colon and the marker: "after:#### ". Where the marker is missing there is no
// answer, "".
func ExtractAnswer(extract, response, stop string) string {
	if stop != "" {
		response, _, _ = strings.Cut(response, stop)
	}
	response = strings.TrimSpace(response)
	if extract == ExtractLastLine {
		response = strings.TrimSpace(response[strings.LastIndexByte(response, '\n')+1:])
	}
	if marker, ok := strings.CutPrefix(extract, ExtractAfter+":"); ok {
		i := strings.LastIndex(response, marker)
		if i < 0 {
			return ""
		}
		line, _, _ := strings.Cut(response[i+len(marker):], "\n")
		return strings.TrimSpace(line)
	}
	return response
}

// WriteExamples writes an "examples" artifact. An example whose response does not end with its stop string, or from
// which its answer is not extracted, is an error.
func WriteExamples(path string, examples []Example) error {
	for i, e := range examples {
		if !strings.HasSuffix(e.Response, e.Stop) {
			return fmt.Errorf("%s: example %d: response %q does not end with %q", path, i, e.Response, e.Stop)
		}
		if got := ExtractAnswer(e.Extract, e.Response, e.Stop); got != e.Answer {
			return fmt.Errorf("%s: example %d: response %q holds the answer %q, not %q", path, i, e.Response, got, e.Answer)
		}
	}
	return WriteRows(path, examples)
}

// ReadExamples reads an "examples" artifact.
func ReadExamples(path string) ([]Example, error) { return ReadRows[Example](path) }
