package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// scope is a namespace: that of a pipeline, which the tops of the files are part of, or that of one use of a module.
type scope struct {
	graph     *Graph
	prefix    string // of the names and addresses of what stands in it: "" of the pipeline, module.x. of a module
	dir       string // which paths of local files are relative to
	functions map[string]function.Function
	variables map[string]*variable
	modules   map[string]*use
	outputs   []string // of a module

	// Of all scopes of a pipeline, by full name: module.x.kind.name.
	items  map[string]*item
	values map[string]cty.Value // evaluated so far; of what is wrong, an unknown, so that what builds on it is still checked
}

// item is what a scope declares under a name: something to evaluate once what it needs has been.
type item struct {
	name  string // in full: local.name, kind.name, module.x.kind.name
	scope *scope // whose names it is written in
	at    hcl.Range
	seq   int // in the order of the files
	needs []need

	// One of these.
	expr     hclsyntax.Expression // of a local value, or an output of a module
	block    *hclsyntax.Block     // of a stage, or of the settings of an executor
	argument *variable            // of a module, with expr, which is nil where the default holds
	checked  *variable            // of a module: its argument, once its validations hold
}

// need is one name that an item refers to.
type need struct {
	path []string // as expressions spell it: local a, module x out; of one part where it must stay unknown
	item string   // the full name, "" where nothing declares it
}

func (s *scope) config() *Config { return s.graph.config }

func (s *scope) add(it *item) {
	it.scope, it.seq = s, len(s.items)
	s.items[it.name] = it
}

// collect lists what bodies declare in s, modules' own included. locals are those that there are already.
func (s *scope) collect(bodies []*hclsyntax.Body, locals map[string]*hclsyntax.Attribute) (diags hcl.Diagnostics) {
	c := s.config()
	what := "A pipeline"
	known := append(sortedKeys(c.kinds), "locals", "module")
	if s.prefix != "" {
		what = "A module"
		known = append(known, "variable", "output")
	}
	declared := map[string]hcl.Range{}
	for _, body := range bodies {
		for _, name := range sortedKeys(body.Attributes) {
			diags = append(diags, problem(body.Attributes[name].SrcRange, "Unsupported argument", "%s holds blocks; values belong into locals { %s = ... }.", what, name))
		}
		for _, b := range body.Blocks {
			switch {
			case b.Type == "locals":
				diags = append(diags, collectLocals(b, locals)...)
				continue
			case s.prefix != "" && b.Type == "variable": // read with the module's folder
				continue
			case !slices.Contains(known, b.Type) && slices.Contains([]string{"variable", "executor", "pipeline", "output"}, b.Type):
				diags = append(diags, problem(b.TypeRange, "Unsupported block", "%s holds stages, locals and modules; %s does not belong here.", what, b.Type))
				continue
			case !slices.Contains(known, b.Type):
				diags = append(diags, problem(b.TypeRange, "Unknown kind of stage", "There is no kind %q; the kinds are %s.%s", b.Type, strings.Join(sortedKeys(c.kinds), ", "), Nearest(b.Type, known)))
				continue
			}
			if moreDiags := declare(b, declared); moreDiags != nil {
				diags = append(diags, moreDiags...)
				continue
			}
			switch b.Type {
			case "module":
				diags = append(diags, s.use(b)...)
			case "output":
				diags = append(diags, s.output(b)...)
			default:
				s.add(&item{name: s.prefix + b.Type + "." + b.Labels[0], at: b.DefRange(), block: b})
			}
		}
	}
	for _, name := range sortedKeys(locals) {
		s.add(&item{name: s.prefix + "local." + name, at: locals[name].NameRange, expr: locals[name].Expr})
	}
	return diags
}

// resolve fills it.needs and reports names that nothing declares.
func (it *item) resolve() (diags hcl.Diagnostics) {
	s := it.scope
	if it.checked != nil {
		return it.checked.resolve(it)
	}
	diags = it.splats()
	var all []hcl.Traversal
	switch {
	case it.block != nil:
		all = references(it.block.Body)
	case it.expr != nil:
		all = it.expr.Variables()
	}
	eachThere := it.block != nil && it.block.Body.Attributes["for_each"] != nil
	for _, t := range all {
		root := t.RootName()
		_, isKind := s.config().kinds[root]
		if root == "each" && eachThere {
			continue
		}
		n := need{path: []string{root}}
		if second := nameAt(t, 1); second != "" && (root == "var" || root == "local" || root == "module" || isKind) {
			n.path = append(n.path, second)
		}
		switch {
		case root == "each":
			diags = append(diags, problem(t.SourceRange(), "Invalid reference", "each is there only in a block with for_each."))
		case root != "var" && root != "local" && root != "module" && !isKind:
			known := append(sortedKeys(s.config().kinds), "var", "local", "module", "each")
			diags = append(diags, problem(t.SourceRange(), "Unknown reference", "%q is neither var, local, module, each nor a kind of stage.%s", root, Nearest(root, known)))
		case len(n.path) < 2:
			diags = append(diags, problem(t.SourceRange(), "Unknown reference", "Write %s.name.", root))
		case root == "module":
			diags = append(diags, it.module(n.path[1], t)...)
			continue
		default:
			name := root + "." + n.path[1]
			if s.declares(name) {
				n.item = s.prefix + name
			} else {
				diags = append(diags, problem(t.SourceRange(), "Unknown reference", "There is no %s.%s", name, Nearest(name, s.names(root))))
			}
		}
		it.need(n)
	}
	return diags
}

func (it *item) need(n need) {
	if !slices.ContainsFunc(it.needs, func(m need) bool { return m.item == n.item && slices.Equal(m.path, n.path) }) {
		it.needs = append(it.needs, n)
	}
}

// nameAt returns the name at index i of a traversal, "" where there is none.
func nameAt(t hcl.Traversal, i int) string {
	if i < len(t) {
		switch s := t[i].(type) {
		case hcl.TraverseAttr:
			return s.Name
		case hcl.TraverseIndex:
			if s.Key.Type() == cty.String {
				return s.Key.AsString()
			}
		}
	}
	return ""
}

// declares tells whether s has the name given: var.x, local.x or kind.x.
func (s *scope) declares(name string) bool {
	if v, ok := strings.CutPrefix(name, "var."); ok {
		return s.variables[v] != nil
	}
	return s.items[s.prefix+name] != nil
}

// names lists what s declares under a root, for suggestions.
func (s *scope) names(root string) []string {
	var all []string
	if root == "var" {
		for _, name := range sortedKeys(s.variables) {
			all = append(all, "var."+name)
		}
		return all
	}
	for _, name := range sortedKeys(s.items) {
		if strings.HasPrefix(name, s.prefix+root+".") {
			all = append(all, strings.TrimPrefix(name, s.prefix))
		}
	}
	return all
}

// splats reports each kind.name[*] of a swept block: HCL takes the sweep, an object, for a single element.
func (it *item) splats() (diags hcl.Diagnostics) {
	var root hclsyntax.Node = it.expr
	if it.block != nil {
		root = it.block.Body
	} else if it.expr == nil {
		return nil
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
		name := source.Traversal.RootName() + "." + nameAt(source.Traversal, 1)
		if of := it.scope.items[it.scope.prefix+name]; of != nil && of.block != nil && of.block.Body.Attributes["for_each"] != nil {
			it.need(need{path: []string{source.Traversal.RootName()}}) // not known: HCL would report an attribute that is missing
			diags = append(diags, problem(splat.SrcRange, "A splat does not collect a sweep", "Write [for x in %s : x.output], which gives an element for every point of %s.", name, name))
		}
		return nil
	})
	return diags
}

// references lists every reference in a body, the nested blocks' included.
func references(b *hclsyntax.Body) []hcl.Traversal {
	var all []hcl.Traversal
	for _, name := range sortedKeys(b.Attributes) {
		all = append(all, b.Attributes[name].Expr.Variables()...)
	}
	for _, inner := range b.Blocks {
		all = append(all, references(inner.Body)...)
	}
	return all
}

// sortItems puts what is needed before what needs it, and reports cycles. Ties keep the order of the files, so that
// plans read as they do.
func sortItems(items map[string]*item) ([]*item, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	var order []*item
	names := sortedKeys(items)
	slices.SortStableFunc(names, func(a, b string) int { return items[a].seq - items[b].seq })
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
			diags = append(diags, problem(it.at, "Cycle", "%s: each needs the next, so none can be first.", strings.Join(cycle, " → ")))
			return
		}
		state[name] = 1
		path = append(path, name)
		for _, n := range it.needs {
			visit(n.item)
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

// context holds just what an item refers to: small contexts keep large files fast. What nothing declares is not known,
// so that it is reported once.
func (it *item) context() *hcl.EvalContext {
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: it.scope.functions}
	groups := map[string]map[string]cty.Value{}
	modules := map[string]map[string]cty.Value{}
	group := func(in map[string]map[string]cty.Value, name string) map[string]cty.Value {
		if in[name] == nil {
			in[name] = map[string]cty.Value{}
		}
		return in[name]
	}
	for _, n := range it.needs {
		value, ok := it.scope.values[n.item]
		if !ok {
			value = cty.DynamicVal
		}
		switch len(n.path) {
		case 1:
			ctx.Variables[n.path[0]] = cty.DynamicVal
		case 2:
			group(groups, n.path[0])[n.path[1]] = value
		default:
			group(modules, n.path[1])[n.path[2]] = value
		}
	}
	for name, outputs := range modules {
		if _, unknown := groups["module"][name]; !unknown {
			group(groups, "module")[name] = cty.ObjectVal(outputs)
		}
	}
	for root, members := range groups {
		if _, unknown := ctx.Variables[root]; !unknown {
			ctx.Variables[root] = cty.ObjectVal(members)
		}
	}
	return ctx
}

// evaluate finds the value of an item, and the nodes of a stage's.
func (it *item) evaluate() (diags hcl.Diagnostics) {
	s := it.scope
	v := cty.DynamicVal
	switch {
	case it.checked != nil:
		v, diags = it.checked.checkArgument(it)
	case it.block != nil:
		var nodes []*Node
		v, nodes, diags = it.stage()
		s.graph.Nodes = append(s.graph.Nodes, nodes...)
	case it.argument != nil && it.expr == nil:
		v, diags = it.argument.standard()
	default:
		v, diags = s.config().eval(it.expr, it.context())
		if it.argument != nil && !diags.HasErrors() {
			v, diags = it.argument.convert(given{value: v, at: it.at, origin: "argument " + it.argument.name})
		}
	}
	s.values[it.name] = v
	return diags
}

// eval evaluates an expression, and says more than HCL does about what is wrong with it.
func (c *Config) eval(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := expr.Value(ctx)
	unlike := c.takeUnlike()
	for _, u := range unlike { // which say what to do, as HCL does not about the same conditional
		diags = slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool {
			return d.Summary == "Inconsistent conditional result types" && d.Context != nil && *d.Context == *u.Subject
		})
	}
	for i, d := range diags {
		if off := disabledIn(d); off != nil {
			diags[i] = problem(*d.Subject, "Not enabled", "%s.", off)
		}
		if call, ok := d.Expression.(*hclsyntax.FunctionCallExpr); ok && d.Summary == "Not enough function arguments" {
			if f, ok := functions[call.Name]; ok {
				more := *diags[i]
				more.Detail += " " + f.Description()
				diags[i] = &more
			}
		}
		if secrets := secretsOf(expr, ctx); secrets != nil { // a part of which d may quote, or show as a value of for
			plain := *diags[i]
			plain.EvalContext = nil
			if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok {
				plain.Detail = fmt.Sprintf("%s fails on what %s holds.", call.CalledFunctionName(), envCalls(secrets))
			} else if d.Summary == "Duplicate object key" {
				plain.Detail = fmt.Sprintf("Two elements have one key, which comes from %s.", envCalls(secrets))
			}
			diags[i] = &plain
		}
	}
	return v, append(diags, unlike...)
}

// secretsOf lists the environment variables that an expression calls for, or that what it refers to was computed from.
func secretsOf(expr hcl.Expression, ctx *hcl.EvalContext) (names []string) {
	for _, t := range expr.Variables() {
		if v, diags := t.TraverseAbs(ctx); !diags.HasErrors() {
			names = append(names, secretsIn(v)...)
		}
	}
	if e, ok := expr.(hclsyntax.Expression); ok {
		hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
			if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && call.Name == "env" {
				v, _ := call.Value(ctx)
				found := secretsIn(v)
				if found == nil { // its argument is of a for
					found = []string{"..."}
				}
				names = append(names, found...)
			}
			return nil
		})
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// disabled is a block that is not enabled, where a reference meets it.
type disabled struct {
	name string
	at   hcl.Range
}

func (d *disabled) String() string {
	return fmt.Sprintf("%s is not enabled, by %s", d.name, place(d.at))
}

// disabledIn returns the block that is not enabled, whose output a diagnostic misses, nil where it is about another thing.
func disabledIn(d *hcl.Diagnostic) *disabled {
	if d.EvalContext == nil || d.Summary != "Unsupported attribute" {
		return nil
	}
	find := func(v cty.Value) *disabled {
		if v, _ = v.Unmark(); has(v, disabledAttr) {
			return v.GetAttr(disabledAttr).EncapsulatedValue().(*disabled)
		}
		return nil
	}
	switch e := d.Expression.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		for i := 1; i < len(e.Traversal); i++ {
			v, diags := e.Traversal[:i].TraverseAbs(d.EvalContext)
			if diags.HasErrors() {
				return nil
			}
			if off := find(v); off != nil {
				return off
			}
		}
	case *hclsyntax.RelativeTraversalExpr:
		v, diags := e.Source.Value(d.EvalContext)
		for i := 0; !diags.HasErrors(); i++ {
			if off := find(v); off != nil || i == len(e.Traversal) {
				return off
			}
			v, diags = hcl.Traversal{e.Traversal[i]}.TraverseRel(v)
		}
	}
	return nil
}
