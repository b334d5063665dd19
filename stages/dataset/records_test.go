package dataset_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline/pipelinetest"
)

// lines writes JSON Lines of columns "question" and "answer", and of one that nobody asks for.
func lines(pairs ...string) string {
	var all strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		line, _ := json.Marshal(map[string]any{"question": pairs[i], "answer": pairs[i+1], "options": []int{1}})
		all.WriteString(string(line) + "\n")
	}
	return all.String()
}

// numbered returns n pairs of a question and its answer, from the number first.
func numbered(first, n int) (pairs []string) {
	for i := first; i < first+n; i++ {
		pairs = append(pairs, fmt.Sprint("what is ", i), fmt.Sprint("it is so\n#### ", i))
	}
	return pairs
}

const asked = `
    prompt   = "Q: {question}"
    response = "{answer}"
  }
  seed = 1
  template {
    answer = "after"
    marker = "#### "
  }
}`

// read returns the examples of a data set, by split.
func read(t *testing.T, run *pipelinetest.Result, addr string) map[string][]artifacts.Example {
	t.Helper()
	all := map[string][]artifacts.Example{}
	for _, split := range []string{"train", "validation", "test"} {
		examples, err := artifacts.ReadExamples(run.Path(addr, split))
		if err != nil {
			t.Fatal(err)
		}
		all[split] = examples
	}
	return all
}

func TestRecords(t *testing.T) {
	twice := append(numbered(0, 40), numbered(0, 8)...) // the same again, and otherwise
	twice = append(twice, "what is 7", "or maybe\n#### 70", " what  is 7", "let me see\n#### 7\n\n")
	run := pipelinetest.Run(t, kinds, 2, `
dataset "all" {
  records {
    file = "a.jsonl"`+asked+`
dataset "some" {
  examples = 17
  records {
    file = "a.jsonl"`+asked+`
dataset "tested" {
  records {
    file      = "a.jsonl"
    test_file = "b.jsonl"`+asked+`
dataset "given" {
  records {
    file            = "a.jsonl"
    validation_file = "c.jsonl"
    test_file       = "b.jsonl"`+asked,
		map[string]string{"a.jsonl": lines(twice...), "b.jsonl": lines(numbered(100, 9)...), "c.jsonl": lines(numbered(200, 5)...)})
	for _, c := range []struct {
		addr                    string
		train, validation, test int
		slack                   int // how many more held out for records of one prompt to stay together
	}{
		{"dataset.all", 22, 10, 10, 2},
		{"dataset.some", 9, 4, 4, 2},
		{"dataset.tested", 28, 14, 9, 2},
		{"dataset.given", 42, 5, 9, 0},
	} {
		splits := read(t, run, c.addr)
		total := 0
		place := map[string]string{}
		sevens := map[string]int{}
		for split, want := range map[string]int{"validation": c.validation, "test": c.test} {
			if got := len(splits[split]); got < want || got > want+c.slack {
				t.Errorf("%s.%s has %d examples, want %d", c.addr, split, got, want)
			}
		}
		for split, examples := range splits {
			total += len(examples)
			for _, e := range examples {
				words := strings.Join(strings.Fields(e.Prompt), " ")
				if before, ok := place[words]; ok && before != split {
					t.Errorf("%s: %q is in %s and %s", c.addr, e.Prompt, before, split)
				}
				place[words] = split
				if words == "Q: what is 7" {
					sevens[split]++
				} else if e.Prompt != "Q: what is "+e.Answer+"\n" || e.Response != "it is so\n#### "+e.Answer+"\n\n" || e.Extract != "after:#### " {
					t.Errorf("%s: %+v", c.addr, e)
				}
			}
		}
		if want := c.train + c.validation + c.test; total != want {
			t.Errorf("%s: %d examples, want %d", c.addr, total, want)
		}
		if len(sevens) > 1 || c.addr != "dataset.some" && sevens[place["Q: what is 7"]] != 3 {
			t.Errorf("%s: the three records of one prompt are in %v", c.addr, sevens)
		}
	}
	for _, e := range read(t, run, "dataset.given")["test"] {
		if e.Answer < "100" || e.Answer > "108" {
			t.Errorf("%q is not of the test file", e.Prompt)
		}
	}
}

func TestRecordsOfParquet(t *testing.T) {
	type row struct {
		ID       int64   `parquet:"id"`
		Question *string `parquet:"question"`
		A        string  `parquet:"a"`
		B        string  `parquet:"b"`
		Best     string  `parquet:"best"`
	}
	write := func(null bool) string {
		var rows []row
		for i := range int64(12) {
			q := fmt.Sprint("question ", i)
			rows = append(rows, row{i, &q, "yes", "no", []string{"A", "B"}[i%2]})
		}
		if null {
			rows[5].Question = nil
		}
		path := filepath.Join(t.TempDir(), "rows")
		if err := artifacts.WriteRows(path, rows); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	run := pipelinetest.Run(t, kinds, 1, `dataset "d" {
  records {
    file     = "good"
    prompt   = "{id}. {question}\nA {a}\nB {b}"
    response = "{best}"
    answer   = "{best}"
  }
}
dataset "null" {
  records {
    file     = "bad"
    prompt   = "{question}"
    response = "{best}"
  }
}
dataset "missing" {
  records {
    file     = "good"
    prompt   = "{query}"
    response = "{best}"
  }
}`, map[string]string{"good": write(false), "bad": write(true)})
	var prompts []string
	for _, examples := range read(t, run, "dataset.d") {
		for _, e := range examples {
			prompts = append(prompts, e.Prompt)
		}
	}
	slices.Sort(prompts)
	if len(prompts) != 12 || prompts[0] != "0. question 0\nA yes\nB no\n" {
		t.Errorf("prompts %q", prompts)
	}
	for addr, want := range map[string]string{
		"dataset.null":    `records.file: names file "bad", which in row 5 has a null, which is to be filled in or its record left out, as "question"`,
		"dataset.missing": `records.file: names file "good", which has no column "query", only id, question, a, b, best`,
	} {
		if err := run.Err(addr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestBadRecords(t *testing.T) {
	good := lines(numbered(0, 20)...)
	for _, c := range []struct{ file, test, want string }{
		{"\n\n", "", "which has no records"},
		{good + "{\"question\": \"what\",\n", "", "which is not JSON Lines, an object a line: line 21: unexpected end of JSON input"},
		{good + "[1]\n", "", "which in line 21 has array, where JSON Lines have an object"},
		{good + "\nnull", "", "which in line 22 has null, where JSON Lines have an object"},
		{good + "{} {}\n", "", "line 21: invalid character"},
		{good + "{\"question\": \"what\xff\", \"answer\": \"#### 1\"}\n", "", "which is not UTF-8 in line 21"},
		{good + "{\"question\": \"what\"}\n", "", `which in line 21 has no column "answer", only question`},
		{good + "{\"question\": null, \"answer\": \"#### 1\"}\n", "", `which in line 21 has a null, which is to be filled in or its record left out, as "question"`},
		{good + "{\"question\": [\"what\"], \"answer\": \"#### 1\"}\n", "", `which in line 21 has a list or an object, where text is expected, as "question"`},
		{good + lines(" \n", "#### 1"), "", `which in line 21 has an empty prompt: every column of "Q: {question}" is blank`},
		{good + lines("what", ""), "", `which in line 21 has an empty response`},
		{good + lines("what", "it is 1"), "", `which in line 21 has no answer: by the rule "after:#### " there is none in its response, "it is 1\n\n"`},
		{good + lines("what", "let us see\n\n#### 1"), "", `which in line 21 has the stop string "\n\n" within its response, "let us see\n\n": choose another in template.stop`},
		{lines("what is 1", "#### 1"), "", `records.file: leaves no example for validation: 1 records with 1 different prompts are too few`},
		{good, lines("what", "#### 1", "what  is 19", "#### 1"), `records.test_file: names file "b.jsonl", of which line 2 has the prompt of line 20 of records.file: no prompt may be in two splits, so take it out of one of the files`},
		{good, lines(numbered(17, 5)...), `line 1 has the prompt of line 18 of records.file, and 2 more are in both: no prompt may be in two splits, so take them out of one of the files`},
	} {
		block, files := "dataset \"d\" {\n  records {\n    file = \"a.jsonl\"\n", map[string]string{"a.jsonl": c.file}
		if c.test != "" {
			block += "    test_file = \"b.jsonl\"\n"
			files["b.jsonl"] = c.test
		}
		run := pipelinetest.Run(t, kinds, 1, block+asked, files)
		if err := run.Err("dataset.d"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives error %v, want %q", c.file, err, c.want)
		}
	}
}

func TestRecordsAnswers(t *testing.T) {
	const block = `dataset "d" {
  records {
    file     = "a.jsonl"
    prompt   = "{question}"
    response = "{answer}"
    answer   = "{question}"
  }
}`
	run := pipelinetest.Run(t, kinds, 1, block, map[string]string{"a.jsonl": lines("1", "so\n1", "2", "so\n3")})
	want := `which in line 2 has the answer "2", but by the rule "last_line" it is "3" in its response, "so\n3\n\n"`
	if err := run.Err("dataset.d"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// Numbers and truth values stand for themselves, as they are written; a mark at the file's head is no part of it.
func TestRecordsOfJSON(t *testing.T) {
	var file strings.Builder
	file.WriteString("\uFEFF")
	for i := range 6 {
		fmt.Fprintf(&file, "{\"n\": 1e%d, \"even\": %t}\r\n", i, i%2 == 0)
	}
	run := pipelinetest.Run(t, kinds, 1, `dataset "d" {
  records {
    file     = "a.jsonl"
    prompt   = "is {n} even?"
    response = "{even}"
  }
}`, map[string]string{"a.jsonl": file.String()})
	answers := map[string]string{}
	for _, examples := range read(t, run, "dataset.d") {
		for _, e := range examples {
			answers[e.Prompt] = e.Answer
		}
	}
	if len(answers) != 6 || answers["is 1e4 even?\n"] != "true" || answers["is 1e5 even?\n"] != "false" {
		t.Errorf("answers %v", answers)
	}
}
