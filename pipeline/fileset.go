package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// filesetFunction makes fileset for files in the folder dir.
func filesetFunction(dir string) function.Function {
	return function.New(&function.Spec{
		Description: "The files in a folder whose paths, relative to it, match a pattern: * and ? stop at slashes, ** does not, {a,b} is either. The folder's own path is relative to that of the pipeline file. Nothing in .anneal is taken in.",
		Params:      []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:        function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			found, err := fileset(dir, args[0].AsString(), args[1].AsString())
			if err != nil {
				return cty.UnknownVal(cty.Set(cty.String)), err
			}
			if len(found) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			values := make([]cty.Value, len(found))
			for i, f := range found {
				values[i] = cty.StringVal(f)
			}
			return cty.SetVal(values), nil
		},
	})
}

// fileset lists the files below path that match the pattern, sorted.
func fileset(dir, path, pattern string) ([]string, error) {
	folder := filepath.FromSlash(path)
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(dir, folder)
	}
	if info, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no folder %s; paths are relative to the folder of the pipeline file", folder)
	} else if err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", folder)
	}
	if !doublestar.ValidatePattern(pattern) {
		return nil, fmt.Errorf("%q is not a pattern: [ and { want their ends", pattern)
	}
	if strings.HasPrefix(pattern, "/") || pattern == ".." || strings.HasPrefix(pattern, "../") || strings.Contains(pattern, "/../") {
		return nil, fmt.Errorf("the pattern %q leads out of %s; name another folder as the path", pattern, folder)
	}
	all, err := doublestar.Glob(storeless{os.DirFS(folder)}, pattern, doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors())
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range all {
		if strings.HasPrefix(name, storeFolder+"/") || strings.Contains(name, "/"+storeFolder+"/") {
			continue
		}
		if err := normal(name); err != nil {
			return nil, err
		}
		found = append(found, name)
	}
	return found, nil
}

// storeFolder is where a store stands beside its pipeline file; what it holds is no source.
const storeFolder = ".anneal"

// storeless is a tree whose stores are not listed: they may be large, and change while they are read.
type storeless struct{ fs.FS }

func (t storeless) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(t.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == storeFolder }), err
}

func (t storeless) Stat(name string) (fs.FileInfo, error) { return fs.Stat(t.FS, name) }

// normal returns an error if HCL would change the name of a file, and so lead to none.
func normal(name string) error {
	if n := cty.NormalizeString(name); n != name {
		return fmt.Errorf("the file %+q has a name that is not in Unicode's normal form NFC, as all text in HCL is; rename it to %+q", name, n)
	}
	return nil
}
