package dataset

import (
	"fmt"
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
	{"subtraction", (&Subtraction{Digits: []int{1, 2}}).groups(), subtract},
	{"long subtraction", (&Subtraction{Digits: []int{3, 9}}).groups(), subtract},
	{"multiplication", (&Multiplication{Digits: []int{1, 2}}).groups(), multiply},
	{"long multiplication", (&Multiplication{Digits: []int{1, 9}}).groups(), multiply},
	{"modular", (&Modular{Modulus: []int{5, 9}, Terms: []int{2, 4}}).groups(), reduce},
	{"long modular", (&Modular{Modulus: []int{2, 100}, Terms: []int{2, 8}}).groups(), reduce},
	{"reversing", (&Reversing{Letters: []int{3, 4}}).groups(), reverse},
	{"long reversing", (&Reversing{Letters: []int{1, 12}}).groups(), reverse},
	{"copying", (&Copying{Letters: []int{4, 6}, Gap: []int{2, 8}}).groups(), again},
	{"copying little", (&Copying{Letters: []int{1, 1}, Gap: []int{0, 30}}).groups(), again},
	{"assignments", (&Assignments{Hops: []int{2, 4}}).groups(), execute},
	{"many assignments", (&Assignments{Hops: []int{1, 12}}).groups(), execute},
	{"brackets", (&Brackets{Length: []int{6, 10}}).groups(), closeBrackets},
	{"few brackets", (&Brackets{Length: []int{1, 3}}).groups(), closeBrackets},
	{"many brackets", (&Brackets{Length: []int{29, 30}}).groups(), closeBrackets},
}

func reverse(prompt string) string {
	var reversed string
	for _, c := range strings.TrimPrefix(prompt, "reverse ") {
		reversed = string(c) + reversed
	}
	return reversed
}

func again(prompt string) string {
	return strings.TrimRight(strings.TrimPrefix(prompt, "copy "), ".")
}

// execute runs the statements in their order. A variable that has no value yet gives an answer that none has.
func execute(prompt string) string {
	values := map[string]string{}
	statements := strings.Split(prompt, ";")
	for _, s := range statements[:len(statements)-1] {
		variable, value, _ := strings.Cut(s, "=")
		if _, err := strconv.Atoi(value); err != nil {
			value = values[value]
		}
		if _, ok := values[variable]; ok || value == "" {
			return "a statement is wrong: " + s
		}
		values[variable] = value
	}
	return values[strings.TrimSuffix(statements[len(statements)-1], "?")]
}

// closeBrackets takes out pairs until none is left.
func closeBrackets(prompt string) string {
	open := strings.TrimPrefix(prompt, "close ")
	for range len(open) {
		open = strings.NewReplacer("()", "", "[]", "", "{}", "").Replace(open)
	}
	return reverse(strings.NewReplacer("(", ")", "[", "]", "{", "}").Replace(open))
}

func add(prompt string) string {
	x, y, _ := strings.Cut(strings.TrimPrefix(prompt, "add "), "+")
	a, _ := new(big.Int).SetString(x, 10)
	b, _ := new(big.Int).SetString(y, 10)
	return a.Add(a, b).String()
}

func subtract(prompt string) string {
	x, y, _ := strings.Cut(strings.TrimPrefix(prompt, "subtract "), "-")
	a, _ := new(big.Int).SetString(x, 10)
	b, _ := new(big.Int).SetString(y, 10)
	return a.Sub(a, b).String()
}

func multiply(prompt string) string {
	x, y, _ := strings.Cut(strings.TrimPrefix(prompt, "multiply "), "*")
	a, _ := new(big.Int).SetString(x, 10)
	b, _ := new(big.Int).SetString(y, 10)
	return a.Mul(a, b).String()
}

// reduce sums up what it can read of numbers with signs, and takes the sum modulo the number in front.
func reduce(prompt string) string {
	modulus, rest, _ := strings.Cut(strings.TrimPrefix(prompt, "mod "), ": ")
	m, _ := strconv.Atoi(modulus)
	total := 0
	for _, term := range strings.Fields(strings.NewReplacer("+", " +", "-", " -").Replace(rest)) {
		n, _ := strconv.Atoi(term)
		total += n
	}
	return strconv.Itoa((total%m + m) % m)
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
			for task, sign := range map[string]string{"add ": "+", "multiply ": "*"} { // terms exchanged are the same problem
				if terms, ok := strings.CutPrefix(p.prompt, task); ok {
					x, y, _ := strings.Cut(terms, sign)
					key = min(x+sign+y, y+sign+x)
				}
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
		{(&Subtraction{Digits: []int{1, 1}}).groups(), 55},
		{(&Modular{Modulus: []int{2, 3}, Terms: []int{2, 3}}).groups(), 2*2*2 + 2*2*2*2*2 + 3*3*2 + 3*3*3*2*2},
		{(&Reversing{Letters: []int{1, 2}}).groups(), 26 + 26*26},
		{(&Copying{Letters: []int{1, 2}, Gap: []int{3, 9}}).groups(), 26 + 26*26},
		{(&Assignments{Hops: []int{1, 1}}).groups(), 10 * 26 * 25},
		{(&Brackets{Length: []int{1, 4}}).groups(), 3 + 3*3 + (3*3*3 + 2*3*3) + (3*3*3*3 + 3*3*3*3)},
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

// TestEquations checks each line of working that says what something is.
func TestEquations(t *testing.T) {
	for _, groups := range [][]group{
		(&Addition{Digits: []int{1, 9}}).groups(),
		(&Subtraction{Digits: []int{1, 9}}).groups(),
		(&Multiplication{Digits: []int{1, 9}}).groups(),
	} {
		for _, p := range generate(groups, 2000, 7) {
			lines := strings.Split(p.response, "\n")
			for _, line := range lines[:len(lines)-1] {
				left, right, ok := strings.Cut(line, "=")
				if !ok { // the products of each digit, to be added
					right = p.answer
				}
				if got := evaluate(left); got != right {
					t.Fatalf("%q is worked out in %q: %s is %s", p.prompt, p.response, line, got)
				}
			}
		}
	}
}

// evaluate computes a sum or a difference, whose first term may be a product.
func evaluate(expression string) string {
	total := new(big.Int)
	for _, term := range strings.Fields(strings.NewReplacer("+", " +", "-", " -").Replace(expression)) {
		value := big.NewInt(1)
		for _, factor := range strings.Split(term, "*") {
			f, _ := new(big.Int).SetString(factor, 10)
			value.Mul(value, f)
		}
		total.Add(total, value)
	}
	return total.String()
}

// TestDefaultsFit holds the tasks' own settings to a context of 64 bytes, one token a byte.
func TestDefaultsFit(t *testing.T) {
	template := defaultTemplate()
	for _, v := range Kind.New().(*Dataset).variants() {
		g, ok := v.block.(generated)
		if !ok {
			continue
		}
		for _, p := range generate(g.groups(), 4000, 11) {
			if e, err := template.fill(p); err != nil || len(e.Prompt)+len(e.Response) > 64 {
				t.Fatalf("%s: %q and %q, %v", v.name, e.Prompt, e.Response, err)
			}
		}
	}
}

// TestDressing checks that what is drawn beside a problem's index makes no second problem of it: chains and words that
// are copied are told apart without distractors and gaps.
func TestDressing(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range generate((&Assignments{Hops: []int{1, 1}}).groups(), 6500, 1) {
		seen[p.response] = true
	}
	for _, p := range generate((&Copying{Letters: []int{2, 2}, Gap: []int{0, 9}}).groups(), 676, 1) {
		seen[p.response] = true
	}
	if len(seen) != 6500+676 {
		t.Errorf("%d different chains and words of %d", len(seen), 6500+676)
	}
}

// TestChains checks the work, and that the digit asked for is not the only one.
func TestChains(t *testing.T) {
	digits := map[string]int{}
	for _, p := range generate((&Assignments{Hops: []int{3, 3}}).groups(), 4000, 1) {
		work, answer, _ := strings.Cut(p.response, "\n")
		chain := strings.Split(work, "=")
		for i, variable := range chain {
			value := answer
			if i+1 < len(chain) {
				value = chain[i+1]
			}
			if !strings.Contains(";"+p.prompt, ";"+variable+"="+value+";") {
				t.Fatalf("%q is worked out in %q", p.prompt, p.response)
			}
		}
		if len(chain) != 4 || !strings.HasSuffix(p.prompt, ";"+chain[0]+"?") || strings.Count(p.prompt, "=") != 8 {
			t.Fatalf("%q is worked out in %q", p.prompt, p.response)
		}
		if strings.Count(p.prompt, "="+answer+";") != 1 || strings.IndexFunc(strings.ReplaceAll(p.prompt, answer, ""), func(r rune) bool { return r >= '0' && r <= '9' }) < 0 {
			t.Fatalf("%q gives its answer %s away", p.prompt, answer)
		}
		digits[answer]++
	}
	for digit, n := range digits {
		if n < 300 || n > 500 {
			t.Errorf("of 4000 answers %d are %s", n, digit)
		}
	}
}

func TestPlainExamples(t *testing.T) {
	for _, c := range []struct {
		groups           []group
		group            int
		index            uint64
		prompt, response string
	}{
		{(&Reversing{Letters: []int{3, 4}}).groups(), 1, 25 * 26, "reverse azaa", "aaza"},
		{(&Copying{Letters: []int{4, 6}, Gap: []int{2, 8}}).groups(), 0, 0, "copy aaaa..", "aaaa"},
		{(&Copying{Letters: []int{4, 6}, Gap: []int{2, 8}}).groups(), 20, 0, "copy gaaaaa........", "gaaaaa"},
		{(&Brackets{Length: []int{3, 3}}).groups(), 0, 0, "close (()", ")"},
		{(&Brackets{Length: []int{3, 3}}).groups(), 0, 9, "close ()(", ")"},
		{(&Brackets{Length: []int{3, 3}}).groups(), 1, 0 + 3*1 + 9*2, "close ([{", "}])"},
		{(&Brackets{Length: []int{3, 3}}).groups(), 0, 1 + 3*2, "close [{}", "]"},
	} {
		if p := c.groups[c.group].problem(c.index, 0); p.prompt != c.prompt || p.response != c.response {
			t.Errorf("%q is answered by %q, want %q by %q", p.prompt, p.response, c.prompt, c.response)
		}
	}
	p := follow([]byte("bxm"), 7, 1)
	if want := "m=x=b\n7"; p.response != want || !strings.Contains(p.prompt, "x=b;") {
		t.Errorf("%q is answered by %q, want %q", p.prompt, p.response, want)
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
	for _, c := range []struct {
		problem          problem
		prompt, response string
	}{
		{difference(47, 85, 0), "subtract 85-47", "15-7=8\n8-4-1=3\n38"},
		{difference(0, 0, 0), "subtract 0-0", "0-0=0\n0"},
		{difference(7, 7, 0), "subtract 7-7", "7-7=0\n0"},
		{difference(99, 100, 0), "subtract 100-99", "10-9=1\n10-9-1=0\n1-0-1=0\n1"},
		{difference(5, 1000, 0), "subtract 1000-5", "10-5=5\n10-0-1=9\n10-0-1=9\n1-0-1=0\n995"},
		{product(7, 8, 0), "multiply 7*8", "7*8=56\n56"},
		{product(0, 9, 0), "multiply 0*9", "0*9=0\n0"},
		{product(8, 47, 1), "multiply 47*8", "7*8=56\n4*8+5=37\n376"},
		{product(8, 47, 0), "multiply 8*47", "8*7=56\n8*4=32\n56+320\n376"},
		{product(47, 85, 0), "multiply 47*85", "7*5=35\n4*5+3=23\n7*8=56\n4*8+5=37\n235+3760\n3995"},
		{product(10, 20, 0), "multiply 10*20", "0*0=0\n1*0=0\n0*2=0\n1*2=2\n0+200\n200"},
		{residue(4+7*(0+2*(5+7*(1+2*6))), 7, 3), "mod 7: 4+5-6", "4+5=2\n2-6=3\n3"},
		{residue(0, 12, 2), "mod 12: 0+0", "0+0=0\n0"},
	} {
		if c.problem.prompt != c.prompt || c.problem.response != c.response {
			t.Errorf("%q is worked out in %q, want %q in %q", c.problem.prompt, c.problem.response, c.prompt, c.response)
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

func TestDifficultiesAreBalanced(t *testing.T) {
	for _, c := range []struct {
		groups     []group
		difficulty func(p problem) string
		want       int // kinds
	}{
		{(&Reversing{Letters: []int{3, 4}}).groups(), func(p problem) string { return strconv.Itoa(len(p.answer)) }, 2},
		{(&Copying{Letters: []int{4, 6}, Gap: []int{2, 8}}).groups(), func(p problem) string { return fmt.Sprint(len(p.answer), len(p.prompt)) }, 21},
		{(&Assignments{Hops: []int{2, 4}}).groups(), func(p problem) string { return strconv.Itoa(strings.Count(p.response, "=")) }, 3},
		{(&Brackets{Length: []int{8, 10}}).groups(), func(p problem) string { return fmt.Sprint(len(p.answer), len(p.prompt)) }, 14},
	} {
		count := map[string]int{}
		for _, p := range generate(c.groups, c.want*100, 1) {
			count[c.difficulty(p)]++
		}
		if len(count) != c.want {
			t.Errorf("%d kinds, want %d: %v", len(count), c.want, count)
		}
		for kind, n := range count {
			if n != 100 {
				t.Errorf("%d of kind %s, want 100", n, kind)
			}
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
		{func(t *Template) { t.Response, t.Answer, t.Marker = "{response}\nso: 2\n\n", "after", "so: " }, ""},
		{func(t *Template) { t.Answer = "after" }, "marker: must say what stands before"},
		{func(t *Template) { t.Answer, t.Marker = "after", " \n" }, "marker: must say what stands before"},
		{func(t *Template) { t.Marker = "so: " }, "marker: is for answer"},
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
