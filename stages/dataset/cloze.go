package dataset

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Cloze asks for the last word of a sentence, by its letter among several:
//
//	rays of light are most _
//	A moved B asked C fixed
//
// The others end other sentences of the same text, and have as many bytes. Each letter is equally often right in each split.
// Sentences for training are of one text, those for validation and test of the other, so that a model pretrained on the
// first has seen none of them. No two examples ask about the same words.
type Cloze struct {
	Train   pipeline.Ref `hcl:"train" artifact:"text" doc:"what training sentences are from"`
	Test    pipeline.Ref `hcl:"test" artifact:"text" doc:"what validation and test sentences are from: text that no model was trained on"`
	Bytes   int          `hcl:"bytes,optional" doc:"of a problem at most, its choices among them; a sentence is asked about with as many of its last words as fit"`
	Choices int          `hcl:"choices,optional" doc:"how many words to choose from, within 2 and 26"`
}

// Words of a sentence: those asked for have at least so many letters, and stand behind at least so many others.
const (
	minWord    = 3
	minContext = 3
)

// Check tells whether there can be such problems.
func (c *Cloze) Check() error {
	var errs []error
	if c.Choices < 2 || c.Choices > maxClasses {
		errs = append(errs, pipeline.Errorf("choices", "must lie within 2 and %d, the number of letters to name them by, is %d", maxClasses, c.Choices))
	}
	if c.Bytes < 1 {
		errs = append(errs, pipeline.Errorf("bytes", "must be at least 1, is %d", c.Bytes))
	}
	if c.Train == c.Test {
		errs = append(errs, pipeline.Errorf("test", "must be another text than train, such as its validation text"))
	}
	return errors.Join(errs...)
}

// runCloze finds sentences and writes them as examples.
func (d *Dataset) runCloze(_ context.Context, t *pipeline.Task) error {
	train, err := artifacts.ReadText(t.Input(d.Cloze.Train).Path)
	if err != nil {
		return err
	}
	test, err := artifacts.ReadText(t.Input(d.Cloze.Test).Path)
	if err != nil {
		return err
	}
	parts, err := d.Cloze.ask(train, test, d.Examples, d.Seed)
	if err != nil {
		return err
	}
	return d.writeExamples(t, parts)
}

// ask chooses the sentences of each split and makes problems of them.
func (c *Cloze) ask(train, test []artifacts.Block, examples int, seed int64) (parts [3][]problem, err error) {
	taken := map[string]bool{}
	seen := shuffle(c.sentences(train, taken), seed, "train")
	unseen := shuffle(c.sentences(test, taken), seed, "test")
	need := counts(examples)
	for i := range need {
		need[i] -= need[i] % c.Choices
	}
	if need[1] == 0 {
		return parts, pipeline.Errorf("examples", "must be at least %d, for each of the %d letters to be right in every split, is %d", minExamples*c.Choices, c.Choices, examples)
	}
	if len(seen) < need[0] || len(unseen) < need[1]+need[2] {
		return parts, pipeline.Errorf("examples", "must be at most %d, is %d: cloze.train has %d sentences to ask about in %d bytes and cloze.test %d, of %d and %d needed",
			4*(min(len(seen), len(unseen))/2), examples, len(seen), c.Bytes, len(unseen), need[0], need[1]+need[2])
	}
	known, unknown := lastWords(seen), lastWords(unseen)
	for i, sentences := range [3][]sentence{seen[:need[0]], unseen[:need[1]], unseen[need[1]:][:need[2]]} {
		words := known
		if i > 0 {
			words = unknown
		}
		for j, s := range sentences {
			parts[i] = append(parts[i], c.problem(s, words[len(s.last)], j%c.Choices, draw(seed, "choices", uint64(i), uint64(j))))
		}
		parts[i] = shuffle(parts[i], seed, "order", uint64(i))
	}
	return parts, nil
}

// sentence is the end of one: its last word, and what is shown of those before.
type sentence struct{ context, last string }

// sentenceEnd is what stands between sentences.
var sentenceEnd = regexp.MustCompile(`[.!?]["'”’)\]]*\s+`)

// sentences returns those that can be asked about and whose words are not taken, which they then are: they lie within a
// stretch of text, and their last word has nothing but small letters, is long enough, and is one of enough different
// words of its length.
func (c *Cloze) sentences(blocks []artifacts.Block, taken map[string]bool) []sentence {
	var found []sentence
	words := map[int]map[string]bool{}
	for _, stretch := range artifacts.Join(blocks) {
		pieces := sentenceEnd.Split(stretch.Text, -1)
		for _, piece := range pieces[min(1, len(pieces)-1) : len(pieces)-1] { // the first may have begun, and the last may go on, elsewhere
			s, ok := c.cut(strings.Fields(piece))
			if !ok || taken[s.context] {
				continue
			}
			taken[s.context] = true
			found = append(found, s)
			if words[len(s.last)] == nil {
				words[len(s.last)] = map[string]bool{}
			}
			words[len(s.last)][s.last] = true
		}
	}
	return slices.DeleteFunc(found, func(s sentence) bool { return len(words[len(s.last)]) < c.Choices })
}

// cut takes a sentence's last word and as many of those before as fit beside the choices.
func (c *Cloze) cut(words []string) (sentence, bool) {
	if len(words) == 0 {
		return sentence{}, false
	}
	last := words[len(words)-1]
	if utf8.RuneCountInString(last) < minWord || strings.ContainsFunc(last, func(r rune) bool { return !unicode.IsLower(r) }) {
		return sentence{}, false
	}
	room := c.Bytes - len(" _") - c.Choices*len("\nA "+last)
	from := len(words) - 1
	for from > 0 && room >= len(words[from-1]) {
		from--
		room -= len(words[from]) + len(" ")
	}
	if len(words)-1-from < minContext {
		return sentence{}, false
	}
	return sentence{strings.Join(words[from:len(words)-1], " "), last}, true
}

// lastWords returns the last words of sentences by their bytes, each as often as it ends one.
func lastWords(sentences []sentence) map[int][]string {
	words := map[int][]string{}
	for _, s := range sentences {
		words[len(s.last)] = append(words[len(s.last)], s.last)
	}
	return words
}

// problem asks about a sentence whose last word has the place given among words drawn at random.
func (c *Cloze) problem(s sentence, words []string, place int, random uint64) problem {
	chosen := map[string]bool{s.last: true}
	order := permute(uint64(len(words)), int64(random), "words")
	choices := make([]string, c.Choices)
	next := uint64(0)
	for i := range choices {
		word := s.last
		if i != place {
			for chosen[word] {
				word = words[order.at(next)]
				next++
			}
			chosen[word] = true
		}
		choices[i] = string(rune('A'+i)) + " " + word
	}
	label, answer := int64(place), string(rune('A'+place))
	return problem{
		prompt:   fmt.Sprintf("%s _\n%s", s.context, strings.Join(choices, " ")),
		response: answer,
		answer:   answer,
		label:    &label,
	}
}
