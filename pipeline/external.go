package pipeline

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"anneal/artifacts/store"
	"anneal/pipeline/source"
)

// sourceFunction names bytes outside the graph. It fetches nothing: the stage that reads them does.
func sourceFunction(name, description, param string) function.Function {
	return function.New(&function.Spec{
		Description: description,
		Params:      []function.Parameter{{Name: param, Type: cty.String}},
		Type:        function.StaticReturnType(fileType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.CapsuleVal(fileType, &File{name, args[0].AsString()}), nil
		},
	})
}

var moduleFunction = function.New(&function.Spec{
	Description: "A file of a Go module of an exact version, such as golang.org/x/text@v0.3.0, by its path in the module. The go command fetches it when a stage reads it, and checks it against the checksum database.",
	Params:      []function.Parameter{{Name: "module", Type: cty.String}, {Name: "path", Type: cty.String}},
	Type:        function.StaticReturnType(fileType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		module, path := args[0].AsString(), args[1].AsString()
		if err := source.CheckModule(module, path); err != nil {
			return cty.UnknownVal(fileType), err
		}
		return cty.CapsuleVal(fileType, &File{"gomodule", module + " " + path}), nil
	},
})

var hubFunction = function.New(&function.Spec{
	Description: "A file of a repository on the Hugging Face hub, owner/model@COMMIT or datasets/owner/name@COMMIT, by its path there; of a pattern, where * and ? stop at slashes, ** does not and {a,b} is either, a folder with all files that match. The commit has all its 40 digits. What a stage reads is fetched when it runs, from HF_ENDPOINT if that is set, with the token in HF_TOKEN, and checked against the commit.",
	Params:      []function.Parameter{{Name: "repository", Type: cty.String}, {Name: "path", Type: cty.String}},
	Type:        function.StaticReturnType(fileType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		repository, path := args[0].AsString(), args[1].AsString()
		if err := source.CheckHub(repository, path); err != nil {
			return cty.UnknownVal(fileType), err
		}
		return cty.CapsuleVal(fileType, &File{"hf", repository + " " + path}), nil
	},
})

// identify finds what makes the bytes of x what they are: the digest of a local file's or a toolchain file's content,
// or what pins the documentation of the toolchain, a module or a repository. The error completes a sentence that starts with the field.
func (c *Config) identify(x *external) error {
	x.kind = "file"
	switch x.file.Source {
	case "file":
		x.path = filepath.Join(x.dir, filepath.FromSlash(x.file.Name))
		if filepath.IsAbs(x.file.Name) {
			x.path = x.file.Name
		}
		if info, err := os.Stat(x.path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("names %s, which is not there%s; paths are relative to the folder of the pipeline file", x.path, otherForm(x.path))
		} else if err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("names %s, which is not a regular file", x.path)
		}
	case "gofile":
		path, err := source.GoFile(context.Background(), x.file.Name)
		if err != nil {
			return fmt.Errorf("cannot be read: %w", err)
		}
		x.path = path
	case "godoc":
		_, version, err := source.Toolchain(context.Background())
		if err != nil {
			return fmt.Errorf("cannot be read: %w", err)
		}
		x.kind, x.value = "godoc", x.file.Name+" "+version
		return nil
	case "gomodule", "hf":
		x.kind, x.value = x.file.Source, x.file.Name
		return nil
	default:
		panic("pipeline: unknown source " + x.file.Source)
	}
	digest, size, err := c.hash(x.path)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if size == 0 {
		return fmt.Errorf("names %s, which is empty", x.path)
	}
	x.value = digest.String()
	return nil
}

// hash returns the digest and the size of a file.
func (c *Config) hash(path string) (store.Digest, int64, error) {
	if c.hashes == nil {
		return store.HashFile(path)
	}
	return c.hashes.File(path)
}

// otherForm explains a missing file where its folder has one whose name is the same text in another form of Unicode.
func otherForm(path string) string {
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		if err := normal(e.Name()); err != nil && cty.NormalizeString(e.Name()) == filepath.Base(path) {
			return ": " + err.Error()
		}
	}
	return ""
}

// fetch writes the bytes of x to the file at to, and checks that they are what the key says.
func (x *external) fetch(ctx context.Context, to string) error {
	switch x.kind {
	case "godoc":
		return writeFile(to, func(w io.Writer) error { return source.WriteGoDoc(ctx, w, x.file.Name) })
	case "gomodule":
		return writeFile(to, func(w io.Writer) error { return source.WriteModuleFile(ctx, w, x.file.Name) })
	case "hf":
		return source.FetchHub(ctx, to, x.file.Name)
	}
	err := writeFile(to, func(w io.Writer) error {
		f, err := os.Open(x.path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	})
	if err != nil {
		return err
	}
	digest, _, err := store.HashFile(to)
	if err != nil {
		return err
	}
	if digest.String() != x.value {
		return fmt.Errorf("%s changed after it was planned; run again", x.path)
	}
	return nil
}

// writeFile writes a read-only file.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	if err = write(w); err == nil {
		err = w.Flush()
	}
	return errors.Join(err, f.Close())
}
