//go:build !amd64

package bench

func multiplyAdd(lanes, rounds int) { panic("bench: no vectors are known on this architecture") }
