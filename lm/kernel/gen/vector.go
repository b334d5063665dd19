package main

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// vectors emits the functions on vectors.
func vectors(c *Context) { exponential(c) }

// exponential emits the vector twin of the loop of kernel.Exp: the same operations in the same order on eight elements at a time, without
// fusing, so that the bits are the same. Its constants are those of exp.go, and a test compares the two.
func exponential(c *Context) {
	table := c.StaticGlobal("exponential")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	size := 0
	word := func(bits uint32) Mem {
		at := table.Offset(size)
		for range 8 {
			c.AddDatum(size, U32(bits))
			size += 4
		}
		return at
	}
	number := func(v float32) Mem { return word(math.Float32bits(v)) }
	low, high, infinity := number(-69.5), number(88), number(float32(math.Inf(1)))
	log2E, round, bias := number(0x1.715476p+0), number(12582912), word(0x4b400000-127)
	ln2Hi, ln2Lo := number(0x1.63p-1), number(-0x1.bd0106p-13)
	coefficients := []Mem{number(0.00836317418), number(0.04166655462), number(0.1666657702), number(0.5)}
	highest, one, tiny := number(0.001392617949), number(1), number(0x1p-100)

	c.Function("expTile")
	c.Doc("expTile stores e^(scale·x - shift) of n elements, a multiple of 8, in out. See Exp.")
	c.Pragma("noescape")
	c.Attributes(NOSPLIT)
	c.SignatureExpr("func(n int, out, x *float32, scale, shift float32)")
	n := c.Load(c.Param("n"), c.GP64())
	out := c.Load(c.Param("out"), c.GP64())
	x := c.Load(c.Param("x"), c.GP64())
	scale, shift := c.YMM(), c.YMM()
	argument, err := c.Param("scale").Resolve()
	if err != nil {
		panic(err)
	}
	c.VBROADCASTSS(argument.Addr, scale)
	if argument, err = c.Param("shift").Resolve(); err != nil {
		panic(err)
	}
	c.VBROADCASTSS(argument.Addr, shift)

	c.Label("loop")
	v, t, k, r, p, s, mask := c.YMM(), c.YMM(), c.YMM(), c.YMM(), c.YMM(), c.YMM(), c.YMM()
	c.VMULPS(Mem{Base: x}, scale, v)
	c.VSUBPS(shift, v, v)
	c.VMULPS(log2E, v, t)
	c.VADDPS(round, t, t)
	c.VSUBPS(round, t, k)
	c.VMULPS(ln2Hi, k, s)
	c.VSUBPS(s, v, r)
	c.VMULPS(ln2Lo, k, s)
	c.VSUBPS(s, r, r)
	c.VMULPS(highest, r, p)
	for i, a := range coefficients {
		if i > 0 {
			c.VMULPS(r, p, p)
		}
		c.VADDPS(a, p, p)
	}
	c.VMULPS(r, r, s)
	c.VMULPS(s, p, p)
	c.VADDPS(r, p, p)
	c.VADDPS(one, p, p)
	c.VPSUBD(bias, t, t)
	c.VPSLLD(Imm(23), t, t)
	c.VMULPS(t, p, p)
	c.VCMPPS(Imm(0x11), tiny, p, mask)
	c.VANDNPS(p, mask, p)
	c.VCMPPS(Imm(0x11), low, v, mask)
	c.VANDNPS(p, mask, p)
	c.VCMPPS(Imm(0x1e), high, v, mask)
	c.VBLENDVPS(mask, infinity, p, p)
	c.VMOVUPS(p, Mem{Base: out})
	c.ADDQ(Imm(32), x)
	c.ADDQ(Imm(32), out)
	c.SUBQ(Imm(8), n)
	c.JNZ(LabelRef("loop"))
	c.VZEROUPPER()
	c.RET()
}
