package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// panelBytes is a row of a panel of keys: sixteen positions.
const panelBytes = 16 * 4

// decoding emits the two products of attention with one row of queries, for one size of registers: each element is one chain of fused
// multiply-adds, as in a tile, and what is done at once are many columns, for a single row leaves a tile waiting for its own chains.
type decoding struct {
	*Context
	name string // ends the names of the functions
	size int    // of a register in bytes
}

func decodes(c *Context) {
	for _, d := range []decoding{{c, "AVX2", 32}, {c, "AVX512", 64}} {
		d.scores()
		d.mix()
	}
}

func (d decoding) begin(name, signature string, doc ...string) {
	name += d.name
	doc[0] = name + " " + doc[0]
	begin(d.Context, name, signature, doc...)
}

func (d decoding) integer(name string) reg.Register { return d.Load(d.Param(name), d.GP64()) }

func (d decoding) register() reg.VecVirtual {
	if d.size == 64 {
		return d.ZMM()
	}
	return d.YMM()
}

// sums returns registers at +0.
func (d decoding) sums(n int) []reg.VecVirtual {
	var all []reg.VecVirtual
	for range n {
		x := d.register()
		if d.size == 64 {
			d.VPXORD(x, x, x)
		} else {
			d.VXORPS(x, x, x)
		}
		all = append(all, x)
	}
	return all
}

// scores emits the product of a query with panels of keys, four panels at once, then what is left.
func (d decoding) scores() {
	d.begin("scores", "func(dim, panels int, q, keys, out *float32)",
		"computes out (panels·16), the product of q (dim) with keys (panels,dim,16): a chain of fused multiply-adds",
		"an element, from +0, dim ascending.")
	dim, panels := d.integer("dim"), d.integer("panels")
	q, keys, out := d.integer("q"), d.integer("keys"), d.integer("out")
	stride, triple := d.GP64(), d.GP64() // of a panel, in bytes, and three times that
	d.MOVQ(dim, stride)
	d.SHLQ(Imm(6), stride)
	d.LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, triple)

	block := func(together int) {
		label := func(name string) string { return fmt.Sprint(name, together) }
		parts := panelBytes / d.size
		acc := d.sums(together * parts)
		from, k := d.GP64(), d.GP64()
		d.MOVQ(keys, from)
		d.XORQ(k, k)
		d.Label(label("step"))
		x := d.register()
		d.VBROADCASTSS(Mem{Base: q, Index: k, Scale: 4}, x)
		rows := []Mem{{Base: from}, {Base: from, Index: stride, Scale: 1}, {Base: from, Index: stride, Scale: 2}, {Base: from, Index: triple, Scale: 1}}
		for i, sum := range acc {
			d.VFMADD231PS(rows[i/parts].Offset(i%parts*d.size), x, sum)
		}
		d.ADDQ(U32(panelBytes), from)
		d.INCQ(k)
		d.CMPQ(k, dim)
		d.JLT(LabelRef(label("step")))
		for i, sum := range acc {
			d.VMOVUPS(sum, Mem{Base: out, Disp: i * d.size})
		}
	}
	const most = 4
	d.Label("next")
	d.CMPQ(panels, Imm(most))
	d.JLT(LabelRef("rest"))
	block(most)
	d.LEAQ(Mem{Base: keys, Index: stride, Scale: most}, keys)
	d.ADDQ(U32(most*panelBytes), out)
	d.SUBQ(Imm(most), panels)
	d.JMP(LabelRef("next"))
	d.Label("rest")
	for left := most - 1; left > 0; left-- {
		d.CMPQ(panels, Imm(uint64(left)))
		d.JNE(LabelRef(fmt.Sprint("not", left)))
		block(left)
		d.JMP(LabelRef("done"))
		d.Label(fmt.Sprint("not", left))
	}
	d.Label("done")
	d.VZEROUPPER()
	d.RET()
}

// mix emits the sum of the values, weighted: 64 columns at once, then 16 at a time.
func (d decoding) mix() {
	d.begin("mix", "func(n, dim int, p, values, out *float32)",
		"computes out (dim), the product of p (n) with values (n,dim), dim a multiple of 16: a chain of fused",
		"multiply-adds an element, from +0, n ascending.")
	n, dim := d.integer("n"), d.integer("dim")
	p, values, out := d.integer("p"), d.integer("values"), d.integer("out")
	stride := d.GP64()
	d.MOVQ(dim, stride)
	d.SHLQ(Imm(2), stride)
	for _, columns := range []int{64, 32, 16} {
		label := func(name string) string { return fmt.Sprint(name, columns) }
		d.Label(label("next"))
		d.CMPQ(dim, U32(columns))
		d.JLT(LabelRef(label("less")))
		acc := d.sums(columns * 4 / d.size)
		from, k := d.GP64(), d.GP64()
		d.MOVQ(values, from)
		d.XORQ(k, k)
		d.Label(label("step"))
		x := d.register()
		d.VBROADCASTSS(Mem{Base: p, Index: k, Scale: 4}, x)
		for i, sum := range acc {
			d.VFMADD231PS(Mem{Base: from, Disp: i * d.size}, x, sum)
		}
		d.ADDQ(stride, from)
		d.INCQ(k)
		d.CMPQ(k, n)
		d.JLT(LabelRef(label("step")))
		for i, sum := range acc {
			d.VMOVUPS(sum, Mem{Base: out, Disp: i * d.size})
		}
		d.ADDQ(U32(columns*4), values)
		d.ADDQ(U32(columns*4), out)
		d.SUBQ(U32(columns), dim)
		d.JMP(LabelRef(label("next")))
		d.Label(label("less"))
	}
	d.VZEROUPPER()
	d.RET()
}
