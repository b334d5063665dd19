package pipeline

import (
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns HCL in its canonical layout: indentation, alignment, spacing. Comments and line breaks stay as they
// are. The error is an *InvalidError where src is no HCL.
func Format(src []byte, name string) ([]byte, error) {
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, invalid(map[string]*hcl.File{name: {Bytes: src, Nav: nav(file)}}, diags)
	}
	return hclwrite.Format(src), nil
}

func nav(f *hcl.File) any {
	if f == nil {
		return nil
	}
	return f.Nav
}

// StudyFiles lists the HCL files of a folder, and of the modules that they use, as far as they can be read, sorted.
func StudyFiles(dir string) ([]string, error) {
	var all []string
	var visit func(dir string) error
	seen := map[string]bool{}
	visit = func(dir string) error {
		if seen[dir] {
			return nil
		}
		seen[dir] = true
		paths, err := hclFiles(dir)
		if err != nil {
			return err
		}
		all = append(all, paths...)
		c := &Config{files: map[string]*hcl.File{}}
		bodies, _ := c.parse(paths)
		for _, body := range bodies {
			for _, b := range moduleBlocks(body.Blocks) {
				if inner, _, diags := moduleFolder(b, dir); !diags.HasErrors() {
					_ = visit(inner) // a folder that is missing is for validate to report
				}
			}
		}
		return nil
	}
	err := visit(filepath.Clean(dir))
	slices.Sort(all)
	return all, err
}
