package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A turn is a step of a loop over rows: sixteen elements, the virtual lanes of a reduction (see lanes.go). With AVX2 it is two parts, with
// AVX-512 one: a part is a register.
const turnBytes = 16 * 4

// vector emits functions for one size of registers.
type vector struct {
	*Context
	constants *constants
	name      string // ends the names of the functions
	size      int    // of a register in bytes
	loops     int
}

// vectors emits the functions on vectors for AVX2 and for AVX-512. Each does the operations of its portable twin in the same order and without
// fusing, so that the bits are the same.
func vectors(c *Context) {
	k := newConstants(c)
	for _, v := range []*vector{{Context: c, constants: k, name: "AVX2", size: 32}, {Context: c, constants: k, name: "AVX512", size: 64}} {
		v.reductions()
		v.exponential()
		v.softmax()
		v.norm()
		v.rotation()
		v.swiglu()
		v.adamw()
		v.addition()
	}
	transpose(c)
}

// constants is a table in read-only memory, where each constant fills a whole register of the larger size. It starts with the masks of parts
// of a turn: sixteen words of ones, and as many of zeros.
type constants struct {
	*Context
	table Mem
	size  int
	at    map[uint32]Mem
}

func newConstants(c *Context) *constants {
	k := &constants{Context: c, table: c.StaticGlobal("constants"), at: map[uint32]Mem{}}
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	k.repeat(math.MaxUint32)
	k.repeat(0)
	return k
}

// repeat returns the address of a new entry.
func (k *constants) repeat(bits uint32) Mem {
	m := k.table.Offset(k.size)
	for range turnBytes / 4 {
		k.AddDatum(k.size, U32(bits))
		k.size += 4
	}
	return m
}

// word returns the address of a constant.
func (v *vector) word(bits uint32) Mem {
	m, ok := v.constants.at[bits]
	if !ok {
		m = v.constants.repeat(bits)
		v.constants.at[bits] = m
	}
	return m
}

func (v *vector) number(x float64) Mem { return v.word(math.Float32bits(float32(x))) }

// begin starts a function. A doc says what it does; the order of its operations is that of the Go code that calls it.
func (v *vector) begin(name, signature, doc string) {
	begin(v.Context, name+v.name, signature, name+v.name+" "+doc)
}

func begin(c *Context, name, signature string, doc ...string) {
	c.Function(name)
	c.Doc(doc...)
	c.Pragma("noescape")
	c.Attributes(NOSPLIT)
	c.SignatureExpr(signature)
}

func (v *vector) end() {
	v.VZEROUPPER()
	v.RET()
}

// give ends a function that returns a float32.
func (v *vector) give(x reg.VecVirtual) {
	v.VMOVSS(x, address(v.ReturnIndex(0)))
	v.end()
}

func address(c gotypes.Component) Mem {
	b, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// slice returns where a parameter's elements lie.
func (v *vector) slice(name string) reg.GPVirtual {
	return v.Load(v.Param(name).Base(), v.GP64()).(reg.GPVirtual)
}

func (v *vector) length(name string) reg.GPVirtual {
	return v.Load(v.Param(name).Len(), v.GP64()).(reg.GPVirtual)
}

func (v *vector) wide() bool { return v.size == 64 }

func (v *vector) parts() int { return turnBytes / v.size }

func (v *vector) register() reg.VecVirtual {
	if v.wide() {
		return v.ZMM()
	}
	return v.YMM()
}

// broadcast returns a register filled with the number in memory.
func (v *vector) broadcast(m Mem) reg.VecVirtual {
	x := v.register()
	v.VBROADCASTSS(m, x)
	return x
}

func (v *vector) scalar(name string) reg.VecVirtual { return v.broadcast(address(v.Param(name))) }

// The operations below return a new register: a·b, a+b, a-b, a/b.

func (v *vector) mul(a reg.VecVirtual, b Op) reg.VecVirtual { return v.apply(v.VMULPS, a, b) }
func (v *vector) add(a reg.VecVirtual, b Op) reg.VecVirtual { return v.apply(v.VADDPS, a, b) }
func (v *vector) sub(a reg.VecVirtual, b Op) reg.VecVirtual { return v.apply(v.VSUBPS, a, b) }
func (v *vector) div(a reg.VecVirtual, b Op) reg.VecVirtual { return v.apply(v.VDIVPS, a, b) }

func (v *vector) apply(instruction func(...Op), a reg.VecVirtual, b Op) reg.VecVirtual {
	x := v.register()
	instruction(b, a, x)
	return x
}

// load returns a constant in a register.
func (v *vector) load(m Mem) reg.VecVirtual {
	x := v.register()
	v.VMOVUPS(m, x)
	return x
}

// Predicates of comparisons, quiet: NaN is greater than nothing, and not less than anything.
const (
	notLess = 0x15
	greater = 0x1e
)

// where returns x where a compares to b, else +0.
func (v *vector) where(x, a reg.VecVirtual, predicate uint8, b Op) reg.VecVirtual {
	y := v.register()
	if v.wide() {
		k := v.K()
		v.VCMPPS(U8(predicate), b, a, k)
		v.VMOVAPS_Z(x, k, y)
	} else {
		v.VCMPPS(U8(predicate), b, a, y)
		v.VANDPS(x, y, y)
	}
	return y
}

// flush returns x, or +0 where its magnitude is below 2^-100; NaN stays.
func (v *vector) flush(x reg.VecVirtual) reg.VecVirtual {
	magnitude := v.register()
	if v.wide() {
		v.VPANDD(v.word(math.MaxInt32), x, magnitude)
	} else {
		v.VANDPS(v.word(math.MaxInt32), x, magnitude)
	}
	return v.where(x, magnitude, notLess, v.number(0x1p-100))
}

// turn is one part of a turn. inside, nil where it is whole, is the mask of the elements that are there.
type turn struct {
	*vector
	part   int
	at     reg.GPVirtual // offset of the turn
	inside reg.Register
}

func (t turn) place(base reg.GPVirtual) Mem {
	return Mem{Base: base, Index: t.at, Scale: 1, Disp: t.part * t.size}
}

// from loads elements; those behind the end are +0.
func (t turn) from(base reg.GPVirtual) reg.VecVirtual {
	x := t.register()
	switch {
	case t.inside == nil:
		t.VMOVUPS(t.place(base), x)
	case t.wide():
		t.VMOVUPS_Z(t.place(base), t.inside, x)
	default:
		t.VMASKMOVPS(t.place(base), t.inside, x)
	}
	return x
}

// to stores elements; those behind the end are not touched.
func (t turn) to(base reg.GPVirtual, x reg.VecVirtual) {
	switch {
	case t.inside == nil:
		t.VMOVUPS(x, t.place(base))
	case t.wide():
		t.VMOVUPS(x, t.inside, t.place(base))
	default:
		t.VMASKMOVPS(x, t.inside, t.place(base))
	}
}

// within returns x with a constant behind the end.
func (t turn) within(x reg.VecVirtual, otherwise Mem) reg.VecVirtual {
	if t.inside == nil {
		return x
	}
	y := t.load(otherwise)
	if t.wide() {
		t.VBLENDMPS(x, y, t.inside, y)
	} else {
		t.VBLENDVPS(t.inside, x, y, y)
	}
	return y
}

// row emits a loop over n elements: turns, and one more for what is left.
func (v *vector) row(n reg.GPVirtual, body func(t turn)) {
	v.loops++
	label := func(name string) string { return fmt.Sprint(name, v.loops) }
	t := turn{vector: v, at: v.GP64()}
	left := v.GP64()
	v.XORQ(t.at, t.at)
	v.MOVQ(n, left)
	v.SUBQ(Imm(16), left)
	v.JLT(LabelRef(label("rest")))
	v.Label(label("loop"))
	for t.part = range v.parts() {
		body(t)
	}
	v.ADDQ(Imm(turnBytes), t.at)
	v.SUBQ(Imm(16), left)
	v.JGE(LabelRef(label("loop")))
	v.Label(label("rest"))
	v.ADDQ(Imm(16), left)
	v.JZ(LabelRef(label("done")))
	if v.wide() {
		bits := v.GP32()
		v.MOVL(I32(-1), bits)
		v.BZHIL(left.As32(), bits, bits)
		k := v.K()
		v.KMOVW(bits, k)
		t.inside, t.part = k, 0
		body(t)
	} else {
		masks := v.GP64()
		v.LEAQ(v.constants.table.Offset(turnBytes), masks)
		start := v.GP64()
		v.MOVQ(left, start)
		v.NEGQ(start)
		for t.part = range v.parts() {
			if t.part > 0 {
				v.CMPQ(left, Imm(8))
				v.JLE(LabelRef(label("done")))
			}
			mask := v.YMM()
			v.VMOVUPS(Mem{Base: masks, Index: start, Scale: 4, Disp: t.part * v.size}, mask)
			t.inside = mask
			body(t)
		}
	}
	v.Label(label("done"))
}

// partials returns the lanes of a reduction, by part, at zero or another constant.
func (v *vector) partials(start Mem) []reg.VecVirtual {
	var l []reg.VecVirtual
	for range v.parts() {
		l = append(l, v.load(start))
	}
	return l
}

// tree joins the lanes: those 8 apart, then 4, 2 and 1. The result is the lowest element.
func (v *vector) tree(l []reg.VecVirtual, join func(...Op)) reg.VecVirtual {
	eight, other := v.YMM(), v.YMM()
	if v.wide() {
		v.VEXTRACTF64X4(U8(1), l[0], other)
		join(other, l[0].AsY(), eight)
	} else {
		join(l[1], l[0], eight)
	}
	four, two, one := v.XMM(), v.XMM(), v.XMM()
	v.VEXTRACTF128(U8(1), eight, four)
	join(four, eight.AsX(), four)
	v.VPERMILPS(U8(0b1110), four, two)
	join(two, four, two)
	v.VPERMILPS(U8(1), two, one)
	join(one, two, one)
	return one
}
