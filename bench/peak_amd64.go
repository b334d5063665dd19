package bench

// multiplyAdd runs rounds of fused multiply-adds in registers, chains of them side by side, on vectors of 8 or 16 numbers.
func multiplyAdd(lanes, rounds int) {
	if lanes == 16 {
		multiplyAdd16(rounds)
	} else {
		multiplyAdd8(rounds)
	}
}

//go:noescape
func multiplyAdd8(rounds int)

//go:noescape
func multiplyAdd16(rounds int)
