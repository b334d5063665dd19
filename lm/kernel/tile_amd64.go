package kernel

func tileFused(rows, k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow, load int) {
	switch rows {
	case 1:
		tile1(k, a, aRow, aStep, b, bStep, c, cRow, load)
	case 2:
		tile2(k, a, aRow, aStep, b, bStep, c, cRow, load)
	case 3:
		tile3(k, a, aRow, aStep, b, bStep, c, cRow, load)
	case 4:
		tile4(k, a, aRow, aStep, b, bStep, c, cRow, load)
	case 5:
		tile5(k, a, aRow, aStep, b, bStep, c, cRow, load)
	default:
		tile6(k, a, aRow, aStep, b, bStep, c, cRow, load)
	}
}
