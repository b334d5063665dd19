package kernel

import "unsafe"

// tileNEON computes c (rows,16) from a (rows,k) and b (k,16), 1 to 6 rows, k at least 1: a chain of fused multiply-adds an element, k
// ascending, from c if load is not 0, else from +0. Strides are in bytes.
//
//go:noescape
func tileNEON(rows, k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow, load int)

// compute computes c, tile by tile; one of fewer columns goes through a buffer.
func (t *block) compute() {
	if isa == generic {
		t.portable()
		return
	}
	load := 0
	if t.load {
		load = 1
	}
	const height = 6
	var buffer [height][panelCols]float32
	for i := 0; i < t.rows; i += height {
		rows := min(height, t.rows-i)
		a := (*float32)(unsafe.Add(unsafe.Pointer(t.a), i/height*t.aTile))
		c := func(r int) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(t.c), (i+r)*t.cRow) }
		if t.columns == panelCols {
			tileNEON(rows, t.k, a, t.aRow, t.aStep, t.b, t.bStep, (*float32)(c(0)), t.cRow, load)
			continue
		}
		for r := range rows {
			copy(buffer[r][:], unsafe.Slice((*float32)(c(r)), t.columns))
		}
		tileNEON(rows, t.k, a, t.aRow, t.aStep, t.b, t.bStep, &buffer[0][0], panelCols*elementSize, load)
		for r := range rows {
			copy(unsafe.Slice((*float32)(c(r)), t.columns), buffer[r][:])
		}
	}
}

func copyRows(rows, width int, out []float32, outRow int, in []float32, inRow int) {
	copyRowsPortable(rows, width, out, outRow, in, inRow)
}
