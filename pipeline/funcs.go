package pipeline

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are those of expressions that know nothing but their arguments: go-cty's under Terraform's names, and ours.
// None depends on time or chance.
var functions = map[string]function.Function{
	"zip":         sweepFunction("Pairs its axes: the first values of all of them, then the second ones, and so on. The axes are those of grid, of equal lengths; a map's values come in the order of its keys.", "axes", zip),
	"union":       unionFunction,
	"random":      randomFunction,
	"uniform":     distributionFunction("A number from low to high, all equally likely: an axis of random.", uniform),
	"log_uniform": distributionFunction("A number from low to high whose logarithm is uniform, so that every order of magnitude is equally likely: an axis of random. Both bounds are above 0.", logUniform),

	"gofile":   sourceFunction("gofile", "A file of the Go toolchain, by its path in GOROOT.", "path"),
	"godoc":    sourceFunction("godoc", "The doc comments of the Go toolchain's packages that match the pattern, as prose: std, an import path, or one that ends in /... for all below it.", "pattern"),
	"gomodule": moduleFunction,

	"abs":      stdlib.AbsoluteFunc,
	"ceil":     stdlib.CeilFunc,
	"floor":    stdlib.FloorFunc,
	"log":      stdlib.LogFunc,
	"max":      stdlib.MaxFunc,
	"min":      stdlib.MinFunc,
	"parseint": stdlib.ParseIntFunc,
	"pow":      stdlib.PowFunc,
	"signum":   stdlib.SignumFunc,
	"sum":      sumFunction,

	"chomp":       stdlib.ChompFunc,
	"endswith":    textTest("Tells whether text ends with suffix.", "suffix", endsWith),
	"format":      stdlib.FormatFunc,
	"formatlist":  stdlib.FormatListFunc,
	"indent":      stdlib.IndentFunc,
	"join":        stdlib.JoinFunc,
	"lower":       stdlib.LowerFunc,
	"regex":       stdlib.RegexFunc,
	"regexall":    stdlib.RegexAllFunc,
	"replace":     replaceFunction,
	"split":       stdlib.SplitFunc,
	"startswith":  textTest("Tells whether text starts with prefix.", "prefix", startsWith),
	"strcontains": textTest("Tells whether part stands somewhere in text.", "part", holds),
	"strrev":      stdlib.ReverseFunc,
	"substr":      stdlib.SubstrFunc,
	"title":       stdlib.TitleFunc,
	"trim":        stdlib.TrimFunc,
	"trimprefix":  stdlib.TrimPrefixFunc,
	"trimspace":   stdlib.TrimSpaceFunc,
	"trimsuffix":  stdlib.TrimSuffixFunc,
	"upper":       stdlib.UpperFunc,

	"alltrue":                everyFunction("Tells whether every element of a list or set is true; of an empty one, true.", false),
	"anytrue":                everyFunction("Tells whether an element of a list or set is true; of an empty one, false.", true),
	"chunklist":              stdlib.ChunklistFunc,
	"coalesce":               stdlib.CoalesceFunc,
	"coalescelist":           stdlib.CoalesceListFunc,
	"compact":                stdlib.CompactFunc,
	"concat":                 stdlib.ConcatFunc,
	"contains":               stdlib.ContainsFunc,
	"distinct":               stdlib.DistinctFunc,
	"element":                stdlib.ElementFunc,
	"flatten":                stdlib.FlattenFunc,
	"index":                  indexFunction,
	"keys":                   stdlib.KeysFunc,
	"length":                 lengthFunction,
	"lookup":                 stdlib.LookupFunc,
	"matchkeys":              matchKeysFunction,
	"merge":                  stdlib.MergeFunc,
	"one":                    oneFunction,
	"range":                  stdlib.RangeFunc,
	"reverse":                stdlib.ReverseListFunc,
	"sethaselement":          stdlib.SetHasElementFunc,
	"setintersection":        stdlib.SetIntersectionFunc,
	"setproduct":             stdlib.SetProductFunc,
	"setsubtract":            stdlib.SetSubtractFunc,
	"setsymmetricdifference": stdlib.SetSymmetricDifferenceFunc,
	"setunion":               stdlib.SetUnionFunc,
	"slice":                  stdlib.SliceFunc,
	"sort":                   stdlib.SortFunc,
	"values":                 stdlib.ValuesFunc,
	"zipmap":                 stdlib.ZipmapFunc,

	"csvdecode":  stdlib.CSVDecodeFunc,
	"jsondecode": stdlib.JSONDecodeFunc,
	"jsonencode": stdlib.JSONEncodeFunc,

	"can": tryfunc.CanFunc.WithNewDescriptions("Tells whether the expression can be evaluated without an error.", []string{""}),
	"try": tryfunc.TryFunc.WithNewDescriptions("The value of the first of the expressions that can be evaluated without an error.", []string{""}),

	"tobool":   stdlib.MakeToFunc(cty.Bool),
	"tolist":   stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
	"tomap":    stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
	"tonumber": stdlib.MakeToFunc(cty.Number),
	"toset":    stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
	"tostring": stdlib.MakeToFunc(cty.String),
}

// functionsIn returns the functions of expressions in the files of a folder: the ones above, and those that know where
// they stand and what the command line asks for.
func functionsIn(dir string, seeds *seedAxes, env *secrets) map[string]function.Function {
	table := maps.Clone(functions)
	table["grid"] = gridFunction(seeds)
	table["fileset"] = filesetFunction(dir)
	table["env"] = env.function()
	return table
}

// FunctionDoc describes a function of expressions.
type FunctionDoc struct {
	Name        string   `json:"name"`
	Params      []string `json:"params,omitempty"` // names; of one that may be given any number of times, with "..." behind it
	Description string   `json:"description"`
}

// Functions describes every function, sorted by name.
func Functions() []FunctionDoc {
	table := functionsIn("", newSeedAxes(nil), &secrets{})
	var docs []FunctionDoc
	for _, name := range sortedKeys(table) {
		f := table[name]
		doc := FunctionDoc{Name: name, Description: f.Description()}
		for _, p := range f.Params() {
			doc.Params = append(doc.Params, p.Name)
		}
		if p := f.VarParam(); p != nil {
			doc.Params = append(doc.Params, p.Name+"...")
		}
		docs = append(docs, doc)
	}
	return docs
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
