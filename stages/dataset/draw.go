package dataset

import "math/bits"

// draw returns 64 random bits that are a function of its arguments alone: of the seed, of what they are for, and of
// the place they are drawn for. There is no stream, so no draw depends on another.
func draw(seed int64, purpose string, place ...uint64) uint64 {
	h := mix(uint64(seed))
	for _, b := range []byte(purpose) {
		h = mix(h ^ uint64(b))
	}
	for _, p := range place {
		h = mix(h ^ mix(p))
	}
	return h
}

// mix is one step of SplitMix64 (Steele, Lea & Flood 2014) from the state x: a bijection whose output bits each depend
// on every input bit.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below maps 64 random bits to a number in [0, n).
func below(n, random uint64) uint64 {
	high, _ := bits.Mul64(n, random)
	return high
}

// permutation is a random order of the numbers below n, of which any place can be asked for without the others. It is
// a Feistel network over the least even number of bits that holds n; what falls outside goes through again until it
// falls inside (cycle walking; Black & Rogaway 2002).
type permutation struct {
	n    uint64
	half int // bits of a half
	keys [6]uint64
}

// permute returns the order, of numbers below n, for a seed and a purpose. N is at most 2^62.
func permute(n uint64, seed int64, purpose string, place ...uint64) permutation {
	p := permutation{n: n, half: (bits.Len64(max(n, 2)-1) + 1) / 2}
	key := draw(seed, purpose, place...)
	for i := range p.keys {
		p.keys[i] = draw(int64(key), "round", uint64(i))
	}
	return p
}

// at returns what stands at place i of the order.
func (p permutation) at(i uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	for {
		left, right := i>>p.half, i&mask
		for _, key := range p.keys {
			left, right = right, left^mix(right^key)&mask
		}
		if i = left<<p.half | right; i < p.n {
			return i
		}
	}
}

// shuffle puts items in a random order.
func shuffle[T any](items []T, seed int64, purpose string, place ...uint64) []T {
	order := permute(uint64(len(items)), seed, purpose, place...)
	shuffled := make([]T, len(items))
	for i := range items {
		shuffled[i] = items[order.at(uint64(i))]
	}
	return shuffled
}
