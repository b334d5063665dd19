package dataset_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
	"anneal/stages/dataset"
)

var kinds = []*pipeline.Kind{dataset.Kind}

// blocks has a data set of every variant but records, over two books and a tale.
const blocks = `
dataset "prose" {
  source = ["a.txt", "b.txt"]
  split {
    size       = 100
    validation = 0.4
  }
}
dataset "add" {
  addition {}
  examples = 200
  seed     = 11
}
dataset "sort" {
  sorting {}
  examples = 200
  seed     = 12
}
dataset "reverse" {
  reversing {}
  examples = 200
  seed     = 14
}
dataset "copy" {
  copying {}
  examples = 200
  seed     = 15
}
dataset "chain" {
  assignments {}
  examples = 200
  seed     = 16
}
dataset "brackets" {
  brackets {}
  examples = 200
  seed     = 17
}
dataset "subtract" {
  subtraction {}
  examples = 200
  seed     = 18
}
dataset "multiply" {
  multiplication {}
  examples = 200
  seed     = 19
}
dataset "mod" {
  modular {}
  examples = 200
  seed     = 20
}
dataset "tale" {
  source = ["c.txt"]
  split {
    size       = 400
    validation = 0.4
  }
}
dataset "cloze" {
  cloze {
    train = dataset.tale.train
    test  = dataset.tale.validation
  }
  examples = 24
  seed     = 21
}
dataset "author" {
  passages {
    train = dataset.prose.train
    test  = dataset.prose.validation
    bytes = 40
  }
  examples = 64
  seed     = 13
}
`

// books are two texts that differ in every line, and a tale.
func books() map[string]string {
	var a, b, c strings.Builder
	for i := range 200 {
		fmt.Fprintf(&a, "Rays of colour %d are bent, größer or less.\n", i)
		fmt.Fprintf(&b, "It was the winter of %d, and snow fell on the road.\r\n", 1600+i)
	}
	for i := range 300 {
		fmt.Fprintf(&c, "In %d they saw the %s. ", i, []string{"sun", "sea", "sky", "road", "moon", "snow"}[i%6])
	}
	return map[string]string{"a.txt": a.String(), "b.txt": b.String(), "c.txt": c.String()}
}

func TestText(t *testing.T) {
	run := pipelinetest.Run(t, kinds, 1, blocks, books())
	var all []artifacts.Block
	for _, output := range []string{"train", "validation"} {
		part, err := artifacts.ReadText(run.Path("dataset.prose", output))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, part...)
	}
	slices.SortFunc(all, func(a, b artifacts.Block) int {
		return int(a.Source-b.Source)<<32 + int(a.Offset-b.Offset)
	})
	joined := artifacts.Join(all)
	want := []artifacts.Block{{Source: 0, Text: books()["a.txt"]}, {Source: 1, Text: books()["b.txt"]}}
	if !slices.Equal(joined, want) {
		t.Error("training and validation text together are not the sources")
	}
}

func TestTasks(t *testing.T) {
	run := pipelinetest.Run(t, kinds, 2, blocks, books())
	for _, c := range []struct {
		addr   string
		counts map[string]int
	}{
		{"dataset.add", map[string]int{"train": 100, "validation": 50, "test": 50}},
		{"dataset.sort", map[string]int{"train": 100, "validation": 50, "test": 50}},
		{"dataset.reverse", map[string]int{"train": 100, "validation": 50, "test": 50}},
		{"dataset.copy", map[string]int{"train": 100, "validation": 50, "test": 50}},
		{"dataset.chain", map[string]int{"train": 100, "validation": 50, "test": 50}},
		{"dataset.brackets", map[string]int{"train": 100, "validation": 50, "test": 50}},
		{"dataset.subtract", map[string]int{"train": 100, "validation": 50, "test": 50}},
		{"dataset.multiply", map[string]int{"train": 100, "validation": 50, "test": 50}},
		{"dataset.mod", map[string]int{"train": 100, "validation": 50, "test": 50}},
		{"dataset.cloze", map[string]int{"train": 12, "validation": 6, "test": 6}},
		{"dataset.author", map[string]int{"train": 32, "validation": 16, "test": 16}},
	} {
		prompts := map[string]bool{}
		for split, n := range c.counts {
			examples, err := artifacts.ReadExamples(run.Path(c.addr, split))
			if err != nil {
				t.Fatal(err)
			}
			if len(examples) != n {
				t.Errorf("%s.%s has %d examples, want %d", c.addr, split, len(examples), n)
			}
			for _, e := range examples {
				if prompts[e.Prompt] {
					t.Errorf("%s: %q stands twice", c.addr, e.Prompt)
				}
				prompts[e.Prompt] = true
				if len(e.Prompt)+len(e.Response) > 64 {
					t.Errorf("%s: %q and %q do not fit 64 bytes", c.addr, e.Prompt, e.Response)
				}
				if (e.Label != nil) != (c.addr == "dataset.author" || c.addr == "dataset.cloze") {
					t.Errorf("%s: label %v", c.addr, e.Label)
				}
			}
		}
	}
	passages, err := artifacts.ReadPassages(run.Path("dataset.author", "probe"))
	if err != nil {
		t.Fatal(err)
	}
	var fromExamples []artifacts.Passage
	for _, split := range []string{"train", "validation", "test"} {
		examples, err := artifacts.ReadExamples(run.Path("dataset.author", split))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range examples {
			fromExamples = append(fromExamples, artifacts.Passage{Text: strings.TrimSuffix(e.Prompt, "\n"), Label: *e.Label, Split: split})
		}
	}
	if len(passages) != 64 || !slices.Equal(passages, fromExamples) {
		t.Error("the probe's passages are not those of the examples")
	}
}

// TestGolden pins the bytes. Where they change on purpose, the kind's Version must be raised with them.
func TestGolden(t *testing.T) {
	run := pipelinetest.Run(t, kinds, 2, blocks, books())
	for _, c := range []struct{ addr, output, want string }{
		{"dataset.prose", "train", "ebe6e430f2fb2001"},
		{"dataset.prose", "validation", "87aaa9843554d6fa"},
		{"dataset.add", "train", "8339c1584bd6ced6"},
		{"dataset.add", "validation", "577a4c9227d9caef"},
		{"dataset.add", "test", "b51d8f61d94e630c"},
		{"dataset.sort", "train", "805a12b6d5334d97"},
		{"dataset.sort", "validation", "e690cb5b74beaa28"},
		{"dataset.sort", "test", "a02f15004617b3dd"},
		{"dataset.reverse", "train", "a039fce415893b8d"},
		{"dataset.reverse", "validation", "5923bf449ba65e5f"},
		{"dataset.reverse", "test", "457ca9a95f736eee"},
		{"dataset.copy", "train", "819dbb24e4755a1f"},
		{"dataset.copy", "validation", "49294359f7b91ccb"},
		{"dataset.copy", "test", "cf0ac048d9e22d61"},
		{"dataset.chain", "train", "8143114af196e293"},
		{"dataset.chain", "validation", "6761c6a5f6225929"},
		{"dataset.chain", "test", "2721b34ae0e28b45"},
		{"dataset.brackets", "train", "35b5b65574c46930"},
		{"dataset.brackets", "validation", "480d3dd92f26b850"},
		{"dataset.brackets", "test", "3a4cecfa06bf5653"},
		{"dataset.subtract", "train", "fe9d8f58c6431041"},
		{"dataset.subtract", "validation", "6cf9b40b1abb4ef6"},
		{"dataset.subtract", "test", "64ccfa99acf7583f"},
		{"dataset.multiply", "train", "58b567348d03f519"},
		{"dataset.multiply", "validation", "9e64630ff2b31cd1"},
		{"dataset.multiply", "test", "9005e4dd6414a7f9"},
		{"dataset.mod", "train", "11af21ccfad94e77"},
		{"dataset.mod", "validation", "87aa8a5fa26607f1"},
		{"dataset.mod", "test", "145ac402adea602e"},
		{"dataset.cloze", "train", "e1d1cfcec9e7326e"},
		{"dataset.cloze", "validation", "3004f42708bb52ac"},
		{"dataset.cloze", "test", "6afed2fed282e2d7"},
		{"dataset.author", "train", "2c275735ac0bd68f"},
		{"dataset.author", "validation", "3022f954f4a85514"},
		{"dataset.author", "test", "223365a73ac042f3"},
		{"dataset.author", "probe", "885ba00a7608db1b"},
	} {
		if got := run.Blob(c.addr, c.output).Digest.String()[:16]; got != c.want {
			t.Errorf("%s.%s is %s, want %s", c.addr, c.output, got, c.want)
		}
	}
}

func TestBadSources(t *testing.T) {
	const block = `dataset "d" {
  source = ["good.txt", "bad.txt"]
  split {}
}`
	good := strings.Repeat("good ", 2000)
	for _, c := range []struct{ good, bad, want string }{
		{good, "abc\xff", `source: names file "bad.txt", element 1, which is not UTF-8: byte 3, 0xff`},
		{"short", "short", "split.size: is 4096, which leaves nothing for validation"},
	} {
		run := pipelinetest.Run(t, kinds, 1, block, map[string]string{"good.txt": c.good, "bad.txt": c.bad})
		if err := run.Err("dataset.d"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`source = ["a.txt"]
		  split {}`, ""},
		{`addition {}
		  examples = 5050`, ""},
		{``, "source: is needed, or else"},
		{`examples = 10`, "source: is needed, or else"},
		{`source = ["a.txt"]
		  split {}
		  sorting {}`, "sorting: cannot stand beside source"},
		{`addition {}
		  sorting {}
		  examples = 10`, "sorting: cannot stand beside addition"},
		{`source = ["a.txt"]`, "split: is needed beside source"},
		{`source = ["a.txt"]
		  split { validation = 0.6 }`, "split.validation: must be above 0 and at most 0.5, is 0.6"},
		{`source = ["a.txt"]
		  split {}
		  examples = 9`, "examples: is for tasks"},
		{`source = ["a.txt"]
		  split {}
		  seed = 9`, "seed: is for tasks"},
		{`source = ["a.txt"]
		  split {}
		  template { answer = "all" }`, "template: is for tasks"},
		{`sorting {}`, "examples: must be at least 4, is 0"},
		{`sorting {}
		  split {}
		  examples = 9`, "split: is for a source"},
		{`sorting { letters = [2, 1] }
		  examples = 9`, "sorting.letters: must not start above its end, is [2, 1]"},
		{`sorting { letters = [0, 13] }
		  examples = 9`, "sorting.letters: must lie within 1 and 12, is [0, 13]"},
		{`sorting { letters = [5] }
		  examples = 9`, "sorting.letters: must be a range [least, most], has 1 elements"},
		{`copying {
		    letters = [1, 13]
		    gap     = [-1, 1025]
		  }
		  examples = 9`, "copying.letters: must lie within 1 and 12, is [1, 13]"},
		{`copying { gap = [-1, 2000] }
		  examples = 9`, "copying.gap: must lie within 0 and 1024, is [-1, 2000]"},
		{`reversing { letters = [13, 13] }
		  examples = 9`, "reversing.letters: must lie within 1 and 12, is [13, 13]"},
		{`assignments { hops = [0, 4] }
		  examples = 9`, "assignments.hops: must lie within 1 and 12, is [0, 4]"},
		{`brackets { length = [6, 31] }
		  examples = 9`, "brackets.length: must lie within 1 and 30, is [6, 31]"},
		{`brackets { length = [1, 2] }
		  examples = 13`, "examples: must be at most 12,"},
		{`sorting { letters = [1, 1] }
		  examples = 11`, "examples: must be at most 10, the number of different problems these settings have, is 11"},
		{`addition {}
		  examples = 5051`, "examples: must be at most 5050,"},
		{`addition { digits = [1, 10] }
		  examples = 9`, "addition.digits: must lie within 1 and 9, is [1, 10]"},
		{`subtraction { digits = [0, 2] }
		  examples = 9`, "subtraction.digits: must lie within 1 and 9, is [0, 2]"},
		{`multiplication { digits = [2] }
		  examples = 9`, "multiplication.digits: must be a range [least, most], has 1 elements"},
		{`modular { modulus = [1, 7] }
		  examples = 9`, "modular.modulus: must lie within 2 and 100, is [1, 7]"},
		{`modular { terms = [2, 9] }
		  examples = 9`, "modular.terms: must lie within 2 and 8, is [2, 9]"},
		{`records { file = "a.txt" }`, ""},
		{`records { file = "a.txt" }
		  examples = 3`, "examples: must be at least 4, is 3"},
		{`records {}`, "\"file\" is required"},
		{`records {
		    file   = "a.txt"
		    prompt = "question"
		  }`, `records.prompt: must name a column in braces, such as {question}, is "question"`},
		{`records {
		    file   = "a.txt"
		    answer = "72"
		  }`, `records.answer: must name a column in braces, such as {question}, is "72"`},
		{`records {
		    file      = "a.txt"
		    test_file = "a.txt"
		  }`, `records.test_file: must be another file, is "a.txt" again; left out, its split is drawn from file`},
		{`addition {}
		  template { answer = "after" }
		  examples = 9`, "template.marker: must say what stands before the answer"},
		{`addition {}
		  template { prompt = "add:" }
		  examples = 9`, `template.prompt: must contain {prompt}, is "add:"`},
	} {
		_, err := pipelinetest.Load(t, kinds, "dataset \"d\" {\n"+c.body+"\n}", books())
		if (err == nil) != (c.want == "") || err != nil && !says(err, c.want) {
			t.Errorf("%s\ngives error %v, want %q", c.body, err, c.want)
		}
	}
}

// says tells whether the diagnostics of a file blame the field that want names, in its words.
func says(err error, want string) bool {
	return strings.Contains(err.Error(), strings.Replace(want, ": ", " ", 1))
}
