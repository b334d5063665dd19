package kernel

// compute computes c.
func (t *block) compute() {
	switch isa {
	case avx512:
		avx512Tiles(t.rows, t.k, t.a, t.aTile, t.aRow, t.aStep, t.b, t.bPanel, t.bStep, t.c, t.cRow, t.columns, t.load)
	case avx2:
		avx2Tiles(t.rows, t.k, t.a, t.aTile, t.aRow, t.aStep, t.b, t.bPanel, t.bStep, t.c, t.cRow, t.columns, t.load)
	default:
		t.portable()
	}
}

// copyRows packs rows: see copyRowsPortable.
func copyRows(rows, width int, out []float32, outRow int, in []float32, inRow int) {
	if isa >= avx2 {
		avx2CopyRows(rows, width, &out[0], outRow*elementSize, &in[0], inRow*elementSize)
	} else {
		copyRowsPortable(rows, width, out, outRow, in, inRow)
	}
}
