package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func (v *vector) reductions() {
	v.begin("sum", "func(x []float32) float32", "is Sum.")
	x, n, l := v.slice("x"), v.length("x"), v.partials(v.number(0))
	v.row(n, func(t turn) { t.into(l, v.VADDPS, t.from(x)) })
	v.give(v.tree(l, v.VADDPS))

	v.begin("dot", "func(x, y []float32) float32", "is Dot.")
	x, y, n, l := v.slice("x"), v.slice("y"), v.length("x"), v.partials(v.number(0))
	v.row(n, func(t turn) { t.into(l, v.VADDPS, t.mul(t.from(x), t.from(y))) })
	v.give(v.tree(l, v.VADDPS))

	v.begin("max", "func(x []float32) float32", "is Max: the second operand is what VMAXPS takes where one is not a number.")
	low := v.number(math.Inf(-1))
	x, n, l = v.slice("x"), v.length("x"), v.partials(low)
	v.row(n, func(t turn) { t.into(l, v.VMAXPS, t.within(t.from(x), low)) })
	m := v.tree(l, v.VMAXPS)
	v.VADDSS(Mem(v.number(0)), m, m)
	v.give(m)
}

// finite emits the sum of x-x, which is 0, or not a number where an element is not finite.
func (v *vector) finite() {
	v.begin("finite", "func(x []float32) float32", "is the sum of x-x: 0, or not a number if an element is not finite.")
	x, n, l := v.slice("x"), v.length("x"), v.partials(v.number(0))
	v.row(n, func(t turn) {
		e := t.from(x)
		t.into(l, v.VADDPS, t.sub(e, e))
	})
	v.give(v.tree(l, v.VADDPS))
}

// exponential emits the twin of the loop of Exp, with the sum of what it stores. The constants are those of exp.go.
func (v *vector) exponential() {
	v.begin("exp", "func(out, x []float32, scale, shift float32) float32", "is Exp and the Sum of what it stores.")
	out, x, n, l := v.slice("out"), v.slice("x"), v.length("x"), v.partials(v.number(0))
	scale, shift := v.scalar("scale"), v.scalar("shift")
	v.row(n, func(t turn) {
		p := t.exp(t.sub(t.mul(t.from(x), scale), shift))
		t.to(out, p)
		t.into(l, v.VADDPS, t.within(p, v.number(0)))
	})
	v.give(v.tree(l, v.VADDPS))
}

// exp returns e^x.
func (t turn) exp(x value) value {
	const round = 12582912
	k := t.add(t.mul(x, t.number(0x1.715476p+0)), t.number(round))
	n := t.sub(k, t.number(round))
	r := t.sub(x, t.mul(n, t.number(0x1.63p-1)))
	r = t.sub(r, t.mul(n, t.number(-0x1.bd0106p-13)))
	p := t.mul(r, t.number(0.001392617949))
	for i, c := range []float64{0.00836317418, 0.04166655462, 0.1666657702, 0.5} {
		if i > 0 {
			p = t.mul(p, r)
		}
		p = t.add(p, t.number(c))
	}
	p = t.add(t.mul(p, t.mul(r, r)), r)
	p = t.add(p, t.number(1))
	power := t.apply(t.VPSUBD, k, t.word(0x4b400000-127))
	for _, w := range power {
		t.VPSLLD(Imm(23), w, w)
	}
	p = t.mul(p, power)
	p = t.where(p, p, notLess, t.number(0x1p-100))
	p = t.where(p, x, notLess, t.number(-69.5))
	high, infinity := Mem(t.number(88)), Mem(t.number(math.Inf(1)))
	for part, q := range p {
		if t.wide() {
			k := t.K()
			t.VCMPPS(U8(greater), high, x[part], k)
			t.VMOVUPS(infinity, k, q)
		} else {
			over := t.register()
			t.VCMPPS(U8(greater), high, x[part], over)
			t.VBLENDVPS(over, infinity, q, q)
		}
	}
	return p
}

func (v *vector) softmax() {
	v.begin("scaleFlush", "func(x []float32, first, second float32)", "is scaleFlush.")
	x, n, first, second := v.slice("x"), v.length("x"), v.scalar("first"), v.scalar("second")
	v.row(n, func(t turn) { t.to(x, t.flush(t.mul(t.flush(t.mul(t.from(x), first)), second))) })
	v.end()

	v.begin("softmaxGradient", "func(d, p []float32, mean, scale float32)", "is the loop of softmaxBackward.")
	d, p, n, mean, scale := v.slice("d"), v.slice("p"), v.length("p"), v.scalar("mean"), v.scalar("scale")
	v.row(n, func(t turn) { t.to(d, t.flush(t.mul(t.mul(t.sub(t.from(d), mean), t.from(p)), scale))) })
	v.end()
}

func (v *vector) norm() {
	v.begin("normalize", "func(out, x, gain []float32, rstd float32)", "is the loop of RMSNorm over a row.")
	out, x, gain, n, rstd := v.slice("out"), v.slice("x"), v.slice("gain"), v.length("gain"), v.scalar("rstd")
	v.row(n, func(t turn) { t.to(out, t.mul(t.mul(t.from(x), rstd), t.from(gain))) })
	v.end()

	v.begin("normDot", "func(dy, x, gain []float32, rstd float32) float32", "is the Dot of RMSNormBackward.")
	dy, x, gain, n, rstd := v.slice("dy"), v.slice("x"), v.slice("gain"), v.length("gain"), v.scalar("rstd")
	l := v.partials(v.number(0))
	v.row(n, func(t turn) {
		product := t.mul(t.mul(t.from(dy), t.from(gain)), t.mul(t.from(x), rstd))
		t.into(l, v.VADDPS, t.within(product, v.number(0)))
	})
	v.give(v.tree(l, v.VADDPS))

	v.begin("normGradient", "func(dx, dy, x, gain []float32, rstd, mean float32)", "is the last loop of RMSNormBackward over a row.")
	dx, dy, x, gain, n, rstd := v.slice("dx"), v.slice("dy"), v.slice("x"), v.slice("gain"), v.length("gain"), v.scalar("rstd")
	mean := v.scalar("mean")
	v.row(n, func(t turn) {
		d := t.sub(t.mul(t.from(dy), t.from(gain)), t.mul(t.mul(t.from(x), rstd), mean))
		t.to(dx, t.add(t.from(dx), t.mul(d, rstd)))
	})
	v.end()

	v.gainSums()
}

// gainSums emits RMSNormGain for a multiple of 16 columns, 16 at a time: their float64 sums stay in registers while the rows go by.
func (v *vector) gainSums() {
	v.begin("gainSums", "func(sum []float64, dy, x *float32, rstd []float32, width int)",
		"is RMSNormGain for a multiple of 16 columns, whose first row starts at dy and x.")
	half := v.XMM // as many elements as a register holds in float64
	if v.wide() {
		half = v.YMM
	}
	sum, columns := v.slice("sum"), v.length("sum")
	dy, x := v.Load(v.Param("dy"), v.GP64()), v.Load(v.Param("x"), v.GP64())
	rstd, rows, width := v.slice("rstd"), v.length("rstd"), v.Load(v.Param("width"), v.GP64())
	v.SHLQ(Imm(2), width)
	v.Label("columns")
	var sums []reg.VecVirtual
	for i := range 2 * v.parts() {
		s := v.register()
		v.VMOVUPD(Mem{Base: sum, Disp: i * v.size}, s)
		sums = append(sums, s)
	}
	at, i := v.GP64(), v.GP64()
	v.XORQ(at, at)
	v.XORQ(i, i)
	v.JMP(LabelRef("next"))
	v.Label("rows")
	r := half()
	v.VBROADCASTSS(Mem{Base: rstd, Index: i, Scale: 4}, r)
	for j, s := range sums {
		h, a, b := half(), v.register(), v.register()
		v.VMULPS(Mem{Base: x, Index: at, Scale: 1, Disp: j * v.size / 2}, r, h)
		v.VCVTPS2PD(h, a)
		v.VCVTPS2PD(Mem{Base: dy, Index: at, Scale: 1, Disp: j * v.size / 2}, b)
		v.VMULPD(a, b, a)
		v.VADDPD(a, s, s)
	}
	v.ADDQ(width, at)
	v.INCQ(i)
	v.Label("next")
	v.CMPQ(i, rows)
	v.JLT(LabelRef("rows"))
	for i, s := range sums {
		v.VMOVUPD(s, Mem{Base: sum, Disp: i * v.size})
	}
	v.ADDQ(Imm(8*16), sum)
	v.ADDQ(Imm(4*16), dy)
	v.ADDQ(Imm(4*16), x)
	v.SUBQ(Imm(16), columns)
	v.JNZ(LabelRef("columns"))
	v.end()
}

func (v *vector) rotation() {
	v.begin("rotate", "func(x, cos, sin []float32, direction float32)",
		"turns the heads of the row x, which is not empty, by one position. direction, 1 or -1 to turn back, is the sign of the sine.")
	first, left, cos, sin, half := v.slice("x"), v.length("x"), v.slice("cos"), v.slice("sin"), v.length("cos")
	direction, second := v.scalar("direction"), v.GP64()
	v.Label("heads")
	v.LEAQ(Mem{Base: first, Index: half, Scale: 4}, second)
	v.row(half, func(t turn) {
		a, b, c, s := t.from(first), t.from(second), t.from(cos), t.mul(t.from(sin), direction)
		t.to(first, t.sub(t.mul(a, c), t.mul(b, s)))
		t.to(second, t.add(t.mul(b, c), t.mul(a, s)))
	})
	v.LEAQ(Mem{Base: second, Index: half, Scale: 4}, first)
	v.SUBQ(half, left)
	v.SUBQ(half, left)
	v.JNZ(LabelRef("heads"))
	v.end()
}

func (v *vector) swiglu() {
	v.begin("swiglu", "func(out, sigmoid, gate, up []float32)", "is SwiGLU.")
	out, sigmoid, gate, up, n := v.slice("out"), v.slice("sigmoid"), v.slice("gate"), v.slice("up"), v.length("gate")
	v.row(n, func(t turn) {
		g, one := t.from(gate), t.load(v.number(1))
		e := t.exp(t.sub(t.mul(g, v.number(-1)), v.number(0)))
		s := t.flush(t.div(one, t.add(one, e)))
		t.to(sigmoid, s)
		t.to(out, t.mul(t.mul(g, s), t.from(up)))
	})
	v.end()

	v.begin("swigluBackward", "func(gate, up, sigmoid, dout []float32)", "is SwiGLUBackward.")
	gate, up, sigmoid, dout, n := v.slice("gate"), v.slice("up"), v.slice("sigmoid"), v.slice("dout"), v.length("gate")
	v.row(n, func(t turn) {
		s, g, u, d, one := t.from(sigmoid), t.from(gate), t.from(up), t.from(dout), t.load(v.number(1))
		silu := t.mul(g, s)
		t.to(sigmoid, t.mul(silu, u))
		t.to(up, t.mul(d, silu))
		t.to(gate, t.mul(t.mul(d, u), t.mul(s, t.add(t.mul(g, t.sub(one, s)), one))))
	})
	v.end()
}

// adamw emits AdamW.Step. Its constants come in the order of the struct's fields.
func (v *vector) adamw() {
	v.begin("adamw", "func(w, m, v, g []float32, c *[10]float32)", "is AdamW.Step, with the fields of AdamW in c, in their order.")
	w, m, second, g, n := v.slice("w"), v.slice("m"), v.slice("v"), v.slice("g"), v.length("w")
	c := v.Load(v.Param("c"), v.GP64())
	var field [10]value
	for i := range field {
		field[i] = v.broadcast(Mem{Base: c, Disp: 4 * i})
	}
	rate, decay, beta1, beta2, rest1, rest2 := field[0], field[1], field[2], field[3], field[4], field[5]
	unbias1, unbias2, eps, scale := field[6], field[7], field[8], field[9]
	v.rowInParts(n, func(t turn) {
		d := t.mul(t.from(g), scale)
		q := t.flush(t.add(t.mul(t.from(second), beta2), t.mul(t.mul(d, d), rest2)))
		t.to(second, q)
		p := t.flush(t.add(t.mul(t.from(m), beta1), t.mul(d, rest1)))
		t.to(m, p)
		root := t.mul(q, unbias2)
		for _, r := range root {
			v.VSQRTPS(r, r)
		}
		u := t.div(t.mul(p, unbias1), t.add(root, eps))
		x := t.from(w)
		t.to(w, t.flush(t.sub(x, t.mul(t.add(u, t.mul(x, decay)), rate))))
	})
	v.end()
}

func (v *vector) addition() {
	v.begin("add", "func(sum, x []float32)", "adds x to sum.")
	sum, x, n := v.slice("sum"), v.slice("x"), v.length("x")
	v.row(n, func(t turn) { t.to(sum, t.add(t.from(sum), t.from(x))) })
	v.end()
}

// transpose emits the transposition of blocks of 8 by 8.
func transpose(c *Context) {
	begin(c, "transposeBlocks", "func(out *float32, ldout int, x *float32, ldx, blocks int)",
		"transposeBlocks transposes 8 rows of x of 8·blocks columns, one block or more. Distances between rows are in bytes.")
	out, ldout := c.Load(c.Param("out"), c.GP64()), c.Load(c.Param("ldout"), c.GP64())
	x, ldx, blocks := c.Load(c.Param("x"), c.GP64()), c.Load(c.Param("ldx"), c.GP64()), c.Load(c.Param("blocks"), c.GP64())
	lower := c.GP64()
	c.LEAQ(Mem{Base: x, Index: ldx, Scale: 4}, lower)
	x3, out3 := c.GP64(), c.GP64() // three rows
	c.LEAQ(Mem{Base: ldx, Index: ldx, Scale: 2}, x3)
	c.LEAQ(Mem{Base: ldout, Index: ldout, Scale: 2}, out3)
	row := func(base, stride, three reg.Register, i, disp int) Mem {
		switch i {
		case 0:
			return Mem{Base: base, Disp: disp}
		case 3:
			return Mem{Base: base, Index: three, Scale: 1, Disp: disp}
		default:
			return Mem{Base: base, Index: stride, Scale: uint8(i), Disp: disp}
		}
	}
	c.Label("block")
	for half := range 2 {
		var r [4]reg.VecVirtual // four elements of rows i and i+4
		for i := range r {
			r[i] = c.YMM()
			c.VMOVUPS(row(x, ldx, x3, i, 16*half), r[i].AsX())
			c.VINSERTF128(U8(1), row(lower, ldx, x3, i, 16*half), r[i], r[i])
		}
		low, high, column := [2]reg.VecVirtual{c.YMM(), c.YMM()}, [2]reg.VecVirtual{c.YMM(), c.YMM()}, c.YMM()
		for i := range 2 {
			c.VUNPCKLPS(r[2*i+1], r[2*i], low[i])
			c.VUNPCKHPS(r[2*i+1], r[2*i], high[i])
		}
		for i, pair := range [][2]reg.VecVirtual{low, high} {
			c.VUNPCKLPD(pair[1], pair[0], column)
			c.VMOVUPS(column, row(out, ldout, out3, 2*i, 0))
			c.VUNPCKHPD(pair[1], pair[0], column)
			c.VMOVUPS(column, row(out, ldout, out3, 2*i+1, 0))
		}
		c.LEAQ(Mem{Base: out, Index: ldout, Scale: 4}, out)
	}
	c.ADDQ(Imm(32), x)
	c.ADDQ(Imm(32), lower)
	c.DECQ(blocks)
	c.JNZ(LabelRef("block"))
	c.VZEROUPPER()
	c.RET()
}
