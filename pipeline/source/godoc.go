package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// WriteGoDoc writes the documentation in the toolchain's sources as prose: of each package that pattern names, in the
// order of import paths, the comments on the package and on its exported declarations, methods and fields, in the order
// of files and lines, without comment marks, parted by blank lines.
//
// Pattern is "std", an import path such as "net/http", or one that ends in "/..." for a package and all below it. Std
// takes internal packages in and leaves out cmd, which a pattern can name. Vendored packages, testdata, test files and
// files marked "//go:build ignore" are never read. Every other file is, whatever system it is for, so that the text
// depends on the toolchain's version alone; a comment that stands several times in a package is written once.
//
// A pattern that names no package is an error.
func WriteGoDoc(ctx context.Context, w io.Writer, pattern string) error {
	root, version, err := Toolchain(ctx)
	if err != nil {
		return err
	}
	src := filepath.Join(root, "src")
	if _, err := os.Stat(src); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("godoc(%q): %s in %s has no such pattern of packages%s", pattern, version, root, stripped(root))
	}
	if err := writeDoc(ctx, w, os.DirFS(src), pattern); err != nil {
		return fmt.Errorf("godoc(%q) of %s in %s: %w", pattern, version, root, err)
	}
	return nil
}

// writeDoc is WriteGoDoc over the tree src.
func writeDoc(ctx context.Context, w io.Writer, src fs.FS, pattern string) error {
	packages, err := match(src, pattern)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	written := false
	for _, dir := range packages {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		comments, err := packageComments(src, dir)
		if err != nil {
			return err
		}
		for _, comment := range comments {
			if written {
				comment = "\n" + comment
			}
			if _, err := out.WriteString(comment); err != nil {
				return err
			}
			written = true
		}
	}
	if !written {
		return errors.New("no package with documentation")
	}
	return out.Flush()
}

// match returns the folders that pattern names, sorted.
func match(src fs.FS, pattern string) ([]string, error) {
	top, all := strings.CutSuffix(pattern, "/...")
	if pattern == "std" {
		top, all = ".", true
	}
	if !fs.ValidPath(top) || strings.Contains(top, "...") {
		return nil, errors.New(`a pattern is "std", an import path, or one that ends in "/..."`)
	}
	if info, err := fs.Stat(src, top); err != nil || !info.IsDir() {
		return nil, errors.New("no such package")
	}
	if !all {
		return []string{top}, nil
	}
	var folders []string
	err := fs.WalkDir(src, top, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		base := path.Base(name)
		hidden := name != "." && (base[0] == '.' || base[0] == '_')
		if hidden || base == "testdata" || base == "vendor" || name == "cmd" && top == "." {
			return fs.SkipDir
		}
		folders = append(folders, name)
		return nil
	})
	// The walk compares names folder by folder, which is the order of import paths with "/" before all else.
	return folders, err
}

// packageComments returns the comments of the package in a folder, each ending in a line break: those on the package
// first, then those on declarations.
func packageComments(src fs.FS, dir string) ([]string, error) {
	entries, err := fs.ReadDir(src, dir)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	var onPackage, onDeclarations []*ast.CommentGroup
	for _, e := range entries { // sorted by name
		name := path.Join(dir, e.Name())
		if e.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := fs.ReadFile(src, name)
		if err != nil {
			return nil, err
		}
		if ignored(text) {
			continue
		}
		file, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		onPackage = append(onPackage, file.Doc)
		onDeclarations = append(onDeclarations, declarationComments(file)...)
	}
	var comments []string
	seen := map[string]bool{"": true}
	for _, group := range append(onPackage, onDeclarations...) {
		if text := group.Text(); !seen[text] {
			seen[text] = true
			comments = append(comments, text)
		}
	}
	return comments, nil
}

// ignored tells whether a file is kept out of every build, as generators are.
func ignored(file []byte) bool {
	for line := range bytes.Lines(file) {
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("package ")) {
			break
		}
		if constraint.IsGoBuild(string(line)) {
			x, err := constraint.Parse(string(line))
			return err == nil && x.String() == "ignore"
		}
	}
	return false
}

// declarationComments returns the comments on the exported declarations of a file, in order.
func declarationComments(file *ast.File) []*ast.CommentGroup {
	var groups []*ast.CommentGroup
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv)) {
				groups = append(groups, d.Doc)
			}
		case *ast.GenDecl:
			var specs []*ast.CommentGroup
			exported := false
			for _, s := range d.Specs {
				comments, ok := specComments(s)
				exported = exported || ok
				specs = append(specs, comments...)
			}
			if exported {
				groups = append(append(groups, d.Doc), specs...)
			}
		}
	}
	return groups
}

// specComments returns the comments on one constant, variable or type, and whether it is exported.
func specComments(s ast.Spec) (groups []*ast.CommentGroup, exported bool) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		if anyExported(s.Names) {
			return []*ast.CommentGroup{s.Doc}, true
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return nil, false
		}
		groups = append(groups, s.Doc)
		var fields *ast.FieldList
		switch t := s.Type.(type) {
		case *ast.StructType:
			fields = t.Fields
		case *ast.InterfaceType:
			fields = t.Methods
		default:
			return groups, true
		}
		for _, f := range fields.List {
			if anyExported(f.Names) {
				groups = append(groups, f.Doc)
			}
		}
		return groups, true
	}
	return nil, false
}

func anyExported(names []*ast.Ident) bool {
	for _, n := range names {
		if n.IsExported() {
			return true
		}
	}
	return false
}

// exportedReceiver tells whether a method belongs to an exported type.
func exportedReceiver(r *ast.FieldList) bool {
	for t := r.List[0].Type; ; {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.ParenExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}
