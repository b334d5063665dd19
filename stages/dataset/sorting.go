package dataset

import "slices"

// Sorting asks for letters, of a to j, in the order of the alphabet; a letter may stand several times:
//
//	sort dbcae
//	abcde
//
// The same letters in another order are another problem. Each length is equally frequent, as far as there are enough
// words of that length.
type Sorting struct {
	Letters []int `hcl:"letters,optional" doc:"[least, most] letters of a word, within 1 and 12"`
}

// sortable is the number of letters to sort: of 5 out of 10, a model of 133,000 parameters learns most from 2,000
// examples; of 5 out of 26, a third.
const sortable = 10

// maxLetters keeps the number of problems within 62 bits, of any of 26 letters too.
const maxLetters = 12

// Check tells whether there are such words.
func (s *Sorting) Check() error { return checkRange("letters", s.Letters, 1, maxLetters) }

// groups are the lengths.
func (s *Sorting) groups() []group {
	var groups []group
	for n := s.Letters[0]; n <= s.Letters[1]; n++ {
		groups = append(groups, group{power(sortable, n), func(index, _ uint64) problem {
			letters := word(index, n, sortable)
			sorted := slices.Clone(letters)
			slices.Sort(sorted)
			return problem{prompt: "sort " + string(letters), response: string(sorted), answer: string(sorted)}
		}})
	}
	return groups
}
