package dataset

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"anneal/artifacts"
)

// library returns the training and the validation text of n sources.
func library(n int) (train, validation []artifacts.Block) {
	s := Split{Unit: "block", Size: 200, Validation: 0.3, Seed: 1}
	for i := range n {
		kept, held := divided(s, document{source: i, alone: true, text: textOfString(fmt.Sprint("source ", i, "\n\n", prose(30000+i)))})
		train, validation = append(train, kept...), append(validation, held...)
	}
	return train, validation
}

func TestPassages(t *testing.T) {
	train, validation := library(3)
	const bytes, examples = 56, 400
	parts, err := attribute(train, validation, bytes, examples, 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for i, split := range splits {
		blocks := train
		if i > 0 {
			blocks = validation
		}
		classes := map[int64]int{}
		for _, p := range parts[i] {
			if *p.label < 0 || *p.label > 2 || p.answer != string("ABC"[*p.label]) || p.response != p.answer {
				t.Fatalf("passage of class %d has answer %q in %q", *p.label, p.answer, p.response)
			}
			classes[*p.label]++
			if before, ok := seen[p.prompt]; ok {
				t.Errorf("%q is in %s and in %s", p.prompt, before, split)
			}
			seen[p.prompt] = split
			if len(p.prompt) > bytes || len(p.prompt) < bytes-3 || !utf8.ValidString(p.prompt) {
				t.Errorf("passage %q of %d bytes", p.prompt, len(p.prompt))
			}
			found := false
			for _, b := range artifacts.Join(blocks) {
				found = found || b.Source == *p.label && strings.Contains(b.Text, p.prompt)
			}
			if !found {
				t.Errorf("%s: %q is not in the text of source %d", split, p.prompt, *p.label)
			}
		}
		n := counts(examples)[i] / 3
		if want := map[int64]int{0: n, 1: n, 2: n}; !reflect.DeepEqual(classes, want) {
			t.Errorf("%s: classes %v, want %v", split, classes, want)
		}
	}
	again, _ := attribute(train, validation, bytes, examples, 1)
	other, _ := attribute(train, validation, bytes, examples, 2)
	if !reflect.DeepEqual(parts, again) {
		t.Error("equal seeds give different passages")
	}
	if reflect.DeepEqual(parts, other) {
		t.Error("different seeds give equal passages")
	}
}

func TestPassagesOfTwoSourcesBelongToNone(t *testing.T) {
	block := func(source int64, text string) artifacts.Block { return artifacts.Block{Source: source, Text: text} }
	train, test := distinct(
		cut([]artifacts.Block{block(0, "mine"), block(0, "both"), block(0, "mine"), block(1, "both"), block(1, "your"), block(1, "    ")}, 4),
		cut([]artifacts.Block{block(0, "new "), block(0, "mine"), block(1, " new"), block(1, "your"), block(1, "next"), block(1, "cut")}, 4),
	)
	if want := map[int64][]string{0: {"mine"}, 1: {"your"}}; !reflect.DeepEqual(train, want) {
		t.Errorf("for training %v, want %v", train, want)
	}
	if want := map[int64][]string{1: {"next"}}; !reflect.DeepEqual(test, want) {
		t.Errorf("for test %v, want %v", test, want)
	}
}

func TestPassagesThatCannotBeHad(t *testing.T) {
	train, validation := library(2)
	one := func(blocks []artifacts.Block) []artifacts.Block { return blocks[:3] }
	for _, c := range []struct {
		train, validation []artifacts.Block
		examples          int
		want              string
	}{
		{train, validation, 100000, "examples: must be at most "},
		{train, validation, 7, "examples: must be at least 8, "},
		{one(train), one(validation), 100, "passages.train: has text of 1 source"},
		{train, one(validation), 100, "passages.test: has text of sources [0] where"},
	} {
		_, err := attribute(c.train, c.validation, 56, c.examples, 1)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
		var most int
		if _, scanErr := fmt.Sscanf(fmt.Sprint(err), "examples: must be at most %d,", &most); scanErr == nil {
			if _, err := attribute(c.train, c.validation, 56, most, 1); err != nil {
				t.Errorf("the %d examples offered are refused: %v", most, err)
			}
		}
	}
}
