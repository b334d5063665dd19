package lm

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"

	"anneal/lm/kernel"
)

// draws is a counter-based generator: the i-th draw is a function of the key and i alone, so draws may be taken in any order.
type draws struct{ a, b uint64 }

// newDraws keys a generator by a seed and a purpose.
func newDraws(seed int64, purpose string) draws {
	h := sha256.Sum256(append(binary.LittleEndian.AppendUint64(make([]byte, 0, 64), uint64(seed)), purpose...))
	return draws{binary.LittleEndian.Uint64(h[:]), binary.LittleEndian.Uint64(h[8:])}
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// bits returns 64 random bits for counter i.
func (d draws) bits(i uint64) uint64 {
	return mix(mix(d.a+i*0x9e3779b97f4a7c15) ^ d.b)
}

// uniform returns a number above 0 and at most 1.
func (d draws) uniform(i uint64) float64 { return float64(d.bits(i)>>11+1) * 0x1p-53 }

// normal returns a draw from the standard normal distribution (Box and Muller 1958).
func (d draws) normal(i uint64) float64 {
	radius := math.Sqrt(-2 * kernel.Log(d.uniform(2*i)))
	_, cos := kernel.SinCos(2 * math.Pi * d.uniform(2*i+1))
	return radius * cos
}

// permute returns where a random permutation of n elements sends i: a Feistel network over the next even number of bits, walked until the
// result is below n (Black and Rogaway 2002).
func (d draws) permute(n, i int) int {
	half := (bits.Len(uint(n-1)) + 1) / 2
	mask := uint64(1)<<half - 1
	x := uint64(i)
	for {
		left, right := x>>half, x&mask
		for round := range uint64(8) {
			left, right = right, left^d.bits(round<<56|right)&mask
		}
		if x = left<<half | right; x < uint64(n) {
			return int(x)
		}
	}
}
