package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anneal/pipeline"
)

// loadFile decodes every pipeline of a file and returns what a user would read if it is wrong.
func loadFile(t *testing.T, text string, vars map[string]string) ([]*pipeline.Graph, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipelines.hcl")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "empty.txt"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	c, err := pipeline.Load(path, pipeline.LoadOptions{Kinds: kinds, Vars: vars})
	if err == nil {
		var graphs []*pipeline.Graph
		if graphs, err = c.Graphs(c.Pipelines); err == nil {
			return graphs, ""
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
	return nil, strings.ReplaceAll(out.String(), filepath.Dir(path)+"/", "")
}

// TestBadInput: each mistake is a diagnostic that names the file, the line and what was expected.
func TestBadInput(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"syntax":                 {"pipeline \"p\" {\n  word \"w\" {\n", []string{"pipelines.hcl line 2"}},
		"unknown attribute":      {"pipeline \"p\" {\n  word \"w\" {\n    wieght = 1\n  }\n}", []string{"line 3", `"wieght" is not expected here`, "Did you mean weight?"}},
		"unknown nested":         {"pipeline \"p\" {\n  word \"w\" {\n    adam {\n      raet = 1\n    }\n  }\n}", []string{"line 4", "Did you mean rate?"}},
		"unknown kind":           {"pipeline \"p\" {\n  wrod \"w\" {}\n}", []string{"line 2", `no kind "wrod"`, "Did you mean word?"}},
		"unknown block":          {"pipeline \"p\" {\n  upper \"u\" {\n    from = word.w.out\n  }\n  word \"v\" {}\n}", []string{"line 3", "There is no word.w.", "Did you mean word.v?"}},
		"unknown output":         {"pipeline \"p\" {\n  word \"w\" {}\n  upper \"u\" {\n    from = word.w.text\n  }\n}", []string{"line 4", `"text"`}},
		"unknown variable":       {"pipeline \"p\" {\n  word \"w\" {\n    weight = var.wd\n  }\n}", []string{"line 3", `There is no var.wd`}},
		"unknown local":          {"locals {\n  rate = 1\n}\npipeline \"p\" {\n  word \"w\" {\n    weight = local.rat\n  }\n}", []string{"line 6", "There is no local.rat.", "Did you mean local.rate?"}},
		"unknown name":           {"pipeline \"p\" {\n  word \"w\" {\n    weight = vra.x\n  }\n}", []string{"line 3", `"vra" is neither`, "Did you mean var?"}},
		"cycle":                  {"pipeline \"p\" {\n  upper \"a\" {\n    from = upper.b.out\n  }\n  upper \"b\" {\n    from = upper.a.out\n  }\n}", []string{"line 2", "upper.a → upper.b → upper.a"}},
		"cycle of locals":        {"locals {\n  a = local.b\n  b = local.a\n}\npipeline \"p\" {\n}", []string{"line 2", "local.a → local.b → local.a"}},
		"two of one name":        {"pipeline \"p\" {\n  word \"w\" {}\n  word \"w\" {}\n}", []string{"line 3", `There is a word "w" already, at pipelines.hcl:2`}},
		"two pipelines":          {"pipeline \"p\" {\n}\npipeline \"p\" {\n}", []string{"line 3", `a pipeline "p" already`}},
		"two locals":             {"locals {\n  a = 1\n}\nlocals {\n  a = 2\n}\npipeline \"p\" {\n}", []string{"line 5", `a local "a" already`}},
		"two nested":             {"pipeline \"p\" {\n  word \"w\" {\n    adam {}\n    adam {}\n  }\n}", []string{"line 4", "There is a adam block already"}},
		"two labelled":           {"pipeline \"p\" {\n  collect \"c\" {\n    table \"a\" { from = [] }\n    table \"a\" { from = [] }\n  }\n}", []string{"line 4", `There is a table "a" already`}},
		"colliding coordinates":  {"pipeline \"p\" {\n  word \"w\" {\n    for_each = grid({seed = [1]})\n  }\n  word \"v\" {\n    for_each = grid({base = word.w, seed = [1]})\n  }\n}", []string{"line 6", "base and seed both have the coordinate seed", "finetune_seed"}},
		"value twice":            {"pipeline \"p\" {\n  word \"w\" {\n    for_each = grid({weight = [0.1, 1, 0.1]})\n  }\n}", []string{"line 3", "weight has 0.1 twice"}},
		"fractional seed":        {"pipeline \"p\" {\n  word \"w\" {\n    for_each = grid({seed = [1.5]})\n  }\n}", []string{"line 3", "a seed is a whole number"}},
		"unswept axis":           {"pipeline \"p\" {\n  word \"w\" {}\n  word \"v\" {\n    for_each = grid({base = word.w})\n  }\n}", []string{"line 4", "base is word.w, which has no for_each"}},
		"object in a list axis":  {"pipeline \"p\" {\n  word \"w\" {\n    for_each = grid({x = [{a = 1}]})\n  }\n}", []string{"line 3", "write a map"}},
		"axis of no name":        {"pipeline \"p\" {\n  word \"w\" {\n    for_each = grid({\"a=1,b\" = [1]})\n  }\n}", []string{"line 3", `"a=1,b" cannot name an axis`}},
		"infinite coordinate":    {"pipeline \"p\" {\n  word \"w\" {\n    for_each = grid({x = [1e999]})\n  }\n}", []string{"line 3", "too large"}},
		"label with a dot":       {"pipeline \"p\" {\n  collect \"c\" {\n    table \"a.b\" { from = [] }\n  }\n}", []string{"line 3", `the name of table "a.b" must not have a dot`}},
		"pipeline as a path":     {"pipeline \"../p\" {\n}", []string{"line 1", "with a name of letters"}},
		"for_each over a list":   {"pipeline \"p\" {\n  word \"w\" {\n    for_each = [1, 2]\n  }\n}", []string{"line 3", "for_each is a list", "grid({name = [...]})"}},
		"for_each over a block":  {"pipeline \"p\" {\n  word \"w\" {}\n  word \"v\" {\n    for_each = word.w\n  }\n}", []string{"line 4", "single block"}},
		"each without for_each":  {"pipeline \"p\" {\n  word \"w\" {\n    weight = each.value\n  }\n}", []string{"line 3", "each is there only in a block with for_each"}},
		"out of range":           {"pipeline \"p\" {\n  word \"w\" {\n    weight = -1\n  }\n}", []string{"line 3", "weight must be at least 0, is -1"}},
		"nested out of range":    {"pipeline \"p\" {\n  word \"w\" {\n    adam {\n      rate = -1\n    }\n  }\n}", []string{"line 4", "adam.rate must be at least 0, is -1"}},
		"wrong type":             {"pipeline \"p\" {\n  word \"w\" {\n    weight = \"much\"\n  }\n}", []string{"line 3", `weight takes number, not "much"`}},
		"not a whole number":     {"pipeline \"p\" {\n  word \"w\" {\n    twice {\n      times = 1.5\n    }\n  }\n}", []string{"line 4", "whole number"}},
		"required is missing":    {"pipeline \"p\" {\n  upper \"u\" {}\n}", []string{"line 2", `"from" is required`}},
		"required is null":       {"pipeline \"p\" {\n  upper \"u\" {\n    from = null\n  }\n}", []string{"line 3", "from is required and must not be null"}},
		"value for an artifact":  {"pipeline \"p\" {\n  upper \"u\" {\n    from = \"w\"\n  }\n}", []string{"line 3", `from takes an artifact of type text, not "w"`}},
		"block for an artifact":  {"pipeline \"p\" {\n  word \"w\" {}\n  upper \"u\" {\n    from = word.w\n  }\n}", []string{"line 4", "name one of its outputs, word.w.out"}},
		"sweep for an artifact":  {"pipeline \"p\" {\n  word \"w\" {\n    for_each = grid({seed = [1]})\n  }\n  upper \"u\" {\n    from = word.w\n  }\n}", []string{"line 6", "a whole sweep"}},
		"artifact of other type": {"pipeline \"p\" {\n  collect \"c\" {}\n  upper \"u\" {\n    from = collect.c.page\n  }\n}", []string{"line 4", "takes an artifact of type text; collect.c.page is of type page"}},
		"list for rows":          {"pipeline \"p\" {\n  word \"w\" {}\n  collect \"c\" {\n    table \"a\" {\n      from = word.w.out\n    }\n  }\n}", []string{"line 5", "takes a list"}},
		"splat of a sweep":       {"pipeline \"p\" {\n  word \"w\" {\n    for_each = grid({seed = [1]})\n  }\n  collect \"c\" {\n    table \"a\" {\n      from = word.w[*].out\n    }\n  }\n}", []string{"line 7", "Write [for x in word.w : x.output]"}},
		"missing file":           {"pipeline \"p\" {\n  word \"w\" {\n    file = [\"none.txt\"]\n  }\n}", []string{"line 3", "none.txt, which is not there"}},
		"empty file":             {"pipeline \"p\" {\n  word \"w\" {\n    file = [\"empty.txt\"]\n  }\n}", []string{"line 3", "empty.txt, which is empty"}},
		"device for a file":      {"pipeline \"p\" {\n  word \"w\" {\n    file = [\"/dev/null\"]\n  }\n}", []string{"line 3", "names /dev/null, which is neither a file nor a folder"}},
		"address for a file":     {"pipeline \"p\" {\n  word \"w\" {\n    file = [\"https://example.org/a.txt\"]\n  }\n}", []string{"line 3", `write https("https://...", "SHA256")`}},
		"branch of the hub":      {"pipeline \"p\" {\n  word \"w\" {\n    file = [\"hf://owner/model@main/a.txt\"]\n  }\n}", []string{"line 3", `names the hub, where "owner/model@main" names no commit`, "git ls-remote https://huggingface.co/owner/model main"}},
		"hub without a commit":   {"pipeline \"p\" {\n  word \"w\" {\n    file = [\"hf://datasets/owner/name\"]\n  }\n}", []string{"line 3", `"datasets/owner/name" names no commit`}},
		"value at the top":       {"a = 1\npipeline \"p\" {\n}", []string{"line 1", "locals"}},
		"block at the top":       {"pipelin \"p\" {\n}", []string{"line 1", "Did you mean pipeline?"}},
		"value in a pipeline":    {"pipeline \"p\" {\n  a = 1\n}", []string{"line 2", "locals"}},
		"variable of no value":   {"variable \"wd\" {}\npipeline \"p\" {\n}", []string{"line 1", "--var wd=VALUE"}},
		"variable of wrong type": {"variable \"wd\" {\n  type = number\n  default = \"x\"\n}\npipeline \"p\" {\n}", []string{"line 3", `"wd" takes number`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, got := loadFile(t, c.text, nil)
			for _, want := range append(c.want, "pipelines.hcl") {
				if !strings.Contains(got, want) {
					t.Errorf("does not say %q:\n%s", want, got)
				}
			}
		})
	}
}

// TestAllAtOnce: every mistake of a file is reported, in the order of its lines, each once however many instances.
func TestAllAtOnce(t *testing.T) {
	_, got := loadFile(t, `pipeline "p" {
  word "w" {
    for_each = grid({ seed = [1, 2, 3] })
    wieght   = 1
  }
  upper "u" {
    from = word.none.out
    form = 2 # is checked although the line above has no value
  }
  upper "t" {
    for_each = word.w
    from     = each.value.out
    farm     = 3 # is checked although there are no instances
  }
  word "v" {
    weight = "much"
  }
}`, nil)
	var last int
	for _, want := range []string{`"wieght"`, "word.none", `"form"`, `"farm"`, `"much"`} {
		i := strings.Index(got, want)
		if i < last {
			t.Errorf("%s is not where its line is:\n%s", want, got)
		}
		last = i
	}
	if n := strings.Count(got, "Error: "); n != 5 {
		t.Errorf("%d errors, not 5:\n%s", n, got)
	}
}

// TestSaidOnce: one mistake is one diagnostic, which names the first instance it holds for; instances are checked
// although an earlier one is wrong, and pipelines although what they share is.
func TestSaidOnce(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"equal in all instances":   {"pipeline \"p\" {\nword \"w\" {\nfor_each = grid({ seed = [1, 2, 3] })\nweight = -1\n}\n}", []string{"word.w[seed=1] and 2 more: weight must be at least 0, is -1."}},
		"another in each instance": {"pipeline \"p\" {\nword \"w\" {\nfor_each = grid({ x = [1, 2] })\nweight = -each.value.x\n}\n}", []string{"word.w[x=1]: weight must be at least 0, is -1.", "word.w[x=2]: weight must be at least 0, is -2."}},
		"instances are not known":  {"pipeline \"p\" {\nword \"w\" {\nfor_each = grid({})\nweight = -1\n}\n}", []string{"grid takes an object of axes", "word.w: weight must be at least 0"}},
		"wrong type everywhere":    {"pipeline \"p\" {\ncollect \"c\" {\nfor_each = grid({ x = [1, 2] })\n}\nupper \"u\" {\nfor_each = collect.c\nfrom = each.value.page\n}\n}", []string{"from takes an artifact of type text; collect.c.page is of type page"}},
		"file and pipeline":        {"rate = 1\npipeline \"p\" {\nword \"w\" {\nweight = -1\n}\n}", []string{"At the top of a file", "word.w: weight must be at least 0"}},
		"unknown name":             {"pipeline \"p\" {\nword \"w\" {\nweight = vra.x\n}\n}", []string{`"vra" is neither`}},
		"unknown variable":         {"pipeline \"p\" {\nword \"w\" {\nweight = var.x\n}\n}", []string{"There is no var.x."}},
		"all variables":            {"pipeline \"p\" {\nword \"w\" {\nweight = var\n}\n}", []string{"Write var.name."}},
		"each without for_each":    {"pipeline \"p\" {\nword \"w\" {\nweight = each.value\n}\n}", []string{"only in a block with for_each"}},
		"each in a local":          {"locals {\na = each.value\n}\npipeline \"p\" {\nword \"w\" {\nweight = local.a\n}\n}", []string{"only in a block with for_each"}},
		"for_each reads a null":    {"pipeline \"p\" {\nword \"w\" {\nfor_each = grid({ x = [1, null] })\nweight = each.value.x\n}\n}", []string{"x has a null among its values"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, got := loadFile(t, c.text, nil)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("does not say %q:\n%s", want, got)
				}
			}
			if n := strings.Count(got, "Error: "); n != len(c.want) {
				t.Errorf("%d errors, not %d:\n%s", n, len(c.want), got)
			}
		})
	}
}

func TestVariables(t *testing.T) {
	file := `
variable "wd" {
  type    = list(number)
  default = [0]
}
variable "name" {
  type    = string
  default = "a"
}
pipeline "p" {
  word "w" {
    for_each = grid({ weight = var.wd })
    text     = var.name
  }
}`
	graphs, msg := loadFile(t, file, map[string]string{"wd": "[0.5, 1e-5]", "name": "1"})
	if msg != "" {
		t.Fatal(msg)
	}
	var addrs []string
	for _, n := range graphs[0].Nodes {
		addrs = append(addrs, n.Addr)
	}
	if got := strings.Join(addrs, " "); got != "word.w[weight=1e-5] word.w[weight=0.5]" {
		t.Errorf("addresses: %s", got)
	}
	for _, c := range []struct {
		vars map[string]string
		want string
	}{
		{map[string]string{"wdx": "1"}, `no variable "wdx". Did you mean wd?`},
		{map[string]string{"wd": "many"}, "--var wd=many"},
		{map[string]string{"name": "\xff"}, "--var name is not UTF-8"},
	} {
		if _, msg := loadFile(t, file, c.vars); !strings.Contains(msg, c.want) {
			t.Errorf("%v: does not say %q:\n%s", c.vars, c.want, msg)
		}
	}
}

// TestSweeps: how axes turn into addresses.
func TestSweeps(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"list": {`word "w" { for_each = grid({ b = [2, 10, 1], a = ["x", "two words"] }) }`,
			`word.w[a="two words",b=1] word.w[a="two words",b=2] word.w[a="two words",b=10] word.w[a=x,b=1] word.w[a=x,b=2] word.w[a=x,b=10]`},
		"map":  {`word "w" {` + "\n" + `for_each = grid({ regime = { long = { weight = 3 }, short = { weight = 1, more = true } } })` + "\n" + `weight = each.value.regime.weight` + "\n}", `word.w[regime=long] word.w[regime=short]`},
		"bool": {`word "w" { for_each = grid({ tied = [true, false] }) }`, `word.w[tied=false] word.w[tied=true]`},
		"block": {"word \"w\" {\nfor_each = grid({ seed = [1, 2] })\n}\nupper \"u\" {\nfor_each = grid({ base = word.w, again = [7] })\nfrom = each.value.base.out\n}",
			`word.w[seed=1] word.w[seed=2] upper.u[again=7,seed=1] upper.u[again=7,seed=2]`},
		"filter": {"word \"w\" {\nfor_each = grid({ seed = [1, 2] })\n}\nupper \"u\" {\nfor_each = { for k, w in word.w : k => w if k != \"seed=1\" }\nfrom = each.value.out\n}",
			`word.w[seed=1] word.w[seed=2] upper.u[seed=2]`},
		"map of for_each": {`word "w" { for_each = { a = 1, b = 2 } }`, `word.w[key=a] word.w[key=b]`},
		"point equals":    {"word \"w\" {\nfor_each = grid({ weight = [0.1] })" + "\n" + `weight = each.point.weight == 0.1 ? 1 : -1` + "\n}", `word.w[weight=0.1]`},
		"set":             {`word "w" { for_each = toset(["b", "a"]) }`, `word.w[key=a] word.w[key=b]`},
		"number as text":  {`word "w" { for_each = grid({ x = ["1"] }) }`, `word.w[x="1"]`},
		"point":           {"word \"w\" {\nfor_each = grid({ weight = [3] })\nweight = each.point.weight\ntext = each.key\n}", `word.w[weight=3]`},
		"map of blocks":   {"word \"a\" {}\nword \"b\" {}\nupper \"u\" {\nfor_each = grid({ task = { a = word.a, b = word.b } })\nfrom = each.value.task.out\n}", `word.a word.b upper.u[task=a] upper.u[task=b]`},
	} {
		t.Run(name, func(t *testing.T) {
			graphs, msg := loadFile(t, "pipeline \"p\" {\n"+c.text+"\n}", nil)
			if msg != "" {
				t.Fatal(msg)
			}
			var addrs []string
			for _, n := range graphs[0].Nodes {
				addrs = append(addrs, n.Addr)
			}
			if got := strings.Join(addrs, " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
