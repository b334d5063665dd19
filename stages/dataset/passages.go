package dataset

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Passages asks which source a passage comes from. Sources are named by letters, in the order of the text's list of
// sources, and are equally frequent in each split. Passages for training are cut from one text; those for validation and
// test from the other, so that they are of no text that a model pretrained on the first has seen. No two passages
// overlap, and none has the words of another.
type Passages struct {
	Train pipeline.Ref `hcl:"train" artifact:"text" doc:"what training passages are cut from"`
	Test  pipeline.Ref `hcl:"test" artifact:"text" doc:"what validation and test passages are cut from: text that no model was trained on"`
	Bytes int          `hcl:"bytes,optional" doc:"of a passage, at least 4; a character is never cut, so it may have up to 3 less"`
}

// maxClasses is the number of letters to name classes by.
const maxClasses = 26

// Check tells whether passages can be cut.
func (p *Passages) Check() error {
	var errs []error
	if p.Bytes < utf8.UTFMax {
		errs = append(errs, pipeline.Errorf("bytes", "must be at least %d, the bytes of the longest character, is %d", utf8.UTFMax, p.Bytes))
	}
	if p.Train == p.Test {
		errs = append(errs, pipeline.Errorf("test", "must be another text than train, such as its validation text"))
	}
	return errors.Join(errs...)
}

// runPassages cuts passages and writes them as examples and for probes.
func (d *Dataset) runPassages(_ context.Context, t *pipeline.Task) error {
	train, err := artifacts.ReadText(t.Input(d.Passages.Train).Path)
	if err != nil {
		return err
	}
	test, err := artifacts.ReadText(t.Input(d.Passages.Test).Path)
	if err != nil {
		return err
	}
	parts, err := attribute(train, test, d.Passages.Bytes, d.Examples, d.Seed)
	if err != nil {
		return err
	}
	var probe []artifacts.Passage
	for i, split := range splits {
		for _, p := range parts[i] {
			probe = append(probe, artifacts.Passage{Text: p.prompt, Label: *p.label, Split: split})
		}
	}
	if err := artifacts.WritePassages(t.Output("probe"), probe); err != nil {
		return err
	}
	return d.writeExamples(t, parts)
}

// attribute chooses the passages of each split.
func attribute(train, test []artifacts.Block, bytes, examples int, seed int64) (parts [3][]problem, err error) {
	sources := sourcesOf(train)
	if err := checkSources(sources, sourcesOf(test)); err != nil {
		return parts, err
	}
	fromTrain, fromTest := distinct(cut(train, bytes), cut(test, bytes))
	need := counts(examples)
	for i := range need {
		need[i] /= len(sources)
	}
	if need[1] == 0 {
		return parts, pipeline.Errorf("examples", "must be at least %d, for an example of each of the %d sources in every split, is %d", minExamples*len(sources), len(sources), examples)
	}
	most := examples
	for _, s := range sources {
		most = min(most, 2*len(sources)*len(fromTrain[s]), 4*len(sources)*(len(fromTest[s])/2))
	}
	for class, s := range sources {
		seen := shuffle(fromTrain[s], seed, "train", uint64(class))
		unseen := shuffle(fromTest[s], seed, "test", uint64(class))
		if len(seen) < need[0] || len(unseen) < need[1]+need[2] {
			return parts, pipeline.Errorf("examples", "must be at most %d, is %d: source %d has %d different passages of %d bytes in passages.train and %d in passages.test, of %d and %d needed",
				most, examples, s, len(seen), bytes, len(unseen), need[0], need[1]+need[2])
		}
		for i, texts := range [3][]string{seen[:need[0]], unseen[:need[1]], unseen[need[1]:][:need[2]]} {
			for _, text := range texts {
				parts[i] = append(parts[i], passage(text, class))
			}
		}
	}
	for i := range parts {
		parts[i] = shuffle(parts[i], seed, "order", uint64(i))
	}
	return parts, nil
}

func passage(text string, class int) problem {
	label := int64(class)
	letter := string(rune('A' + class))
	return problem{prompt: text, response: letter, answer: letter, label: &label}
}

// sourcesOf returns the sources that blocks come from, in order.
func sourcesOf(blocks []artifacts.Block) []int64 {
	found := map[int64]bool{}
	for _, b := range blocks {
		found[b.Source] = true
	}
	return slices.Sorted(maps.Keys(found))
}

func checkSources(train, test []int64) error {
	switch {
	case len(train) < 2:
		return pipeline.Errorf("passages.train", "has text of %d source; to tell sources apart takes at least 2", len(train))
	case len(train) > maxClasses:
		return pipeline.Errorf("passages.train", "has text of %d sources; there are letters for %d", len(train), maxClasses)
	case !slices.Equal(train, test):
		return pipeline.Errorf("passages.test", "has text of sources %d where passages.train has text of sources %d", test, train)
	}
	return nil
}

// window is a passage and its source.
type window struct {
	source int64
	text   string
}

// cut divides blocks into passages side by side, up to bytes each, and leaves out what is shorter at the end of each
// stretch of text and what is blank.
func cut(blocks []artifacts.Block, bytes int) []window {
	var windows []window
	for _, stretch := range artifacts.Join(blocks) {
		for text := stretch.Text; len(text) >= bytes; {
			end := bytes
			for end < len(text) && !utf8.RuneStart(text[end]) {
				end--
			}
			if strings.TrimSpace(text[:end]) != "" {
				windows = append(windows, window{stretch.Source, text[:end]})
			}
			text = text[end:]
		}
	}
	return windows
}

// distinct returns the passages by source, without any whose words, white space aside, an earlier one has: those of the
// training text come first. Words that two sources have belong to neither.
func distinct(train, test []window) (fromTrain, fromTest map[int64][]string) {
	words := func(w window) string { return strings.Join(strings.Fields(w.text), " ") }
	owner := map[string]int64{}
	taken := map[string]bool{}
	for _, w := range slices.Concat(train, test) {
		text := words(w)
		if s, ok := owner[text]; ok && s != w.source {
			taken[text] = true
		}
		owner[text] = w.source
	}
	pick := func(windows []window) map[int64][]string {
		picked := map[int64][]string{}
		for _, w := range windows {
			if text := words(w); !taken[text] {
				taken[text] = true
				picked[w.source] = append(picked[w.source], w.text)
			}
		}
		return picked
	}
	return pick(train), pick(test)
}
