package dataset

import (
	"errors"
	"fmt"
	"strings"
)

// Modular asks for sums and differences modulo a number. The response adds up from left to right, a line a step with its
// result modulo that number, and ends with the last result:
//
//	mod 7: 4+5-6
//	4+5=2
//	2-6=3
//	3
//
// Terms are below the modulus, and each result is equally likely. Each pair of a modulus and a number of terms is
// equally frequent, as far as there are enough problems of it.
type Modular struct {
	Modulus []int `hcl:"modulus,optional" doc:"[least, most] of what results are reduced by, within 2 and 100"`
	Terms   []int `hcl:"terms,optional" doc:"[least, most] numbers that are added or subtracted, within 2 and 8"`
}

// Limits that keep the number of problems of all groups within 64 bits.
const (
	maxModulus = 100
	maxTerms   = 8
)

// Check tells whether there are such problems.
func (m *Modular) Check() error {
	return errors.Join(checkRange("modulus", m.Modulus, 2, maxModulus), checkRange("terms", m.Terms, 2, maxTerms))
}

// groups are the pairs of a modulus and a number of terms.
func (m *Modular) groups() []group {
	var groups []group
	for modulus := m.Modulus[0]; modulus <= m.Modulus[1]; modulus++ {
		for terms := m.Terms[0]; terms <= m.Terms[1]; terms++ {
			size := power(modulus, terms) * power(2, terms-1)
			groups = append(groups, group{size, func(index, _ uint64) problem {
				return residue(index, modulus, terms)
			}})
		}
	}
	return groups
}

// residue makes the problem that has the index among those of a modulus and a number of terms.
func residue(index uint64, modulus, terms int) problem {
	next := func(n int) int {
		digit := int(index % uint64(n))
		index /= uint64(n)
		return digit
	}
	var work strings.Builder
	result := next(modulus)
	prompt := fmt.Sprintf("mod %d: %d", modulus, result)
	for range terms - 1 {
		sign, term := "+-"[next(2)], next(modulus)
		step := result + term
		if sign == '-' {
			step = result - term + modulus
		}
		step %= modulus
		fmt.Fprintf(&work, "%d%c%d=%d\n", result, sign, term, step)
		prompt += fmt.Sprintf("%c%d", sign, term)
		result = step
	}
	answer := fmt.Sprint(result)
	return problem{prompt: prompt, response: work.String() + answer, answer: answer}
}
