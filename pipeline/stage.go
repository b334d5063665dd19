package pipeline

import (
	"errors"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// disabledAttr is what a single block that is not enabled has instead of outputs.
const disabledAttr = "(disabled)"

var disabledType = cty.Capsule("disabled block", reflect.TypeFor[disabled]())

// stageBlock is a stage's block while its instances are decoded.
type stageBlock struct {
	*item
	kind   *Kind
	ctx    *hcl.EvalContext
	flawed bool // what it says is wrong for every instance, and has been said

	varies map[*hclsyntax.Attribute]bool // whether an attribute refers to each
	alone  bool                          // one with a conditional does, whose results are watched as one evaluation goes
	mu     sync.Mutex                    // guards same
	same   map[*hclsyntax.Attribute]cty.Value
}

// stage decodes the block of it into its nodes, and into the value by which other blocks see it: unknown where something
// is wrong with the block, or with what it builds on.
func (it *item) stage() (cty.Value, []*Node, hcl.Diagnostics) {
	b := &stageBlock{item: it, kind: it.scope.config().kinds[it.block.Type], ctx: it.context(), varies: map[*hclsyntax.Attribute]bool{}, same: map[*hclsyntax.Attribute]cty.Value{}}
	diags := it.scope.config().shapes[it.block.Type].check(it.block.Body, it.at)
	b.flawed = diags.HasErrors()
	b.sort(it.block.Body)

	body := it.block.Body.Attributes
	forEach, swept := body["for_each"]
	if enabled := body["enabled"]; enabled != nil && !b.varies[enabled] {
		on, known, moreDiags := b.enabled(b.ctx)
		diags = append(diags, moreDiags...)
		switch {
		case known && !on && swept:
			return cty.EmptyObjectVal, nil, diags
		case known && !on:
			off := &disabled{it.name, enabled.SrcRange}
			return cty.ObjectVal(map[string]cty.Value{disabledAttr: cty.CapsuleVal(disabledType, off)}), nil, diags
		}
		b.flawed = b.flawed || !known
	}
	if !swept {
		n, moreDiags := b.node(b.ctx, it.name, nil)
		if diags = append(diags, moreDiags...); n == nil {
			return cty.DynamicVal, nil, diags
		}
		return n.value(), []*Node{n}, diags
	}

	v, moreDiags := it.scope.config().eval(forEach.Expr, b.ctx)
	diags = append(diags, moreDiags...)
	all := []instance{{}} // stands for instances that are not known
	known := v.IsWhollyKnown() && !moreDiags.HasErrors()
	if names := secretsIn(v); known && names != nil {
		known = false
		diags = append(diags, refuse(forEach.Expr.Range(), "for_each", names))
	}
	if known {
		var err error
		if all, err = instances(v); err != nil {
			known = false
			diags = append(diags, problem(forEach.Expr.Range(), "Invalid for_each", "%s.", err))
			all = []instance{{}}
		}
	}
	decoded := make([]decodedInstance, len(all))
	decode := func(k int) {
		i, d := all[k], &decoded[k]
		child := b.ctx.NewChild()
		child.Variables = map[string]cty.Value{"each": cty.DynamicVal}
		addr := it.name
		if known {
			child.Variables["each"] = i.each()
			addr += "[" + i.point.String() + "]"
		}
		if enabled := body["enabled"]; enabled != nil && b.varies[enabled] {
			on, sure, moreDiags := b.enabled(child)
			d.diags = moreDiags
			if d.off = sure && !on; d.off {
				return
			}
			d.unsure = !sure
		}
		n, moreDiags := b.node(child, addr, i.point)
		d.node, d.diags = n, append(d.diags, moreDiags...)
		if n != nil {
			d.value = n.value()
		}
	}
	b.each(len(all), decode)

	var nodes []*Node
	elements := map[string]cty.Value{}
	whole := known
	for k, d := range decoded {
		diags = append(diags, d.diags...)
		if d.off {
			continue
		}
		if whole = whole && !d.unsure && d.node != nil; d.node != nil {
			nodes = append(nodes, d.node)
			elements[all[k].key] = d.value
		}
	}
	if !whole {
		return cty.DynamicVal, nodes, diags
	}
	return cty.ObjectVal(elements), nodes, diags
}

// decodedInstance is what became of one instance of a block.
type decodedInstance struct {
	node        *Node // nil where something is wrong with it
	value       cty.Value
	off, unsure bool // not enabled; not known whether it is
	diags       hcl.Diagnostics
}

// each calls decode for every instance, on all cores. The first goes ahead: it finds the values that all have in common.
func (b *stageBlock) each(n int, decode func(int)) {
	workers := min(runtime.GOMAXPROCS(0), n/64)
	if b.alone || workers < 2 {
		for k := range n {
			decode(k)
		}
		return
	}
	decode(0)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for k := int(next.Add(1)); k < n; k = int(next.Add(1)) {
				decode(k)
			}
		})
	}
	wait.Wait()
}

// sort finds out which attributes of a body differ from instance to instance.
func (b *stageBlock) sort(body *hclsyntax.Body) {
	for _, a := range body.Attributes {
		for _, t := range a.Expr.Variables() {
			if t.RootName() == "each" {
				b.varies[a] = true
			}
		}
		hclsyntax.VisitAll(a.Expr, func(n hclsyntax.Node) hcl.Diagnostics {
			_, conditional := n.(*hclsyntax.ConditionalExpr)
			b.alone = b.alone || conditional && b.varies[a]
			return nil
		})
	}
	for _, inner := range body.Blocks {
		b.sort(inner.Body)
	}
}

// value evaluates an attribute: once for all instances, if it may.
func (b *stageBlock) value(a *hclsyntax.Attribute, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if b.varies[a] {
		return b.scope.config().eval(a.Expr, ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if v, ok := b.same[a]; ok {
		return v, nil
	}
	v, diags := b.scope.config().eval(a.Expr, ctx)
	if diags.HasErrors() {
		v = cty.DynamicVal // has been said
	}
	b.same[a] = v
	return v, diags
}

// enabled evaluates the meta-argument; known is false where something is wrong with it, or with what it builds on.
func (b *stageBlock) enabled(ctx *hcl.EvalContext) (on, known bool, diags hcl.Diagnostics) {
	a := b.block.Body.Attributes["enabled"]
	v, diags := b.value(a, ctx)
	if diags.HasErrors() || !v.IsWhollyKnown() {
		return false, false, diags
	}
	if names := secretsIn(v); names != nil {
		return false, false, append(diags, refuse(a.Expr.Range(), "enabled", names))
	}
	if v.IsNull() {
		return true, true, diags
	}
	got, err := convert.Convert(v, cty.Bool)
	if err != nil {
		return false, false, append(diags, problem(a.Expr.Range(), "Unsuitable value", "enabled takes true or false, not %s.", describe(v)))
	}
	return got.True(), true, diags
}

// node decodes one instance: nil where something is wrong with it, or not known.
func (b *stageBlock) node(ctx *hcl.EvalContext, addr string, point Point) (*Node, hcl.Diagnostics) {
	n := &Node{Addr: addr, Block: b.name, Kind: b.kind, Point: point, Stage: b.kind.New(), header: b.at, fields: map[string]hcl.Range{}}
	d := &decoder{node: n, dir: b.scope.dir, unknown: map[string]bool{}, guarded: func(f *field) bool { return !f.unkeyed }, value: func(a *hclsyntax.Attribute) (cty.Value, hcl.Diagnostics) {
		if a == b.block.Body.Attributes["enabled"] { // it is, or there would be no node
			return cty.True, nil
		}
		return b.value(a, ctx)
	}}
	diags := d.body(b.block.Body, structOf(n.Stage), "")
	m := defaultStageArguments()
	d.guarded = func(*field) bool { return true } // for it decides about stages, which journals tell of
	diags = append(diags, d.body(b.block.Body, reflect.ValueOf(&m).Elem(), "")...)
	if b.flawed || diags.HasErrors() {
		return nil, diags
	}
	errs := d.words
	if checker, ok := n.Stage.(Checker); ok {
		errs = also(errs, flatten(checker.Check()))
	}
	meta, err := m.meta(b.scope.config())
	n.Meta = meta
	errs = append(errs, flatten(err)...)
	for _, err := range errs {
		var f *FieldError
		if len(d.unknown) == 0 || errors.As(err, &f) && n.says(f.Field) && !d.unknown[f.Field] {
			diags = append(diags, n.blame("Unsuitable value", err)...)
		}
	}
	if diags.HasErrors() || len(d.unknown) > 0 {
		return nil, diags
	}
	for i := range n.files {
		x := &n.files[i]
		if err := b.scope.config().identify(x); err != nil {
			diags = append(diags, n.problem(n.where(x.field), "Unreadable source", "%s %s.", x.field, err))
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	n.facts = n.configFacts()
	return n, diags
}
