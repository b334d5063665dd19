package dataset

import "math"

// maxDigits keeps the number of pairs, and products, within 62 bits.
const maxDigits = 9

// pairs returns the groups of problems of two numbers x <= y, of so many digits: a group a pair of lengths.
func pairs(digits []int, problemOf func(x, y, random uint64) problem) []group {
	var groups []group
	for small := digits[0]; small <= digits[1]; small++ {
		for large := small; large <= digits[1]; large++ {
			first, n := numbers(small)
			second, m := numbers(large)
			if small == large {
				groups = append(groups, group{n * (n + 1) / 2, func(index, random uint64) problem {
					x, y := triangle(index)
					return problemOf(first+x, first+y, random)
				}})
				continue
			}
			groups = append(groups, group{n * m, func(index, random uint64) problem {
				return problemOf(first+index/m, second+index%m, random)
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
