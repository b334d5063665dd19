package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// Config is what a folder's files declare, parsed: what its pipelines share, evaluated, and the pipelines' bodies, not yet.
type Config struct {
	Pipelines []string // names, in the order of the files

	dir     string // of the files; paths of local files are relative to it
	files   map[string]*hcl.File
	kinds   map[string]*Kind
	bodies  map[string]*hclsyntax.Block
	locals  map[string]*hclsyntax.Attribute // of the files
	vars    map[string]cty.Value            // by the name of the reference: var.name
	seeds   *seedAxes
	table   map[string]function.Function
	secrets *secrets
	diags   hcl.Diagnostics // about all but the pipelines
}

// LoadOptions is what a folder's files are read with.
type LoadOptions struct {
	Kinds     []*Kind
	Executors []*ExecutorKind
	Vars      map[string]string // variables, each by the text of its value
	VarFiles  []string          // files of variables, the later ones first in rank; Vars rank before all of them
	Environ   []string          // NAME=value; of ANNEAL_VAR_x is variable x where nothing else gives it
	Seeds     map[string]int    // how many values the axes named are to have, where they have fewer
}

// Load reads the pipeline files at path: a folder, of which it takes every file whose name ends in .hcl, or a single
// file. The error is an *InvalidError where there is none, or one that is not HCL; whatever else is wrong, Graphs reports.
func Load(path string, o LoadOptions) (*Config, error) {
	paths, err := sourceFiles(path)
	if err != nil {
		return nil, invalid(nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Cannot read the pipeline files", Detail: err.Error()}})
	}
	c := &Config{
		dir:     filepath.Dir(paths[0]),
		kinds:   map[string]*Kind{},
		bodies:  map[string]*hclsyntax.Block{},
		locals:  map[string]*hclsyntax.Attribute{},
		vars:    map[string]cty.Value{},
		seeds:   newSeedAxes(o.Seeds),
		secrets: &secrets{environ: o.Environ},
	}
	c.table = functionsIn(c.dir, c.seeds, c.secrets)
	for _, k := range o.Kinds {
		c.kinds[k.Name] = k
	}
	parser := hclparse.NewParser()
	c.files = parser.Files()
	var bodies []*hclsyntax.Body
	var diags hcl.Diagnostics
	for _, p := range paths {
		src, err := os.ReadFile(p)
		if err != nil {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Cannot read a pipeline file", Detail: err.Error()})
			continue
		}
		file, moreDiags := parser.ParseHCL(src, p)
		if diags = append(diags, moreDiags...); file != nil {
			bodies = append(bodies, file.Body.(*hclsyntax.Body))
		}
	}
	if diags.HasErrors() {
		return nil, invalid(c.files, diags)
	}
	declared := map[string]hcl.Range{}
	for _, body := range bodies {
		for _, a := range body.Attributes {
			diags = append(diags, problem(a.SrcRange, "Unsupported argument", "At the top of the file stand variable, locals and pipeline blocks; values belong into locals { %s = ... }.", a.Name))
		}
		for _, b := range body.Blocks {
			switch b.Type {
			case "variable", "pipeline":
				if !named(b) {
					diags = append(diags, unnamed(b))
					continue
				}
				name := b.Labels[0]
				if first, twice := declared[b.Type+"."+name]; twice {
					diags = append(diags, problem(b.DefRange(), "Duplicate block", "There is a %s %q already, at %s.", b.Type, name, place(first)))
					continue
				}
				declared[b.Type+"."+name] = b.DefRange()
				if b.Type == "pipeline" {
					c.Pipelines = append(c.Pipelines, name)
					c.bodies[name] = b
					continue
				}
				value, moreDiags := variable(b, o.Vars)
				diags = append(diags, moreDiags...)
				c.vars["var."+name] = value
			case "locals":
				diags = append(diags, collectLocals(b, c.locals)...)
			default:
				diags = append(diags, problem(b.DefRange(), "Unsupported block", "At the top of the file stand variable, locals and pipeline blocks, not %s.%s", b.Type, Nearest(b.Type, []string{"variable", "locals", "pipeline"})))
			}
		}
	}
	for _, name := range sortedKeys(o.Vars) {
		if _, ok := c.vars["var."+name]; !ok {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Unknown variable",
				Detail: fmt.Sprintf("--var %s: %s declares no var.%s.%s", name, filepath.Base(path), name, Nearest("var."+name, sortedKeys(c.vars)))})
		}
	}
	c.diags = diags
	return c, nil
}

// sourceFiles lists the pipeline files at path, a folder or a file, in the order of their names.
func sourceFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such file; `anneal init` writes one to start from", path)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".hcl") && name[0] != '.' && !e.IsDir() {
			paths = append(paths, filepath.Join(path, name))
		}
	}
	if paths == nil {
		return nil, fmt.Errorf("no file in %s ends in .hcl; `anneal init` writes one to start from", path)
	}
	return paths, nil
}

// Sources returns the text of every HCL file that was read, by its slash path relative to the root folder.
func (c *Config) Sources() map[string][]byte {
	all := map[string][]byte{}
	for path, f := range c.files {
		if rel, err := filepath.Rel(c.dir, path); err == nil {
			all[filepath.ToSlash(rel)] = f.Bytes
		}
	}
	return all
}

// named tells whether a block has one label, which a reference can spell and a folder can have as its name.
func named(b *hclsyntax.Block) bool {
	return len(b.Labels) == 1 && hclsyntax.ValidIdentifier(b.Labels[0])
}

func unnamed(b *hclsyntax.Block) *hcl.Diagnostic {
	return problem(b.DefRange(), "Missing name", "Write %s \"name\" { ... }, with a name of letters, digits, _ and -, that starts with a letter.", b.Type)
}

// variable evaluates a variable block: the value given, or its default.
func variable(b *hclsyntax.Block, given map[string]string) (cty.Value, hcl.Diagnostics) {
	schema := &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "description"}, {Name: "type"}, {Name: "default"}}}
	content, diags := b.Body.Content(schema)
	name := b.Labels[0]
	want := cty.DynamicPseudoType
	if a, ok := content.Attributes["type"]; ok {
		ty, moreDiags := typeexpr.TypeConstraint(a.Expr)
		diags = append(diags, moreDiags...)
		want = ty
	}
	if a, ok := content.Attributes["description"]; ok {
		_, moreDiags := a.Expr.Value(nil)
		diags = append(diags, moreDiags...)
	}
	value, at := cty.NullVal(want), b.DefRange()
	if text, ok := given[name]; ok && !utf8.ValidString(text) {
		diags = append(diags, problem(at, "Unsuitable value", "The value given as --var %s is not UTF-8.", name))
	} else if ok {
		value = parseVariable(text, want)
	} else if a, ok := content.Attributes["default"]; ok {
		v, moreDiags := a.Expr.Value(nil)
		diags = append(diags, moreDiags...)
		value, at = v, a.Expr.Range()
	} else {
		diags = append(diags, problem(at, "Missing value", "The variable %q has no default: give it as --var %s=VALUE.", name, name))
	}
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	v, err := convert.Convert(value, want)
	if err != nil {
		text := ""
		if t, ok := given[name]; ok {
			text = fmt.Sprintf(" (given: --var %s=%s)", name, t)
		}
		return cty.DynamicVal, append(diags, problem(at, "Unsuitable value", "The variable %q takes %s: %s%s.", name, want.FriendlyName(), err, text))
	}
	return v, diags
}

// parseVariable reads a value given as text: an HCL expression, or the text itself where a string is wanted or where
// it is none.
func parseVariable(text string, want cty.Type) cty.Value {
	if want == cty.String {
		return cty.StringVal(text)
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), "--var", hcl.InitialPos)
	if !diags.HasErrors() {
		if v, diags := expr.Value(nil); !diags.HasErrors() {
			return v
		}
	}
	return cty.StringVal(text)
}

// collectLocals adds the attributes of a locals block to into.
func collectLocals(b *hclsyntax.Block, into map[string]*hclsyntax.Attribute) (diags hcl.Diagnostics) {
	for _, inner := range b.Body.Blocks {
		diags = append(diags, problem(inner.DefRange(), "Unsupported block", "locals holds values only: name = value."))
	}
	for _, name := range sortedKeys(b.Body.Attributes) {
		a := b.Body.Attributes[name]
		if first, twice := into[name]; twice {
			diags = append(diags, problem(a.NameRange, "Duplicate local", "There is a local %q already, at %s.", name, place(first.NameRange)))
			continue
		}
		into[name] = a
	}
	return diags
}

// item is what a pipeline declares under a name: a local value or a stage block.
type item struct {
	name  string // local.name or kind.name
	local *hclsyntax.Attribute
	block *hclsyntax.Block
	needs []string // names of other items
}

// Graphs decodes the pipelines named. The error is an *InvalidError that lists every problem found in any of them and in
// what they share.
func (c *Config) Graphs(names []string) ([]*Graph, error) {
	var graphs []*Graph
	diags := slices.Clone(c.diags)
	for _, name := range names {
		g, moreDiags := c.graph(name)
		diags = append(diags, moreDiags...)
		graphs = append(graphs, g)
	}
	return graphs, invalid(c.files, diags)
}

func (c *Config) graph(name string) (*Graph, hcl.Diagnostics) {
	body, ok := c.bodies[name]
	if !ok {
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Unknown pipeline",
			Detail: fmt.Sprintf("There is no pipeline %q; the file declares %s.%s", name, strings.Join(c.Pipelines, ", "), Nearest(name, c.Pipelines))}}
	}
	items, diags := c.items(body)
	order, moreDiags := sortItems(items)
	diags = append(diags, moreDiags...)

	g := &Graph{Name: name, config: c}
	values := maps.Clone(c.vars) // and of items; of one with an error, an unknown, so that what builds on it is still checked
	for _, it := range order {
		ctx := c.context(it, values)
		if it.local != nil {
			v, moreDiags := it.local.Expr.Value(ctx)
			diags = append(diags, moreDiags...)
			values[it.name] = v
			continue
		}
		v, nodes, moreDiags := c.block(it, ctx)
		diags = append(diags, moreDiags...)
		values[it.name] = v
		g.Nodes = append(g.Nodes, nodes...)
	}
	return g, diags
}

// items lists what a pipeline declares, by name, with what each refers to.
func (c *Config) items(p *hclsyntax.Block) (map[string]*item, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	items := map[string]*item{}
	locals := map[string]*hclsyntax.Attribute{}
	for k, v := range c.locals {
		locals[k] = v
	}
	for _, name := range sortedKeys(p.Body.Attributes) {
		diags = append(diags, problem(p.Body.Attributes[name].SrcRange, "Unsupported argument", "A pipeline holds blocks; values belong into locals { %s = ... }.", name))
	}
	for _, b := range p.Body.Blocks {
		if b.Type == "locals" {
			diags = append(diags, collectLocals(b, locals)...)
			continue
		}
		if _, ok := c.kinds[b.Type]; !ok {
			diags = append(diags, problem(b.TypeRange, "Unknown kind of stage", "There is no kind %q; the kinds are %s.%s", b.Type, strings.Join(sortedKeys(c.kinds), ", "), Nearest(b.Type, sortedKeys(c.kinds))))
			continue
		}
		if !named(b) {
			diags = append(diags, unnamed(b))
			continue
		}
		name := b.Type + "." + b.Labels[0]
		if first, twice := items[name]; twice {
			diags = append(diags, problem(b.DefRange(), "Duplicate block", "There is a %s %q already, at %s.", b.Type, b.Labels[0], place(first.block.DefRange())))
			continue
		}
		items[name] = &item{name: name, block: b}
	}
	for name, a := range locals {
		items["local."+name] = &item{name: "local." + name, local: a}
	}
	for _, name := range sortedKeys(items) {
		diags = append(diags, c.references(items[name], items)...)
	}
	return items, diags
}

// references fills it.needs and reports names that nothing declares.
func (c *Config) references(it *item, items map[string]*item) (diags hcl.Diagnostics) {
	diags = it.splats(items)
	var traversals []hcl.Traversal
	if it.local != nil {
		traversals = it.local.Expr.Variables()
	} else {
		traversals = variables(it.block.Body)
	}
	for _, t := range traversals {
		root := t.RootName()
		_, isKind := c.kinds[root]
		second := ""
		if len(t) > 1 {
			if a, ok := t[1].(hcl.TraverseAttr); ok {
				second = a.Name
			}
		}
		switch {
		case root == "each":
			if it.block == nil || it.block.Body.Attributes["for_each"] == nil {
				it.needs = append(it.needs, root)
				diags = append(diags, problem(t.SourceRange(), "Invalid reference", "each is there only in a block with for_each."))
			}
		case root == "var":
			name := "var." + second
			it.needs = append(it.needs, name)
			if second == "" {
				diags = append(diags, problem(t.SourceRange(), "Unknown reference", "Write var.name."))
			} else if _, ok := c.vars[name]; !ok {
				diags = append(diags, problem(t.SourceRange(), "Unknown reference", "There is no %s.%s", name, Nearest(name, sortedKeys(c.vars))))
			}
		case root == "local" || isKind:
			name := root + "." + second
			it.needs = append(it.needs, name)
			if _, ok := items[name]; !ok {
				var same []string
				for _, other := range sortedKeys(items) {
					if strings.HasPrefix(other, root+".") {
						same = append(same, other)
					}
				}
				what := "Write " + root + ".name."
				if second != "" {
					what = fmt.Sprintf("There is no %s.%s", name, Nearest(name, same))
				}
				diags = append(diags, problem(t.SourceRange(), "Unknown reference", "%s", what))
			}
		default:
			known := append(sortedKeys(c.kinds), "var", "local", "each")
			diags = append(diags, problem(t.SourceRange(), "Unknown reference", "%q is neither var, local, each nor a kind of stage.%s", root, Nearest(root, known)))
			it.needs = append(it.needs, root)
		}
	}
	return diags
}

// splats reports each kind.name[*] of a swept block: HCL takes the sweep, an object, for a single element.
func (it *item) splats(items map[string]*item) (diags hcl.Diagnostics) {
	var root hclsyntax.Node
	if it.local != nil {
		root = it.local.Expr
	} else {
		root = it.block.Body
	}
	hclsyntax.VisitAll(root, func(n hclsyntax.Node) hcl.Diagnostics {
		splat, ok := n.(*hclsyntax.SplatExpr)
		if !ok {
			return nil
		}
		source, ok := splat.Source.(*hclsyntax.ScopeTraversalExpr)
		if !ok || len(source.Traversal) != 2 {
			return nil
		}
		second, ok := source.Traversal[1].(hcl.TraverseAttr)
		if !ok {
			return nil
		}
		name := source.Traversal.RootName() + "." + second.Name
		if of := items[name]; of != nil && of.block != nil && of.block.Body.Attributes["for_each"] != nil {
			it.needs = append(it.needs, source.Traversal.RootName()) // not known: HCL would report an attribute that is missing
			diags = append(diags, problem(splat.SrcRange, "A splat does not collect a sweep", "Write [for x in %s : x.output], which gives an element for every point of %s.", name, name))
		}
		return nil
	})
	return diags
}

// variables lists every reference in a body, the nested blocks' included.
func variables(b *hclsyntax.Body) []hcl.Traversal {
	var all []hcl.Traversal
	for _, name := range sortedKeys(b.Attributes) {
		all = append(all, b.Attributes[name].Expr.Variables()...)
	}
	for _, inner := range b.Blocks {
		all = append(all, variables(inner.Body)...)
	}
	return all
}

// sortItems puts what is needed before what needs it, and reports cycles. Ties keep the order of the file, so that
// plans read as it does.
func sortItems(items map[string]*item) ([]*item, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	var order []*item
	names := sortedKeys(items)
	slices.SortStableFunc(names, func(a, b string) int { return items[a].start() - items[b].start() })
	state := map[string]int{} // 1: on the path, 2: done
	var path []string
	var visit func(name string)
	visit = func(name string) {
		it, ok := items[name]
		if !ok || state[name] == 2 {
			return
		}
		if state[name] == 1 {
			cycle := append(slices.Clone(path[slices.Index(path, name):]), name)
			diags = append(diags, problem(it.place(), "Cycle", "%s: each needs the next, so none can be first.", strings.Join(cycle, " → ")))
			return
		}
		state[name] = 1
		path = append(path, name)
		for _, n := range it.needs {
			visit(n)
		}
		path = path[:len(path)-1]
		state[name] = 2
		order = append(order, it)
	}
	for _, name := range names {
		visit(name)
	}
	return order, diags
}

func (it *item) place() hcl.Range {
	if it.local != nil {
		return it.local.NameRange
	}
	return it.block.DefRange()
}

func (it *item) start() int { return it.place().Start.Byte }

// context holds just what an item refers to: small contexts keep large files fast. What nothing declares is not known,
// so that it is reported once.
func (c *Config) context(it *item, values map[string]cty.Value) *hcl.EvalContext {
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: c.table}
	groups := map[string]map[string]cty.Value{}
	for _, need := range it.needs {
		root, name, found := strings.Cut(need, ".")
		if !found {
			ctx.Variables[root] = cty.DynamicVal
			continue
		}
		if groups[root] == nil {
			groups[root] = map[string]cty.Value{}
		}
		groups[root][name] = cty.DynamicVal
		if v, ok := values[need]; ok {
			groups[root][name] = v
		}
	}
	for root, members := range groups {
		if _, unknown := ctx.Variables[root]; !unknown {
			ctx.Variables[root] = cty.ObjectVal(members)
		}
	}
	return ctx
}

// block decodes a stage block into its nodes, and into the value by which other blocks see it: unknown where something
// is wrong with the block, or with what it builds on.
func (c *Config) block(it *item, ctx *hcl.EvalContext) (cty.Value, []*Node, hcl.Diagnostics) {
	meta := &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "for_each"}}}
	content, rest, diags := it.block.Body.PartialContent(meta)
	forEach, swept := content.Attributes["for_each"]
	if !swept {
		n, moreDiags := c.node(it, rest, ctx, it.name, nil)
		if diags = append(diags, moreDiags...); n == nil {
			return cty.DynamicVal, nil, diags
		}
		return n.value(), []*Node{n}, diags
	}
	v, moreDiags := forEach.Expr.Value(ctx)
	diags = append(diags, moreDiags...)
	all := []instance{{}} // stands for instances that are not known
	known := v.IsWhollyKnown() && !moreDiags.HasErrors()
	if known {
		var err error
		if all, err = instances(v); err != nil {
			known = false
			diags = append(diags, problem(forEach.Expr.Range(), "Invalid for_each", "%s.", err))
			all = []instance{{}}
		}
	}
	var nodes []*Node
	elements := map[string]cty.Value{}
	whole := known
	for _, i := range all {
		child := ctx.NewChild()
		child.Variables = map[string]cty.Value{"each": cty.DynamicVal}
		addr := it.name
		if known {
			child.Variables["each"] = i.each()
			addr += "[" + i.point.String() + "]"
		}
		n, moreDiags := c.node(it, rest, child, addr, i.point)
		diags = append(diags, moreDiags...)
		if n == nil {
			whole = false
			continue
		}
		nodes = append(nodes, n)
		elements[i.key] = n.value()
	}
	if !whole {
		return cty.DynamicVal, nodes, diags
	}
	return cty.ObjectVal(elements), nodes, diags
}

// node decodes one instance: nil where something is wrong with it, or not known.
func (c *Config) node(it *item, body hcl.Body, ctx *hcl.EvalContext, addr string, point Point) (*Node, hcl.Diagnostics) {
	kind := c.kinds[it.block.Type]
	n := &Node{Addr: addr, Block: it.name, Kind: kind, Point: point, Stage: kind.New(), Meta: defaultMeta(), header: it.block.DefRange(), fields: map[string]hcl.Range{}}
	d := &decoder{ctx: ctx, node: n, unknown: map[string]bool{}}
	diags := d.body(body, structOf(n.Stage), "")
	if diags.HasErrors() {
		return nil, diags
	}
	errs := d.words
	if checker, ok := n.Stage.(Checker); ok {
		errs = also(errs, flatten(checker.Check()))
	}
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
		if err := c.identify(x); err != nil {
			diags = append(diags, n.problem(n.where(x.field), "Unreadable source", "%s %s.", x.field, err))
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	n.facts = n.configFacts()
	return n, diags
}
