package pipeline_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"anneal/pipeline"
)

// addresses lists those of the blocks of a pipeline.
func addresses(t *testing.T, blocks string) string {
	t.Helper()
	graphs, problems := loadFile(t, "pipeline \"p\" {\n"+blocks+"\n}", nil)
	if problems != "" {
		t.Fatal(problems)
	}
	var all []string
	for _, n := range graphs[0].Nodes {
		all = append(all, n.Addr)
	}
	return strings.Join(all, " ")
}

// TestSweepFunctions: how zip, union and random, alone and in one another, turn into addresses.
func TestSweepFunctions(t *testing.T) {
	over := func(sweep string) string { return "word \"w\" {\nfor_each = " + sweep + "\n}" }
	const two = "word \"a\" {\nfor_each = grid({ seed = [1, 2] })\n}\nword \"b\" {\nfor_each = grid({ seed = [1] })\n}\nword \"alone\" {}\n"
	for name, c := range map[string]struct{ text, want string }{
		"zip of lists":       {over(`zip({ layers = [4, 2], width = [96, 64] })`), `word.w[layers=2,width=64] word.w[layers=4,width=96]`},
		"zip repeats values": {over(`zip({ a = [1, 1], b = [1, 2] })`), `word.w[a=1,b=1] word.w[a=1,b=2]`},
		"zip of maps":        {over(`zip({ size = { s = { weight = 1 }, l = { weight = 2 } }, rate = [0.1, 0.2] })`), `word.w[rate=0.1,size=l] word.w[rate=0.2,size=s]`},
		"zip of a block":     {two + "upper \"u\" {\nfor_each = zip({ base = word.a, again = [7, 8] })\nfrom = each.value.base.out\n}", `word.a[seed=1] word.a[seed=2] word.b[seed=1] word.alone upper.u[again=7,seed=1] upper.u[again=8,seed=2]`},
		"zip of nothing":     {over(`zip({ a = [] })`), ``},
		"zip in a grid":      {over(`grid({ size = zip({ layers = [2, 4], width = [64, 96] }), seed = [1, 2] })`), `word.w[layers=2,seed=1,width=64] word.w[layers=2,seed=2,width=64] word.w[layers=4,seed=1,width=96] word.w[layers=4,seed=2,width=96]`},
		"grid in a zip":      {over(`zip({ inner = grid({ a = [1], b = [1, 2] }), c = [1, 2] })`), `word.w[a=1,b=1,c=1] word.w[a=1,b=2,c=2]`},
		"union of blocks":    {two + "upper \"u\" {\nfor_each = union(\"state\", { x = word.a, y = word.b })\nfrom = each.value.out\n}", `word.a[seed=1] word.a[seed=2] word.b[seed=1] word.alone upper.u[seed=1,state=x] upper.u[seed=1,state=y] upper.u[seed=2,state=x]`},
		"union with a block": {two + "upper \"u\" {\nfor_each = union(\"state\", { x = word.b, y = word.alone, z = word.a[\"seed=2\"] })\nfrom = each.value.out\n}", `word.a[seed=1] word.a[seed=2] word.b[seed=1] word.alone upper.u[seed=1,state=x] upper.u[seed=2,state=z] upper.u[state=y]`},
		"union of grids":     {over(`union("kind", { fine = grid({ rate = [0.1, 0.2] }), coarse = grid({ rate = [0.1] }) })`), `word.w[kind=coarse,rate=0.1] word.w[kind=fine,rate=0.1] word.w[kind=fine,rate=0.2]`},
		"union in a grid":    {two + "upper \"u\" {\nfor_each = grid({ base = union(\"state\", { x = word.b, y = word.b }), again = [7] })\nfrom = each.value.base.out\n}", `word.a[seed=1] word.a[seed=2] word.b[seed=1] word.alone upper.u[again=7,seed=1,state=x] upper.u[again=7,seed=1,state=y]`},
		"union of a filter":  {two + "upper \"u\" {\nfor_each = union(\"state\", { x = { for k, w in word.a : k => w if k == \"seed=2\" }, y = { for k, w in word.a : k => w if false } })\nfrom = each.value.out\n}", `word.a[seed=1] word.a[seed=2] word.b[seed=1] word.alone upper.u[seed=2,state=x]`},
		"filter of a union":  {over(`{ for k, p in union("s", { x = grid({ a = [1, 2] }), y = grid({ a = [3] }) }) : k => p if p.a != 2 }`), `word.w[a=1,s=x] word.w[a=3,s=y]`},
		"filter of a zip":    {over(`{ for k, p in zip({ a = [1, 2], b = [3, 4] }) : k => p if p.b > 3 }`), `word.w[a=2,b=4]`},
		"filter of a random": {over(`{ for k, p in random(8, 1, { a = [1, 2, 3], b = [1, 2, 3] }) : k => p if p.a == 1 && p.b == 2 }`), `word.w[a=1,b=2]`},
		"random of lists":    {over(`random(4, 1, { a = [1, 2], b = ["x", "y"] })`), `word.w[a=1,b=x] word.w[a=1,b=y] word.w[a=2,b=x] word.w[a=2,b=y]`},
		"random of a map":    {over(`random(2, 1, { regime = { short = { weight = 1 }, long = { weight = 2 } } })`) + "\n", `word.w[regime=long] word.w[regime=short]`},
		"random of nothing":  {over(`random(0, 1, { a = uniform(0, 1) })`), ``},
		"random numbers":     {over(`random(4, 1, { rate = log_uniform(1e-5, 1e-3), weight = uniform(0, 1) })`), `word.w[rate=3.568e-5,weight=0.2515] word.w[rate=5.082e-5,weight=0.7446] word.w[rate=8.699e-5,weight=0.704] word.w[rate=0.000125,weight=0.9012]`},
		"random of a block":  {two + "upper \"u\" {\nfor_each = random(2, 1, { base = word.a })\nfrom = each.value.base.out\n}", `word.a[seed=1] word.a[seed=2] word.b[seed=1] word.alone upper.u[seed=1] upper.u[seed=2]`},
		"values of a point":  {"word \"w\" {\nfor_each = random(1, 1, { rate = uniform(0.5, 1) })\nweight = each.value.rate == each.point.rate ? 1 : -1\n}", addresses(t, over(`random(1, 1, { rate = uniform(0.5, 1) })`))},
	} {
		t.Run(name, func(t *testing.T) {
			if got := addresses(t, c.text); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestRandom: a larger count adds points and changes none, another axis moves no draw, and numbers keep to their bounds.
func TestRandom(t *testing.T) {
	points := func(call string) []pipeline.Point {
		graphs, problems := loadFile(t, "pipeline \"p\" {\nword \"w\" {\nfor_each = "+call+"\n}\n}", nil)
		if problems != "" {
			t.Fatal(problems)
		}
		var all []pipeline.Point
		for _, n := range graphs[0].Nodes {
			all = append(all, n.Point)
		}
		return all
	}
	values := func(points []pipeline.Point, axis string) []float64 {
		var all []float64
		for _, p := range points {
			all = append(all, p.Get(axis).(float64))
		}
		slices.Sort(all)
		return all
	}
	const axes = "rate = log_uniform(1e-5, 1e-3), decay = uniform(-1, 1)"
	few, many := points("random(20, 7, {"+axes+"})"), points("random(50, 7, {"+axes+"})")
	for _, p := range few {
		if !slices.ContainsFunc(many, func(q pipeline.Point) bool { return q.String() == p.String() }) {
			t.Errorf("of 50 points none is %s, of 20 one is", p)
		}
	}
	wider := points("random(20, 7, {" + axes + ", layers = [2, 4, 8]})")
	for _, axis := range []string{"rate", "decay"} {
		if got, want := values(wider, axis), values(few, axis); !slices.Equal(got, want) {
			t.Errorf("another axis moved %s: %v, was %v", axis, got, want)
		}
	}
	other := points("random(20, 8, {" + axes + "})")
	if slices.Equal(values(other, "rate"), values(few, "rate")) {
		t.Error("another seed draws the same")
	}
	small := 0
	for _, p := range many {
		rate, decay := p.Get("rate").(float64), p.Get("decay").(float64)
		if rate < 1e-5 || rate > 1e-3 || decay < -1 || decay > 1 {
			t.Errorf("%s is out of bounds", p)
		}
		if rate < 1e-4 {
			small++
		}
		for _, x := range []float64{rate, decay} {
			if short, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64); short != x {
				t.Errorf("%v has more than 4 digits", x)
			}
		}
	}
	if small < 15 || small > 35 {
		t.Errorf("of 50 numbers from 1e-5 to 1e-3, %d are below 1e-4", small)
	}
	if mean := sum(values(many, "decay")) / 50; math.Abs(mean) > 0.25 {
		t.Errorf("50 numbers from -1 to 1 have the mean %g", mean)
	}
	for _, p := range points("random(1, 1, { a = uniform(0.123456, 0.123459) })") {
		if x := p.Get("a").(float64); x < 0.123456 || x > 0.123459 {
			t.Errorf("%v is rounded out of its bounds", x)
		}
	}
}

func sum(all []float64) (total float64) {
	for _, x := range all {
		total += x
	}
	return total
}

// TestSeeds: seed axes of grids are extended on demand, by the integers above the largest, and nothing else is.
func TestSeeds(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		seeds map[string]int
		want  string
		found string
	}{
		"more":             {"word \"w\" {\nfor_each = grid({ seed = [7, 3] })\n}", map[string]int{"seed": 4}, "word.w[seed=3] word.w[seed=7] word.w[seed=8] word.w[seed=9]", "[7 3] [7 3 8 9]"},
		"from none":        {"word \"w\" {\nfor_each = grid({ seed = [] })\n}", map[string]int{"seed": 2}, "word.w[seed=1] word.w[seed=2]", "[] [1 2]"},
		"fewer":            {"word \"w\" {\nfor_each = grid({ seed = [1, 2] })\n}", map[string]int{"seed": 1}, "word.w[seed=1] word.w[seed=2]", "[1 2] [1 2]"},
		"another axis":     {"word \"w\" {\nfor_each = grid({ seed = [1], x = [1] })\n}", map[string]int{"x": 3, "finetune_seed": 3}, "word.w[seed=1,x=1]", ""},
		"map":              {"word \"w\" {\nfor_each = grid({ seed = { a = 1 } })\n}", map[string]int{"seed": 2}, "word.w[seed=a]", ""},
		"zip":              {"word \"w\" {\nfor_each = zip({ seed = [1] })\n}", map[string]int{"seed": 2}, "word.w[seed=1]", ""},
		"in a grid":        {"word \"w\" {\nfor_each = grid({ a = grid({ seed = [1] }) })\n}", map[string]int{"seed": 2}, "word.w[seed=1] word.w[seed=2]", "[1] [1 2]"},
		"what builds upon": {"word \"w\" {\nfor_each = grid({ seed = [1] })\n}\nupper \"u\" {\nfor_each = word.w\nfrom = each.value.out\n}", map[string]int{"seed": 2}, "word.w[seed=1] word.w[seed=2] upper.u[seed=1] upper.u[seed=2]", "[1] [1 2]"},
		"two lists":        {"word \"w\" {\nfor_each = grid({ seed = [1] })\n}\nword \"v\" {\nfor_each = grid({ seed = [5] })\n}", map[string]int{"seed": 2}, "word.w[seed=1] word.w[seed=2] word.v[seed=5] word.v[seed=6]", "[1] [1 2] [5] [5 6]"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pipelines.hcl")
			if err := os.WriteFile(path, []byte("pipeline \"p\" {\n"+c.text+"\n}"), 0o666); err != nil {
				t.Fatal(err)
			}
			config, err := pipeline.Load(path, pipeline.LoadOptions{Kinds: kinds, Seeds: c.seeds})
			if err != nil {
				t.Fatal(err)
			}
			graphs, err := config.Graphs([]string{"p"})
			if err != nil {
				t.Fatal(err)
			}
			var addrs, found []string
			for _, n := range graphs[0].Nodes {
				addrs = append(addrs, n.Addr)
			}
			for axis := range c.seeds {
				for _, a := range config.SeedAxes()[axis] {
					found = append(found, fmt.Sprint(a.Listed, " ", a.All))
				}
			}
			if got := strings.Join(addrs, " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if got := strings.Join(found, " "); got != c.found {
				t.Errorf("extended: %s, want %s", got, c.found)
			}
		})
	}
}
