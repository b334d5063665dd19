package dataset

import (
	"fmt"
	"strings"
)

// Multiplication asks for the product of two numbers. The response takes the second number's digits from the last to the
// first, and with each the first number's likewise, a line a place with the carry of the place before. Of more than one
// digit, the products of each are then added. It ends with the product:
//
//	multiply 47*85
//	7*5=35
//	4*5+3=23
//	7*8=56
//	4*8+5=37
//	235+3760
//	3995
//
// A product and its factors exchanged are one problem. Each pair of lengths is equally frequent, as far as there are
// enough numbers of that length.
type Multiplication struct {
	Digits []int `hcl:"digits,optional" doc:"[least, most] digits of each factor, within 1 and 9"`
}

// Check tells whether there are such numbers.
func (m *Multiplication) Check() error { return checkRange("digits", m.Digits, 1, maxDigits) }

// groups are the pairs of lengths.
func (m *Multiplication) groups() []group { return pairs(m.Digits, product) }

// product makes a problem of two factors, which random may exchange.
func product(x, y, random uint64) problem {
	if random&1 == 1 {
		x, y = y, x
	}
	var work strings.Builder
	var parts []string
	place := uint64(1)
	for b := y; b > 0 || len(parts) == 0; b /= 10 {
		carry := uint64(0)
		for a, first := x, true; a > 0 || first; a, first = a/10, false {
			p := a%10*(b%10) + carry
			fmt.Fprintf(&work, "%d*%d", a%10, b%10)
			if carry > 0 {
				fmt.Fprintf(&work, "+%d", carry)
			}
			fmt.Fprintf(&work, "=%d\n", p)
			carry = p / 10
		}
		parts = append(parts, fmt.Sprint(x*(b%10)*place))
		place *= 10
	}
	if len(parts) > 1 {
		work.WriteString(strings.Join(parts, "+") + "\n")
	}
	answer := fmt.Sprint(x * y)
	return problem{prompt: fmt.Sprintf("multiply %d*%d", x, y), response: work.String() + answer, answer: answer}
}
