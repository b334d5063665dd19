//go:build !amd64

package kernel

func expFused(n int, out, x *float32, scale, shift float32) {
	panic("kernel: no vector exponential on this architecture")
}
