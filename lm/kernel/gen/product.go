package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// maxRows is the height of the tallest tile. Six rows of two registers, two registers of b and a few for the broadcast elements of a fill
// the sixteen YMM registers, and twelve independent chains cover the latency of two fused units.
const maxRows = 6

// unroll is how many steps of k one turn of the loop takes: enough that its bookkeeping hides behind the arithmetic.
const unroll = 4

// products emits the tiles of the matrix product.
func products(c *Context) {
	for rows := 1; rows <= maxRows; rows++ {
		tile(c, rows)
	}
}

// tile emits c (rows,16) = or += a (rows,k) · b (k,16): one chain of fused multiply-adds an element, k ascending. Strides are in bytes.
func tile(c *Context, rows int) {
	c.Function(fmt.Sprintf("tile%d", rows))
	c.Doc(fmt.Sprintf("tile%d computes c (%d,16) from a (%d,k) and b (k,16): a chain of fused multiply-adds an element, k ascending,", rows, rows, rows),
		"from c if load is not 0, else from +0. Strides are in bytes.")
	c.Pragma("noescape")
	c.Attributes(NOSPLIT)
	c.SignatureExpr("func(k int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow, load int)")

	k := c.Load(c.Param("k"), c.GP64())
	a := c.Load(c.Param("a"), c.GP64())
	aRow := c.Load(c.Param("aRow"), c.GP64())
	aStep := c.Load(c.Param("aStep"), c.GP64())
	b := c.Load(c.Param("b"), c.GP64())
	bStep := c.Load(c.Param("bStep"), c.GP64())
	out := c.Load(c.Param("c"), c.GP64())
	outRow := c.Load(c.Param("cRow"), c.GP64())
	load := c.Load(c.Param("load"), c.GP64())

	var acc [maxRows][2]reg.VecVirtual
	for r := range rows {
		acc[r] = [2]reg.VecVirtual{c.YMM(), c.YMM()}
	}
	lower := pointers(c, a, aRow, rows)
	outs := pointers(c, out, outRow, rows)

	c.TESTQ(load, load)
	c.JZ(LabelRef("zero"))
	for r := range rows {
		for h := range 2 {
			c.VMOVUPS(outs[r].Offset(32*h), acc[r][h])
		}
	}
	c.JMP(LabelRef("start"))
	c.Label("zero")
	for r := range rows {
		for h := range 2 {
			c.VXORPS(acc[r][h], acc[r][h], acc[r][h])
		}
	}
	c.Label("start")

	step := func() {
		b0, b1 := c.YMM(), c.YMM()
		c.VMOVUPS(Mem{Base: b}, b0)
		c.VMOVUPS(Mem{Base: b, Disp: 32}, b1)
		for r := range rows {
			x := c.YMM()
			c.VBROADCASTSS(lower[r], x)
			c.VFMADD231PS(b0, x, acc[r][0])
			c.VFMADD231PS(b1, x, acc[r][1])
		}
		c.ADDQ(bStep, b)
		c.ADDQ(aStep, lower[0].Base)
		if rows > 3 {
			c.ADDQ(aStep, lower[3].Base)
		}
	}
	c.SUBQ(Imm(unroll), k)
	c.JLT(LabelRef("rest"))
	c.Label("loop")
	for range unroll {
		step()
	}
	c.SUBQ(Imm(unroll), k)
	c.JGE(LabelRef("loop"))
	c.Label("rest")
	c.ADDQ(Imm(unroll), k)
	c.JZ(LabelRef("done"))
	c.Label("single")
	step()
	c.DECQ(k)
	c.JNZ(LabelRef("single"))
	c.Label("done")
	for r := range rows {
		for h := range 2 {
			c.VMOVUPS(acc[r][h], outs[r].Offset(32*h))
		}
	}
	c.VZEROUPPER()
	c.RET()
}

// pointers addresses the rows of a matrix from two bases, rows 0 to 2 from the first and 3 to 5 from the second.
func pointers(c *Context, base, stride reg.Register, rows int) []Mem {
	var upper reg.GPVirtual
	if rows > 3 {
		upper = c.GP64()
		c.LEAQ(Mem{Base: base, Index: stride, Scale: 2}, upper)
		c.ADDQ(stride, upper)
	}
	var m []Mem
	for r := range rows {
		from := base
		if r >= 3 {
			from = upper
		}
		switch r % 3 {
		case 0:
			m = append(m, Mem{Base: from})
		case 1:
			m = append(m, Mem{Base: from, Index: stride, Scale: 1})
		case 2:
			m = append(m, Mem{Base: from, Index: stride, Scale: 2})
		}
	}
	return m
}
