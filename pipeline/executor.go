package pipeline

import (
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// executorNames lists the executors of this build. There is always local.
func (c *Config) executorNames() []string {
	names := sortedKeys(c.executors)
	if !slices.Contains(names, "local") {
		names = append(names, "local")
		slices.Sort(names)
	}
	return names
}

// Executors makes the executors that stages of g name, by name, each set up by its block at the top of the files, if
// there is one. Only now are those blocks evaluated: one that no stage names may lack what it needs. The error is an
// *InvalidError.
func (g *Graph) Executors() (map[string]Executor, error) {
	all, diags := g.executors()
	return all, g.config.invalid(diags)
}

func (g *Graph) executors() (map[string]Executor, hcl.Diagnostics) {
	all := map[string]Executor{}
	var diags hcl.Diagnostics
	for _, n := range g.Nodes {
		name := n.Meta.Executor
		kind := g.config.executors[name]
		if kind == nil || all[name] != nil { // a build without executors of its own has local, which a run sets up
			continue
		}
		all[name] = kind.New()
		if b := g.config.settings[name]; b != nil {
			diags = append(diags, g.scope.settings(b, all[name])...)
		}
	}
	return all, diags
}

// settings decodes the block of an executor into e.
func (s *scope) settings(b *hclsyntax.Block, e Executor) hcl.Diagnostics {
	it := &item{name: "executor." + b.Labels[0], scope: s, at: b.DefRange(), block: b}
	into := reflect.ValueOf(e).Elem()
	diags := it.resolve()
	ctx := it.context()
	n := &Node{Addr: it.name, header: it.at, fields: map[string]hcl.Range{}}
	d := &decoder{node: n, dir: s.dir, unknown: map[string]bool{}, guarded: func(*field) bool { return false }, value: func(a *hclsyntax.Attribute) (cty.Value, hcl.Diagnostics) {
		return s.config().eval(a.Expr, ctx)
	}}
	diags = append(diags, d.body(b.Body, into, "")...)
	if diags.HasErrors() {
		return diags
	}
	errs := d.words
	if checker, ok := e.(Checker); ok {
		errs = also(errs, flatten(checker.Check()))
	}
	for _, err := range errs {
		diags = append(diags, n.blame("Unsuitable value", err)...)
	}
	return diags
}
