//go:build !amd64 && !arm64

package kernel

func tileFused(rows, k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow, load int) {
	panic("kernel: no fused tiles on this architecture")
}
