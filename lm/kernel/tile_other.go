//go:build !amd64

package kernel

const haveAVX2 = false

func tileFused(rows, k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow, load int) {
	panic("kernel: no fused tiles on this architecture")
}

func expFused(n int, out, x *float32, scale, shift float32) {
	panic("kernel: no vector exponential on this architecture")
}
