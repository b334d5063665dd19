package dataset

import (
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"anneal/artifacts"
)

// tasks are settings whose problems share no answer's computation with the code under test: solve works from the
// prompt alone.
var tasks = []struct {
	name   string
	groups []group
	solve  func(prompt string) string
}{
	{"addition", (&Addition{Digits: []int{1, 2}}).groups(), add},
	{"long addition", (&Addition{Digits: []int{3, 9}}).groups(), add},
	{"one digit", (&Addition{Digits: []int{1, 1}}).groups(), add},
	{"sorting", (&Sorting{Letters: []int{5, 5}}).groups(), order},
	{"short words", (&Sorting{Letters: []int{1, 3}}).groups(), order},
	{"long words", (&Sorting{Letters: []int{12, 12}}).groups(), order},
}

func add(prompt string) string {
	x, y, _ := strings.Cut(strings.TrimPrefix(prompt, "add "), "+")
	a, _ := new(big.Int).SetString(x, 10)
	b, _ := new(big.Int).SetString(y, 10)
	return a.Add(a, b).String()
}

func order(prompt string) string {
	var sorted string
	for c := 'a'; c <= 'z'; c++ {
		sorted += strings.Repeat(string(c), strings.Count(strings.TrimPrefix(prompt, "sort "), string(c)))
	}
	return sorted
}

// available is the number of problems, at most limit.
func available(groups []group, limit uint64) int {
	var n uint64
	for _, g := range groups {
		n += g.size
	}
	return int(min(n, limit))
}

func TestProblemsAreDistinctAndSolved(t *testing.T) {
	for _, task := range tasks {
		n := available(task.groups, 3000)
		seen := map[string]bool{}
		for _, p := range generate(task.groups, n, 11) {
			key := p.prompt
			if x, y, ok := strings.Cut(strings.TrimPrefix(p.prompt, "add "), "+"); ok {
				key = min(x+"+"+y, y+"+"+x) // terms exchanged are the same problem
			}
			if seen[key] {
				t.Errorf("%s: %q stands twice", task.name, p.prompt)
			}
			seen[key] = true
			if want := task.solve(p.prompt); p.answer != want {
				t.Errorf("%s: %q has answer %q, want %q", task.name, p.prompt, p.answer, want)
			}
			if got := p.response[strings.LastIndexByte(p.response, '\n')+1:]; got != p.answer {
				t.Errorf("%s: %q ends with %q, not the answer %q", task.name, p.response, got, p.answer)
			}
		}
		if len(seen) != n {
			t.Errorf("%s: %d different problems of %d", task.name, len(seen), n)
		}
	}
}

func TestEveryProblemIsReached(t *testing.T) {
	for _, task := range []struct {
		groups []group
		want   int
	}{
		{(&Addition{Digits: []int{1, 1}}).groups(), 55},
		{(&Addition{Digits: []int{1, 2}}).groups(), 55 + 900 + 4095},
		{(&Addition{Digits: []int{2, 2}}).groups(), 4095},
		{(&Sorting{Letters: []int{1, 2}}).groups(), 10 + 100},
	} {
		if got := available(task.groups, 1<<40); got != task.want {
			t.Errorf("%d problems, want %d", got, task.want)
		}
		seen := map[string]bool{}
		for _, p := range generate(task.groups, task.want, 3) {
			seen[p.prompt] = true
		}
		if len(seen) != task.want {
			t.Errorf("%d different problems, want %d", len(seen), task.want)
		}
	}
}

func TestSeeds(t *testing.T) {
	for _, task := range tasks {
		n := available(task.groups, 50)
		one, again, two := generate(task.groups, n, 1), generate(task.groups, n, 1), generate(task.groups, n, 2)
		if !reflect.DeepEqual(one, again) {
			t.Errorf("%s: equal seeds give different problems", task.name)
		}
		if reflect.DeepEqual(one, two) {
			t.Errorf("%s: different seeds give equal problems", task.name)
		}
	}
}

// TestWork checks each line of an addition's response against the digits it is about.
func TestWork(t *testing.T) {
	for _, p := range generate((&Addition{Digits: []int{1, 4}}).groups(), 2000, 5) {
		x, y, _ := strings.Cut(strings.TrimPrefix(p.prompt, "add "), "+")
		lines := strings.Split(p.response, "\n")
		if len(lines) != max(len(x), len(y))+1 {
			t.Fatalf("%q is worked out in %q", p.prompt, p.response)
		}
		digit := func(number string, place int) int {
			if place >= len(number) {
				return 0
			}
			return int(number[len(number)-1-place] - '0')
		}
		carry, digits := 0, ""
		for place, line := range lines[:len(lines)-1] {
			work, result, _ := strings.Cut(line, "=")
			terms := strings.Split(work, "+")
			total := 0
			for i, want := range []int{digit(x, place), digit(y, place), carry} {
				if i == 2 && carry == 0 {
					continue
				}
				if i >= len(terms) || terms[i] != strconv.Itoa(want) {
					t.Fatalf("%q is worked out in %q: place %d", p.prompt, p.response, place)
				}
				total += want
			}
			if result != strconv.Itoa(total) {
				t.Fatalf("%q is worked out in %q: %s", p.prompt, p.response, line)
			}
			digits, carry = strconv.Itoa(total%10)+digits, total/10
		}
		if carry > 0 {
			digits = strconv.Itoa(carry) + digits
		}
		if digits != p.answer {
			t.Fatalf("%q is worked out in %q", p.prompt, p.response)
		}
	}
}

func TestWorkedExamples(t *testing.T) {
	for _, c := range []struct {
		x, y             uint64
		prompt, response string
	}{
		{47, 85, "add 47+85", "7+5=12\n4+8+1=13\n132"},
		{0, 0, "add 0+0", "0+0=0\n0"},
		{7, 95, "add 7+95", "7+5=12\n0+9+1=10\n102"},
		{100, 0, "add 100+0", "0+0=0\n0+0=0\n1+0=1\n100"},
	} {
		if p := sum(c.x, c.y, 0); p.prompt != c.prompt || p.response != c.response {
			t.Errorf("%q is worked out in %q, want %q in %q", p.prompt, p.response, c.prompt, c.response)
		}
	}
	if p := sum(1, 2, 1); p.prompt != "add 2+1" {
		t.Errorf("terms are not exchanged: %q", p.prompt)
	}
}

func TestTriangle(t *testing.T) {
	index := uint64(0)
	for y := uint64(0); y < 300; y++ {
		for x := uint64(0); x <= y; x++ {
			if a, b := triangle(index); a != x || b != y {
				t.Fatalf("pair %d is (%d, %d), want (%d, %d)", index, a, b, x, y)
			}
			index++
		}
	}
	for _, n := range []uint64{9e8, 9e8 - 1} {
		if a, b := triangle(n*(n+1)/2 - 1); a != n-1 || b != n-1 {
			t.Errorf("the last pair of %d numbers is (%d, %d)", n, a, b)
		}
	}
}

func TestShares(t *testing.T) {
	for _, c := range []struct {
		sizes []uint64
		n     int
		want  []int
	}{
		{[]uint64{100}, 7, []int{7}},
		{[]uint64{100, 100}, 7, []int{4, 3}},
		{[]uint64{2, 100, 100}, 20, []int{2, 9, 9}},
		{[]uint64{100, 1, 5, 100}, 30, []int{12, 1, 5, 12}},
		{[]uint64{3, 4}, 7, []int{3, 4}},
		{[]uint64{1 << 62, 1}, 5, []int{4, 1}},
		{[]uint64{9, 9, 9}, 2, []int{1, 1, 0}},
	} {
		groups := make([]group, len(c.sizes))
		for i, s := range c.sizes {
			groups[i].size = s
		}
		if got := shares(groups, c.n); !slices.Equal(got, c.want) {
			t.Errorf("of %d, groups of %v get %v, want %v", c.n, c.sizes, got, c.want)
		}
	}
}

func TestLengthsAreBalanced(t *testing.T) {
	count := map[int]int{}
	for _, p := range generate((&Sorting{Letters: []int{3, 6}}).groups(), 400, 1) {
		count[len(p.answer)]++
	}
	if want := map[int]int{3: 100, 4: 100, 5: 100, 6: 100}; !reflect.DeepEqual(count, want) {
		t.Errorf("words by length: %v, want %v", count, want)
	}
}

func TestTemplates(t *testing.T) {
	p := problem{prompt: "a{response}b", response: "1\n2", answer: "2"}
	template := defaultTemplate()
	e, err := template.fill(p)
	want := artifacts.Example{Prompt: "a{response}b\n", Response: "1\n2\n\n", Answer: "2", Stop: "\n\n", Extract: "last_line"}
	if err != nil || !reflect.DeepEqual(e, want) {
		t.Errorf("example %+v, %v, want %+v", e, err, want)
	}
	for _, c := range []struct {
		change func(*Template)
		want   string
	}{
		{func(t *Template) {}, ""},
		{func(t *Template) {
			t.Prompt = "Q: {prompt}\nA:"
			t.Response = " {response}</s>"
			t.Stop = []string{"</s>"}
		}, ""},
		{func(t *Template) { t.Prompt = "{problem}" }, "prompt: must contain"},
		{func(t *Template) { t.Response = "\n\n" }, "response: must contain"},
		{func(t *Template) { t.Response = "{response}" }, "response: must end with"},
		{func(t *Template) { t.Stop = nil }, "stop: must be"},
		{func(t *Template) { t.Stop = []string{""} }, "stop: must be"},
		{func(t *Template) { t.Stop = []string{"\n\n", "x"} }, "stop: must be"},
	} {
		template := defaultTemplate()
		c.change(&template)
		err := template.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v gives error %v, want %q", template, err, c.want)
		}
		if err == nil {
			if _, err := template.fill(p); err != nil {
				t.Errorf("%+v cannot be filled: %v", template, err)
			}
		}
	}
	for _, change := range []func(*Template){
		func(t *Template) { t.Answer = "all" },                                    // the work is no part of the answer
		func(t *Template) { t.Response, t.Stop = "{response}\n", []string{"\n"} }, // the work ends the response
	} {
		template := defaultTemplate()
		change(&template)
		if _, err := template.fill(p); err == nil || !strings.HasPrefix(err.Error(), "template: hides an answer") {
			t.Errorf("%+v gives error %v", template, err)
		}
	}
}
