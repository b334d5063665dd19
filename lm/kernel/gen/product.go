package main

import (
	"fmt"
	"math/bits"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// target is an instruction set that tiles are written for. The accumulators of its tallest tile of two vectors, two vectors of b and a
// few for the broadcast elements of a fill its vector registers, and are chains enough to cover the latency of two fused units.
type target struct {
	name   string
	rows   int // of the tallest tile
	lanes  int // float32 a vector
	unroll int // steps of k in one turn of the loop, whose bookkeeping hides behind them
}

var (
	avx2   = target{"avx2", 6, 8, 4}
	avx512 = target{"avx512", 12, 16, 2}
)

// panelCols is the number of columns of a packed panel of b.
const panelCols = 16

// products emits the tiles of the matrix product, and the copies that pack its operands.
func products(c *Context) {
	ones := masks(c)
	for _, t := range []target{avx2, avx512} {
		tiles(c, t, ones)
	}
	copyRows(c, ones)
}

// masks defines sixteen words of ones and sixteen zeros: a window of sixteen words that starts at word 16-n is a mask of n elements.
func masks(c *Context) Mem {
	m := c.StaticGlobal("ones")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 2 * panelCols {
		word := U32(0)
		if i < panelCols {
			word = 0xffffffff
		}
		c.AddDatum(4*i, word)
	}
	return m
}

// tiling is the state of what tiles emits: registers that hold from one tile to the next, and the operands' addresses.
type tiling struct {
	*Context
	target
	ones         Mem
	left         reg.GPVirtual         // rows to do
	a, aStep     reg.GPVirtual         // a moves on while a tile is computed
	b, bStep     reg.GPVirtual         // as does b
	multiples    map[int]reg.GPVirtual // odd multiples of the distance between rows of a
	out          reg.GPVirtual         // the tile's place in c
	lower, upper reg.OpmaskVirtual     // AVX-512: the columns of both vectors of c
}

// tiles emits the microkernel of a target: c (rows,columns) = or += a (rows,k) · b (k,columns), tile by tile.
func tiles(c *Context, t target, ones Mem) {
	c.Function(t.name + "Tiles")
	width := 2 * t.lanes
	c.Doc(fmt.Sprintf("%sTiles computes c (rows,columns), at most %d columns, from a (rows,k) and panels of b (k,%d): a chain of fused", t.name, width, panelCols),
		fmt.Sprintf("multiply-adds an element, k ascending, from c if load, else from +0. Tiles of %d rows of a lie aTile apart. Distances are in bytes.", t.rows))
	c.Pragma("noescape")
	c.Attributes(NOSPLIT)
	c.SignatureExpr("func(rows, k int, a *float32, aTile, aRow, aStep int, b *float32, bPanel, bStep int, c *float32, cRow, columns int, load bool)")

	w := &tiling{Context: c, target: t, ones: ones, multiples: map[int]reg.GPVirtual{}}
	w.left, w.a, w.aStep, w.bStep, w.out = w.argument("rows"), w.argument("a"), w.argument("aStep"), w.argument("bStep"), w.argument("c")
	w.b = c.GP64()
	row := w.argument("aRow")
	w.multiples[1] = row
	for odd := 3; odd < t.rows; odd += 2 {
		w.multiples[odd] = c.GP64()
		c.LEAQ(Mem{Base: w.multiples[odd-2], Index: row, Scale: 2}, w.multiples[odd])
	}
	if t.lanes < panelCols {
		w.heights(2)
	} else {
		all, some := c.GP64(), c.GP64()
		w.lower, w.upper = c.K(), c.K()
		c.MOVQ(I64(-1), all)
		c.MOVQ(w.parameter("columns"), some)
		c.BZHIQ(some, all, all)
		c.KMOVW(all.As32(), w.lower)
		c.SHRQ(Imm(panelCols), all)
		c.KMOVW(all.As32(), w.upper)
		c.CMPQ(w.parameter("columns"), Imm(panelCols))
		c.JLE(LabelRef("narrow"))
		w.heights(2)
		c.Label("narrow")
		w.heights(1)
	}
}

// parameter returns where a parameter lies.
func (w *tiling) parameter(name string) Mem {
	p, err := w.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// argument loads a parameter.
func (w *tiling) argument(name string) reg.GPVirtual {
	r := w.GP64()
	w.Load(w.Param(name), r)
	return r
}

func (w *tiling) vector() reg.VecVirtual {
	if w.lanes == panelCols {
		return w.ZMM()
	}
	return w.YMM()
}

// heights emits the tiles of so many vectors a row: the tallest over and over, then the one that takes the rows left, then the return.
func (w *tiling) heights(vectors int) {
	name := func(what string, rows int) string { return fmt.Sprintf("%s%dx%d", what, rows, vectors*w.lanes) }
	w.Label(name("tile", w.rows))
	w.CMPQ(w.left, Imm(uint64(w.rows)))
	w.JLT(LabelRef(name("below", w.rows)))
	w.tile(w.rows, vectors, func(what string) string { return name(what, w.rows) })
	w.SUBQ(Imm(uint64(w.rows)), w.left)
	w.JMP(LabelRef(name("tile", w.rows)))
	for rows := w.rows - 1; rows > 0; rows-- {
		w.Label(name("below", rows+1))
		w.CMPQ(w.left, Imm(uint64(rows)))
		w.JLT(LabelRef(name("below", rows)))
		w.tile(rows, vectors, func(what string) string { return name(what, rows) })
		w.JMP(LabelRef(name("below", 1)))
	}
	w.Label(name("below", 1))
	w.VZEROUPPER()
	w.RET()
}

// tile emits one tile. a and out end up at the next one.
func (w *tiling) tile(rows, vectors int, name func(string) string) {
	acc := make([][]reg.VecVirtual, rows)
	for r := range acc {
		for range vectors {
			acc[r] = append(acc[r], w.vector())
		}
	}
	w.begin(acc, name)

	w.MOVQ(w.parameter("b"), w.b)
	k, next := w.GP64(), Mem{Base: w.b, Disp: 4 * w.lanes}
	if w.lanes == panelCols && vectors == 2 {
		distance := w.argument("bPanel")
		next = Mem{Base: w.b, Index: distance, Scale: 1}
	}
	w.MOVQ(w.parameter("k"), k)
	step := func() {
		b := []reg.VecVirtual{w.vector(), w.vector()}[:vectors]
		w.PREFETCHT0(Mem{Base: w.b, Index: w.bStep, Scale: 8}) // also beyond the end of a page, where the processor does not look itself
		w.VMOVUPS(Mem{Base: w.b}, b[0])
		if vectors == 2 {
			w.VMOVUPS(next, b[1])
		}
		for r := range acc {
			x := w.vector()
			w.VBROADCASTSS(w.row(r), x)
			for v := range b {
				w.VFMADD231PS(b[v], x, acc[r][v])
			}
		}
		w.ADDQ(w.aStep, w.a)
		w.ADDQ(w.bStep, w.b)
	}
	w.SUBQ(Imm(uint64(w.unroll)), k)
	w.JLT(LabelRef(name("rest")))
	w.Label(name("loop"))
	for range w.unroll {
		step()
	}
	w.SUBQ(Imm(uint64(w.unroll)), k)
	w.JGE(LabelRef(name("loop")))
	w.Label(name("rest"))
	w.ADDQ(Imm(uint64(w.unroll)), k)
	w.JZ(LabelRef(name("end")))
	w.Label(name("single"))
	step()
	w.DECQ(k)
	w.JNZ(LabelRef(name("single")))
	w.Label(name("end"))

	back := w.argument("k")
	w.IMULQ(w.aStep, back)
	w.SUBQ(back, w.a)
	w.ADDQ(w.parameter("aTile"), w.a)
	w.store(acc, name)
}

// row addresses row r of the tile of a: r is an odd number times 1, 2, 4 or 8.
func (w *tiling) row(r int) Mem {
	if r == 0 {
		return Mem{Base: w.a}
	}
	scale := 1 << bits.TrailingZeros(uint(r))
	return Mem{Base: w.a, Index: w.multiples[r/scale], Scale: uint8(scale)}
}

// begin loads the accumulators, or sets them to +0.
func (w *tiling) begin(acc [][]reg.VecVirtual, name func(string) string) {
	w.CMPB(w.parameter("load"), Imm(0))
	w.JEQ(LabelRef(name("zero")))
	out, row := w.GP64(), w.argument("cRow")
	rows := func(f func(acc []reg.VecVirtual)) {
		w.MOVQ(w.out, out)
		for r := range acc {
			f(acc[r])
			w.ADDQ(row, out)
		}
	}
	if w.lanes == panelCols {
		rows(func(acc []reg.VecVirtual) {
			for v := range acc {
				w.VMOVUPS_Z(w.column(out, v), w.mask(v), acc[v])
			}
		})
	} else {
		w.CMPQ(w.parameter("columns"), Imm(panelCols))
		w.JLT(LabelRef(name("loadedge")))
		rows(func(acc []reg.VecVirtual) {
			for v := range acc {
				w.VMOVUPS(w.column(out, v), acc[v])
			}
		})
	}
	w.JMP(LabelRef(name("start")))
	if w.lanes < panelCols {
		w.Label(name("loadedge"))
		mask := w.window()
		rows(func(acc []reg.VecVirtual) {
			for v := range acc {
				w.VMASKMOVPS(w.column(out, v), mask[v], acc[v])
			}
		})
		w.JMP(LabelRef(name("start")))
	}
	w.Label(name("zero"))
	for r := range acc {
		for _, x := range acc[r] {
			w.VXORPS(x, x, x)
		}
	}
	w.Label(name("start"))
}

// store stores the accumulators and moves on to the next tile of c.
func (w *tiling) store(acc [][]reg.VecVirtual, name func(string) string) {
	row := w.argument("cRow")
	if w.lanes == panelCols {
		for r := range acc {
			for v, x := range acc[r] {
				w.VMOVUPS(x, w.mask(v), w.column(w.out, v))
			}
			w.ADDQ(row, w.out)
		}
		return
	}
	w.CMPQ(w.parameter("columns"), Imm(panelCols))
	w.JLT(LabelRef(name("storeedge")))
	for r := range acc {
		for v, x := range acc[r] {
			w.VMOVUPS(x, w.column(w.out, v))
		}
		w.ADDQ(row, w.out)
	}
	w.JMP(LabelRef(name("stored")))
	w.Label(name("storeedge"))
	mask := w.window()
	for r := range acc {
		for v, x := range acc[r] {
			w.VMASKMOVPS(x, mask[v], w.column(w.out, v))
		}
		w.ADDQ(row, w.out)
	}
	w.Label(name("stored"))
}

// column addresses vector v of a row of c.
func (w *tiling) column(row reg.GPVirtual, v int) Mem { return Mem{Base: row, Disp: 4 * w.lanes * v} }

// mask returns the mask of vector v of c.
func (w *tiling) mask(v int) reg.OpmaskVirtual { return []reg.OpmaskVirtual{w.lower, w.upper}[v] }

// window loads the masks of both vectors of c.
func (w *tiling) window() []reg.VecVirtual { return window(w.Context, w.ones, w.argument("columns")) }

func window(c *Context, ones Mem, columns reg.GPVirtual) []reg.VecVirtual {
	base := c.GP64()
	c.LEAQ(ones.Offset(4*panelCols), base)
	c.SHLQ(Imm(2), columns)
	c.SUBQ(columns, base)
	mask := []reg.VecVirtual{c.YMM(), c.YMM()}
	c.VMOVUPS(Mem{Base: base}, mask[0])
	c.VMOVUPS(Mem{Base: base, Disp: 32}, mask[1])
	return mask
}

// copyRows emits the copy that packs rows of an operand.
func copyRows(c *Context, ones Mem) {
	c.Function("avx2CopyRows")
	c.Doc(fmt.Sprintf("avx2CopyRows copies rows of width elements, filled up with zeros to %d, or to %d if the rows of out lie at most so many apart. They may", panelCols, panelCols/2),
		"overlap: they are written in order. Distances are in bytes.")
	c.Pragma("noescape")
	c.Attributes(NOSPLIT)
	c.SignatureExpr("func(rows, width int, out *float32, outRow int, in *float32, inRow int)")
	rows, width := c.Load(c.Param("rows"), c.GP64()).(reg.GPVirtual), c.Load(c.Param("width"), c.GP64()).(reg.GPVirtual)
	out, outRow := c.Load(c.Param("out"), c.GP64()), c.Load(c.Param("outRow"), c.GP64())
	in, inRow := c.Load(c.Param("in"), c.GP64()), c.Load(c.Param("inRow"), c.GP64())
	x := []reg.VecVirtual{c.YMM(), c.YMM()}
	loop := func(name string, vectors int, move func(v int)) {
		c.Label(name)
		for v := range vectors {
			move(v)
		}
		for v := range vectors {
			c.VMOVUPS(x[v], Mem{Base: out, Disp: 32 * v})
		}
		c.ADDQ(inRow, in)
		c.ADDQ(outRow, out)
		c.DECQ(rows)
		c.JNZ(LabelRef(name))
		c.VZEROUPPER()
		c.RET()
	}
	c.CMPQ(width, Imm(panelCols))
	c.JNE(LabelRef("part"))
	loop("whole", 2, func(v int) { c.VMOVUPS(Mem{Base: in, Disp: 32 * v}, x[v]) })
	c.Label("part")
	mask := window(c, ones, width)
	masked := func(v int) { c.VMASKMOVPS(Mem{Base: in, Disp: 32 * v}, mask[v], x[v]) }
	c.CMPQ(outRow, Imm(4*panelCols/2))
	c.JLE(LabelRef("half"))
	loop("most", 2, masked)
	loop("half", 1, masked)
}
