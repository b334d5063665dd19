package pipeline_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anneal/pipeline"
)

// loadFolder decodes every pipeline of a folder with the files given, and returns what a user would read if something
// is wrong.
func loadFolder(t *testing.T, files map[string]string, o pipeline.LoadOptions) (*pipeline.Config, []*pipeline.Graph, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range o.VarFiles {
		o.VarFiles[i] = filepath.Join(dir, f)
	}
	o.Kinds = kinds
	c, err := pipeline.Load(dir, o)
	if err == nil {
		var graphs []*pipeline.Graph
		if graphs, err = c.Validate(); err == nil {
			return c, graphs, ""
		}
	}
	invalid, ok := err.(*pipeline.InvalidError)
	if !ok {
		t.Fatalf("not an InvalidError: %v", err)
	}
	var out strings.Builder
	if err := invalid.Print(&out, 0, false); err != nil {
		t.Fatal(err)
	}
	return nil, nil, strings.ReplaceAll(out.String(), dir+"/", "")
}

// texts returns the attribute text of each word of the graph.
func texts(g *pipeline.Graph) []string {
	var all []string
	for _, n := range g.Nodes {
		if w, ok := n.Stage.(*word); ok {
			all = append(all, w.Text)
		}
	}
	return all
}

// TestWhereVariablesComeFrom: the environment, then files in their order, then flags.
func TestWhereVariablesComeFrom(t *testing.T) {
	files := map[string]string{
		"main.hcl":   "variable \"x\" {\n  type = string\n  default = \"default\"\n}\npipeline \"p\" {\n  word \"w\" { text = var.x }\n}",
		"a.vars":     "x = \"a\"",
		"b.json":     `{"x": "b ${1 + 1}"}`,
		"wrong.vars": "y = 1",
	}
	for _, c := range []struct {
		name string
		o    pipeline.LoadOptions
		want string
	}{
		{"default", pipeline.LoadOptions{}, "default"},
		{"environment", pipeline.LoadOptions{Environ: []string{"ANNEAL_VAR_x=environment", "x=other", "ANNEAL_VAR_unknown=1"}}, "environment"},
		{"the last of the environment", pipeline.LoadOptions{Environ: []string{"ANNEAL_VAR_x=1", "ANNEAL_VAR_x=2"}}, "2"},
		{"file over environment", pipeline.LoadOptions{Environ: []string{"ANNEAL_VAR_x=environment"}, VarFiles: []string{"a.vars"}}, "a"},
		{"later file, JSON as it is", pipeline.LoadOptions{VarFiles: []string{"a.vars", "b.json"}}, "b ${1 + 1}"},
		{"earlier file", pipeline.LoadOptions{VarFiles: []string{"b.json", "a.vars"}}, "a"},
		{"flag over file", pipeline.LoadOptions{VarFiles: []string{"a.vars"}, Vars: map[string]string{"x": "flag"}}, "flag"},
		{"empty flag", pipeline.LoadOptions{Vars: map[string]string{"x": ""}}, ""},
	} {
		_, graphs, msg := loadFolder(t, files, c.o)
		if msg != "" {
			t.Errorf("%s: %s", c.name, msg)
		} else if got := texts(graphs[0]); got[0] != c.want {
			t.Errorf("%s: %q, want %q", c.name, got[0], c.want)
		}
	}
}

// TestVariableTypes: values are held to types, and objects filled with the defaults of their optional attributes.
func TestVariableTypes(t *testing.T) {
	for name, c := range map[string]struct {
		variable, given string
		want            string // of format("%v") of what var.x gives
	}{
		"number as text":         {"type = number", "3", "3"},
		"list":                   {"type = list(number)", "[1, 2]", "[1,2]"},
		"any":                    {"type = any", "{ a = [1, true] }", `{"a":[1,true]}`},
		"no type":                {"", "[1]", "[1]"},
		"no expression":          {"", "two words", `"two words"`},
		"string as it is":        {"type = string", "[1]", `"[1]"`},
		"optional attribute":     {"type = object({ a = number, b = optional(string, \"standard\") })", "{ a = 1 }", `{"a":1,"b":"standard"}`},
		"map of optional":        {"type = map(object({ a = optional(number, 7) }))", "{ k = {} }", `{"k":{"a":7}}`},
		"null":                   {"type = string\ndefault = \"d\"", "", `""`},
		"null stands":            {"type = number\ndefault = 1", "null", "null"},
		"null for the default":   {"type = number\ndefault = 1\nnullable = false", "null", "1"},
		"default with optionals": {"type = object({ a = optional(number, 7) })\ndefault = {}", "(none)", `{"a":7}`},
	} {
		t.Run(name, func(t *testing.T) {
			vars := map[string]string{"x": c.given}
			if c.given == "(none)" {
				vars = nil
			}
			_, graphs, msg := loadFolder(t, map[string]string{"main.hcl": "variable \"x\" {\n" + c.variable + "\n}\npipeline \"p\" {\n  word \"w\" { text = jsonencode(var.x) }\n}"}, pipeline.LoadOptions{Vars: vars})
			if msg != "" {
				t.Fatal(msg)
			}
			if got := texts(graphs[0])[0]; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestWrongVariables: what is wrong with a value is told where the value comes from.
func TestWrongVariables(t *testing.T) {
	const wide = "variable \"x\" {\n  type = number\n  default = 1\n  validation {\n    condition     = var.x < var.limit\n    error_message = \"x must be less than ${var.limit}, is ${var.x}\"\n  }\n  validation {\n    condition     = var.x != 3\n    error_message = \"not three!\"\n  }\n}\nvariable \"limit\" {\n  default = 10\n}\n"
	for name, c := range map[string]struct {
		text string
		o    pipeline.LoadOptions
		want []string
	}{
		"default":             {strings.Replace(wide, "default = 1", "default = 11", 1), pipeline.LoadOptions{}, []string{"main.hcl line 3", "x must be less than 10, is 11."}},
		"flag":                {wide, pipeline.LoadOptions{Vars: map[string]string{"x": "12"}}, []string{"--var x line 1", "   1: 12", "x must be less than 10, is 12.", `validation of "x" at main.hcl:4`}},
		"environment":         {wide, pipeline.LoadOptions{Environ: []string{"ANNEAL_VAR_x=13"}}, []string{"ANNEAL_VAR_x line 1", "is 13"}},
		"file":                {wide, pipeline.LoadOptions{VarFiles: []string{"a.vars"}}, []string{"a.vars line 2", "is 14"}},
		"another rule":        {wide, pipeline.LoadOptions{Vars: map[string]string{"x": "3"}}, []string{"not three! (The validation"}},
		"limit from a flag":   {wide, pipeline.LoadOptions{Vars: map[string]string{"limit": "0"}}, []string{"main.hcl line 3", "less than 0, is 1"}},
		"type of a flag":      {wide, pipeline.LoadOptions{Vars: map[string]string{"x": "many"}}, []string{"--var x line 1", `"x" takes number`, "--var x=many"}},
		"type in a file":      {wide, pipeline.LoadOptions{VarFiles: []string{"b.vars"}}, []string{"b.vars line 1", `"x" takes number`}},
		"unknown in a file":   {wide, pipeline.LoadOptions{VarFiles: []string{"c.vars"}}, []string{"c.vars line 1", `no variable "limits"`, "Did you mean limit?"}},
		"file of blocks":      {wide, pipeline.LoadOptions{VarFiles: []string{"d.vars"}}, []string{"d.vars line 1"}},
		"file of JSON":        {wide, pipeline.LoadOptions{VarFiles: []string{"e.json"}}, []string{"e.json line 3", "is 15"}},
		"no file":             {wide, pipeline.LoadOptions{VarFiles: []string{"none.vars"}}, []string{"--var-file", "none.vars"}},
		"a file that refers":  {wide, pipeline.LoadOptions{VarFiles: []string{"f.vars"}}, []string{"f.vars line 1"}},
		"unknown attribute":   {"variable \"x\" {\n  defualt = 1\n}", pipeline.LoadOptions{}, []string{"main.hcl line 2", "Did you mean default?"}},
		"message is missing":  {"variable \"x\" {\n  default = 1\n  validation {\n    condition = true\n  }\n}", pipeline.LoadOptions{}, []string{"main.hcl line 3", `"error_message" is required`}},
		"rule over a local":   {"variable \"x\" {\n  default = 1\n  validation {\n    condition = local.y\n    error_message = \"\"\n  }\n}", pipeline.LoadOptions{}, []string{"main.hcl line 4", "refers to variables only"}},
		"rule over no var":    {"variable \"x\" {\n  default = 1\n  validation {\n    condition = var.z\n    error_message = \"\"\n  }\n}", pipeline.LoadOptions{}, []string{"main.hcl line 4", "There is no var.z.", "Did you mean var.x?"}},
		"rule of a number":    {"variable \"x\" {\n  default = 1\n  validation {\n    condition = 7\n    error_message = \"\"\n  }\n}", pipeline.LoadOptions{}, []string{"main.hcl line 4", "must be true or false, is number"}},
		"default of a local":  {"variable \"x\" {\n  default = local.y\n}", pipeline.LoadOptions{}, []string{"main.hcl line 2"}},
		"unknown type":        {"variable \"x\" {\n  type = nubmer\n}", pipeline.LoadOptions{}, []string{"main.hcl line 2"}},
		"null is not allowed": {"variable \"x\" {\n  nullable = false\n  default = null\n}", pipeline.LoadOptions{}, []string{"main.hcl line 3", "must not be null"}},
		"no value":            {"variable \"x\" {}", pipeline.LoadOptions{}, []string{"main.hcl line 1", "--var x=VALUE", "ANNEAL_VAR_x"}},
		"in two files":        {"variable \"y\" {}", pipeline.LoadOptions{}, []string{"main.hcl line 1", `There is a variable "y" already, at also.hcl:2`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, msg := loadFolder(t, map[string]string{
				"main.hcl": c.text + "\npipeline \"p\" {\n}", "also.hcl": "\nvariable \"y\" { default = 1 }",
				"a.vars": "\nx = 14", "b.vars": "x = []", "c.vars": "limits = 1", "d.vars": "x {}", "e.json": "{\n\n\"x\": 15}", "f.vars": "x = var.limit",
			}, c.o)
			for _, want := range c.want {
				if !strings.Contains(msg, want) {
					t.Errorf("does not say %q:\n%s", want, msg)
				}
			}
			if n := strings.Count(msg, "Error: "); n != 1 {
				t.Errorf("%d errors, not 1:\n%s", n, msg)
			}
		})
	}
}

// TestFolder: every file of a folder ends up in one configuration, hidden ones and others aside.
func TestFolder(t *testing.T) {
	files := map[string]string{
		"b.hcl":       "pipeline \"second\" {\n  word \"w\" { text = local.text }\n}",
		"a.hcl":       "pipeline \"first\" {\n  word \"w\" { text = var.text }\n}",
		"values.hcl":  "variable \"text\" { default = \"v\" }\nlocals {\n  text = \"${var.text}l\"\n}",
		".hidden.hcl": "no HCL",
		"notes.txt":   "no HCL",
	}
	c, graphs, msg := loadFolder(t, files, pipeline.LoadOptions{})
	if msg != "" {
		t.Fatal(msg)
	}
	if !slices.Equal(c.Pipelines, []string{"first", "second"}) || texts(graphs[0])[0] != "v" || texts(graphs[1])[0] != "vl" {
		t.Errorf("pipelines %q, texts %q and %q", c.Pipelines, texts(graphs[0]), texts(graphs[1]))
	}
	sources := c.Sources()
	if len(sources) != 3 || string(sources["a.hcl"]) != files["a.hcl"] {
		t.Errorf("sources: %q", sources)
	}
	if got := c.VariableValues(); len(got) != 1 || got["text"] != `"v"` {
		t.Errorf("variables: %q", got)
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"nothing":              {map[string]string{"notes.txt": ""}, []string{"ends in .hcl", "anneal init"}},
		"every syntax error":   {map[string]string{"a.hcl": "pipeline {", "b.hcl": "= 1"}, []string{"a.hcl line 1", "b.hcl line 1"}},
		"two pipelines":        {map[string]string{"a.hcl": "pipeline \"p\" {\n}", "b.hcl": "\npipeline \"p\" {\n}"}, []string{"b.hcl line 2", `There is a pipeline "p" already, at a.hcl:1`}},
		"two locals":           {map[string]string{"a.hcl": "locals {\n  x = 1\n}", "b.hcl": "locals {\n  x = 1\n}"}, []string{"b.hcl line 2", `There is a local "x" already, at a.hcl:2`}},
		"stage outside":        {map[string]string{"a.hcl": "word \"w\" {}"}, []string{"a.hcl line 1", "word stands inside a pipeline"}},
		"executor of no build": {map[string]string{"a.hcl": "pipeline \"p\" {\n  word \"w\" { executor = \"slurm\" }\n}"}, []string{"a.hcl line 2", `executor is "slurm", which this build does not have; it has local.`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, msg := loadFolder(t, c.files, pipeline.LoadOptions{})
			for _, want := range c.want {
				if !strings.Contains(msg, want) {
					t.Errorf("does not say %q:\n%s", want, msg)
				}
			}
		})
	}
}
