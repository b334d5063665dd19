package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// variable is a variable block.
type variable struct {
	name        string
	at          hcl.Range
	flawed      bool // what the block says is wrong, and has been said
	ty          cty.Type
	defaults    *typeexpr.Defaults // of optional attributes of objects
	nullable    bool
	fallback    hclsyntax.Expression // nil where a value must be given
	description string
	validations []rule
}

type rule struct {
	condition, message hclsyntax.Expression
	at                 hcl.Range
}

// given is a value of a variable before it is held to its type.
type given struct {
	value  cty.Value
	text   string // instead of value, where it was given as one
	at     hcl.Range
	origin string // "--var x"; "" of a default
}

// readVariable reads a variable block but its default.
func readVariable(b *hclsyntax.Block) (*variable, hcl.Diagnostics) {
	v := &variable{name: b.Labels[0], at: b.DefRange(), ty: cty.DynamicPseudoType, nullable: true}
	diags := shapeOf(reflect.TypeFor[variableArguments]()).check(b.Body, v.at)
	if a := b.Body.Attributes["type"]; a != nil {
		ty, defaults, moreDiags := typeexpr.TypeConstraintWithDefaults(a.Expr)
		diags = append(diags, moreDiags...)
		v.ty, v.defaults = ty, defaults
	}
	constant := func(name string, want cty.Type) cty.Value {
		a := b.Body.Attributes[name]
		if a == nil {
			return cty.NullVal(want)
		}
		got, moreDiags := a.Expr.Value(nil)
		diags = append(diags, moreDiags...)
		c, err := convert.Convert(got, want)
		if err != nil || !c.IsKnown() {
			if !moreDiags.HasErrors() {
				diags = append(diags, problem(a.Expr.Range(), "Unsuitable value", "%s takes a %s, not %s.", name, want.FriendlyName(), describe(got)))
			}
			return cty.NullVal(want)
		}
		return c
	}
	if d := constant("description", cty.String); !d.IsNull() {
		v.description = d.AsString()
	}
	if n := constant("nullable", cty.Bool); !n.IsNull() {
		v.nullable = n.True()
	}
	if a := b.Body.Attributes["default"]; a != nil {
		v.fallback = a.Expr
	}
	for _, inner := range b.Body.Blocks {
		condition, message := inner.Body.Attributes["condition"], inner.Body.Attributes["error_message"]
		if inner.Type == "validation" && condition != nil && message != nil {
			v.validations = append(v.validations, rule{condition.Expr, message.Expr, inner.DefRange()})
		}
	}
	v.flawed = diags.HasErrors()
	return v, diags
}

// standard returns the default, held to its type.
func (v *variable) standard() (cty.Value, hcl.Diagnostics) {
	if v.flawed {
		return cty.DynamicVal, nil
	}
	value, diags := v.fallback.Value(nil)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	return v.convert(given{value: value, at: v.fallback.Range()})
}

// convert holds a value to the type of v; unknown where it does not fit.
func (v *variable) convert(g given) (cty.Value, hcl.Diagnostics) {
	if v.flawed {
		return cty.DynamicVal, nil
	}
	value := g.value
	if g.text != "" || value == cty.NilVal {
		if !utf8.ValidString(g.text) {
			return cty.DynamicVal, hcl.Diagnostics{problem(g.at, "Unsuitable value", "The value given as %s is not UTF-8.", g.origin)}
		}
		value = parseText(g.text, v.ty)
	}
	if !v.nullable && value.IsNull() {
		if v.fallback != nil && g.origin != "" {
			return v.standard()
		}
		return cty.DynamicVal, hcl.Diagnostics{problem(g.at, "Unsuitable value", "The variable %q must not be null.", v.name)}
	}
	if v.defaults != nil && value.IsKnown() && !value.IsNull() {
		value = v.defaults.Apply(value)
	}
	got, err := convert.Convert(value, v.ty)
	if err == nil {
		return got, nil
	}
	origin := ""
	switch {
	case g.text != "":
		origin = fmt.Sprintf(" (%s=%s)", g.origin, g.text)
	case g.origin != "":
		origin = fmt.Sprintf(" (%s)", g.origin)
	}
	return cty.DynamicVal, hcl.Diagnostics{problem(g.at, "Unsuitable value", "The variable %q takes %s: %s%s.", v.name, v.ty.FriendlyNameForConstraint(), err, origin)}
}

// parseText reads a value given as text: an HCL expression, or the text itself where a string is wanted or where it is
// no expression.
func parseText(text string, want cty.Type) cty.Value {
	if want == cty.String {
		return cty.StringVal(text)
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), "", hcl.InitialPos)
	if !diags.HasErrors() {
		if v, diags := expr.Value(nil); !diags.HasErrors() {
			return v
		}
	}
	return cty.StringVal(text)
}

// given collects the values that the environment, files of variables and flags give, by name: the later replaces the
// earlier.
func (c *Config) given(o LoadOptions) (map[string]given, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	all := map[string]given{}
	for _, e := range o.Environ {
		if name, text, ok := strings.Cut(e, "="); ok {
			if name, ok := strings.CutPrefix(name, "ANNEAL_VAR_"); ok && c.variables[name] != nil {
				all[name] = c.text("ANNEAL_VAR_"+name, text)
			}
		}
	}
	for _, path := range o.VarFiles {
		diags = append(diags, c.variableFile(path, all)...)
	}
	for _, name := range sortedKeys(o.Vars) {
		if c.variables[name] == nil {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Unknown variable",
				Detail: fmt.Sprintf("--var %s: there is no variable %q.%s", name, name, Nearest(name, sortedKeys(c.variables)))})
			continue
		}
		all[name] = c.text("--var "+name, o.Vars[name])
	}
	return all, diags
}

// text is a value given as text. Its origin stands as a file of its own, so that a diagnostic can show it.
func (c *Config) text(origin, text string) given {
	c.files[origin] = &hcl.File{Bytes: []byte(text)}
	end := hcl.Pos{Line: 1, Column: len(text) + 1, Byte: len(text)}
	return given{text: text, origin: origin, at: hcl.Range{Filename: origin, Start: hcl.InitialPos, End: end}}
}

// variableFile reads a file of variables, HCL or JSON, into all.
func (c *Config) variableFile(path string, all map[string]given) hcl.Diagnostics {
	src, err := os.ReadFile(path)
	if err != nil {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Cannot read the file of variables", Detail: fmt.Sprintf("--var-file: %s.", err)}}
	}
	parse := hclparse.NewParser().ParseHCL
	if filepath.Ext(path) == ".json" {
		parse = hclparse.NewParser().ParseJSON
	}
	c.files[path] = &hcl.File{Bytes: src}
	file, diags := parse(src, path)
	if diags.HasErrors() {
		return diags
	}
	c.files[path] = file
	attrs, moreDiags := file.Body.JustAttributes()
	diags = append(diags, moreDiags...)
	for _, name := range sortedKeys(attrs) {
		a := attrs[name]
		if c.variables[name] == nil {
			diags = append(diags, problem(a.NameRange, "Unknown variable", "There is no variable %q.%s", name, Nearest(name, sortedKeys(c.variables))))
			continue
		}
		value, moreDiags := a.Expr.Value(nil)
		if diags = append(diags, moreDiags...); moreDiags.HasErrors() {
			value = cty.DynamicVal
		}
		all[name] = given{value: value, origin: path, at: a.Expr.Range()}
	}
	return diags
}

// evaluateVariables finds the values of the variables at the top of the files: unknown where something is wrong.
func (c *Config) evaluateVariables(variables map[string]*variable, values map[string]given) (map[string]cty.Value, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	got := map[string]cty.Value{}
	places := map[string]hcl.Range{}
	for _, name := range sortedKeys(variables) {
		v := variables[name]
		var moreDiags hcl.Diagnostics
		if g, ok := values[name]; ok {
			places[name] = g.at
			got[name], moreDiags = v.convert(g)
		} else if v.fallback != nil {
			places[name] = v.fallback.Range()
			got[name], moreDiags = v.standard()
		} else {
			got[name] = cty.DynamicVal
			if !v.flawed {
				moreDiags = hcl.Diagnostics{problem(v.at, "Missing value", "The variable %q has no default: give it as --var %s=VALUE, in a --var-file, or as ANNEAL_VAR_%s in the environment.", name, name, name)}
			}
		}
		diags = append(diags, moreDiags...)
	}
	held := map[string]cty.Value{}
	for _, name := range sortedKeys(variables) {
		v := variables[name]
		held[name] = got[name]
		_, moreDiags := v.reads(variables)
		if diags = append(diags, moreDiags...); moreDiags.HasErrors() {
			held[name] = cty.DynamicVal
			continue
		}
		if moreDiags := v.check(c, got, c.functions, places[name]); moreDiags.HasErrors() {
			diags = append(diags, moreDiags...)
			held[name] = cty.DynamicVal
		}
	}
	return held, diags
}

// reads lists the variables that the validations of v refer to, and reports other references.
func (v *variable) reads(variables map[string]*variable) (names []string, diags hcl.Diagnostics) {
	for _, r := range v.validations {
		for _, t := range append(r.condition.Variables(), r.message.Variables()...) {
			name := nameAt(t, 1)
			switch {
			case t.RootName() != "var" || name == "":
				diags = append(diags, problem(t.SourceRange(), "Invalid reference", "A validation refers to variables only: var.name."))
			case variables[name] == nil:
				diags = append(diags, problem(t.SourceRange(), "Unknown reference", "There is no var.%s.%s", name, Nearest("var."+name, prefixed("var.", sortedKeys(variables)))))
			default:
				names = append(names, name)
			}
		}
	}
	return names, diags
}

// check holds the values to the validations of v. at is where the value of v comes from.
func (v *variable) check(c *Config, values map[string]cty.Value, functions map[string]function.Function, at hcl.Range) (diags hcl.Diagnostics) {
	for _, r := range v.validations {
		vars := map[string]cty.Value{}
		for _, t := range append(r.condition.Variables(), r.message.Variables()...) {
			vars[nameAt(t, 1)] = values[nameAt(t, 1)]
		}
		ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"var": cty.ObjectVal(vars)}, Functions: functions}
		holds, moreDiags := c.eval(r.condition, ctx)
		diags = append(diags, moreDiags...)
		if moreDiags.HasErrors() || !holds.IsWhollyKnown() {
			continue
		}
		holds, _ = holds.UnmarkDeep()
		if holds.IsNull() || holds.Type() != cty.Bool {
			diags = append(diags, problem(r.condition.Range(), "Unsuitable value", "condition must be true or false, is %s.", describe(holds)))
			continue
		}
		if holds.True() {
			continue
		}
		message, moreDiags := c.eval(r.message, ctx)
		diags = append(diags, moreDiags...)
		if moreDiags.HasErrors() {
			continue
		}
		message, _ = message.UnmarkDeep()
		if !message.IsKnown() || message.IsNull() || message.Type() != cty.String {
			diags = append(diags, problem(r.message.Range(), "Unsuitable value", "error_message must be a string, is %s.", describe(message)))
			continue
		}
		diags = append(diags, problem(at, "Invalid variable", "%s (The validation of %q at %s.)", sentenceEnd(message.AsString()), v.name, place(r.at)))
	}
	return diags
}

// sentenceEnd puts a full stop behind a text that has no end of its own.
func sentenceEnd(text string) string {
	text = strings.TrimSpace(text)
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

func prefixed(prefix string, names []string) []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = prefix + n
	}
	return all
}

// VariableValues returns the values of the variables at the top of the files, as HCL writes them, without secrets.
func (c *Config) VariableValues() map[string]string {
	all := map[string]string{}
	for name, v := range c.vars {
		if v.IsWhollyKnown() {
			all[name] = c.secrets.mask(string(hclwrite.TokensForValue(v).Bytes()))
		}
	}
	return all
}
