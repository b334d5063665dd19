package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"anneal/pipeline"
)

// block writes a pipeline of a word with the lines given, and more blocks.
func block(lines string, more ...string) map[string]string {
	return map[string]string{"main.hcl": "pipeline \"p\" {\n  word \"w\" {\n" + lines + "\n  }\n" + strings.Join(more, "\n") + "\n}"}
}

// TestMeta: what a block says about where and how its stages run.
func TestMeta(t *testing.T) {
	standard := pipeline.Meta{Executor: "local", OnFailure: pipeline.SkipDependents, Keep: -1}
	for name, c := range map[string]struct {
		lines string
		want  func(*pipeline.Meta)
	}{
		"nothing":  {"", func(*pipeline.Meta) {}},
		"nulls":    {"retry = null\nkeep = null\nenabled = null", func(*pipeline.Meta) {}},
		"retry":    {"retry = 2", func(m *pipeline.Meta) { m.Retry = 2 }},
		"timeout":  {"timeout = \"90m\"", func(m *pipeline.Meta) { m.Timeout = 90 * time.Minute }},
		"days":     {"keep = \"7d\"", func(m *pipeline.Meta) { m.Keep = 7 * 24 * time.Hour }},
		"at once":  {"keep = \"0\"", func(m *pipeline.Meta) { m.Keep = 0 }},
		"failure":  {"on_failure = \"ignore\"", func(m *pipeline.Meta) { m.OnFailure = pipeline.IgnoreFailure }},
		"executor": {"executor = \"far\"", func(m *pipeline.Meta) { m.Executor = "far" }},
		"resources": {"resources {\ncores = 2\nmemory = \"1.5GiB\"\ngpus = 1\n}", func(m *pipeline.Meta) {
			m.Resources = pipeline.Resources{Cores: 2, Memory: 3 << 29, GPUs: 1}
		}},
		"each": {"for_each = grid({ weight = [3] })\nretry = each.value.weight", func(m *pipeline.Meta) { m.Retry = 3 }},
	} {
		t.Run(name, func(t *testing.T) {
			_, graphs, msg := loadFolder(t, block(c.lines), pipeline.LoadOptions{Executors: executors})
			if msg != "" {
				t.Fatal(msg)
			}
			want := standard
			c.want(&want)
			if got := graphs[0].Nodes[0].Meta; got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// TestMetaStaysOutOfKeys: none of it makes a stage run again.
func TestMetaStaysOutOfKeys(t *testing.T) {
	s := newStudy(t)
	s.run(`word "w" {}`)
	for _, line := range []string{"retry = 2", "timeout = \"1h\"", "keep = \"0\"", "on_failure = \"stop\"", "executor = \"local\"", "enabled = true", "resources {\nmemory = \"1MB\"\n}"} {
		if got := s.plan("word \"w\" {\n" + line + "\n}"); got != "cached word.w:\n" {
			t.Errorf("%s: %s", line, got)
		}
	}
}

// TestEnabled: a block that is not enabled has no stages, and is empty to those who sweep over it.
func TestEnabled(t *testing.T) {
	const swept = "for_each = grid({ seed = [1, 2] })\n"
	for name, c := range map[string]struct {
		blocks map[string]string
		want   string
	}{
		"single":            {block("enabled = false"), ""},
		"all of a sweep":    {block(swept+"enabled = 1 > 2", "upper \"u\" {\nfor_each = word.w\nfrom = each.value.out\n}"), ""},
		"some of a sweep":   {block(swept+"enabled = each.value.seed > 1", "upper \"u\" {\nfor_each = word.w\nfrom = each.value.out\n}"), "word.w[seed=2] upper.u[seed=2]"},
		"an axis":           {block(swept+"enabled = false", "upper \"u\" {\nfor_each = grid({ base = word.w, x = [1] })\nfrom = each.value.base.out\n}"), ""},
		"collected":         {block(swept+"enabled = false", "collect \"c\" {\ntable \"a\" { from = [for w in word.w : w.out] }\n}"), "collect.c"},
		"guarded by try":    {block("enabled = false", "word \"v\" {}\nupper \"u\" { from = try(word.w.out, word.v.out) }"), "word.v upper.u"},
		"guarded by a test": {block("enabled = false", "word \"v\" {}\nupper \"u\" { from = true ? word.v.out : word.w.out }"), "word.v upper.u"},
		"filtered":          {block("enabled = false", "word \"v\" {}\nlocals {\nall = { v = word.v, w = word.w }\n}\nupper \"u\" {\nfor_each = { for k, w in local.all : k => w if can(w.out) }\nfrom = each.value.out\n}"), "word.v upper.u[key=v]"},
		"and its needs":     {block("enabled = false", "upper \"u\" {\nenabled = false\nfrom = word.w.out\n}"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, graphs, msg := loadFolder(t, c.blocks, pipeline.LoadOptions{})
			if msg != "" {
				t.Fatal(msg)
			}
			if got := addrs(graphs[0]); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestBadBlocks: mistakes in stage blocks, each once and where it stands.
func TestBadBlocks(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"block as a value":           {block("adam = { rate = 1 }"), []string{"line 3", "adam is a block: write adam { ... }, without an equals sign"}},
		"value as a block":           {block("weight { x = 1 }"), []string{"line 3", "weight takes a value: write weight = ..., with an equals sign"}},
		"another block":              {block("rotations {}"), []string{"line 3", `"rotations" is not expected here. Expected are adam, resources, twice.`}},
		"unknown block":              {block("adma {}"), []string{"line 3", `"adma" is not expected here`, "Did you mean adam?"}},
		"name where none belongs":    {block(`adam "a" {}`), []string{"line 3", "adam takes no name"}},
		"no name where one belongs":  {block("", "collect \"c\" {\ntable { from = [] }\n}"), []string{"line 6", `Write table "name" { ... }`}},
		"retry":                      {block("retry = -1"), []string{"line 3", "word.w: retry must be at least 0, is -1"}},
		"timeout":                    {block("timeout = \"soon\""), []string{"line 3", `timeout takes a time above 0 such as "90m" or "12h", is "soon"`}},
		"keep":                       {block("keep = \"-1d\""), []string{"line 3", `is "-1d"`}},
		"on_failure":                 {block("on_failure = \"stpo\""), []string{"line 3", "on_failure", `"stpo"`}},
		"memory":                     {block("resources {\nmemory = \"much\"\n}"), []string{"line 4", "resources.memory", `"much"`}},
		"unknown resource":           {block("resources {\nram = 1\n}"), []string{"line 4", `"ram" is not expected here. Expected are cores, gpus, memory.`}},
		"executor":                   {block("executor = \"fra\""), []string{"line 3", `executor is "fra", which this build does not have; it has broken, far, local. Did you mean far?`}},
		"enabled is no truth":        {block("enabled = \"perhaps\""), []string{"line 3", "enabled takes true or false"}},
		"output of a disabled block": {block("enabled = false", "upper \"u\" { from = word.w.out }"), []string{"line 5", "word.w is not enabled, by main.hcl:3"}},
		"disabled, through a local":  {block("enabled = false", "locals {\nx = { w = word.w }\n}\nupper \"u\" { from = local.x[\"w\"].out }"), []string{"line 8", "word.w is not enabled, by main.hcl:3"}},
		"disabled for an artifact":   {block("enabled = false", "upper \"u\" { from = word.w }"), []string{"line 5", "word.w is not enabled, by main.hcl:3"}},
		"for_each over a disabled":   {block("enabled = false", "upper \"u\" {\nfor_each = word.w\nfrom = each.value.out\n}"), []string{"line 6", "word.w is not enabled, by main.hcl:3"}},
		"axis of a disabled":         {block("enabled = false", "upper \"u\" {\nfor_each = grid({ w = word.w })\nfrom = each.value.w.out\n}"), []string{"line 6", "word.w is not enabled, by main.hcl:3"}},
		"unlike objects":             {block("text = jsonencode(true ? { a = 1, b = \"x\" } : { a = 2 })"), []string{"line 3", "Unlike results"}},
		"unlike objects, unchosen":   {block("text = jsonencode(false ? { a = 1, b = \"x\" } : { a = 2 })"), []string{"line 3", "Unlike results"}},
		"unlike lists":               {block("text = jsonencode(true ? [1, \"a\"] : [2])"), []string{"line 3", "Unlike results"}},
		"unlike grids":               {block("for_each = true ? grid({ a = [1] }) : grid({ b = [1] })"), []string{"line 3", "Unlike results", "choose from an object by its key"}},
		"unlike in a for":            {block("", "locals {\nx = [for i in [1, 2] : i > 1 ? { a = i } : { a = i, b = \"\" }]\n}"), []string{"line 6", "Unlike results"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, msg := loadFolder(t, c.files, pipeline.LoadOptions{Executors: executors})
			for _, want := range append(c.want, "main.hcl") {
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

// TestAlikeResults: conditionals whose results keep all that they hold are nobody's business.
func TestAlikeResults(t *testing.T) {
	for expr, want := range map[string]string{
		`true ? { a = 1 } : { a = 2 }`:                         `{"a":1}`,
		`true ? { a = 1, b = "x" } : { a = 2, b = null }`:      `{"a":1,"b":"x"}`,
		`false ? { a = 1, b = "x" } : { a = 2, b = null }`:     `{"a":2,"b":null}`,
		`false ? { a = 1 } : {}`:                               `{}`,
		`true ? [1, 2] : []`:                                   `[1,2]`,
		`true ? { a = { b = [1] } } : { a = { b = [] } }`:      `{"a":{"b":[1]}}`,
		`true ? null : { a = 1 }`:                              `null`,
		`true ? "a" : 1`:                                       `"a"`,
		`{ x = { a = 1 }, y = { b = "z" } }[true ? "x" : "y"]`: `{"a":1}`,
	} {
		_, graphs, msg := loadFolder(t, block("text = jsonencode("+expr+")"), pipeline.LoadOptions{})
		if msg != "" {
			t.Errorf("%s:\n%s", expr, msg)
		} else if got := texts(graphs[0])[0]; got != want {
			t.Errorf("%s: got %s, want %s", expr, got, want)
		}
	}
}

// far is an executor with settings.
type far struct {
	Account string   `hcl:"account"`
	Nodes   int      `hcl:"nodes,optional"`
	Tags    []string `hcl:"tags,optional"`
}

func (f *far) Run(context.Context, *pipeline.Task) error { return errors.New("too far") }

func (f *far) Check() error {
	if f.Nodes < 1 {
		return pipeline.Errorf("nodes", "must be at least 1, is %d", f.Nodes)
	}
	return nil
}

var executors = []*pipeline.ExecutorKind{
	{Name: "local", New: func() pipeline.Executor { return pipeline.NewLocal(1) }},
	{Name: "far", New: func() pipeline.Executor { return &far{Nodes: 4} }},
	{Name: "broken", New: func() pipeline.Executor { return &far{Nodes: 0} }},
}

// TestExecutors: an executor is set up by its block, which is evaluated only when a stage names it.
func TestExecutors(t *testing.T) {
	const settings = "locals {\n  tag = \"t\"\n}\nexecutor \"far\" {\n  account = env(\"ACCOUNT\")\n  tags    = [local.tag]\n}\nexecutor \"elsewhere\" {\n  anything = 1\n}\n"
	file := func(executor string) map[string]string {
		return map[string]string{"main.hcl": settings + "pipeline \"p\" {\n  word \"w\" { executor = \"" + executor + "\" }\n}"}
	}
	_, graphs, msg := loadFolder(t, file("far"), pipeline.LoadOptions{Executors: executors, Environ: []string{"ACCOUNT=mine"}})
	if msg != "" {
		t.Fatal(msg)
	}
	all, err := graphs[0].Executors()
	if err != nil || len(all) != 1 {
		t.Fatalf("executors %v, error %v", all, err)
	}
	if f := all["far"].(*far); f.Account != "mine" || f.Nodes != 4 || len(f.Tags) != 1 || f.Tags[0] != "t" {
		t.Errorf("settings: %+v", f)
	}
	if _, graphs, msg = loadFolder(t, file("local"), pipeline.LoadOptions{Executors: executors}); msg != "" {
		t.Fatalf("an executor that no stage names: %s", msg)
	}
	if all, err := graphs[0].Executors(); err != nil || all["local"] == nil {
		t.Errorf("executors %v, error %v", all, err)
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"not set":           {"account = env(\"ACCOUNT\")", []string{"line 2", `account is required, and env("ACCOUNT") is not set`}},
		"check":             {"account = \"a\"\nnodes = 0", []string{"line 3", "executor.far: nodes must be at least 1, is 0"}},
		"unknown attribute": {"account = \"a\"\nnoeds = 1", []string{"line 3", "Did you mean nodes?"}},
		"unknown local":     {"account = local.none", []string{"line 2", "There is no local.none."}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, msg := loadFolder(t, map[string]string{"main.hcl": "executor \"far\" {\n" + c.text + "\n}\npipeline \"p\" {\n  word \"w\" { executor = \"far\" }\n}"}, pipeline.LoadOptions{Executors: executors})
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

// TestSecretsStayOut: what the environment holds reaches neither keys nor decisions, and no diagnostic shows it.
func TestSecretsStayOut(t *testing.T) {
	const secret = "hunter2-and-more"
	for name, c := range map[string]struct {
		files map[string]string
		want  string // of the diagnostic; "" where there is none
	}{
		"keyed":              {block("text = env(\"TOKEN\")"), `line 3|text comes from env("TOKEN")`},
		"keyed, unset":       {block("text = env(\"NONE\")"), `line 3|text comes from env("NONE")`},
		"within a list":      {block("betas = [1, env(\"TOKEN\")]"), `line 3|betas comes from env("TOKEN")`},
		"within a template":  {block("text = \"a${env(\"TOKEN\")}\""), `line 3|text comes from env("TOKEN")`},
		"through a local":    {block("text = local.x", "locals {\nx = upper(env(\"TOKEN\"))\n}"), `line 3|text comes from env("TOKEN")`},
		"nested":             {block("adam {\nrate = length(env(\"TOKEN\"))\n}"), `line 4|adam.rate comes from env("TOKEN")`},
		"file":               {block("file = [env(\"TOKEN\")]"), `line 3|file comes from env("TOKEN")`},
		"for_each":           {block("for_each = toset([env(\"TOKEN\")])"), `line 3|for_each comes from env("TOKEN")`},
		"axis":               {block("for_each = grid({ a = [env(\"TOKEN\")] })"), `line 3|for_each comes from env("TOKEN")`},
		"enabled":            {block("enabled = env(\"TOKEN\") != null"), `line 3|enabled comes from env("TOKEN")`},
		"retry":              {block("retry = length(env(\"TOKEN\"))"), `line 3|retry comes from env("TOKEN")`},
		"condition":          {block("text = env(\"TOKEN\") == \"x\" ? \"y\" : \"z\""), `line 3|text comes from env("TOKEN")`},
		"wrong index":        {block("weight = { a = 1 }[local.x]", "locals {\nx = env(\"TOKEN\")\n}"), `line 3|`},
		"function":           {block("weight = parseint(env(\"TOKEN\"), 10)"), `line 3|parseint fails on what env("TOKEN") holds`},
		"function of a part": {block("fast = tobool(split(\"-\", local.x)[0])", "locals {\nx = env(\"TOKEN\")\n}"), `line 3|tobool fails on what env("TOKEN") holds`},
		"chosen":             {block("weight = { g = 1, h = 2 }[substr(env(\"TOKEN\"), 0, 1)]"), `line 3|weight comes from env("TOKEN")`},
		"tried":              {block("weight = try(regex(\"^x\", local.x) == \"\" ? 1 : 2, 3)", "locals {\nx = env(\"TOKEN\")\n}"), `line 3|weight comes from env("TOKEN")`},
		"can":                {block("weight = can(regex(\"^h\", env(\"TOKEN\"))) ? 1 : 2"), `line 3|weight comes from env("TOKEN")`},
		"tried beside it":    {block("weight = try(local.x.a, 3)", "locals {\nx = { a = 1, b = env(\"TOKEN\") }\n}"), ""},
		"in a loop":          {block("text = [for x in [for y in split(\"2\", local.x) : upper(y)] : x + 1][0]", "locals {\nx = env(\"TOKEN\")\n}"), `line 3|a number is required`},
		"keys of a loop":     {block("text = { for x in [\"a\", \"b\"] : upper(env(\"TOKEN\")) => x }"), `line 3|Two elements have one key, which comes from env("TOKEN")`},
		"unkeyed":            {block("fast = env(\"TOKEN\") != \"\""), ""},
		"unkeyed, wrong":     {block("fast = env(\"TOKEN\")"), `line 3|fast cannot take the value of env("TOKEN")`},
		"to a module": {map[string]string{
			"main.hcl": "pipeline \"p\" {\nmodule \"m\" {\nsource = \"./m\"\nx = env(\"TOKEN\")\n}\n}",
			"m/m.hcl":  "variable \"x\" {\nvalidation {\ncondition = length(var.x) < 3\nerror_message = \"is ${var.x}\"\n}\n}",
		}, `line 4|is (secret TOKEN).`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, msg := loadFolder(t, c.files, pipeline.LoadOptions{Environ: []string{"TOKEN=" + secret}})
			if strings.Contains(strings.ToLower(msg), "hunter") {
				t.Errorf("shows the secret:\n%s", msg)
			}
			if c.want == "" != (msg == "") {
				t.Fatalf("want %q, got:\n%s", c.want, msg)
			}
			for _, want := range strings.Split(c.want, "|") {
				if !strings.Contains(msg, want) {
					t.Errorf("does not say %q:\n%s", want, msg)
				}
			}
		})
	}
}
