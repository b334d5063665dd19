package dataset

import "slices"

// Brackets asks for the brackets, of three kinds, that close what a word leaves open:
//
//	close [{}((
//	))]
//
// Each pair of a length and a number of brackets left open, at least one, is equally frequent, as far as there are enough
// such words.
type Brackets struct {
	Length []int `hcl:"length,optional" doc:"[least, most] brackets of a word, within 1 and 30"`
}

// maxBrackets keeps the number of problems within 62 bits: there are fewer than 4^n words of n brackets.
const maxBrackets = 30

const (
	opening = "([{"
	closing = ")]}"
)

// Check tells whether there are such words.
func (b *Brackets) Check() error { return checkRange("length", b.Length, 1, maxBrackets) }

// groups are the pairs of a length and a number of brackets left open, which is odd where the length is.
func (b *Brackets) groups() []group {
	var groups []group
	for n := b.Length[0]; n <= b.Length[1]; n++ {
		for open := 2 - n%2; open <= n; open += 2 {
			shapes, kinds := paths(n, open), power(len(opening), (n+open)/2)
			groups = append(groups, group{shapes * kinds, func(index, _ uint64) problem {
				return brackets(index/kinds, index%kinds, n, open)
			}})
		}
	}
	return groups
}

// paths returns how many words of n brackets of one kind close none that is not open, and leave so many open, by the
// ballot theorem; n and open are both even or both odd.
func paths(n, open int) uint64 {
	opened := (n + open) / 2
	return binomial(n, opened) - binomial(n, opened+1)
}

// binomial returns the number of ways to choose k of n, at most 30.
func binomial(n, k int) uint64 {
	if k > n {
		return 0
	}
	ways := uint64(1)
	for i := range k {
		ways = ways * uint64(n-i) / uint64(i+1)
	}
	return ways
}

// brackets makes the problem of a shape, below paths(n, open), and of the kinds of what it opens, its digits of base 3.
func brackets(shape, kinds uint64, n, open int) problem {
	opens := make([]bool, n)
	for i, left := n-1, open; i >= 0; i-- {
		if closed := paths(i, left+1); shape < closed {
			left++
		} else {
			shape -= closed
			opens[i] = true
			left--
		}
	}
	var text, stack []byte
	for _, open := range opens {
		if open {
			text = append(text, opening[kinds%uint64(len(opening))])
			stack = append(stack, closing[kinds%uint64(len(opening))])
			kinds /= uint64(len(opening))
		} else {
			text = append(text, stack[len(stack)-1])
			stack = stack[:len(stack)-1]
		}
	}
	slices.Reverse(stack)
	return problem{prompt: "close " + string(text), response: string(stack), answer: string(stack)}
}
