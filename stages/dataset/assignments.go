package dataset

import (
	"slices"
	"strings"
)

// Assignments asks for a variable's value after assignments, executed from left to right: those of a chain that starts
// with a digit, and as many distractors, of which the first has another digit and each further one a digit of its own or
// a variable's value. The response follows the chain back and ends with the value:
//
//	b=7;k=4;e=k;x=b;m=e;z=k;m?
//	m=e=k
//	4
//
// The number of hops, from variable to variable, is 2 here. No two problems have the same chain, by its variables in
// their order and its value. Each number of hops is equally frequent.
type Assignments struct {
	Hops []int `hcl:"hops,optional" doc:"[least, most] steps from the variable asked for back to the one with a digit, within 1 and 12"`
}

// maxHops is what 26 variables are enough for, half of them in distractors.
const maxHops = 12

// Check tells whether there are such chains.
func (a *Assignments) Check() error { return checkRange("hops", a.Hops, 1, maxHops) }

// groups are the numbers of hops.
func (a *Assignments) groups() []group {
	var groups []group
	for hops := a.Hops[0]; hops <= a.Hops[1]; hops++ {
		groups = append(groups, group{10 * arrangements(hops+1), func(index, random uint64) problem {
			return follow(arrangement(index/10, hops+1), byte(index%10), random)
		}})
	}
	return groups
}

// follow makes the problem of a chain, whose first variable has the digit, among distractors drawn by random.
func follow(chain []byte, digit byte, random uint64) problem {
	choose := func(n int, purpose string, place ...uint64) int {
		return int(below(uint64(n), draw(int64(random), purpose, place...)))
	}
	others := shuffle(without("abcdefghijklmnopqrstuvwxyz", string(chain)), int64(random), "variables")
	digits := shuffle(without("0123456789", string('0'+digit)), int64(random), "digits")
	turns := shuffle(slices.Concat(slices.Repeat([]bool{true}, len(chain)), make([]bool, len(chain))), int64(random), "turns") // true: of the chain
	var statements strings.Builder
	var defined []byte
	next, distractors := 0, uint64(0)
	for _, ofChain := range turns {
		var variable, value byte
		if ofChain {
			variable, value = chain[next], '0'+digit
			if next > 0 {
				value = chain[next-1]
			}
			next++
		} else {
			variable = others[distractors]
			if distractors == 0 || len(digits) > 0 && choose(2, "digit", distractors) == 0 {
				value, digits = digits[0], digits[1:]
			} else {
				value = defined[choose(len(defined), "variable", distractors)]
			}
			distractors++
		}
		statements.Write([]byte{variable, '=', value, ';'})
		defined = append(defined, variable)
	}
	var work []string
	for i := range chain {
		work = append(work, string(chain[len(chain)-1-i]))
	}
	answer := string('0' + digit)
	return problem{
		prompt:   statements.String() + work[0] + "?",
		response: strings.Join(work, "=") + "\n" + answer,
		answer:   answer,
	}
}

// without returns the bytes of all that are not among those taken.
func without(all, taken string) []byte {
	var left []byte
	for _, b := range []byte(all) {
		if strings.IndexByte(taken, b) < 0 {
			left = append(left, b)
		}
	}
	return left
}
