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
	"https":    httpsFunction,
	"hf":       hubFunction,

	"abs":      said(stdlib.AbsoluteFunc, "The number without its sign."),
	"ceil":     said(stdlib.CeilFunc, "The number rounded up to a whole one."),
	"floor":    said(stdlib.FloorFunc, "The number rounded down to a whole one."),
	"log":      said(stdlib.LogFunc, "The logarithm of a number to a base."),
	"max":      said(stdlib.MaxFunc, "The largest of the numbers."),
	"min":      said(stdlib.MinFunc, "The smallest of the numbers."),
	"parseint": said(stdlib.ParseIntFunc, "The whole number that a text writes in a base from 2 to 62."),
	"pow":      said(stdlib.PowFunc, "A number to a power."),
	"signum":   said(stdlib.SignumFunc, "-1, 0 or 1, as the number is below 0, 0 or above."),
	"sum":      sumFunction,

	"chomp":       said(stdlib.ChompFunc, "The text without line breaks at its end."),
	"endswith":    textTest("Tells whether text ends with suffix.", "suffix", endsWith),
	"format":      said(stdlib.FormatFunc, "Text made as by printf: %s takes anything, %d whole numbers, %.3g and %f numbers, %q quotes."),
	"formatlist":  said(stdlib.FormatListFunc, "A list of texts made as by format, one for each element of the lists among the arguments."),
	"indent":      said(stdlib.IndentFunc, "The text with so many spaces before each of its lines but the first."),
	"join":        said(stdlib.JoinFunc, "The texts of the lists, parted by a separator."),
	"lower":       said(stdlib.LowerFunc, "The text in small letters."),
	"regex":       said(stdlib.RegexFunc, "What a regular expression of RE2 finds first: the text, or its groups as a list or, where they are named, an object. It is an error if there is nothing."),
	"regexall":    said(stdlib.RegexAllFunc, "All that a regular expression of RE2 finds, as a list."),
	"replace":     replaceFunction,
	"split":       said(stdlib.SplitFunc, "The parts of a text between separators, as a list."),
	"startswith":  textTest("Tells whether text starts with prefix.", "prefix", startsWith),
	"strcontains": textTest("Tells whether part stands somewhere in text.", "part", holds),
	"strrev":      said(stdlib.ReverseFunc, "The text, its last character first."),
	"substr":      said(stdlib.SubstrFunc, "So many characters of a text from an offset on; -1: all that follow."),
	"title":       said(stdlib.TitleFunc, "The text with a capital at the start of every word."),
	"trim":        said(stdlib.TrimFunc, "The text without the characters given at its ends."),
	"trimprefix":  said(stdlib.TrimPrefixFunc, "The text without what is given at its start."),
	"trimspace":   said(stdlib.TrimSpaceFunc, "The text without white space at its ends."),
	"trimsuffix":  said(stdlib.TrimSuffixFunc, "The text without what is given at its end."),
	"upper":       said(stdlib.UpperFunc, "The text in capitals."),

	"alltrue":                everyFunction("Tells whether every element of a list or set is true; of an empty one, true.", false),
	"anytrue":                everyFunction("Tells whether an element of a list or set is true; of an empty one, false.", true),
	"chunklist":              said(stdlib.ChunklistFunc, "The list cut into lists of a length; the last may be shorter."),
	"coalesce":               said(stdlib.CoalesceFunc, "The first of the values that is not null."),
	"coalescelist":           said(stdlib.CoalesceListFunc, "The first of the lists that is not empty."),
	"compact":                said(stdlib.CompactFunc, "The texts of a list that are not empty."),
	"concat":                 said(stdlib.ConcatFunc, "The lists one after another, as one."),
	"contains":               said(stdlib.ContainsFunc, "Tells whether a list or set has the value."),
	"distinct":               said(stdlib.DistinctFunc, "The list without the elements that it has before."),
	"element":                said(stdlib.ElementFunc, "The element of a list at an index, counted from 0; past its end it starts over."),
	"flatten":                said(stdlib.FlattenFunc, "The list with the elements of the lists in it in their place, however deep."),
	"index":                  indexFunction,
	"keys":                   said(stdlib.KeysFunc, "The keys of a map or object, or the points of a sweep, in the order of text."),
	"length":                 lengthFunction,
	"lookup":                 said(stdlib.LookupFunc, "The value of a map under a key, or else the default."),
	"matchkeys":              matchKeysFunction,
	"merge":                  said(stdlib.MergeFunc, "The maps or objects as one; of several values under a key the last counts."),
	"one":                    oneFunction,
	"range":                  said(stdlib.RangeFunc, "The numbers from start, 0 where it is left out, up to a limit and without it, by a step, 1 where it is left out."),
	"reverse":                said(stdlib.ReverseListFunc, "The list, its last element first."),
	"sethaselement":          said(stdlib.SetHasElementFunc, "Tells whether a set has the value."),
	"setintersection":        said(stdlib.SetIntersectionFunc, "The elements that all of the sets have."),
	"setproduct":             said(stdlib.SetProductFunc, "Every combination of one element from each of the lists or sets."),
	"setsubtract":            said(stdlib.SetSubtractFunc, "The elements of the first set that the second lacks."),
	"setsymmetricdifference": said(stdlib.SetSymmetricDifferenceFunc, "The elements that the first set or the second has, but not both; and so on with further sets."),
	"setunion":               said(stdlib.SetUnionFunc, "The elements that any of the sets has."),
	"slice":                  said(stdlib.SliceFunc, "The elements of a list from one index up to another and without it."),
	"sort":                   said(stdlib.SortFunc, "The texts of a list in order."),
	"values":                 said(stdlib.ValuesFunc, "The values of a map or object, or the elements of a sweep, in the order of their keys."),
	"zipmap":                 said(stdlib.ZipmapFunc, "A map of keys from one list and values from another."),

	"csvdecode":  said(stdlib.CSVDecodeFunc, "The rows of a table written as CSV (RFC 4180), as objects whose attributes the first row names; all values are texts."),
	"jsondecode": said(stdlib.JSONDecodeFunc, "The value that a text writes as JSON."),
	"jsonencode": said(stdlib.JSONEncodeFunc, "The value written as JSON."),

	"can": attempt(tryfunc.CanFunc, "Tells whether the expression can be evaluated without an error."),
	"try": attempt(tryfunc.TryFunc, "The value of the first of the expressions that can be evaluated without an error."),

	"tobool":   said(stdlib.MakeToFunc(cty.Bool), "The value as true or false: a bool, or \"true\" and \"false\"."),
	"tolist":   said(stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)), "The elements of a set or list, as a list of one type."),
	"tomap":    said(stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)), "The values of an object, as a map of one type."),
	"tonumber": said(stdlib.MakeToFunc(cty.Number), "The value as a number: one, or a text that writes one."),
	"toset":    said(stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), "The elements of a list, each once, as a set of one type."),
	"tostring": said(stdlib.MakeToFunc(cty.String), "The value as a text: a number, a bool or a text."),
}

// said describes a function in our words.
func said(f function.Function, description string) function.Function {
	return f.WithNewDescriptions(description, make([]string, len(f.Params())))
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
