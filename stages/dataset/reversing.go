package dataset

import "slices"

// Reversing asks for letters, of a to z, from the last to the first:
//
//	reverse dbc
//	cbd
//
// Each length is equally frequent, as far as there are enough words of that length.
type Reversing struct {
	Letters []int `hcl:"letters,optional" doc:"[least, most] letters of a word, within 1 and 12"`
}

// Check tells whether there are such words.
func (r *Reversing) Check() error { return checkRange("letters", r.Letters, 1, maxLetters) }

// groups are the lengths.
func (r *Reversing) groups() []group {
	var groups []group
	for n := r.Letters[0]; n <= r.Letters[1]; n++ {
		groups = append(groups, group{power(26, n), func(index, _ uint64) problem {
			letters := word(index, n, 26)
			reversed := slices.Clone(letters)
			slices.Reverse(reversed)
			return problem{prompt: "reverse " + string(letters), response: string(reversed), answer: string(reversed)}
		}})
	}
	return groups
}
