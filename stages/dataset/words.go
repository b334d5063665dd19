package dataset

// power returns base to the exponent, which must fit 64 bits.
func power(base, exponent int) uint64 {
	p := uint64(1)
	for range exponent {
		p *= uint64(base)
	}
	return p
}

// word returns the word of n letters, of the first so many of the alphabet, that has the index among them. Each index
// below letters^n is another word.
func word(index uint64, n, letters int) []byte {
	w := make([]byte, n)
	for i := range w {
		w[i] = 'a' + byte(index%uint64(letters))
		index /= uint64(letters)
	}
	return w
}

// arrangement returns n different letters in the order that has the index among the orders of n out of 26.
func arrangement(index uint64, n int) []byte {
	left := []byte("abcdefghijklmnopqrstuvwxyz")
	w := make([]byte, n)
	for i := range w {
		at := index % uint64(len(left))
		index /= uint64(len(left))
		w[i] = left[at]
		left[at] = left[len(left)-1]
		left = left[:len(left)-1]
	}
	return w
}

// arrangements returns how many orders of n out of 26 letters there are.
func arrangements(n int) uint64 {
	count := uint64(1)
	for i := range n {
		count *= uint64(26 - i)
	}
	return count
}
