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
		v.finite()
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
func (v *vector) word(bits uint32) constant {
	m, ok := v.constants.at[bits]
	if !ok {
		m = v.constants.repeat(bits)
		v.constants.at[bits] = m
	}
	return constant(m)
}

func (v *vector) number(x float64) constant { return v.word(math.Float32bits(float32(x))) }

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

// value is what a turn computes with: a register for each of its parts, or one for all of them.
type value []reg.VecVirtual

// constant is the address of one.
type constant Mem

// operand is a value or a constant.
type operand interface{ of(part int) Op }

func (x value) of(part int) Op { return x[min(part, len(x)-1)] }
func (x constant) of(int) Op   { return Mem(x) }

// broadcast returns a number in memory as a value.
func (v *vector) broadcast(m Mem) value {
	x := v.register()
	v.VBROADCASTSS(m, x)
	return value{x}
}

func (v *vector) scalar(name string) value { return v.broadcast(address(v.Param(name))) }

// turn is a turn, or one part of it. inside, nil where it is whole, is the mask of the elements that are there.
type turn struct {
	*vector
	first, parts int
	at           reg.GPVirtual // offset of the turn
	inside       reg.Register
}

// each returns the value that f stores, by part.
func (t turn) each(f func(part int, to reg.VecVirtual)) value {
	x := make(value, t.parts)
	for i := range x {
		x[i] = t.register()
		f(i, x[i])
	}
	return x
}

func (t turn) place(base reg.GPVirtual, part int) Mem {
	return Mem{Base: base, Index: t.at, Scale: 1, Disp: (t.first + part) * t.size}
}

// from loads elements; those behind the end are +0.
func (t turn) from(base reg.GPVirtual) value {
	return t.each(func(part int, to reg.VecVirtual) {
		switch {
		case t.inside == nil:
			t.VMOVUPS(t.place(base, part), to)
		case t.wide():
			t.VMOVUPS_Z(t.place(base, part), t.inside, to)
		default:
			t.VMASKMOVPS(t.place(base, part), t.inside, to)
		}
	})
}

// to stores elements; those behind the end are not touched.
func (t turn) to(base reg.GPVirtual, x value) {
	for part, r := range x {
		switch {
		case t.inside == nil:
			t.VMOVUPS(r, t.place(base, part))
		case t.wide():
			t.VMOVUPS(r, t.inside, t.place(base, part))
		default:
			t.VMASKMOVPS(r, t.inside, t.place(base, part))
		}
	}
}

// within returns x with a constant behind the end.
func (t turn) within(x value, otherwise constant) value {
	if t.inside == nil {
		return x
	}
	return t.each(func(part int, to reg.VecVirtual) {
		t.VMOVUPS(Mem(otherwise), to)
		if t.wide() {
			t.VBLENDMPS(x[part], to, t.inside, to)
		} else {
			t.VBLENDVPS(t.inside, x[part], to, to)
		}
	})
}

// The operations return a·b, a+b, a-b, a/b. Instructions take the operands in the other order.

func (t turn) mul(a value, b operand) value { return t.apply(t.VMULPS, a, b) }
func (t turn) add(a value, b operand) value { return t.apply(t.VADDPS, a, b) }
func (t turn) sub(a value, b operand) value { return t.apply(t.VSUBPS, a, b) }
func (t turn) div(a value, b operand) value { return t.apply(t.VDIVPS, a, b) }

func (t turn) apply(instruction func(...Op), a value, b operand) value {
	return t.each(func(part int, to reg.VecVirtual) { instruction(b.of(part), a.of(part), to) })
}

// load returns a constant in a register.
func (t turn) load(c constant) value {
	x := t.register()
	t.VMOVUPS(Mem(c), x)
	return value{x}
}

// Predicates of comparisons, quiet: NaN is greater than nothing, and not less than anything.
const (
	notLess = 0x15
	greater = 0x1e
)

// where returns x where a compares to b, else +0.
func (t turn) where(x, a value, predicate uint8, b constant) value {
	return t.each(func(part int, to reg.VecVirtual) {
		if t.wide() {
			k := t.K()
			t.VCMPPS(U8(predicate), Mem(b), a[part], k)
			t.VMOVAPS_Z(x[part], k, to)
		} else {
			t.VCMPPS(U8(predicate), Mem(b), a[part], to)
			t.VANDPS(x[part], to, to)
		}
	})
}

// flush returns x, or +0 where its magnitude is below 2^-100; NaN stays.
func (t turn) flush(x value) value {
	and := t.VANDPS
	if t.wide() {
		and = t.VPANDD
	}
	return t.where(x, t.apply(and, x, t.word(math.MaxInt32)), notLess, t.number(0x1p-100))
}

// row emits a loop over n elements: turns, whose parts run side by side, and what is left.
func (v *vector) row(n reg.GPVirtual, body func(t turn)) { v.loop(n, v.parts(), body) }

// rowInParts is row with one part after the other, which takes half of the registers.
func (v *vector) rowInParts(n reg.GPVirtual, body func(t turn)) { v.loop(n, 1, body) }

func (v *vector) loop(n reg.GPVirtual, together int, body func(t turn)) {
	v.loops++
	label := func(name string) string { return fmt.Sprint(name, v.loops) }
	at, left := v.GP64(), v.GP64()
	v.XORQ(at, at)
	v.MOVQ(n, left)
	v.SUBQ(Imm(16), left)
	v.JLT(LabelRef(label("rest")))
	v.Label(label("loop"))
	for first := 0; first < v.parts(); first += together {
		body(turn{vector: v, first: first, parts: together, at: at})
	}
	v.ADDQ(Imm(turnBytes), at)
	v.SUBQ(Imm(16), left)
	v.JGE(LabelRef(label("loop")))
	v.Label(label("rest"))
	v.ADDQ(Imm(16), left)
	v.JZ(LabelRef(label("done")))
	if v.wide() {
		bits, k := v.GP32(), v.K()
		v.MOVL(I32(-1), bits)
		v.BZHIL(left.As32(), bits, bits)
		v.KMOVW(bits, k)
		body(turn{vector: v, parts: 1, at: at, inside: k})
	} else {
		masks, start := v.GP64(), v.GP64()
		v.LEAQ(v.constants.table.Offset(turnBytes), masks)
		v.MOVQ(left, start)
		v.NEGQ(start)
		for part := range v.parts() {
			if part > 0 {
				v.CMPQ(left, Imm(8))
				v.JLE(LabelRef(label("done")))
			}
			mask := v.YMM()
			v.VMOVUPS(Mem{Base: masks, Index: start, Scale: 4, Disp: part * v.size}, mask)
			body(turn{vector: v, first: part, parts: 1, at: at, inside: mask})
		}
	}
	v.Label(label("done"))
}

// partials returns the lanes of a reduction, at zero or another constant.
func (v *vector) partials(start constant) value {
	return turn{vector: v, parts: v.parts()}.each(func(_ int, to reg.VecVirtual) { v.VMOVUPS(Mem(start), to) })
}

// into joins x to the lanes.
func (t turn) into(l value, join func(...Op), x value) {
	for part, r := range x {
		to := l[t.first+part]
		join(to, r, to)
	}
}

// tree joins the lanes: those 8 apart, then 4, 2 and 1. The result is the lowest element.
func (v *vector) tree(l value, join func(...Op)) reg.VecVirtual {
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
