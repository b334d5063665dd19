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

	"anneal/artifacts/store"
	"anneal/pipeline/source"
)

// identify finds what makes the bytes of x what they are: the digest of a local file's or a toolchain file's content,
// or what pins the documentation of the toolchain. The error completes a sentence that starts with the field.
func (c *Config) identify(x *external) error {
	x.kind = "file"
	switch x.file.Source {
	case "file":
		x.path = filepath.Join(c.dir, filepath.FromSlash(x.file.Name))
		if filepath.IsAbs(x.file.Name) {
			x.path = x.file.Name
		}
		if info, err := os.Stat(x.path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("names %s, which is not there; paths are relative to the folder of the pipeline file", x.path)
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
	default:
		panic("pipeline: unknown source " + x.file.Source)
	}
	digest, size, err := store.HashFile(x.path)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if size == 0 {
		return fmt.Errorf("names %s, which is empty", x.path)
	}
	x.value = digest.String()
	return nil
}

// fetch writes the bytes of x to the file at to, and checks that they are what the key says.
func (x *external) fetch(ctx context.Context, to string) error {
	if x.kind == "godoc" {
		return writeFile(to, func(w io.Writer) error { return source.WriteGoDoc(ctx, w, x.file.Name) })
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
