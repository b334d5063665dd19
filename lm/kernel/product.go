package kernel

// The tile that the microkernel computes, and the depth and height of the blocks around it: a panel of b (blockDepth,16) takes half of a
// 32 KiB first-level cache, a block of a (blockRows,blockDepth) a quarter of a 512 KiB second-level cache.
const (
	tileRows   = 6
	tileCols   = 16
	blockDepth = 256
	blockRows  = 20 * tileRows
)

// directRows is the number of rows up to which an untransposed b is read where it lies: below it packing costs more than it saves.
const directRows = 64

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
	groups := (n + tileCols - 1) / tileCols
	if size := groups * tileCols * k; cap(p.data) < size {
		p.data = make([]float32, size)
	} else {
		p.data = p.data[:size]
	}
	p.k, p.n = k, n
	for g := range groups {
		p.packGroup(transposed, g, b, ldb)
	}
}

func (p *Panels) packGroup(transposed bool, g int, b []float32, ldb int) {
	k := p.k
	out := p.data[g*k*tileCols : (g+1)*k*tileCols]
	first := g * tileCols
	width := min(tileCols, p.n-first)
	if !transposed {
		packColumnGroup(out, b[first:], ldb, k, width)
		return
	}
	if width < tileCols {
		clear(out)
	}
	for j := range width {
		row := b[(first+j)*ldb:][:k]
		for i, v := range row {
			out[i*tileCols+j] = v
		}
	}
}

// packColumnGroup copies k rows of width <= 16 columns of b, filling up with zeros.
func packColumnGroup(out, b []float32, ldb, k, width int) {
	if width == tileCols {
		for i := range k {
			row := *(*[tileCols]float32)(b[i*ldb:]) // a copy on the stack cannot overlap, so neither move is a call
			*(*[tileCols]float32)(out[i*tileCols:]) = row
		}
		return
	}
	for i := range k {
		row := (*[tileCols]float32)(out[i*tileCols:])
		n := copy(row[:], b[i*ldb:i*ldb+width])
		clear(row[n:])
	}
}

// Scratch holds the packing buffers of one worker. The zero value is ready.
type Scratch struct {
	panels Panels
	edge   []float32
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
	if op == NN && m <= directRows && k > 0 {
		if len(b) < (k-1)*ldb+n {
			panic("kernel: b is too short")
		}
		whole := n &^ (tileCols - 1)
		v := view{k: k, n: n, data: b, group: tileCols, step: ldb}
		if whole < n {
			s.edge = grow(s.edge, k*tileCols)
			packColumnGroup(s.edge, b[whole:], ldb, k, n-whole)
			v.last = s.edge
		}
		product(false, m, a, lda, v, c, ldc, accumulate)
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
		product(op == TN, m, a[x:], lda, s.panels.view(), c, ldc, accumulate || k0 > 0)
	}
}

// Product computes c (m,n) = a·p, or c += a·p if accumulate. See Scratch.Product.
func (p *Panels) Product(m int, a []float32, lda int, c []float32, ldc int, accumulate bool) {
	if m == 0 || p.n == 0 {
		return
	}
	product(false, m, a, lda, p.view(), c, ldc, accumulate)
}

// view addresses the 16-column groups of b: group g at data[g*group], its rows step apart, except the last one if it is packed apart.
type view struct {
	k, n        int
	data        []float32
	group, step int
	last        []float32
}

func (p *Panels) view() view {
	return view{k: p.k, n: p.n, data: p.data, group: p.k * tileCols, step: tileCols}
}

// product runs the blocks and tiles; a is (k,m) if transposed. Blocks of k store partial sums to c and load them again, which leaves the chain
// as it is.
func product(transposed bool, m int, a []float32, lda int, b view, c []float32, ldc int, accumulate bool) {
	k, n := b.k, b.n
	if len(c) < (m-1)*ldc+n {
		panic("kernel: c is too short")
	}
	if k == 0 {
		if !accumulate {
			for i := range m {
				clear(c[i*ldc:][:n])
			}
		}
		return
	}
	if transposed && len(a) < (k-1)*lda+m || !transposed && len(a) < (m-1)*lda+k {
		panic("kernel: a is too short")
	}
	for k0 := 0; k0 < k; k0 += blockDepth {
		depth := min(blockDepth, k-k0)
		load := accumulate || k0 > 0
		for i0 := 0; i0 < m; i0 += blockRows {
			t := tiles{rows: min(blockRows, m-i0), depth: depth, load: load, c: c[i0*ldc:], ldc: ldc}
			if transposed {
				t.a, t.next, t.aRow, t.aStep = a[k0*lda+i0:], tileRows, 1, lda
			} else {
				t.a, t.next, t.aRow, t.aStep = a[i0*lda+k0:], tileRows*lda, lda, 1
			}
			for g := 0; g*tileCols < n; g++ {
				width := min(tileCols, n-g*tileCols)
				if b.last != nil && width < tileCols {
					t.run(g, width, b.last[k0*tileCols:], tileCols)
				} else {
					t.run(g, width, b.data[g*b.group+k0*b.step:], b.step)
				}
			}
		}
	}
}

// tiles is one block of rows: a with its strides in elements (between tiles, rows and steps of k) and where the block lies in c.
type tiles struct {
	rows, depth       int
	load              bool
	a                 []float32
	next, aRow, aStep int
	c                 []float32
	ldc               int
}

const elementSize = 4

// run computes the tiles of one group of columns. A group of fewer than 16 goes through a buffer of whole tiles.
func (t *tiles) run(group, width int, b []float32, bStep int) {
	load := 0
	if t.load {
		load = 1
	}
	if width < tileCols {
		t.runEdge(group, width, b, bStep, load)
		return
	}
	for i, at := 0, 0; i < t.rows; i, at = i+tileRows, at+t.next {
		rows := min(tileRows, t.rows-i)
		c := &t.c[i*t.ldc+group*tileCols]
		if isa > generic {
			tileFused(rows, t.depth, &t.a[at], t.aRow*elementSize, t.aStep*elementSize, &b[0], bStep*elementSize, c, t.ldc*elementSize, load)
		} else {
			tilePortable(rows, t.depth, &t.a[at], t.aRow*elementSize, t.aStep*elementSize, &b[0], bStep*elementSize, c, t.ldc*elementSize, load)
		}
	}
}

func (t *tiles) runEdge(group, width int, b []float32, bStep, load int) {
	var whole [tileRows * tileCols]float32
	for i, at := 0, 0; i < t.rows; i, at = i+tileRows, at+t.next {
		rows := min(tileRows, t.rows-i)
		c := t.c[i*t.ldc+group*tileCols:]
		if load != 0 {
			for r := range rows {
				copy(whole[r*tileCols:], c[r*t.ldc:][:width])
			}
		}
		if isa > generic {
			tileFused(rows, t.depth, &t.a[at], t.aRow*elementSize, t.aStep*elementSize, &b[0], bStep*elementSize, &whole[0], tileCols*elementSize, load)
		} else {
			tilePortable(rows, t.depth, &t.a[at], t.aRow*elementSize, t.aStep*elementSize, &b[0], bStep*elementSize, &whole[0], tileCols*elementSize, load)
		}
		for r := range rows {
			copy(c[r*t.ldc:][:width], whole[r*tileCols:])
		}
	}
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}
