package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"anneal/artifacts/store"
)

// Config is what a folder's files declare, parsed: what its pipelines share, evaluated, and the pipelines' bodies, not
// yet. It is for one goroutine.
type Config struct {
	Pipelines []string // names, in the order of the files

	dir       string // of the files; paths of local files are relative to it
	files     map[string]*hcl.File
	read      []string // the HCL files among them, modules' included
	kinds     map[string]*Kind
	shapes    map[string]*shape // of blocks, by kind
	executors map[string]*ExecutorKind

	functions map[string]function.Function
	bodies    map[string]*hclsyntax.Block     // of pipelines
	settings  map[string]*hclsyntax.Block     // of executors
	locals    map[string]*hclsyntax.Attribute // of the files
	variables map[string]*variable
	vars      map[string]cty.Value // their values; of one that is wrong, an unknown
	folders   map[string]*folder   // of modules, by path; nil where one is wrong
	seeds     *seedAxes
	secrets   *secrets
	hashes    *store.Hashes
	diags     hcl.Diagnostics // about all but the pipelines
	mu        sync.Mutex      // guards unlike
	unlike    hcl.Diagnostics // about conditionals in the expression that is being evaluated
}

// LoadOptions is what a folder's files are read with.
type LoadOptions struct {
	Kinds     []*Kind
	Executors []*ExecutorKind
	Vars      map[string]string // variables, each by the text of its value
	VarFiles  []string          // files of variables, the later ones first in rank; Vars rank before all of them
	Environ   []string          // NAME=value; ANNEAL_VAR_x is the value of x where nothing else gives it one
	Seeds     map[string]int    // how many values the axes named are to have, where they have fewer
	Hashes    *store.Hashes     // of local files, which a run saves; nil: every file is read
}

// Load reads the pipeline files at path: a folder, of which it takes every file whose name ends in .hcl, or a single
// file. The error is an *InvalidError where there is none, or one that is not HCL; whatever else is wrong, Graphs reports.
func Load(path string, o LoadOptions) (*Config, error) {
	c := &Config{
		files:     map[string]*hcl.File{},
		kinds:     map[string]*Kind{},
		shapes:    map[string]*shape{},
		executors: map[string]*ExecutorKind{},
		bodies:    map[string]*hclsyntax.Block{},
		settings:  map[string]*hclsyntax.Block{},
		locals:    map[string]*hclsyntax.Attribute{},
		variables: map[string]*variable{},
		folders:   map[string]*folder{},
		seeds:     newSeedAxes(o.Seeds),
		secrets:   &secrets{environ: o.Environ},
		hashes:    o.Hashes,
	}
	for _, k := range o.Kinds {
		c.kinds[k.Name] = k
		c.shapes[k.Name] = shapeOf(structOf(k.New()).Type(), reflect.TypeFor[stageArguments]())
	}
	for _, k := range o.Executors {
		c.executors[k.Name] = k
	}
	paths, err := sourceFiles(path)
	if err != nil {
		return nil, c.invalid(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Cannot read the pipeline files", Detail: err.Error()}})
	}
	c.dir = filepath.Dir(paths[0])
	c.functions = functionsIn(c.dir, c.seeds, c.secrets)
	bodies, diags := c.parse(paths)
	for _, b := range bodies {
		diags = append(diags, c.parseModules(b.Blocks, c.dir)...)
	}
	if diags.HasErrors() { // else what stands in a file that cannot be read would be missed in the others
		return nil, c.invalid(diags)
	}
	diags = c.top(bodies)
	values, moreDiags := c.given(o)
	diags = append(diags, moreDiags...)
	vars, moreDiags := c.evaluateVariables(c.variables, values)
	diags = append(diags, moreDiags...)
	c.vars = vars
	c.diags = diags
	return c, nil
}

// parse reads HCL files. Files that cannot be read are left out.
func (c *Config) parse(paths []string) (bodies []*hclsyntax.Body, diags hcl.Diagnostics) {
	parser := hclparse.NewParser()
	for _, p := range paths {
		src, err := os.ReadFile(p)
		if err != nil {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Cannot read a pipeline file", Detail: err.Error()})
			continue
		}
		file, moreDiags := parser.ParseHCL(src, p)
		diags = append(diags, moreDiags...)
		c.files[p] = &hcl.File{Bytes: src}
		c.read = append(c.read, p)
		if file == nil {
			continue
		}
		c.files[p] = file
		body := file.Body.(*hclsyntax.Body)
		c.watchConditionals(body)
		c.secrets.carryMarks(body)
		bodies = append(bodies, body)
	}
	return bodies, diags
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
	paths, err := hclFiles(path)
	if err == nil && paths == nil {
		err = fmt.Errorf("no file in %s ends in .hcl; `anneal init` writes one to start from", path)
	}
	return paths, err
}

// hclFiles lists the HCL files in a folder, in the order of their names.
func hclFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".hcl") && name[0] != '.' && !e.IsDir() {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths, nil
}

// Sources returns the text of every HCL file that was read, by its slash path relative to the root folder.
func (c *Config) Sources() map[string][]byte {
	all := map[string][]byte{}
	for _, path := range c.read {
		if rel, err := filepath.Rel(c.dir, path); err == nil {
			all[filepath.ToSlash(rel)] = c.files[path].Bytes
		}
	}
	return all
}

// top collects what stands at the top of the files.
func (c *Config) top(bodies []*hclsyntax.Body) (diags hcl.Diagnostics) {
	blocks := []string{"variable", "locals", "executor", "pipeline"}
	declared := map[string]hcl.Range{}
	for _, body := range bodies {
		for _, name := range sortedKeys(body.Attributes) {
			diags = append(diags, problem(body.Attributes[name].SrcRange, "Unsupported argument", "At the top of a file stand variable, locals, executor and pipeline blocks; values belong into locals { %s = ... }.", name))
		}
		for _, b := range body.Blocks {
			switch {
			case b.Type == "locals":
				diags = append(diags, collectLocals(b, c.locals)...)
				continue
			case b.Type == "module" || c.kinds[b.Type] != nil:
				diags = append(diags, problem(b.DefRange(), "Unsupported block", "%s stands inside a pipeline: pipeline \"name\" { %s ... }.", b.Type, b.Type))
				continue
			case !slices.Contains(blocks, b.Type):
				diags = append(diags, problem(b.DefRange(), "Unsupported block", "At the top of a file stand variable, locals, executor and pipeline blocks, not %s.%s", b.Type, Nearest(b.Type, blocks)))
				continue
			}
			if moreDiags := declare(b, declared); moreDiags != nil {
				diags = append(diags, moreDiags...)
				continue
			}
			switch name := b.Labels[0]; b.Type {
			case "pipeline":
				c.Pipelines = append(c.Pipelines, name)
				c.bodies[name] = b
			case "executor":
				c.settings[name] = b
				if kind := c.executors[name]; kind != nil { // else one of another build, for stages of another scale
					diags = append(diags, shapeOf(reflect.TypeOf(kind.New()).Elem()).check(b.Body, b.DefRange())...)
				}
			case "variable":
				v, moreDiags := readVariable(b)
				diags = append(diags, moreDiags...)
				c.variables[name] = v
			}
		}
	}
	return diags
}

// declare notes a block under its type and name, and reports one that has no name, or one that there is already.
func declare(b *hclsyntax.Block, declared map[string]hcl.Range) hcl.Diagnostics {
	if !named(b) {
		return hcl.Diagnostics{problem(b.DefRange(), "Missing name", "Write %s \"name\" { ... }, with a name of letters, digits, _ and -, that starts with a letter.", b.Type)}
	}
	name := b.Type + "." + b.Labels[0]
	if first, twice := declared[name]; twice {
		return hcl.Diagnostics{problem(b.DefRange(), "Duplicate block", "There is a %s %q already, at %s.", b.Type, b.Labels[0], place(first))}
	}
	declared[name] = b.DefRange()
	return nil
}

// named tells whether a block has one label, which a reference can spell and a folder can have as its name.
func named(b *hclsyntax.Block) bool {
	return len(b.Labels) == 1 && hclsyntax.ValidIdentifier(b.Labels[0])
}

// collectLocals adds the attributes of a locals block to into.
func collectLocals(b *hclsyntax.Block, into map[string]*hclsyntax.Attribute) (diags hcl.Diagnostics) {
	if len(b.Labels) > 0 {
		diags = append(diags, problem(b.LabelRanges[0], "Extraneous name", "locals takes no name: write locals { ... }."))
	}
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
	return graphs, c.invalid(diags)
}

// Validate decodes every pipeline and the executors that they name. The error is an *InvalidError that lists every
// problem in any of the files.
func (c *Config) Validate() ([]*Graph, error) {
	var graphs []*Graph
	diags := slices.Clone(c.diags)
	for _, name := range c.Pipelines {
		g, moreDiags := c.graph(name)
		diags = append(diags, moreDiags...)
		_, moreDiags = g.executors()
		diags = append(diags, moreDiags...)
		graphs = append(graphs, g)
	}
	return graphs, c.invalid(diags)
}

func (c *Config) graph(name string) (*Graph, hcl.Diagnostics) {
	body, ok := c.bodies[name]
	if !ok {
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Unknown pipeline",
			Detail: fmt.Sprintf("There is no pipeline %q; the file declares %s.%s", name, strings.Join(c.Pipelines, ", "), Nearest(name, c.Pipelines))}}
	}
	g := &Graph{Name: name, config: c}
	g.scope = &scope{graph: g, dir: c.dir, functions: c.functions, variables: c.variables, items: map[string]*item{}, values: map[string]cty.Value{}, modules: map[string]*use{}}
	for name, v := range c.vars {
		g.scope.values["var."+name] = v
	}
	diags := g.scope.collect([]*hclsyntax.Body{body.Body}, maps.Clone(c.locals))
	for _, name := range sortedKeys(g.scope.items) {
		diags = append(diags, g.scope.items[name].resolve()...)
	}
	order, moreDiags := sortItems(g.scope.items)
	diags = append(diags, moreDiags...)
	for _, it := range order {
		diags = append(diags, it.evaluate()...)
	}
	return g, diags
}
