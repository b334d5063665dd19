package dataset

import (
	"fmt"
	"math"
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

// maxDigits keeps the number of problems within 62 bits.
const maxDigits = 9

// Check tells whether there are such numbers.
func (a *Addition) Check() error { return checkRange("digits", a.Digits, 1, maxDigits) }

// groups are the pairs of lengths.
func (a *Addition) groups() []group {
	var groups []group
	for small := a.Digits[0]; small <= a.Digits[1]; small++ {
		for large := small; large <= a.Digits[1]; large++ {
			first, n := numbers(small)
			second, m := numbers(large)
			if small == large {
				groups = append(groups, group{n * (n + 1) / 2, func(index, random uint64) problem {
					x, y := triangle(index)
					return sum(first+x, first+y, random)
				}})
				continue
			}
			groups = append(groups, group{n * m, func(index, random uint64) problem {
				return sum(first+index/m, second+index%m, random)
			}})
		}
	}
	return groups
}

// numbers returns the first number of so many digits, and how many there are.
func numbers(digits int) (first, count uint64) {
	power := uint64(math.Pow10(digits - 1))
	if digits == 1 {
		return 0, 10
	}
	return power, 9 * power
}

// triangle numbers the pairs x <= y: (0, 0), (0, 1), (1, 1), (0, 2) and so on.
func triangle(index uint64) (x, y uint64) {
	y = uint64(math.Sqrt(float64(2 * index)))
	for y*(y+1)/2 > index {
		y--
	}
	for (y+1)*(y+2)/2 <= index {
		y++
	}
	return index - y*(y+1)/2, y
}

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
