package pipeline_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anneal/pipeline"
)

// evaluate returns the value of an expression as JSON, or what a user would read if it has none.
func evaluate(t *testing.T, expression string) (value, problems string) {
	t.Helper()
	graphs, problems := loadFile(t, "pipeline \"p\" {\n  word \"w\" {\n    text = jsonencode("+expression+")\n  }\n}", nil)
	if problems != "" {
		return "", strings.Join(strings.Fields(problems), " ")
	}
	return graphs[0].Nodes[0].Stage.(*word).Text, ""
}

// TestFunctions: what each function makes of its arguments. None is left out.
func TestFunctions(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range []struct{ expression, want string }{
		{`abs(-2)`, `2`},
		{`ceil(1.2)`, `2`},
		{`floor(1.8)`, `1`},
		{`log(100, 10)`, `2`},
		{`max(1, 3, 2)`, `3`},
		{`min(3, 1, 2)`, `1`},
		{`parseint("ff", 16)`, `255`},
		{`pow(2, 10)`, `1024`},
		{`signum(-5)`, `-1`},
		{`sum([1, 2, 0.5])`, `3.5`},
		{`sum(toset([1, 2]))`, `3`},

		{`chomp("a\n")`, `"a"`},
		{`endswith("weights", "ts")`, `true`},
		{`endswith("ts", "weights")`, `false`},
		{`format("%s-%03d", "a", 7)`, `"a-007"`},
		{`formatlist("wd_%s", ["0", "1"])`, `["wd_0","wd_1"]`},
		{`indent(2, "a\nb")`, `"a\n  b"`},
		{`join("-", ["a", "b"])`, `"a-b"`},
		{`lower("A")`, `"a"`},
		{`upper("a")`, `"A"`},
		{`regex("[a-z]+", "12ab")`, `"ab"`},
		{`regexall("[0-9]", "1a2")`, `["1","2"]`},
		{`replace("1.5", ".", "_")`, `"1_5"`},
		{`replace("a12", "/[0-9]+/", "[$0]")`, `"a[12]"`},
		{`replace("a/b", "/", "-")`, `"a-b"`},
		{`split(",", "a,b")`, `["a","b"]`},
		{`startswith("weights", "we")`, `true`},
		{`strcontains("weights", "igh")`, `true`},
		{`strrev("abc")`, `"cba"`},
		{`substr("weights", 1, 3)`, `"eig"`},
		{`title("weight decay")`, `"Weight Decay"`},
		{`trim("--a-", "-")`, `"a"`},
		{`trimprefix("ab", "a")`, `"b"`},
		{`trimspace(" a ")`, `"a"`},
		{`trimsuffix("a.txt", ".txt")`, `"a"`},

		{`alltrue([true, false])`, `false`},
		{`alltrue([])`, `true`},
		{`alltrue([for l in [2, 4] : l > 1])`, `true`},
		{`alltrue([true, null])`, `false`},
		{`anytrue([null, true])`, `true`},
		{`anytrue([])`, `false`},
		{`chunklist([1, 2, 3], 2)`, `[[1,2],[3]]`},
		{`coalesce(null, "a")`, `"a"`},
		{`coalescelist([], ["a"])`, `["a"]`},
		{`compact(["a", "", "b"])`, `["a","b"]`},
		{`concat([1], [2])`, `[1,2]`},
		{`contains(["toy"], "toy")`, `true`},
		{`distinct([1, 1, 2])`, `[1,2]`},
		{`element(["a", "b"], 3)`, `"b"`},
		{`flatten([[1], [2, [3]]])`, `[1,2,3]`},
		{`index(["a", "b"], "b")`, `1`},
		{`keys({ b = 1, a = 2 })`, `["a","b"]`},
		{`length([1, 2])`, `2`},
		{`length("ünï")`, `3`},
		{`length({ a = 1 })`, `1`},
		{`length(grid({ a = [1, 2], b = [1, 2, 3] }))`, `6`},
		{`lookup({ a = 1 }, "b", 2)`, `2`},
		{`matchkeys(["i", "j", "k"], [1, 2, 1], [1])`, `["i","k"]`},
		{`merge({ a = 1 }, { b = 2 })`, `{"a":1,"b":2}`},
		{`one(["a"])`, `"a"`},
		{`one([]) == null`, `true`},
		{`range(1, 4)`, `[1,2,3]`},
		{`reverse([1, 2])`, `[2,1]`},
		{`sethaselement(toset(["a"]), "a")`, `true`},
		{`setintersection(["a", "b"], ["b", "c"])`, `["b"]`},
		{`setproduct(["a"], [1, 2])`, `[["a",1],["a",2]]`},
		{`setsubtract(["a", "b"], ["b"])`, `["a"]`},
		{`setsymmetricdifference(["a", "b"], ["b", "c"])`, `["a","c"]`},
		{`setunion(["a"], ["b"])`, `["a","b"]`},
		{`slice([1, 2, 3], 1, 2)`, `[2]`},
		{`sort(["b", "a"])`, `["a","b"]`},
		{`values({ b = 1, a = 2 })`, `[2,1]`},
		{`zipmap(["a", "b"], [1, 2])`, `{"a":1,"b":2}`},

		{`csvdecode("a,b\n1,2\n")`, `[{"a":"1","b":"2"}]`},
		{`jsondecode("{\"a\": [1]}").a`, `[1]`},
		{`jsonencode({ a = 1 })`, `"{\"a\":1}"`},

		{`can(tonumber("x"))`, `false`},
		{`can({ a = 1 }.a)`, `true`},
		{`try({ a = 1 }.b, "none")`, `"none"`},

		{`tobool("true")`, `true`},
		{`tolist(["a", 1])`, `["a","1"]`},
		{`tomap({ a = 1 })`, `{"a":1}`},
		{`tonumber("1.5")`, `1.5`},
		{`toset(["b", "a", "b"])`, `["a","b"]`},
		{`tostring(0.1)`, `"0.1"`},

		{`keys(grid({ a = [1, 2] }))`, `["a=1","a=2"]`},
		{`keys(zip({ a = [1, 2], b = ["x", "y"] }))`, `["a=1,b=x","a=2,b=y"]`},
		{`keys(union("s", { x = grid({ a = [1] }), y = grid({ a = [1] }) }))`, `["a=1,s=x","a=1,s=y"]`},
		{`keys(random(1, 1, { a = uniform(1, 2) })) != []`, `true`},
		{`keys(random(1, 1, { a = log_uniform(1, 2) })) != []`, `true`},
		{`fileset(".", "*.txt")`, `["empty.txt"]`},
		{`can(gofile("VERSION"))`, `true`},
		{`can(godoc("std"))`, `true`},
		{`can(gomodule("golang.org/x/text@v0.3.0", "LICENSE"))`, `true`},
		{`can(hf("owner/model@0123456789abcdef0123456789abcdef01234567", "*.json"))`, `true`},
		{`can(https("https://example.org/a.txt", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"))`, `true`},
		{`coalesce("a", env("HOME"))`, `"a"`},
	} {
		got, problems := evaluate(t, c.expression)
		if got != c.want {
			t.Errorf("%s is %s, want %s\n%s", c.expression, got, c.want, problems)
		}
		for _, f := range pipeline.Functions() {
			if strings.Contains(c.expression, f.Name+"(") {
				tested[f.Name] = true
			}
		}
	}
	for _, f := range pipeline.Functions() {
		if !tested[f.Name] {
			t.Errorf("%s is not tested", f.Name)
		}
		if !strings.HasSuffix(f.Description, ".") {
			t.Errorf("%s is described as %q", f.Name, f.Description)
		}
	}
}

// TestFunctionErrors: what is wrong with an argument, as a user reads it.
func TestFunctionErrors(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{`sum([])`, "an empty list has no sum"},
		{`sum([1, "x"])`, `takes numbers, not "x"`},
		{`sum(1)`, "takes a list or a set, not number"},
		{`alltrue(["x"])`, `takes true and false, not "x"`},
		{`index(["a"], "b")`, `the list has no "b"`},
		{`index(toset(["a"]), "a")`, "takes a list, not set of string"},
		{`length(1)`, "takes a collection or a string, not number"},
		{`matchkeys([1], [1, 2], [1])`, "must be of one length, are of 1 and 2"},
		{`one([1, 2])`, "takes a list of one element or none, not of 2"},
		{`replace("a", "/(/", "")`, "error parsing regexp"},
		{`frobnicate(1)`, "frobnicate"},

		{`grid({ seed = ["7"] })`, `seed has "7" among its values; a seed is a whole number`},
		{`random(1, 1, { finetune_seed = [true] })`, "finetune_seed has bool among its values; a seed is a whole number"},
		{`zip({ layers = [2, 4], width = [64] })`, "layers has 2 and width has 1"},
		{`zip({ a = [1, 1], b = [2, 2] })`, "zip has the point a=1,b=2 twice"},
		{`zip({})`, "zip takes an object of axes: zip({layers = [2, 4], width = [64, 96]})"},
		{`zip([1])`, "zip takes an object of axes"},
		{`zip({ a = grid({ seed = [1] }), seed = [1] })`, "the axes a and seed both have the coordinate seed"},
		{`union("s", { a = [1] })`, "a is neither, but tuple"},
		{`union("s", { s = grid({ s = [1] }) })`, "union adds the coordinate s, which s has already"},
		{`union("s s", { a = grid({ b = [1] }) })`, `"s s" cannot name an axis`},
		{`union(1, { a = grid({ b = [1] }) })`, "union takes the name of a coordinate"},
		{`union("s", grid({ a = [1] })["a=1"])`, "union takes an object of sweeps"},
		{`random(-1, 1, { a = uniform(0, 1) })`, "the count is -1"},
		{`random(1.5, 1, { a = uniform(0, 1) })`, "the count is 1.5"},
		{`random(1, "x", { a = uniform(0, 1) })`, `the seed is "x"`},
		{`random(1, 1, {})`, "random takes an object of axes"},
		{`random(5, 1, { a = [1, 2, 3, 4] })`, "is to draw 5 points, and after 4 there are none"},
		{`random(1, 1, { a = [] })`, "a is empty; there is nothing to draw"},
		{`random(1, 1, { seed = uniform(0, 1) })`, "a seed is a whole number"},
		{`uniform(1, 0)`, "uniform takes a lower and a higher number, not 1 and 0"},
		{`log_uniform(0, 1)`, "log_uniform takes numbers above 0, and its lower one is 0"},
		{`grid({ a = uniform(0, 1) })`, "a is distribution; an axis is a list, a map, another sweep"},

		{`fileset("none", "*")`, "there is no folder none; paths are relative to the folder of the pipeline file"},
		{`fileset("empty.txt", "*")`, "empty.txt is not a folder"},
		{`fileset(".", "[")`, `"[" is not a pattern`},
		{`fileset(".", "../*")`, "leads out of"},
		{`gomodule("golang.org/x/text", "LICENSE")`, "names no version: write module@version"},
		{`gomodule("golang.org/x/text@latest", "LICENSE")`, `"latest" is not an exact version`},
		{`gomodule("golang.org/x/text@v0.3", "LICENSE")`, `"v0.3" is not an exact version`},
		{`gomodule("golang.org/x/text@v2.0.0", "LICENSE")`, "should be v0 or v1, not v2"},
		{`https("https://example.org/a.txt", "0123")`, "64 hexadecimal digits, and is \"0123\": `curl -L 'https://example.org/a.txt' | sha256sum` prints it"},
		{`https("https://example.org/a.txt")`, "Missing value for \"sha256\". A file of the web at an address that starts with https://, and its SHA-256, 64 hexadecimal digits, which `curl -L ADDRESS | sha256sum` prints"},
		{`hf("owner/model@main", "vocab.json")`, `"owner/model@main" names no commit`},
		{`gomodule("golang.org/x/text@v0.3.0", "../LICENSE")`, `"../LICENSE" is no path in a module`},
	} {
		if got, problems := evaluate(t, c.expression); !strings.Contains(problems, c.want) {
			t.Errorf("%s is %s, and does not say %q:\n%s", c.expression, got, c.want, problems)
		}
	}
}

// TestFunctionsTakeAnything: no argument makes a function panic, artifacts, sources and secrets among them.
func TestFunctionsTakeAnything(t *testing.T) {
	odd := []string{"null", "1", `"x"`, "[]", "{}", "[null]", "{ a = null }", "true", `env("HOME")`, `env("no such")`, `[env("HOME")]`,
		`{ a = env("HOME") }`, `gofile("VERSION")`, "word.a", "word.a.out", "word.b", `word.b["x=1"]`, "uniform(0, 1)", "tolist([])", "1e999", "-1", `{ seed = ["x"] }`, "{ seed = [true] }", "{ seed = [1e999] }"}
	for _, f := range pipeline.Functions() {
		least := 0
		for _, p := range f.Params {
			if !strings.HasSuffix(p, "...") {
				least++
			}
		}
		var locals strings.Builder
		for i, a := range odd {
			args := []string{a}
			for j := 1; j < least; j++ {
				args = append(args, odd[(i+j)%len(odd)])
			}
			call := f.Name + "(" + strings.Join(args, ", ") + ")"
			fmt.Fprintf(&locals, "a%d = %s\nb%d = can(%s)\n", i, call, i, call)
		}
		text := "pipeline \"p\" {\nword \"a\" {}\nword \"b\" {\nfor_each = grid({ x = [1] })\n}\nlocals {\n" + locals.String() + "}\n}"
		if _, problems := loadFile(t, text, nil); strings.Contains(problems, "panic") {
			t.Errorf("%s: %s", f.Name, problems)
		}
	}
}

// TestFileset: files of nested folders, never those of the store.
func TestFileset(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.txt", "b.md", "data/c.txt", "data/deep/d.txt", ".anneal/objects/e.txt"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("itself", filepath.Join(dir, ".anneal/itself")); err != nil { // an error, were the store looked through
		t.Fatal(err)
	}
	for call, want := range map[string]string{
		`fileset(".", ".anneal/objects/*")`: "",
		`fileset(".", "*.txt")`:             "a.txt",
		`fileset(".", "**/*.txt")`:          "a.txt data/c.txt data/deep/d.txt",
		`fileset(".", "*.{txt,md}")`:        "a.txt b.md",
		`fileset("data", "**")`:             "c.txt deep/d.txt",
		`fileset("data/", "?.txt")`:         "c.txt",
		`fileset(".", "none*")`:             "",
		`fileset("` + dir + `", "*.md")`:    "b.md",
	} {
		path := filepath.Join(dir, "pipelines.hcl")
		if err := os.WriteFile(path, []byte("pipeline \"p\" {\nword \"w\" {\ntext = join(\" \", "+call+")\n}\n}"), 0o666); err != nil {
			t.Fatal(err)
		}
		c, err := pipeline.Load(path, pipeline.LoadOptions{Kinds: kinds})
		if err != nil {
			t.Fatal(err)
		}
		graphs, err := c.Graphs([]string{"p"})
		if err != nil {
			t.Fatal(err)
		}
		if got := graphs[0].Nodes[0].Stage.(*word).Text; got != want {
			t.Errorf("%s is %q, want %q", call, got, want)
		}
	}
}

// TestFileNames: a file whose name HCL cannot say is told of, not missed.
func TestFileNames(t *testing.T) {
	dir := t.TempDir()
	const decomposed, composed = "u\u0308.txt", "\u00fc.txt"
	if err := os.WriteFile(filepath.Join(dir, decomposed), []byte("text"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, attribute := range []string{`file = ["` + decomposed + `"]`, `file = ["` + composed + `"]`, `text = join(" ", fileset(".", "*.txt"))`} {
		path := filepath.Join(dir, "pipelines.hcl")
		if err := os.WriteFile(path, []byte("pipeline \"p\" {\nword \"w\" {\n"+attribute+"\n}\n}"), 0o666); err != nil {
			t.Fatal(err)
		}
		c, err := pipeline.Load(path, pipeline.LoadOptions{Kinds: kinds})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Graphs([]string{"p"})
		if err == nil || !strings.Contains(err.Error(), `rename it to "\u00fc.txt"`) {
			t.Errorf("%s: %v", attribute, err)
		}
	}
}
