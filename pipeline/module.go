package pipeline

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// folder is a module: a folder's files, parsed.
type folder struct {
	dir       string
	bodies    []*hclsyntax.Body
	variables map[string]*variable
	diags     hcl.Diagnostics // about variables; said once for every use, which is to say once
}

// use is one module block: a folder's stages in a namespace of their own.
type use struct {
	block *hclsyntax.Block
	inner *scope // nil where something is wrong with it
}

// parseModules reads the folders that the module blocks among blocks name, and those that they name in turn. around lists
// the folders that lead to them, the last of which is the one that paths are relative to.
func (c *Config) parseModules(blocks hclsyntax.Blocks, around ...string) (diags hcl.Diagnostics) {
	for _, b := range moduleBlocks(blocks) {
		dir, at, moreDiags := moduleFolder(b, around[len(around)-1])
		if diags = append(diags, moreDiags...); moreDiags.HasErrors() {
			continue
		}
		if i := slices.Index(around, dir); i >= 0 {
			cycle := append(slices.Clone(around[i:]), dir)
			diags = append(diags, problem(at, "Cycle", "%s: a module cannot be within itself.", strings.Join(cycle, " → ")))
			continue
		}
		if _, done := c.folders[dir]; done {
			continue
		}
		c.folders[dir] = nil
		paths, err := hclFiles(dir)
		if err == nil && paths == nil {
			err = fmt.Errorf("no file in %s ends in .hcl", dir)
		}
		if err != nil {
			diags = append(diags, problem(at, "Cannot read the module", "%s.", err))
			continue
		}
		bodies, moreDiags := c.parse(paths)
		diags = append(diags, moreDiags...)
		f := &folder{dir: dir, bodies: bodies, variables: map[string]*variable{}}
		declared := map[string]hcl.Range{}
		for _, body := range bodies {
			for _, inner := range body.Blocks {
				if inner.Type != "variable" {
					continue
				}
				moreDiags := declare(inner, declared)
				if moreDiags == nil {
					f.variables[inner.Labels[0]], moreDiags = readVariable(inner)
				}
				f.diags = append(f.diags, moreDiags...)
			}
			diags = append(diags, c.parseModules(body.Blocks, append(around, dir)...)...)
		}
		if v := f.variables["source"]; v != nil {
			f.diags = append(f.diags, problem(v.at, "Unsuitable name", "source is where a module block names its folder, so no variable of a module can be called that."))
		}
		c.folders[dir] = f
	}
	return diags
}

// moduleBlocks lists the module blocks among blocks, and in the pipelines among them.
func moduleBlocks(blocks hclsyntax.Blocks) (all hclsyntax.Blocks) {
	for _, b := range blocks {
		switch b.Type {
		case "module":
			all = append(all, b)
		case "pipeline":
			all = append(all, moduleBlocks(b.Body.Blocks)...)
		}
	}
	return all
}

// moduleFolder returns the folder that a module block names, and the place that says so.
func moduleFolder(b *hclsyntax.Block, from string) (string, hcl.Range, hcl.Diagnostics) {
	a := b.Body.Attributes["source"]
	if a == nil {
		return "", b.DefRange(), hcl.Diagnostics{problem(b.DefRange(), "Missing value", "A module names its folder: source = \"./dir\".")}
	}
	at := a.Expr.Range()
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		return "", at, hcl.Diagnostics{problem(at, "Unsuitable value", "source takes a folder as plain text, \"./dir\": it is read before anything is evaluated.")}
	}
	source := v.AsString()
	if !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../") {
		return "", at, hcl.Diagnostics{problem(at, "Unsuitable value", "source takes a folder relative to that of this file, starting with ./ or ../, is %q.", source)}
	}
	return filepath.Join(from, filepath.FromSlash(source)), at, nil
}

// use declares all that a module's folder does, in a scope of its own, and its variables as what the block b gives them.
func (s *scope) use(b *hclsyntax.Block) (diags hcl.Diagnostics) {
	name := b.Labels[0]
	u := &use{block: b}
	s.modules[name] = u
	for _, inner := range b.Body.Blocks {
		diags = append(diags, problem(inner.DefRange(), "Unsupported block", "A module takes values only: %s = ...", inner.Type))
	}
	dir, _, _ := moduleFolder(b, s.dir)
	f := s.config().folders[dir]
	if f == nil {
		return diags // has been said
	}
	diags = append(diags, f.diags...)
	prefix := s.prefix + "module." + name + "."
	u.inner = &scope{graph: s.graph, prefix: prefix, dir: dir, functions: functionsIn(dir, s.config().seeds, s.config().secrets), variables: f.variables, modules: map[string]*use{}, items: s.items, values: s.values}
	for _, arg := range sortedKeys(b.Body.Attributes) {
		if a := b.Body.Attributes[arg]; arg != "source" && f.variables[arg] == nil {
			diags = append(diags, problem(a.NameRange, "Unknown argument", "The module in %s has no variable %q.%s", f.dir, arg, Nearest(arg, sortedKeys(f.variables))))
		}
	}
	for _, v := range sortedKeys(f.variables) {
		declared := f.variables[v]
		argument := &item{name: prefix + "argument." + v, at: b.DefRange(), argument: declared}
		switch a := b.Body.Attributes[v]; {
		case a != nil:
			argument.expr, argument.at = a.Expr, a.Expr.Range()
		case declared.fallback != nil:
			argument.at = declared.fallback.Range()
		default:
			diags = append(diags, problem(b.DefRange(), "Missing value", "The module in %s needs %s = ...: its variable has no default.", f.dir, v))
		}
		if argument.expr != nil || declared.fallback != nil {
			s.add(argument) // its expression is the caller's
		}
		u.inner.add(&item{name: prefix + "var." + v, at: argument.at, checked: declared})
	}
	return append(diags, u.inner.collect(f.bodies, map[string]*hclsyntax.Attribute{})...)
}

// resolve fills the needs of the item that checks an argument: the argument, and those that its validations refer to.
func (v *variable) resolve(it *item) hcl.Diagnostics {
	names, diags := v.reads(it.scope.variables)
	if diags.HasErrors() {
		return diags // the value stays unknown
	}
	for _, name := range append(names, v.name) {
		it.need(need{path: []string{"argument", name}, item: it.scope.prefix + "argument." + name})
	}
	return nil
}

// checkArgument returns the value of a module's variable, unknown where a validation does not hold.
func (v *variable) checkArgument(it *item) (cty.Value, hcl.Diagnostics) {
	values := map[string]cty.Value{}
	for _, n := range it.needs {
		value, ok := it.scope.values[n.item]
		if !ok {
			value = cty.DynamicVal
		}
		values[n.path[1]] = value
	}
	if _, ok := values[v.name]; !ok {
		return cty.DynamicVal, nil
	}
	if diags := v.check(it.scope.config(), values, it.scope.functions, it.at); diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	return values[v.name], nil
}

// output declares an output of a module, which its caller knows as module.x.name.
func (s *scope) output(b *hclsyntax.Block) hcl.Diagnostics {
	diags := shapeOf(reflect.TypeFor[outputArguments]()).check(b.Body, b.DefRange())
	s.outputs = append(s.outputs, b.Labels[0])
	it := &item{name: s.prefix + b.Labels[0], at: b.DefRange()}
	if a := b.Body.Attributes["value"]; a != nil {
		it.expr = a.Expr
	} else {
		it.expr = &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: b.DefRange()}
	}
	s.add(it)
	return diags
}

// module resolves a reference to the module named.
func (it *item) module(name string, t hcl.Traversal) hcl.Diagnostics {
	s := it.scope
	u := s.modules[name]
	if u == nil || u.inner == nil {
		it.need(need{path: []string{"module", name}})
		if u != nil {
			return nil // has been said
		}
		return hcl.Diagnostics{problem(t.SourceRange(), "Unknown reference", "There is no module.%s.%s", name, Nearest("module."+name, prefixed("module.", sortedKeys(s.modules))))}
	}
	outputs := u.inner.outputs
	if output := nameAt(t, 2); output != "" {
		if !slices.Contains(outputs, output) {
			it.need(need{path: []string{"module", name, output}})
			full := "module." + name + "."
			return hcl.Diagnostics{problem(t.SourceRange(), "Unknown reference", "There is no %s; the module in %s has no such output.%s", full+output, u.inner.dir, Nearest(full+output, prefixed(full, outputs)))}
		}
		outputs = []string{output}
	}
	for _, output := range outputs {
		it.need(need{path: []string{"module", name, output}, item: u.inner.prefix + output})
	}
	return nil
}
