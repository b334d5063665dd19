package dataset

import (
	"fmt"
	"strings"
)

// Subtraction asks for a number less another that is not above it. The response works from the last digits to the first,
// a line a place: ten is lent to a digit too small, and taken from the place before by a further 1. It ends with the
// difference:
//
//	subtract 85-47
//	15-7=8
//	8-4-1=3
//	38
//
// Each pair of lengths is equally frequent, as far as there are enough numbers of that length.
type Subtraction struct {
	Digits []int `hcl:"digits,optional" doc:"[least, most] digits of each number, within 1 and 9"`
}

// Check tells whether there are such numbers.
func (s *Subtraction) Check() error { return checkRange("digits", s.Digits, 1, maxDigits) }

// groups are the pairs of lengths.
func (s *Subtraction) groups() []group { return pairs(s.Digits, difference) }

// difference makes the problem of the larger number, y, less x.
func difference(x, y, _ uint64) problem {
	var work strings.Builder
	lent := uint64(0)
	for a, b := y, x; a > 0 || work.Len() == 0; a, b = a/10, b/10 {
		from, take := a%10, b%10
		again := uint64(0)
		if from < take+lent {
			from, again = from+10, 1
		}
		fmt.Fprintf(&work, "%d-%d", from, take)
		if lent > 0 {
			fmt.Fprintf(&work, "-%d", lent)
		}
		fmt.Fprintf(&work, "=%d\n", from-take-lent)
		lent = again
	}
	answer := fmt.Sprint(y - x)
	return problem{prompt: fmt.Sprintf("subtract %d-%d", y, x), response: work.String() + answer, answer: answer}
}
