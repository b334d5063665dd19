package dataset

import (
	"fmt"
	"strings"
)

// Addition asks for the sum of two numbers. The response works from the last digits to the first, a line a place with
// the carry of the place before, and ends with the sum:
//
//	add 47+85
//	7+5=12
//	4+8+1=13
//	132
//
// A sum and its terms exchanged are one problem. Each pair of lengths is equally frequent, as far as there are enough
// numbers of that length.
type Addition struct {
	Digits []int `hcl:"digits,optional" doc:"[least, most] digits of each term, within 1 and 9"`
}

// Check tells whether there are such numbers.
func (a *Addition) Check() error { return checkRange("digits", a.Digits, 1, maxDigits) }

// groups are the pairs of lengths.
func (a *Addition) groups() []group { return pairs(a.Digits, sum) }

// sum makes a problem of two terms, which random may exchange.
func sum(x, y, random uint64) problem {
	if random&1 == 1 {
		x, y = y, x
	}
	var work strings.Builder
	carry := uint64(0)
	for a, b := x, y; a > 0 || b > 0 || work.Len() == 0; a, b = a/10, b/10 {
		s := a%10 + b%10 + carry
		fmt.Fprintf(&work, "%d+%d", a%10, b%10)
		if carry > 0 {
			fmt.Fprintf(&work, "+%d", carry)
		}
		fmt.Fprintf(&work, "=%d\n", s)
		carry = s / 10
	}
	answer := fmt.Sprint(x + y)
	return problem{prompt: fmt.Sprintf("add %d+%d", x, y), response: work.String() + answer, answer: answer}
}
