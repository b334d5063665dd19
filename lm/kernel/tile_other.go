//go:build !amd64 && !arm64

package kernel

func (t *block) compute() { t.portable() }

func copyRows(rows, width int, out []float32, outRow int, in []float32, inRow int) {
	copyRowsPortable(rows, width, out, outRow, in, inRow)
}
