package kernel

// tileNEON computes c (rows,16) from a (rows,k) and b (k,16), 1 to 6 rows, k at least 1: a chain of fused multiply-adds an element, k
// ascending, from c if load is not 0, else from +0. Strides are in bytes.
//
//go:noescape
func tileNEON(rows, k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow, load int)

func tileFused(rows, k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow, load int) {
	tileNEON(rows, k, a, aRow, aStep, b, bStep, c, cRow, load)
}
