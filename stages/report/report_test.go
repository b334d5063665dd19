package report

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
)

// losing is a stage that leaves a table with the loss it is told.
type losing struct {
	Loss float64 `hcl:"loss"`
}

func (*losing) Outputs() []pipeline.Output { return []pipeline.Output{{Name: "losses", Type: "table"}} }

func (l *losing) Run(_ context.Context, t *pipeline.Task) error {
	return artifacts.WriteRows(t.Output("losses"), []artifacts.LossRow{{ValidationLoss: l.Loss, Tokens: 10}})
}

var kinds = []*pipeline.Kind{{Name: "losing", Version: 1, New: func() pipeline.Stage { return &losing{} }}, Kind}

const base = `
losing "secret_name" {
  for_each = grid({ weight_decay = [0, 0.1, 1], seed = [1, 2] })
  loss     = 2 + each.value.weight_decay * each.value.seed
}
`

const whole = base + `
report "r" {
  title = "A <small> report"
  table "loss" {
    from = [for p in losing.secret_name : p.losses]
  }
  claim "C" {
    says     = "it rises"
    table    = "loss"
    metric   = "validation_loss"
    along    = "weight_decay"
    expected = "increasing"
    where "seed" {
      is = [1, 2]
    }
  }
  figure "f" {
    table = "loss"
    x     = "weight_decay"
    y     = "validation_loss"
  }
}`

func TestReport(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 2, whole, nil)
	dir := r.Path("report.r", "report")
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A &lt;small&gt; report", "The claim expects a rise; 0 lies within the interval.", "rises by 1.500 (95 % interval −4.853 to 7.853, 2 seeds)", "<svg", "seed=1,weight_decay=0.1"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(string(page), "secret_name") {
		t.Error("the page names a block, which may be renamed without another number")
	}
	table, err := artifacts.ReadTable(filepath.Join(dir, "loss.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	if table.Rows() != 6 || table.Columns[0].Name != "seed" || table.Columns[0].Type != artifacts.Int64 || table.Columns[1].Type != artifacts.Float64 {
		t.Errorf("table %+v", table.Columns)
	}
	if one := pipelinetest.Run(t, kinds, 1, whole, nil); one.Blob("report.r", "report") != r.Blob("report.r", "report") {
		t.Error("two runs differ")
	}
}

// What the file says wrong is found when it is loaded, what only the rows can tell when it runs. Both name the field.
func TestRefused(t *testing.T) {
	const table = "table \"loss\" {\nfrom = [for p in losing.secret_name : p.losses]\n}\n"
	for _, c := range []struct{ blocks, load, run string }{
		{"", "at least one table", ""},
		{"table \"loss\" {\nfrom = []\n}", "needs at least one artifact", ""},
		{"table \"a/b\" {\nfrom = [for p in losing.secret_name : p.losses]\n}", "names a file", ""},
		{table + "figure \"f\" {\ntable = \"lost\"\nx = \"weight_decay\"\ny = \"gap\"\n}", `no table or comparison "lost"`, ""},
		{table + "figure \"f\" {\ntable = \"loss\"\nx = \"weight_decay\"\ny = \"gap\"\nscale = \"cubic\"\n}", `must be "auto"`, ""},
		{table + "claim \"c\" {\nsays = \"\"\nalong = \"weight_decay\"\n}", "needs numbers", ""},
		{table + "claim \"c\" {\nsays = \"\"\nalong = \"weight_decay\"\ntable = \"loss\"\nmetric = \"gap\"\nexpected = \"up\"\n}", `must be "increasing"`, ""},
		{table + "claim \"c\" {\nsays = \"\"\nalong = \"weight_decay\"\nbase {\ntable = \"loss\"\nmetric = \"gap\"\n}\n}", "both a base and an after", ""},
		{table + "claim \"c\" {\nsays = \"\"\nalong = \"weight_decay\"\ncriterion {\ntable = \"loss\"\nmetric = \"gap\"\n}\n}", "at least one more criterion", ""},
		{table + "compare \"loss\" {\nafter = \"loss\"\nbefore = \"loss\"\non = [\"seed\"]\nmetric = \"gap\"\n}", "already", ""},
		{table + "claim \"c\" {\nsays = \"\"\nalong = \"weight\"\ntable = \"loss\"\nmetric = \"gap\"\nexpected = \"increasing\"\n}", "", "claim.c.along: table loss has no column weight"},
		{table + "claim \"c\" {\nsays = \"\"\nalong = \"weight_decay\"\nwithin = [\"task\"]\ntable = \"loss\"\nmetric = \"gap\"\nexpected = \"increasing\"\n}", "", "claim.c.within: no table of the claim has a column task"},
		{table + "compare \"g\" {\nafter = \"loss\"\nbefore = \"loss\"\non = [\"seed\"]\nmetric = \"gap\"\nchosen_on = \"test\"\n}", "must not be test", ""},
		{table + "figure \"f\" {\ntable = \"loss\"\nx = \"weight_decay\"\ny = \"gap\"\nwhere \"seed\" {\nis = []\n}\n}", "at least one value", ""},
		{table + "figure \"f\" {\ntable = \"loss\"\nx = \"weight_decay\"\ny = \"gaap\"\n}", "", "figure.f.y: table loss has no column gaap"},
		{table + "figure \"f\" {\ntable = \"loss\"\nx = \"tokens\"\ny = \"gap\"\n}", "", "figure.f: several rows of table loss have tokens 10, seed 1; they differ in weight_decay"},
		{table + "claim \"c\" {\nsays = \"\"\nalong = \"weight_decay\"\ntable = \"loss\"\nmetric = \"gap\"\nexpected = \"increasing\"\nwhere \"seed\" {\nis = [7]\n}\n}", "", "claim.c.where: no row of table loss has seed 7; there are 1, 2"},
		{table + "compare \"g\" {\nafter = \"loss\"\nbefore = \"loss\"\non = [\"seed\"]\nmetric = \"gap\"\n}", "", "compare.g.before: several rows"},
	} {
		blocks := base + "report \"r\" {\n" + c.blocks + "\n}"
		if c.load != "" {
			if _, err := pipelinetest.Load(t, kinds, blocks, nil); err == nil || !strings.Contains(err.Error(), c.load) {
				t.Errorf("%s\nerror %v, want %q", c.blocks, err, c.load)
			}
			continue
		}
		r := pipelinetest.Run(t, kinds, 2, blocks, nil)
		if err := r.Err("report.r"); err == nil || !strings.Contains(err.Error(), c.run) {
			t.Errorf("%s\nerror %v, want %q", c.blocks, err, c.run)
		}
	}
}
