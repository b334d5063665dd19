package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/cli"
	"anneal/pipeline"
)

// TestReference: docs/reference says what the code does.
func TestReference(t *testing.T) {
	pages := cli.Reference(app())
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join("docs/reference", name))
		if err != nil || string(got) != want {
			t.Errorf("docs/reference/%s is out of date: run make reference", name)
		}
	}
	files, err := filepath.Glob("docs/reference/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, ok := pages[filepath.Base(f)]; !ok {
			t.Errorf("%s describes what is no more: run make reference", f)
		}
	}
}

// TestDescriptions: everything that a file can say is described, every kind by an example too.
func TestDescriptions(t *testing.T) {
	a := app()
	s := pipeline.Describe(a.Kinds, a.Executors, a.Starter)
	demand := func(what, description string) {
		if description == "" {
			t.Errorf("%s has no description", what)
		}
	}
	var body func(path string, b pipeline.BodyDoc)
	body = func(path string, b pipeline.BodyDoc) {
		for _, a := range b.Attributes {
			demand(path+"."+a.Name, a.Description)
		}
		for _, inner := range b.Blocks {
			demand(path+"."+inner.Name, inner.Description)
			body(path+"."+inner.Name, inner.BodyDoc)
		}
	}
	for _, k := range s.Kinds {
		if k.Description == "" || len(k.Examples) == 0 {
			t.Errorf("%s wants a description and an example", k.Name)
		}
		body(k.Name, k.BodyDoc)
		if len(k.Outputs) == 0 {
			t.Errorf("%s is said to have no outputs", k.Name)
		}
		for _, o := range k.Outputs {
			demand(k.Name+"."+o.Name, o.Doc)
			if !slices.ContainsFunc(artifacts.Types(), func(t artifacts.TypeDoc) bool { return t.Name == o.Type }) {
				t.Errorf("%s.%s is of the type %s, which artifacts.Types does not describe", k.Name, o.Name, o.Type)
			}
			free := k.Name == "checkpoint" && (o.Name == "chosen" || o.Name == "candidates") // has columns of the sweep
			if o.Type == "table" && !free && o.Schema == "" || o.Schema != "" && artifacts.SchemaNamed(o.Schema) == nil {
				t.Errorf("%s.%s is a table of the schema %q, want one of artifacts.Schemas", k.Name, o.Name, o.Schema)
			}
		}
	}
	for _, b := range append(append(s.Blocks, s.Stage), s.Executors...) {
		demand(b.Name, b.Description)
		body(b.Name, b.BodyDoc)
	}
	for _, f := range s.Functions {
		if f.Description == "" {
			t.Errorf("%s(...) has no description", f.Name)
		}
	}
}

// TestLinks: what pages link to is there.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("docs/*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`)
	heading := regexp.MustCompile("(?m)^#+ (.*)$")
	for _, page := range append(append(pages, more...), "README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(l[1], "://") {
				continue
			}
			target := page
			if l[1] != "" {
				target = filepath.Join(filepath.Dir(page), l[1])
			}
			there, err := os.ReadFile(target)
			if err != nil {
				if _, err := os.Stat(target); err != nil {
					t.Errorf("%s links to %s, which is not there", page, l[1])
				}
				continue
			}
			if l[2] == "" {
				continue
			}
			found := false
			for _, h := range heading.FindAllStringSubmatch(string(there), -1) {
				found = found || "#"+anchor(h[1]) == l[2]
			}
			if !found {
				t.Errorf("%s links to %s%s, which has no such heading", page, l[1], l[2])
			}
		}
	}
}

// anchor is a heading's, as GitHub makes them.
func anchor(heading string) string {
	s := strings.ToLower(strings.ReplaceAll(heading, " ", "-"))
	return regexp.MustCompile(`[^\pL\pN_-]`).ReplaceAllString(s, "")
}
