package dataset

import (
	"errors"
	"strings"
)

// Copying asks for letters, of a to z, again, over a gap of dots:
//
//	copy dbcae.....
//	dbcae
//
// A word stands before one gap only, so that none is in two splits. Each pair of a length and a gap is equally frequent,
// as far as there are enough words of that length.
type Copying struct {
	Letters []int `hcl:"letters,optional" doc:"[least, most] letters of a word, within 1 and 12"`
	Gap     []int `hcl:"gap,optional" doc:"[least, most] dots behind the word, within 0 and 1024"`
}

// maxGap bounds the number of groups.
const maxGap = 1024

// Check tells whether there are such words and gaps.
func (c *Copying) Check() error {
	return errors.Join(checkRange("letters", c.Letters, 1, maxLetters), checkRange("gap", c.Gap, 0, maxGap))
}

// groups are the pairs of a length and a gap; the words of a length are dealt out to its gaps.
func (c *Copying) groups() []group {
	var groups []group
	for n := c.Letters[0]; n <= c.Letters[1]; n++ {
		words, gaps := power(26, n), uint64(c.Gap[1]-c.Gap[0]+1)
		for i := range gaps {
			groups = append(groups, group{(words + gaps - 1 - i) / gaps, func(index, _ uint64) problem {
				letters := string(word(index*gaps+i, n, 26))
				return problem{
					prompt:   "copy " + letters + strings.Repeat(".", c.Gap[0]+int(i)),
					response: letters,
					answer:   letters,
				}
			}})
		}
	}
	return groups
}
