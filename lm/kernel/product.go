package kernel

import "unsafe"

// panelCols is the number of columns of b that are packed together.
const panelCols = 16

// The depth and height of the blocks that tiles are computed in: a panel of b (blockDepth,16) takes half of a 32 KiB first-level cache, a
// block of a (blockRows,blockDepth) a quarter of a 512 KiB second-level cache. A block is whole tiles of every instruction set.
const (
	blockDepth = 256
	blockRows  = 120
)

// An untransposed b is read where it lies, since packing would cost more than it saves, if a has at most directRows and is not transposed
// either, or if the product has at most smallRows and smallDepth.
const (
	directRows = 64
	smallRows  = 128
	smallDepth = 64
)

// crowded is a distance between rows of a transposed a at which so many of them meet in the same sets of the caches that a block is packed.
const crowded = 512

// Op says which operand of a product is transposed.
type Op int

const (
	NN Op = iota // a (m,k) · b (k,n)
	NT           // a (m,k) · bᵀ, b (n,k)
	TN           // aᵀ · b, a (k,m), b (k,n)
)

// Panels is a matrix b (k,n) packed for products: columns in groups of 16, each group contiguous, the last one filled up with zeros.
// Its buffer is reused by the next Pack.
type Panels struct {
	k, n int
	data []float32
}

// Pack packs b (k,n), or the transpose of b (n,k) if transposed.
func (p *Panels) Pack(transposed bool, k, n int, b []float32, ldb int) {
	mustHold("b", b, ldb, k, n, transposed)
	p.data = grow(p.data, (n+panelCols-1)/panelCols*panelCols*k)
	p.k, p.n = k, n
	if k == 0 {
		return
	}
	for j := 0; j < n; j += panelCols {
		out, width := p.data[j*k:][:panelCols*k], min(panelCols, n-j)
		if !transposed {
			copyRows(k, width, out, panelCols, b[j:], ldb)
			continue
		}
		if width < panelCols {
			clear(out)
		}
		Transpose(out, panelCols, b[j*ldb:], ldb, width, k)
	}
}

// mustHold panics unless x holds a matrix (rows,columns), or its transpose, of rows ld apart.
func mustHold(name string, x []float32, ld, rows, columns int, transposed bool) {
	if transposed {
		rows, columns = columns, rows
	}
	if rows > 0 && columns > 0 && len(x) < (rows-1)*ld+columns {
		panic("kernel: " + name + " is too short")
	}
}

// Scratch holds the packing buffers of one worker. The zero value is ready.
type Scratch struct {
	panels Panels
	edge   []float32
	block  []float32
	row    attentionScratch
	floats []float32
}

// Floats returns a buffer of n elements with any content, the same at every call.
func (s *Scratch) Floats(n int) []float32 {
	s.floats = grow(s.floats, n)
	return s.floats
}

// Product computes c (m,n) = op(a)·op(b), or c += op(a)·op(b) if accumulate. Each element is one chain of fused multiply-adds, k ascending,
// starting at +0, or at c when accumulating.
func (s *Scratch) Product(op Op, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, accumulate bool) {
	if m == 0 || n == 0 {
		return
	}
	mustHold("b", b, ldb, k, n, op == NT)
	if k > 0 && (op == NN && m <= directRows || op != NT && m <= smallRows && k <= smallDepth) {
		v := view{k: k, n: n, data: b, next: panelCols, step: ldb}
		if whole := n &^ (panelCols - 1); whole < n {
			s.edge = grow(s.edge, k*panelCols)
			copyRows(k, n-whole, s.edge, panelCols, b[whole:], ldb)
			v.edge = s.edge
		}
		product(nil, op == TN, m, a, lda, v, c, ldc, accumulate)
		return
	}
	for k0 := 0; k0 == 0 || k0 < k; k0 += blockDepth { // a block at a time, so that what was packed is still in the cache
		depth, x, y := min(blockDepth, k-k0), k0, k0*ldb
		if op == TN {
			x = k0 * lda
		}
		if op == NT {
			y = k0
		}
		s.panels.Pack(op == NT, depth, n, b[y:], ldb)
		product(s, op == TN, m, a[x:], lda, s.panels.view(), c, ldc, accumulate || k0 > 0)
	}
}

// Product computes c (m,n) = a·p, or c += a·p if accumulate. See Scratch.Product.
func (p *Panels) Product(m int, a []float32, lda int, c []float32, ldc int, accumulate bool) {
	if m == 0 || p.n == 0 {
		return
	}
	product(nil, false, m, a, lda, p.view(), c, ldc, accumulate)
}

// view addresses the panels of b: the one of column j at data[j/16*next], its rows step apart, but one of fewer than 16 columns in edge if
// that is set, packed.
type view struct {
	k, n       int
	data       []float32
	next, step int
	edge       []float32
}

func (p *Panels) view() view {
	return view{k: p.k, n: p.n, data: p.data, next: p.k * panelCols, step: panelCols}
}

// product runs the blocks; a is (k,m) if transposed. Blocks of k store partial sums to c and load them again, which leaves the chain as it is.
// A scratch, which may be nil, is there to pack a transposed a.
func product(s *Scratch, transposed bool, m int, a []float32, lda int, b view, c []float32, ldc int, accumulate bool) {
	mustHold("a", a, lda, m, b.k, transposed)
	mustHold("c", c, ldc, m, b.n, false)
	if b.k == 0 && !accumulate {
		for i := range m {
			clear(c[i*ldc:][:b.n])
		}
	}
	height, panels := tileShape()
	whole := b.n
	if b.edge != nil {
		whole = b.n &^ (panelCols - 1)
	}
	for k0 := 0; k0 < b.k; k0 += blockDepth {
		for i0 := 0; i0 < m; i0 += blockRows {
			t := block{rows: min(blockRows, m-i0), k: min(blockDepth, b.k-k0), load: accumulate || k0 > 0, cRow: ldc * elementSize,
				bPanel: b.next * elementSize, bStep: b.step * elementSize}
			switch {
			case !transposed:
				t.a, t.aTile, t.aRow, t.aStep = &a[i0*lda+k0], height*lda*elementSize, lda*elementSize, elementSize
			case s != nil && lda%crowded == 0:
				s.packBlock(&t, height, a[k0*lda+i0:], lda)
			default:
				t.a, t.aTile, t.aRow, t.aStep = &a[k0*lda+i0], height*elementSize, elementSize, lda*elementSize
			}
			for j := 0; j < whole; j += panels * panelCols {
				t.b, t.c, t.columns = &b.data[j/panelCols*b.next+k0*b.step], &c[i0*ldc+j], min(panels*panelCols, whole-j)
				t.compute()
			}
			if whole < b.n {
				t.b, t.bStep, t.c, t.columns = &b.edge[k0*panelCols], panelCols*elementSize, &c[i0*ldc+whole], b.n-whole
				t.compute()
			}
		}
	}
}

// block is what one call of a microkernel computes: rows of c, at most as many columns as a tile has. Distances are in bytes: between tiles,
// rows and steps of k of a, panels and steps of k of b, and rows of c.
type block struct {
	rows, k            int
	a                  *float32
	aTile, aRow, aStep int
	b                  *float32
	bPanel, bStep      int
	c                  *float32
	cRow, columns      int
	load               bool // c is added to
}

const elementSize = 4

// tileShape returns how many rows the tallest tile of the instruction set in use has, and how many panels it spans.
func tileShape() (rows, panels int) {
	if isa == avx512 {
		return 12, 2
	}
	return 6, 1
}

// portable is the twin of the microkernels.
func (t *block) portable() {
	height, _ := tileShape()
	for r := range t.rows {
		out := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(t.c), r*t.cRow)), t.columns)
		if !t.load {
			clear(out)
		}
		a, b := unsafe.Add(unsafe.Pointer(t.a), r/height*t.aTile+r%height*t.aRow), unsafe.Pointer(t.b)
		for i := range t.k {
			v, row := *(*float32)(unsafe.Add(a, i*t.aStep)), unsafe.Slice((*float32)(unsafe.Add(b, i*t.bStep)), t.columns)
			for j := range out {
				out[j] = fma(v, row[j], out[j])
			}
		}
	}
}

// packBlock packs a block of a transposed a, tile by tile, the elements of a tile that meet the same row of b side by side.
func (s *Scratch) packBlock(t *block, height int, a []float32, lda int) {
	tile := height*t.k + panelCols // a copied row may reach beyond its end
	s.block = grow(s.block, (t.rows+height-1)/height*tile)
	t.a, t.aTile, t.aRow, t.aStep = &s.block[0], tile*elementSize, elementSize, height*elementSize
	const step = 32 // rows of a that stay in the cache from tile to tile
	for k := 0; k < t.k; k += step {
		for i := 0; i < t.rows; i += height {
			copyRows(min(step, t.k-k), min(height, t.rows-i), s.block[i/height*tile+k*height:], height, a[k*lda+i:], lda)
		}
	}
}

// copyRowsPortable copies rows of width elements, outRow apart in out, inRow apart in in. They are filled up with zeros to the next row, at
// most to 16 elements; the vector versions of copyRows write 8 or 16 elements a row, in order.
func copyRowsPortable(rows, width int, out []float32, outRow int, in []float32, inRow int) {
	for i := range rows {
		row := out[i*outRow:][:min(outRow, panelCols)]
		clear(row[copy(row, in[i*inRow:][:width]):])
	}
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}
