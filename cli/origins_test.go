package cli_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/cli"
	"anneal/pipeline"
)

// part leaves its text, and twin the same again.
type part struct {
	Text string `hcl:"text"`
}

func (*part) Outputs() []pipeline.Output {
	return []pipeline.Output{{Name: "out", Type: "text"}, {Name: "twin", Type: "text"}}
}

func (p *part) Run(ctx context.Context, t *pipeline.Task) error {
	return errors.Join(os.WriteFile(t.Output("out"), []byte(p.Text), 0o666), os.WriteFile(t.Output("twin"), []byte(p.Text), 0o666))
}

// sheet is a page with markers for all that it reads, among other text.
type sheet struct {
	From []pipeline.Row `hcl:"from" artifact:"text"`
	More string         `hcl:"more,optional"`
}

func (*sheet) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "page", Type: "report"}} }

func (s *sheet) Run(ctx context.Context, t *pipeline.Task) error {
	var b strings.Builder
	for _, row := range s.From {
		fmt.Fprintf(&b, "<p><span class=\"origin\" data-digest=\"%s\"></span></p>\n", t.Input(row.Ref).Blob.Digest)
	}
	dir := t.Output("page")
	return errors.Join(os.Mkdir(dir, 0o777), os.WriteFile(filepath.Join(dir, "report.html"), []byte(b.String()+s.More), 0o666))
}

var sheets = cli.App{Kinds: []*pipeline.Kind{
	{Name: "part", Version: 1, New: func() pipeline.Stage { return &part{} }},
	{Name: "sheet", Version: 1, New: func() pipeline.Stage { return &sheet{} }},
}}

// published runs a pipeline p and returns the folder of its results.
func published(t *testing.T, blocks string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pipelines.hcl"), []byte("pipeline \"p\" {\n"+blocks+"\n}"), 0o666); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if code := cli.Main(t.Context(), sheets, append([]string{"run", "p", "-f", dir}, args...), &out, &out); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, &out)
	}
	return filepath.Join(dir, "results", "p")
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestMarkers: markers are filled, everything else of a page is copied byte for byte.
func TestMarkers(t *testing.T) {
	others := []string{
		`<span class="origin" data-digest="0123"></span>`,
		`<span class="origin" data-digest="` + strings.Repeat("0", 64) + `"></span>`, // of nothing that was read
		`<span class="origin" data-digest="` + strings.Repeat("0", 64) + `">told</span>`,
		`<span class="replicate" data-axis="seed"></span>`,
		"&lt;span class=&quot;origin&quot;&gt; a < b é",
	}
	page := text(t, filepath.Join(published(t, `
  part "a" {
    for_each = grid({ seed = [1, 2] })
    text     = "it's ${each.value.seed}"
  }
  sheet "s" {
    from = [for a in part.a : a.out]
    more = `+fmt.Sprintf("%q", strings.Join(others, "\n")+"\n"+`<b><span class="replicate" data-axis="seed" data-seeds="4"></span></b> <span class="replicate" data-axis="data_seed" data-seeds="4"></span>.`)+`
  }`, "--var-file", os.DevNull), "report.html"))
	flags := ` -f \S+ --var-file /dev/null`
	for _, want := range []string{
		`<p><span class="origin" data-digest="[0-9a-f]{64}"><code>part\.a\[seed=1\]\.out</code> <a href="lineage/[0-9a-f]{12}\.txt">lineage</a> <code>anneal run p --replace &#39;part\.a\[seed=1\]&#39;` + flags + `</code></span></p>`,
		`<b><span class="replicate" data-axis="seed" data-seeds="4"><code>anneal replicate p --seeds 4` + flags + `</code> \(about [0-9.]+ s, 3 stages\)</span></b>`,
		`<span class="replicate" data-axis="data_seed" data-seeds="4"><code>anneal replicate p --seeds 4 --axis data_seed` + flags + `</code></span>\.$`, // it cannot be planned
		regexp.QuoteMeta(strings.Join(others, "\n")),
	} {
		if !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("the page has no %s:\n%s", want, page)
		}
	}
}

// TestTwins: equal bytes from two places share a file, which names both.
func TestTwins(t *testing.T) {
	dir := published(t, `
  part "a" { text = "x" }
  part "b" { text = "y" }
  sheet "s" { from = [part.a.out, part.a.twin, part.b.out] }`)
	files, err := filepath.Glob(filepath.Join(dir, "lineage", "*.txt"))
	if err != nil || len(files) != 2 {
		t.Fatalf("the files are %v, %v", files, err)
	}
	twins := text(t, files[0]) + text(t, files[1])
	for _, want := range []string{"\np/part.a.out\n", "\np/part.a.twin\n", "\np/part.b.out\n", "  anneal run p --replace part.a -f "} {
		if !strings.Contains(twins, want) {
			t.Errorf("no %q in\n%s", want, twins)
		}
	}
	if n := strings.Count(twins, "\npart.a\nkey "); n != 1 {
		t.Errorf("part.a is told of %d times:\n%s", n, twins)
	}
	table, err := artifacts.ReadTable(filepath.Join(dir, "lineage", "artifacts.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(table.Columns[1].Name, table.Columns[1].Values, table.Columns[2].Name, table.Columns[2].Values); got != "address[part.a.out part.a.twin part.b.out]kind[part part part]" {
		t.Errorf("the table has %s", got)
	}
}
