package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestRooms holds the arrows of docs/architecture.md: which packages may import which.
func TestRooms(t *testing.T) {
	// A package whose path starts with from, and with none of but, imports nothing that starts with to, except what
	// starts with one of also.
	rules := []struct {
		from string
		but  []string
		to   string
		also []string
	}{
		{"anneal/artifacts/store", nil, "github.com/", nil},
		{"anneal/artifacts/store", nil, "anneal/", nil},
		{"anneal/artifacts", nil, "anneal/", []string{"anneal/artifacts", "anneal/lm/bpe"}},
		{"anneal/lm", nil, "anneal/", []string{"anneal/lm"}},
		{"anneal/pipeline", nil, "anneal/", []string{"anneal/pipeline", "anneal/artifacts/store"}},
		{"anneal/stages/", []string{"anneal/stages/report"}, "anneal/stages/", []string{"anneal/stages/internal/"}},
		{"anneal/stages/report", nil, "anneal/stages/", []string{"anneal/stages/internal/", "anneal/stages/report/statistics"}},
		{"anneal/stages/report/statistics", nil, "anneal/", nil},
		{"anneal/stages/report/statistics", nil, "github.com/", nil},
		{"anneal/stages", nil, "anneal/cli", nil},
		{"anneal/cli", nil, "anneal/stages", nil},
		{"anneal/cli", nil, "anneal/lm", nil},
		{"anneal/", []string{"anneal/pipeline"}, "github.com/hashicorp/hcl", nil},
		{"anneal/", []string{"anneal/pipeline"}, "github.com/zclconf/go-cty", nil},
		{"anneal/", []string{"anneal/artifacts"}, "github.com/parquet-go/", nil},
		{"anneal/", []string{"anneal/artifacts"}, "github.com/apache/arrow/", nil},
		{"anneal/", []string{"anneal/lm"}, "gorgonia.org/", nil},
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	starts := func(prefixes []string, path string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(path, p) })
	}
	checked := 0
	for line := range strings.Lines(string(out)) {
		names := strings.Fields(line)
		for _, r := range rules {
			if !strings.HasPrefix(names[0], r.from) || starts(r.but, names[0]) {
				continue
			}
			checked++
			for _, to := range names[1:] {
				if strings.HasPrefix(to, r.to) && !starts(r.also, to) {
					t.Errorf("%s imports %s", names[0], to)
				}
			}
		}
	}
	if checked < len(rules) {
		t.Errorf("only %d checks for %d rules: is a room gone?", checked, len(rules))
	}
}
