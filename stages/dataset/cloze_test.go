package dataset

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
)

// stories returns the training and the validation text of two sources of n sentences each; each has a number of its own.
func stories(n int) (train, validation []artifacts.Block) {
	ends := []string{"light", "water", "glass", "prism", "red", "sky", "sea", "größer", "kleines", "x", "Paris", "1704"}
	s := Split{Unit: "block", Size: 300, Validation: 0.3, Seed: 1}
	for source := range 2 {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "In the year %d%d, as all of them say,\nit is seen in the %s.%s", source, i, ends[i%len(ends)], []string{" ", "\r\n\r\n"}[i%2])
		}
		kept, held := divided(s, document{source: source, alone: true, text: textOfString(text.String())})
		train, validation = append(train, kept...), append(validation, held...)
	}
	return train, validation
}

func TestCloze(t *testing.T) {
	train, validation := stories(2000)
	c := Cloze{Bytes: 80, Choices: 3}
	parts, err := c.ask(train, validation, 400, 1)
	if err != nil {
		t.Fatal(err)
	}
	texts := [3]string{plainText(train), plainText(validation), plainText(validation)}
	seen := map[string]bool{}
	for i, split := range splits {
		right := map[string]int{}
		for _, p := range parts[i] {
			context, choices, _ := strings.Cut(p.prompt, " _\n")
			if seen[context] {
				t.Errorf("%q is asked twice", context)
			}
			seen[context] = true
			fields := strings.Fields(choices)
			if len(fields) != 6 || fields[0]+fields[2]+fields[4] != "ABC" || len(p.prompt) > 80 || p.response != p.answer {
				t.Fatalf("%q is answered by %q", p.prompt, p.response)
			}
			words := []string{fields[1], fields[3], fields[5]}
			var fits []string
			for j, word := range words {
				if len(word) != len(words[0]) || len(word) < 3 || slices.Index(words, word) != j || word != strings.ToLower(word) {
					t.Errorf("choices %v", words)
				}
				if strings.Contains(texts[i], " "+context+" "+word+". ") {
					fits = append(fits, string("ABC"[j]))
				}
			}
			if !slices.Equal(fits, []string{p.answer}) || string("ABC"[*p.label]) != p.answer {
				t.Errorf("%s: of %q %v are in the text, and the answer is %s", split, p.prompt, fits, p.answer)
			}
			right[p.answer]++
		}
		n := counts(400)[i] / 3
		if want := map[string]int{"A": n, "B": n, "C": n}; !reflect.DeepEqual(right, want) {
			t.Errorf("%s: right answers are %v, want %v", split, right, want)
		}
	}
	again, _ := c.ask(train, validation, 400, 1)
	other, _ := c.ask(train, validation, 400, 2)
	if !reflect.DeepEqual(parts, again) || reflect.DeepEqual(parts, other) {
		t.Error("problems are not a function of the seed, or do not depend on it")
	}
}

// plainText joins blocks into one line.
func plainText(blocks []artifacts.Block) string {
	var all strings.Builder
	for _, b := range artifacts.Join(blocks) {
		all.WriteString(" " + b.Text + " ")
	}
	return strings.Join(strings.Fields(all.String()), " ") + " "
}

func TestClozeSentences(t *testing.T) {
	for _, c := range []struct {
		text string
		want []sentence
	}{
		{"Not begun here. All of the rays are bent. They go on", []sentence{{"All of the rays are", "bent"}}},
		{"x. “So are all of these,” he said.” And then it was late!\n\nSo. ", []sentence{{"“So are all of these,” he", "said"}, {"And then it was", "late"}}},
		{"x. It was made by Newton. It was then as red. So it is there? ", []sentence{{"It was then as", "red"}, {"So it is", "there"}}}, // a name
		{"x. Too few words. One two three. ", nil},
		{"x. One two three four five six seven eight nine ten words. ", []sentence{{"five six seven eight nine ten", "words"}}},
		{"x. The same red line is here. The same red line is seen. ", []sentence{{"The same red line is", "here"}}},
		{"no sentence at all", nil},
		{"", nil},
	} {
		cloze := Cloze{Bytes: 48, Choices: 2}
		blocks := []artifacts.Block{{Text: c.text}}
		for i, word := range []string{"them", "were", "cat", "dog", "other", "seven"} { // so that there are words of each length
			blocks = append(blocks, artifacts.Block{Source: int64(i + 1), Text: fmt.Sprintf("y. This is source %d with %s. ", i, word)})
		}
		found := cloze.sentences(blocks, map[string]bool{})
		if got := found[:len(found)-6]; !slices.Equal(got, c.want) {
			t.Errorf("%q has sentences %q, want %q", c.text, got, c.want)
		}
	}
}

func TestClozeThatCannotBeHad(t *testing.T) {
	train, validation := stories(300)
	for _, c := range []struct {
		bytes, examples int
		want            string
	}{
		{80, 100000, "examples: must be at most "},
		{80, 11, "examples: must be at least 12, "},
		{10, 400, "examples: must be at most 0, "},
	} {
		cloze := Cloze{Bytes: c.bytes, Choices: 3}
		_, err := cloze.ask(train, validation, c.examples, 1)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
		var most int
		if _, scanErr := fmt.Sscanf(fmt.Sprint(err), "examples: must be at most %d,", &most); scanErr == nil && most > 0 {
			if _, err := cloze.ask(train, validation, most, 1); err != nil {
				t.Errorf("the %d examples offered are refused: %v", most, err)
			}
		}
	}
}
