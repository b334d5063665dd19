// Package pipeline turns HCL into a graph of stages, a graph into a plan, and a plan into a run. It knows no kind of
// stage by name: kinds register what they are, and their exported fields are their configuration.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"anneal/artifacts/store"
)

// Kind is one kind of stage, such as pretrain.
type Kind struct {
	Name    string
	Doc     string       // what it is for: a paragraph or two, the first sentence a summary
	Version int          // raised when the bytes that equal facts lead to change
	Numbers int          // version of the arithmetic the kind computes with; 0 where there is none
	New     func() Stage // a pointer to a struct that holds the defaults
}

// Stage is one configured stage. Its exported fields, tagged like gohcl's, are its configuration:
//
//	Epochs int          `hcl:"epochs,optional"`            a value
//	From   Ref          `hcl:"from" artifact:"weights"`    an artifact of the type named
//	Source []File       `hcl:"source"`                     bytes from outside the graph
//	AdamW  lm.AdamW     `hcl:"adamw,block"`                a block; absent, its defaults hold
//	Sort   *Sort        `hcl:"sort,block"`                 an optional block; absent, it is nil
//	Tables []Table      `hcl:"table,block"`                a repeated block; Table may have a Default method
//	Name   string       `hcl:"name,label"`                 a block's label
//	Every  int          `hcl:"every,optional" key:"-"`     cannot change bytes, stays out of the key
//
// A tag doc:"..." says in a line what a field is, with unit and range; values:"a,b" lists the words that it takes, or
// that each element of its list must be one of. Reference, schema, completion and checks all read these.
type Stage interface {
	// Outputs lists what the stage leaves, which may depend on its configuration.
	Outputs() []Output
	// Run reads inputs through t, writes every output to its path, and is deterministic in its configuration and inputs.
	Run(ctx context.Context, t *Task) error
}

// Checker is a stage, or a block of one, with constraints that types cannot say. Its error joins FieldErrors.
type Checker interface{ Check() error }

// Forecaster is a stage that can tell, from inputs that are stored, what running it will take. Plans ask it, and so do runs
// before they start it. It reads little.
type Forecaster interface {
	Forecast(in Inputs) (Forecast, error)
}

// Inputs finds the files of artifacts that fields read.
type Inputs interface {
	// Path returns where a file of the artifact lies, by its name in the folder; "" for an artifact of a single file. The
	// error says that it is not stored. The file is only to be read, and only now.
	Path(r Ref, name string) (string, error)
}

// Forecast is what running a stage will take.
type Forecast struct {
	Memory int64 // bytes at the peak, beside what the program takes anyway; 0: not known
	Steps  int   // of all the work; 0: it is not counted in steps

	// Past is the stage less what its states up to step Shared do not depend on, such as its horizon and its save points:
	// stages with equal Past and equal inputs have equal states there, which Task.KeepState and Task.KeptState share. Where
	// Shared is 0 Alone says why, for a plan in which only what Past leaves out has changed. nil: nothing can be shared.
	Past   Stage
	Shared int
	Alone  string // "a cosine schedule depends on the horizon from its first step on"
	Stops  []int  // ascending steps up to Shared whose states the stage needs itself (save points): it jumps over none of them
}

// Output is one artifact that a stage leaves, with the type its readers ask for.
type Output struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Doc  string `json:"description"` // what it holds, in a line
	// Schema names the columns of a table; "" where they depend on settings, or the type says them.
	Schema string `json:"schema,omitempty"`
}

// Ref is a field that reads an artifact: an output of a node. The zero Ref reads nothing.
type Ref struct {
	Node   *Node
	Output string
}

// IsZero tells whether the field was left out.
func (r Ref) IsZero() bool { return r.Node == nil }

func (r Ref) String() string { return r.Node.Addr + "." + r.Output }

// File is a field that reads bytes from outside the graph, through a source: a local file ("file"), a file of the Go
// toolchain ("gofile"), the documentation of its packages ("godoc"), a file of a Go module ("gomodule"), a file of the web
// ("https"), a file of the Hugging Face hub or a folder of those that a pattern names ("hf"). A local folder is a "file" too.
type File struct {
	Source, Name string
	SHA256       string `json:",omitempty"` // of the web's: what it is to be, in hexadecimal digits
}

// Row is an artifact together with the sweep point of the node that made it. A field of this type is the only way
// coordinates reach a stage, and with it a key.
type Row struct {
	Ref   Ref
	Point Point
}

// Coordinate is one named position on a sweep's axis. Value is an int64, a float64, a string or a bool.
type Coordinate struct {
	Name  string
	Value any
}

// Point is where an instance stands in its sweep: coordinates sorted by name.
type Point []Coordinate

// Get returns the value of a coordinate, nil where the point has none of that name.
func (p Point) Get(name string) any {
	for _, c := range p {
		if c.Name == name {
			return c.Value
		}
	}
	return nil
}

// FieldError blames a field of a stage by its HCL name, with dots into blocks: "adamw.weight_decay".
type FieldError struct{ Field, Text string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Text }

// Errorf blames the field named. The text completes a sentence that starts with it: "must be at least 0, is -1". The
// engine knows its file and line.
func Errorf(field, format string, args ...any) error {
	return &FieldError{field, fmt.Sprintf(format, args...)}
}

// blamer is an error that blames a field. Packages that know no pipeline have one of their own.
type blamer interface{ Blame() (field, text string) }

// Within puts errors of a nested block's own fields under the block's name: those that have a method
// Blame() (field, text string), and others as the block's.
func Within(block string, err error) error {
	var all []error
	for _, e := range flatten(err) {
		var b blamer
		if errors.As(e, &b) {
			field, text := b.Blame()
			all = append(all, &FieldError{strings.Trim(block+"."+field, "."), text})
		} else {
			all = append(all, &FieldError{block, e.Error()})
		}
	}
	return errors.Join(all...)
}

// Blame returns the field and what is wrong with it.
func (e *FieldError) Blame() (field, text string) { return e.Field, e.Text }

// flatten lists the errors that were joined into err.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	return []error{err}
}

// Task is one run of one stage.
type Task struct {
	Addr  string
	Key   store.Digest
	Stage Stage
	// Resources is what the stage asked for.
	Resources Resources
	// Log takes what the stage has to say; its path is named when the stage fails.
	Log io.Writer
	// Cores tells how many cores the stage may use now. It may change while the stage runs.
	Cores func() int
	// Progress reports step of total and current values such as the loss. It may be called often.
	Progress func(step, total int, values map[string]float64)
	// Missing lists the rows that a lenient stage does without.
	Missing []Missing

	attempt *store.Attempt
	inputs  map[Ref]Input
	files   map[File]string
	states
}

// Input is a staged artifact: a read-only file, or a folder of them.
type Input struct {
	Path string
	Blob store.Blob
}

// Input returns the staged artifact of a field.
func (t *Task) Input(r Ref) Input { return t.inputs[r] }

// File returns the path of a staged, read-only copy of bytes from outside the graph: a file, or a folder of several.
func (t *Task) File(f File) string { return t.files[f] }

// Output returns the path at which to write an output: a file, or a folder for an artifact of several.
func (t *Task) Output(name string) string { return t.attempt.Out(name) }

// Executor runs a stage somewhere.
type Executor interface {
	Run(ctx context.Context, t *Task) error
}

// ExecutorKind is one kind of executor, such as local.
type ExecutorKind struct {
	Name string
	Doc  string // where it runs stages, in a line
	// New returns a pointer to a struct that holds the defaults; its tagged fields are what an executor block may say.
	New func() Executor
}
