package words

// Hash returns a word's hash: FNV-1a, mixed so that each bit of it depends on every bit of the word.
func Hash(word []byte) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, c := range word {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return Mix(h)
}

// Mix permutes the 64-bit numbers so that neighbours have nothing in common: the finalizer of splitmix64 (Steele, Lea and
// Flood 2014).
func Mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// Runs hashes each run of n of a sequence's elements, given as hashes, in constant time for each: with elements x of the
// run in order, the polynomial Σ x·Bⁿ⁻¹⁻ⁱ of Karp and Rabin (1987), here modulo 2⁶⁴, and mixed.
type Runs struct {
	last []uint64 // the n last elements, in a ring
	at   int      // where in it the next one goes
	seen int      // elements since the start
	sum  uint64
	top  uint64 // Bⁿ
}

// base is the polynomial's B, odd so that no element is lost to the modulus.
const base = 0x9e3779b97f4a7c15

// NewRuns hashes runs of n elements.
func NewRuns(n int) *Runs {
	r := &Runs{last: make([]uint64, n), top: 1}
	for range n {
		r.top *= base
	}
	return r
}

// Add adds an element, and returns the hash of the run that ends with it, once there are n.
func (r *Runs) Add(x uint64) (hash uint64, ok bool) {
	r.sum = r.sum*base + x
	if r.seen >= len(r.last) {
		r.sum -= r.top * r.last[r.at]
	}
	r.last[r.at] = x
	if r.at++; r.at == len(r.last) {
		r.at = 0
	}
	r.seen++
	return Mix(r.sum), r.seen >= len(r.last)
}

// Rest returns how many elements there have been, and the hash of all of them if these are fewer than n.
func (r *Runs) Rest() (seen int, hash uint64, fewer bool) {
	return r.seen, Mix(r.sum), r.seen < len(r.last)
}

// Reset starts another sequence.
func (r *Runs) Reset() { r.at, r.seen, r.sum = 0, 0, 0 }
