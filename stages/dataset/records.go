package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Records are examples of the user's own, from files of rows in any of the formats of format.go. Splits without a file of
// their own are drawn from the first one: of its different prompts a quarter each for validation and test, or a third where
// one of the two has its own file. All records of one prompt, white space aside, are in one split. Records that say the same
// are one.
type Records struct {
	File       pipeline.File `hcl:"file" doc:"JSON Lines, an object a line, or Parquet, told apart by content; CSV or TSV if format says so; plain or compressed by gzip, zstd or xz; UTF-8, unless invalid_utf8 replaces"`
	Validation pipeline.File `hcl:"validation_file,optional" doc:"likewise: the validation examples, all of them"`
	Test       pipeline.File `hcl:"test_file,optional" doc:"likewise: the test examples, all of them"`
	Prompt     string        `hcl:"prompt,optional" doc:"what becomes {prompt} of the template, with {column} for a column's value: \"{question}\\n{options}\""`
	Response   string        `hcl:"response,optional" doc:"what becomes {response} of the template, likewise"`
	Answer     string        `hcl:"answer,optional" doc:"what the template must find as the answer, likewise; left out, what it finds is the answer"`
}

// column is a column's name in braces.
var column = regexp.MustCompile(`\{([^{}]+)\}`)

// Check tells whether prompts and responses have something of the records in them.
func (r *Records) Check() error {
	var errs []error
	for _, a := range []struct{ name, text string }{{"prompt", r.Prompt}, {"response", r.Response}, {"answer", r.Answer}} {
		if a.name == "answer" && a.text == "" {
			continue
		}
		if !column.MatchString(a.text) {
			errs = append(errs, pipeline.Errorf(a.name, "must name a column in braces, such as {question}, is %q", a.text))
		}
	}
	for _, f := range []struct {
		name        string
		file, other pipeline.File
	}{{"validation_file", r.Validation, r.File}, {"test_file", r.Test, r.File}, {"test_file", r.Test, r.Validation}} {
		if f.file != (pipeline.File{}) && f.file == f.other {
			errs = append(errs, pipeline.Errorf(f.name, "must be another file, is %q again; left out, its split is drawn from file", f.file.Name))
		}
	}
	return errors.Join(errs...)
}

// columns returns the names of the columns that are read.
func (r *Records) columns() []string {
	names := map[string]bool{}
	for _, m := range column.FindAllStringSubmatch(r.Prompt+r.Response+r.Answer, -1) {
		names[m[1]] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// asked is all that a file has on one prompt.
type asked struct {
	prompt   string // its words, white space aside
	place    place  // of the first record
	problems []problem
}

// runRecords reads the files and divides them.
func (d *Dataset) runRecords(ctx context.Context, t *pipeline.Task) error {
	files := []struct {
		field string
		file  pipeline.File
	}{{"records.file", d.Records.File}, {"records.validation_file", d.Records.Validation}, {"records.test_file", d.Records.Test}}
	var held [3][]asked // by split; the first is to be divided
	for i, f := range files {
		if f.file == (pipeline.File{}) {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var err error
		if held[i], err = d.readRecords(ctx, t, t.File(f.file)); err != nil {
			return pipeline.Errorf(f.field, "names %s %q, which %s", f.file.Source, f.file.Name, err)
		}
		for j := range i {
			if err := apart(held[i], held[j], files[j].field); err != nil {
				return pipeline.Errorf(f.field, "names %s %q, of which %s", f.file.Source, f.file.Name, err)
			}
		}
	}
	parts, err := divide(held, d.Examples, d.Seed)
	if err != nil {
		return err
	}
	return d.writeExamples(t, parts)
}

// apart tells whether no prompt is in both files. The error completes a sentence that starts with the first.
func apart(file, other []asked, field string) error {
	places := map[string]place{}
	for _, a := range other {
		places[a.prompt] = a.place
	}
	var both []string
	for _, a := range file {
		if place, ok := places[a.prompt]; ok {
			both = append(both, fmt.Sprintf("%s has the prompt of %s of %s", a.place, place, field))
		}
	}
	switch len(both) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s: no prompt may be in two splits, so take it out of one of the files", both[0])
	}
	return fmt.Errorf("%s, and %d more are in both: no prompt may be in two splits, so take them out of one of the files", both[0], len(both)-1)
}

// divide makes the splits: those held that have records of their own, and the others of the first, of which at most
// examples are taken, if that is not 0.
func divide(held [3][]asked, examples int, seed int64) (parts [3][]problem, err error) {
	pool := shuffle(held[0], seed, "problem")
	if examples > 0 {
		pool = atMost(pool, examples)
	}
	records := 0
	for _, a := range pool {
		records += len(a.problems)
	}
	prompts, shares := len(pool), 2
	for i := 1; i < len(held); i++ {
		if held[i] == nil {
			shares++
		}
	}
	for i := len(held) - 1; i > 0; i-- {
		for _, a := range held[i] {
			parts[i] = append(parts[i], a.problems...)
		}
		for held[i] == nil && len(parts[i]) < records/shares && len(pool) > 0 {
			parts[i] = append(parts[i], pool[0].problems...)
			pool = pool[1:]
		}
	}
	for _, a := range pool {
		parts[0] = append(parts[0], a.problems...)
	}
	for i, split := range splits {
		if len(parts[i]) == 0 {
			return parts, pipeline.Errorf("records.file", "leaves no example for %s: %d records with %d different prompts are too few to divide", split, records, prompts)
		}
		parts[i] = shuffle(parts[i], seed, "order", uint64(i))
	}
	return parts, nil
}

// atMost returns the first of a pool, with so many problems together.
func atMost(pool []asked, problems int) []asked {
	for i := range pool {
		n := len(pool[i].problems)
		if n >= problems {
			pool[i].problems = pool[i].problems[:problems]
			return pool[:i+1]
		}
		problems -= n
	}
	return pool
}

// readRecords reads a file into problems, by prompt. It tells log of records that say the same, and of those that do not
// agree. The error completes a sentence that starts with the file's name.
func (d *Dataset) readRecords(ctx context.Context, t *pipeline.Task, path string) ([]asked, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, errors.New("is a folder: name one of its files")
	}
	u, err := unpack(ctx, path)
	if err != nil {
		return nil, err
	}
	defer u.Close()
	f := files{d.Format, d.InvalidUTF8, filepath.Dir(t.Output(splits[0]))}
	format, _, err := f.detect(u)
	if err != nil {
		return nil, err
	}
	if format == formatText {
		format = formatJSONL // which says at which line it is none
	}
	var all []asked
	index := map[string]int{}
	records, same, differ, replaced := 0, 0, 0, int64(0)
	columns := d.Records.columns()
	for r, err := range f.rows(u, format, columns) {
		if err != nil {
			return nil, err
		}
		records++
		replaced += r.replaced
		p, err := d.problemOf(columns, r.values)
		if err != nil {
			return nil, fmt.Errorf("in %s %w", r.place, err)
		}
		words := strings.Join(strings.Fields(p.prompt), " ")
		i, ok := index[words]
		if !ok {
			i = len(all)
			index[words] = i
			all = append(all, asked{prompt: words, place: r.place})
		}
		a := &all[i]
		if slices.Contains(a.problems, p) {
			same++
			continue
		}
		if len(a.problems) > 0 && a.problems[0].answer != p.answer {
			differ++
			fmt.Fprintf(t.Log, "%s: the prompt of %s has another answer, %q, not %q\n", r.place, a.place, p.answer, a.problems[0].answer)
		}
		a.problems = append(a.problems, p)
	}
	if records == 0 {
		return nil, errors.New("has no records")
	}
	if replaced > 0 {
		fmt.Fprintf(t.Log, "%d bytes are no UTF-8, and each was replaced by U+FFFD\n", replaced)
	}
	fmt.Fprintf(t.Log, "%d records with %d different prompts; %d say what one before says, and were left out; %d answer otherwise than one before\n",
		records, len(all), same, differ)
	return all, nil
}

// problemOf makes the problem of a record, of the values of columns, without white space around its texts. The error completes a sentence that starts with the record's place.
func (d *Dataset) problemOf(columns, values []string) (p problem, err error) {
	fill := func(name, text string) string {
		blank := true
		filled := column.ReplaceAllStringFunc(text, func(c string) string {
			value := values[slices.Index(columns, c[1:len(c)-1])]
			blank = blank && strings.TrimSpace(value) == ""
			return value
		})
		if blank && err == nil {
			err = fmt.Errorf("has an empty %s: every column of %q is blank", name, text)
		}
		return strings.TrimSpace(filled)
	}
	p.prompt = fill("prompt", d.Records.Prompt)
	p.response = fill("response", d.Records.Response)
	if d.Records.Answer != "" {
		p.answer = fill("answer", d.Records.Answer)
	}
	if err != nil {
		return p, err
	}
	e := d.Template.lay(p)
	if i := strings.Index(e.Response, e.Stop); i+len(e.Stop) < len(e.Response) {
		return p, fmt.Errorf("has the stop string %q within its response, %s: choose another in template.stop", e.Stop, excerpt(e.Response[:i+len(e.Stop)]))
	}
	found := artifacts.ExtractAnswer(e.Extract, e.Response, e.Stop)
	switch {
	case found == "":
		return p, fmt.Errorf("has no answer: by the rule %q there is none in its response, %s", e.Extract, excerpt(e.Response))
	case d.Records.Answer != "" && found != p.answer:
		return p, fmt.Errorf("has the answer %q, but by the rule %q it is %q in its response, %s", p.answer, e.Extract, found, excerpt(e.Response))
	}
	p.answer = found
	return p, nil
}

// excerpt quotes a text's end, which is where answers are.
func excerpt(text string) string {
	const most = 60
	if len(text) <= most {
		return fmt.Sprintf("%q", text)
	}
	from := len(text) - most
	for !utf8.RuneStart(text[from]) {
		from++
	}
	return fmt.Sprintf("which ends with %q", text[from:])
}
