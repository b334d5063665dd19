package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anneal/pipeline"
)

func addrs(g *pipeline.Graph) string {
	var all []string
	for _, n := range g.Nodes {
		all = append(all, n.Addr)
	}
	return strings.Join(all, " ")
}

// shout is a module: upper of a text, and what it made of it.
const shout = `
variable "text" {}
variable "again" {
  default = false
}
locals {
  from = var.again ? upper.first.out : var.text
}
upper "first" { from = var.text }
upper "second" { from = local.from }
output "loud" { value = upper.second.out }
output "both" { value = [upper.first.out, upper.second.out] }
output "plain" { value = var.again }
`

// TestModules: what a module declares stands under its name; outputs are artifacts, whole blocks and values.
func TestModules(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"artifact in, artifact out": {map[string]string{
			"main.hcl":  "pipeline \"p\" {\n  word \"w\" {}\n  module \"m\" {\n    source = \"./m\"\n    text = word.w.out\n  }\n  upper \"u\" { from = module.m.loud }\n}",
			"m/all.hcl": shout,
		}, "word.w module.m.upper.first module.m.upper.second upper.u"},
		"used twice, one within the other's chain": {map[string]string{
			"main.hcl":  "pipeline \"p\" {\n  word \"w\" {}\n  module \"b\" {\n    source = \"./m\"\n    text = module.a.loud\n  }\n  module \"a\" {\n    source = \"./m\"\n    text = word.w.out\n    again = true\n  }\n}",
			"m/all.hcl": shout,
		}, "word.w module.a.upper.first module.a.upper.second module.b.upper.first module.b.upper.second"},
		"one output feeds an argument of the same module": {map[string]string{
			"main.hcl": "pipeline \"p\" {\n  module \"m\" {\n    source = \"./m\"\n    later = upper.between.out\n  }\n  upper \"between\" { from = module.m.early }\n}",
			"m/m.hcl":  "variable \"later\" {}\nword \"w\" {}\nupper \"u\" { from = var.later }\noutput \"early\" { value = word.w.out }",
		}, "module.m.word.w upper.between module.m.upper.u"},
		"a sweep in, a sweep out": {map[string]string{
			"main.hcl": "pipeline \"p\" {\n  word \"w\" {\n    for_each = grid({ seed = [1, 2] })\n  }\n  module \"m\" {\n    source = \"./m\"\n    base = word.w\n  }\n  upper \"u\" {\n    for_each = module.m.all\n    from = each.value.out\n  }\n}",
			"m/m.hcl":  "variable \"base\" { type = any }\nupper \"m\" {\n  for_each = grid({ base = var.base, x = [1] })\n  from = each.value.base.out\n}\noutput \"all\" { value = upper.m }",
		}, "word.w[seed=1] word.w[seed=2] module.m.upper.m[seed=1,x=1] module.m.upper.m[seed=2,x=1] upper.u[seed=1,x=1] upper.u[seed=2,x=1]"},
		"nested, in several files": {map[string]string{
			"main.hcl":      "pipeline \"p\" {\n  module \"a\" { source = \"./lib/a\" }\n  upper \"u\" { from = module.a.out }\n}",
			"lib/a/m.hcl":   "module \"b\" { source = \"../b\" }",
			"lib/a/out.hcl": "output \"out\" { value = module.b.out }",
			"lib/b/m.hcl":   "word \"w\" { file = [\"text\"] }\noutput \"out\" { value = word.w.out }",
			"lib/b/text":    "beside the module",
		}, "module.a.module.b.word.w upper.u"},
		"the whole module": {map[string]string{
			"main.hcl":  "pipeline \"p\" {\n  word \"w\" {}\n  module \"m\" {\n    source = \"./m\"\n    text = word.w.out\n  }\n  locals {\n    m = module.m\n  }\n  upper \"u\" { from = local.m.both[0] }\n}",
			"m/all.hcl": shout,
		}, "word.w module.m.upper.first module.m.upper.second upper.u"},
		"names of its own": {map[string]string{
			"main.hcl":  "variable \"text\" { default = 1 }\nlocals {\n  from = 1\n}\npipeline \"p\" {\n  word \"w\" {}\n  upper \"first\" { from = word.w.out }\n  module \"m\" {\n    source = \"./m\"\n    text = upper.first.out\n  }\n}",
			"m/all.hcl": shout,
		}, "word.w upper.first module.m.upper.first module.m.upper.second"},
	} {
		t.Run(name, func(t *testing.T) {
			config, graphs, msg := loadFolder(t, c.files, pipeline.LoadOptions{})
			if msg != "" {
				t.Fatal(msg)
			}
			if got := addrs(graphs[0]); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			for path := range c.files {
				if _, ok := config.Sources()[path]; !ok && strings.HasSuffix(path, ".hcl") {
					t.Errorf("%s is missing among the sources", path)
				}
			}
		})
	}
}

// TestBadModules: mistakes in modules and in their use, each once.
func TestBadModules(t *testing.T) {
	for name, c := range map[string]struct {
		use  string // what stands in the pipeline
		m    string // what stands in the module
		want []string
	}{
		"no folder":             {"module \"m\" { source = \"./none\" }", "", []string{"main.hcl line 2", "none"}},
		"folder of nothing":     {"module \"m\" { source = \"./empty\" }", "", []string{"main.hcl line 2", "no file in empty ends in .hcl"}},
		"no source":             {"module \"m\" {}", "", []string{"main.hcl line 2", `source = "./dir"`}},
		"source is computed":    {"module \"m\" { source = \"./${var.x}\" }", "", []string{"main.hcl line 2", "as plain text"}},
		"source of a registry":  {"module \"m\" { source = \"m\" }", "", []string{"main.hcl line 2", "starting with ./ or ../"}},
		"unknown argument":      {"module \"m\" {\nsource = \"./m\"\ntxet = 1\n}", "variable \"text\" { default = 1 }", []string{"main.hcl line 4", `the module in m has no variable "txet"`, "Did you mean text?"}},
		"missing argument":      {"module \"m\" { source = \"./m\" }", "variable \"text\" {}", []string{"main.hcl line 2", "needs text = ..."}},
		"unsuitable argument":   {"module \"m\" {\nsource = \"./m\"\nn = \"x\"\n}", "variable \"n\" { type = number }\nword \"w\" { weight = var.n }", []string{"main.hcl line 4", `"n" takes number`}},
		"invalid argument":      {"module \"m\" {\nsource = \"./m\"\nn = 3\n}", "variable \"n\" {\nvalidation {\ncondition = var.n < 3\nerror_message = \"n is ${var.n}\"\n}\n}\nword \"w\" { weight = -var.n }", []string{"main.hcl line 4", "n is 3. (The validation of \"n\" at m.hcl:2.)"}},
		"unknown output":        {"module \"m\" { source = \"./m\" }\nupper \"u\" { from = module.m.lod }", "word \"w\" {}\noutput \"loud\" { value = word.w.out }", []string{"main.hcl line 3", "There is no module.m.lod", "Did you mean module.m.loud?"}},
		"unknown module":        {"module \"m\" { source = \"./m\" }\nupper \"u\" { from = module.n.loud }", "word \"w\" {}", []string{"main.hcl line 3", "There is no module.n.", "Did you mean module.m?"}},
		"two of one name":       {"module \"m\" { source = \"./m\" }\nmodule \"m\" { source = \"./m\" }", "word \"w\" {}", []string{"main.hcl line 3", `There is a module "m" already, at main.hcl:2`}},
		"block in a use":        {"module \"m\" {\nsource = \"./m\"\nresources {}\n}", "word \"w\" {}", []string{"main.hcl line 4", "A module takes values only"}},
		"stage of the caller":   {"module \"m\" { source = \"./m\" }\nword \"w\" {}", "upper \"u\" { from = word.w.out }", []string{"m/m.hcl line 1", "There is no word.w."}},
		"stage of the module":   {"module \"m\" { source = \"./m\" }\nupper \"u\" { from = word.w.out }", "word \"w\" {}", []string{"main.hcl line 3", "There is no word.w."}},
		"value of an output":    {"module \"m\" { source = \"./m\" }", "output \"x\" {}", []string{"m/m.hcl line 1", `"value" is required`}},
		"pipeline in a module":  {"module \"m\" { source = \"./m\" }", "pipeline \"p\" {\n}", []string{"m/m.hcl line 1", "pipeline does not belong here"}},
		"output of a pipeline":  {"output \"x\" { value = 1 }", "", []string{"main.hcl line 2", "output does not belong here"}},
		"within itself":         {"module \"m\" { source = \"./m\" }", "module \"m\" { source = \"../m\" }", []string{"m/m.hcl line 1", "m → m: a module cannot be within itself"}},
		"circle of references":  {"module \"m\" {\nsource = \"./m\"\ntext = module.m.out\n}", "variable \"text\" {}\nupper \"u\" { from = var.text }\noutput \"out\" { value = upper.u.out }", []string{"main.hcl line 4", "module.m.argument.text → module.m.out → module.m.upper.u → module.m.var.text → module.m.argument.text"}},
		"syntax of the module":  {"module \"m\" { source = \"./m\" }", "word {", []string{"m/m.hcl line 1"}},
		"variable named source": {"module \"m\" { source = \"./m\" }", "variable \"source\" { default = 1 }", []string{"m/m.hcl line 1", "no variable of a module can be called that"}},
		"wrong in both uses":    {"module \"m\" { source = \"./m\" }\nmodule \"n\" { source = \"./m\" }", "word \"w\" { wieght = 1 }", []string{"m/m.hcl line 1", "Did you mean weight?"}},
		"each at a use":         {"module \"m\" {\nsource = \"./m\"\nfor_each = grid({ seed = [1] })\n}", "word \"w\" {}", []string{"main.hcl line 4", `no variable "for_each"`}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"main.hcl": "pipeline \"p\" {\n" + c.use + "\n}", "empty/notes.txt": ""}
			if c.m != "" {
				files["m/m.hcl"] = c.m
			}
			_, _, msg := loadFolder(t, files, pipeline.LoadOptions{})
			for _, want := range c.want {
				if !strings.Contains(strings.ToLower(msg), strings.ToLower(want)) {
					t.Errorf("does not say %q:\n%s", want, msg)
				}
			}
			if n := strings.Count(msg, "Error: "); n != 1 {
				t.Errorf("%d errors, not 1:\n%s", n, msg)
			}
		})
	}
}

// TestModulesStayOutOfKeys: a stage has one key, in a module of whatever name or in none.
func TestModulesStayOutOfKeys(t *testing.T) {
	s := newStudy(t)
	s.run("word \"w\" { text = \"t\" }\nupper \"u\" { from = word.w.out }")
	if err := os.Mkdir(filepath.Join(s.at, "m"), 0o777); err != nil {
		t.Fatal(err)
	}
	s.file("m/m.hcl", "variable \"text\" {}\nword \"other\" { text = var.text }\nupper \"loud\" { from = word.other.out }")
	for _, name := range []string{"m", "n"} {
		if got := s.plan("module \"" + name + "\" {\nsource = \"./m\"\ntext = \"t\"\n}"); strings.Count(got, "cached module."+name) != 2 {
			t.Errorf("in a module:\n%s", got)
		}
	}
}
