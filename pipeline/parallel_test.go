package pipeline_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anneal/pipeline"
)

// TestInstancesTogether: blocks with so many instances that several are decoded at a time give what they give one by
// one, and what is wrong in them is said as often. The race detector watches what they share.
func TestInstancesTogether(t *testing.T) {
	const sweep = "for_each = grid({ x = range(300) })\n"
	for name, c := range map[string]struct {
		lines string
		nodes int
		want  []string // diagnostics
	}{
		"all that is shared":        {sweep + "text = \"${local.a[local.k].b}-${each.value.x}-${env(\"NONE\") == null ? \"\" : \"\"}\"", 0, []string{`text comes from env("NONE")`}},
		"values":                    {sweep + "text = format(\"%s-%d\", join(\",\", [for v in values(local.a)[*].b : upper(v)]), each.value.x)\nfile = [for f in fileset(\".\", \"*.txt\") : f]", 300, nil},
		"some off, the first too":   {sweep + "enabled = each.value.x % 3 > 0\nweight = each.value.x", 200, nil},
		"conditional of all":        {sweep + "enabled = each.value.x > 0\nweight = length(true ? { a = 1 } : { b = \"c\" })\ntext = \"${each.value.x}\"", 0, []string{"Unlike results"}},
		"conditional of each":       {sweep + "weight = length(each.value.x > 298 ? { a = 1 } : { b = \"c\" })", 0, []string{"Unlike results"}},
		"wrong in some":             {sweep + "weight = each.value.x < 298 ? each.value.x : -1", 0, []string{"word.w[x=298] and 1 more: weight must be at least 0, is -1."}},
		"another in each, in order": {sweep + "weight = -each.value.x", 0, []string{"word.w[x=1]: weight must", "word.w[x=2]: weight must", "word.w[x=299]: weight must"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text := "locals {\nk = \"p\"\na = { p = { b = \"q\" } }\n}\n" + block(c.lines)["main.hcl"]
			for file, text := range map[string]string{"main.hcl": text, "note.txt": "note"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			config, err := pipeline.Load(dir, pipeline.LoadOptions{Kinds: kinds})
			if err != nil {
				t.Fatal(err)
			}
			graphs, err := config.Graphs(config.Pipelines)
			if err == nil {
				for i, n := range graphs[0].Nodes {
					if w := n.Stage.(*word); name == "values" && w.Text != fmt.Sprintf("Q-%d", i) {
						t.Errorf("%s has the text %q", n.Addr, w.Text)
					}
				}
				if got := len(graphs[0].Nodes); got != c.nodes || c.want != nil {
					t.Errorf("%d nodes, want %d, and %q", got, c.nodes, c.want)
				}
				return
			}
			said := err.Error()
			for _, want := range c.want {
				i := strings.Index(said, want)
				if i < 0 {
					t.Fatalf("%q is not said, or not in order:\n%s", want, err)
				}
				said = said[i+len(want):]
			}
			if n := strings.Count(err.Error(), "Unlike results"); n > 1 {
				t.Errorf("said %d times:\n%s", n, err)
			}
		})
	}
}
