package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"anneal/artifacts/store"
	"anneal/pipeline/source"
)

// A local folder is what its files are: all below it but hidden ones, whose names, or those of folders on the way, start with
// a dot. Its digest is that of a tree with their paths and digests, in the order of paths.

// folderFiles lists the files of a folder by their paths in it, with slashes, sorted. Links count as the files in the same folder
// that they lead to.
func folderFiles(dir string) ([]string, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	err = fs.WalkDir(os.DirFS(real), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != "." && strings.HasPrefix(e.Name(), ".") {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() {
			return nil
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if !utf8.ValidString(name) || strings.Contains(name, "\n") {
			return fmt.Errorf("it has a file of the name %q, which is not UTF-8 or has a line break; rename it", path)
		}
		if e.Type()&fs.ModeSymlink != 0 {
			if err := leadsToFile(real, name); err != nil {
				return fmt.Errorf("%s is a link %w; put the file itself there", path, err)
			}
		} else if !e.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", path)
		}
		names = append(names, name)
		return nil
	})
	slices.Sort(names)
	return names, err
}

// leadsToFile returns an error unless a link in a folder leads to a file in it.
func leadsToFile(real, name string) error {
	to, err := filepath.EvalSymlinks(filepath.Join(real, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("that leads nowhere")
	}
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(real, to); err != nil || !filepath.IsLocal(rel) {
		return errors.New("that leads out of the folder")
	}
	if info, err := os.Stat(to); err != nil || !info.Mode().IsRegular() {
		return errors.New("that does not lead to a file")
	}
	return nil
}

// identifyFolder finds what makes the local folder of x what it is.
func (c *Config) identifyFolder(x *external) error {
	names, err := folderFiles(x.path)
	if err != nil {
		return fmt.Errorf("names the folder %s, which cannot be taken: %w", x.path, err)
	}
	if len(names) == 0 {
		return fmt.Errorf("names the folder %s, in which there is no file; hidden ones do not count", x.path)
	}
	for _, name := range names {
		digest, size, err := c.hash(filepath.Join(x.path, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("names the folder %s, of which a file cannot be read: %w", x.path, err)
		}
		x.files = append(x.files, store.Object{Digest: digest, Size: size, Name: name})
	}
	x.kind, x.value = "folder", store.TreeDigest(x.files).String()
	return nil
}

// copyFolder copies the local folder of x, read-only, to the path to, and checks that it is still what the key says.
func (x *external) copyFolder(ctx context.Context, to string) error {
	names, err := folderFiles(x.path)
	if err != nil {
		return err
	}
	var files []store.Object
	for _, name := range names {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		local := filepath.FromSlash(name)
		path := filepath.Join(to, local)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := source.Copy(path, filepath.Join(x.path, local)); err != nil {
			return err
		}
		digest, size, err := store.HashFile(path)
		if err != nil {
			return err
		}
		files = append(files, store.Object{Digest: digest, Size: size, Name: name})
	}
	if store.TreeDigest(files).String() != x.value {
		return x.changed()
	}
	return nil
}
