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
	"strings"

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
			return cty.CapsuleVal(fileType, &File{Source: name, Name: args[0].AsString()}), nil
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
		return cty.CapsuleVal(fileType, &File{Source: "gomodule", Name: module + " " + path}), nil
	},
})

var hubFunction = function.New(&function.Spec{
	Description: "A file of a repository on the Hugging Face hub, owner/model@COMMIT or datasets/owner/name@COMMIT, by its path there; of a pattern, where * and ? stop at slashes, ** does not and {a,b} is either, a folder with all files that match. The commit has all its 40 digits. What a stage reads is fetched when it runs, from HF_ENDPOINT if that is set, with the token in HF_TOKEN, and checked against the commit. The text \"hf://owner/model@COMMIT/path\" says the same, and without the path means all files.",
	Params:      []function.Parameter{{Name: "repository", Type: cty.String}, {Name: "path", Type: cty.String}},
	Type:        function.StaticReturnType(fileType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		repository, path := args[0].AsString(), args[1].AsString()
		if err := source.CheckHub(repository, path); err != nil {
			return cty.UnknownVal(fileType), err
		}
		return cty.CapsuleVal(fileType, &File{Source: "hf", Name: repository + " " + path}), nil
	},
})

var httpsFunction = function.New(&function.Spec{
	Description: "A file of the web at an address that starts with https://, and its SHA-256, 64 hexadecimal digits, which `curl -L ADDRESS | sha256sum` prints, or `sha256sum FILE` where you have the file. The digest alone is what it is: another address of the same file changes no key. It is fetched when a stage reads it, goes on where it broke off, and is checked.",
	Params:      []function.Parameter{{Name: "address", Type: cty.String}, {Name: "sha256", Type: cty.String}},
	Type:        function.StaticReturnType(fileType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		address, sum := args[0].AsString(), args[1].AsString()
		if err := source.CheckHTTPS(address, sum); err != nil {
			return cty.UnknownVal(fileType), err
		}
		return cty.CapsuleVal(fileType, &File{Source: "https", Name: address, SHA256: strings.ToLower(sum)}), nil
	},
})

// plainFile reads the text that names a file: a path, or an address of the hub. The error completes a sentence that starts with the field.
func plainFile(text string) (File, error) {
	scheme, address, _ := strings.Cut(text, "://")
	switch {
	case scheme == text:
	case scheme == "hf":
		repository, path := source.ParseHub(address)
		if err := source.CheckHub(repository, path); err != nil {
			return File{}, fmt.Errorf("names the hub, where %w", err)
		}
		return File{Source: "hf", Name: repository + " " + path}, nil
	case scheme == "https" || scheme == "http":
		return File{}, errors.New("names a file of the web, whose bytes could be others tomorrow: write https(\"https://...\", \"SHA256\"), with the 64 digits that `curl -L ADDRESS | sha256sum` prints")
	}
	return File{Source: "file", Name: text}, nil
}

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
		} else if err == nil && info.IsDir() {
			return c.identifyFolder(x)
		} else if err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("names %s, which is neither a file nor a folder", x.path)
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
	case "https":
		x.kind, x.value = "https", x.file.SHA256
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

// fetch writes the bytes of x to the file or folder at to, and checks that they are what the key says.
func (x *external) fetch(ctx context.Context, to string, d *source.Downloads) error {
	switch x.kind {
	case "godoc":
		return writeFile(to, func(w io.Writer) error { return source.WriteGoDoc(ctx, w, x.file.Name) })
	case "gomodule":
		return writeFile(to, func(w io.Writer) error { return source.WriteModuleFile(ctx, w, x.file.Name) })
	case "hf":
		return d.FetchHub(ctx, to, x.file.Name)
	case "https":
		return d.FetchHTTPS(ctx, to, x.file.Name, x.file.SHA256)
	case "folder":
		return x.copyFolder(ctx, to)
	}
	if err := source.Copy(to, x.path); err != nil {
		return err
	}
	digest, _, err := store.HashFile(to)
	if err != nil {
		return err
	}
	if digest.String() != x.value {
		return x.changed()
	}
	return nil
}

// changed says that a local file or folder is not what it was.
func (x *external) changed() error {
	return fmt.Errorf("%s changed after it was planned; run again", x.path)
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
