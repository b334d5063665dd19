// Package archive packs files into one plain tar file that has the same bytes each time, and unpacks such a file only
// if it holds exactly what it says.
//
// All files lie in one folder and are owned by nobody in particular; all have one time. First comes MANIFEST, which
// lists the others as sha256sum does, so that `sha256sum -c MANIFEST` checks what `tar xf` unpacked; they follow in the
// order of their names. Nothing is compressed: an archive unpacks to no more than its own size.
package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"anneal/artifacts/store"
)

// Manifest is the name of the list of files.
const Manifest = "MANIFEST"

// File is one file to be packed.
type File struct {
	Name     string // relative, with slashes
	Digest   store.Digest
	Size     int64
	ReadOnly bool
	Open     func() (io.ReadCloser, error)
}

// Bytes returns a file that holds data.
func Bytes(name string, data []byte) File {
	return File{Name: name, Digest: store.Digest(sha256.Sum256(data)), Size: int64(len(data)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// Write packs files into the folder named, all with the time when, in seconds. What Open gives must have the digest
// and the size stated.
func Write(w io.Writer, folder string, when time.Time, files []File) error {
	files = slices.SortedFunc(slices.Values(files), func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	var list bytes.Buffer
	for i, f := range files {
		if err := name(f.Name); err != nil {
			return err
		}
		if f.Name == Manifest {
			return fmt.Errorf("no file can have the name %s: the list of files has it", Manifest)
		}
		if i > 0 && f.Name == files[i-1].Name {
			return fmt.Errorf("two files have the name %s", f.Name)
		}
		fmt.Fprintf(&list, "%s  %s\n", f.Digest, f.Name)
	}
	buffered := bufio.NewWriterSize(w, 1<<20)
	t := tar.NewWriter(buffered)
	for _, f := range append([]File{Bytes(Manifest, list.Bytes())}, files...) {
		if err := write(t, folder, when, f); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return errors.Join(t.Close(), buffered.Flush())
}

func write(t *tar.Writer, folder string, when time.Time, f File) error {
	mode := int64(0o644)
	if f.ReadOnly {
		mode = 0o444
	}
	err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path.Join(folder, f.Name), Size: f.Size, Mode: mode, ModTime: when.Truncate(time.Second)})
	if err != nil {
		return err
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(t, h), r)
	if err != nil && !errors.Is(err, tar.ErrWriteTooLong) {
		return err
	}
	if got := store.Digest(h.Sum(nil)); n != f.Size || got != f.Digest {
		return fmt.Errorf("its bytes have the digest %s, not %s", got.Short(), f.Digest.Short())
	}
	return nil
}

// name refuses what could be another file, or none, once unpacked, and what sha256sum would write in a way of its own.
func name(s string) error {
	if !fs.ValidPath(s) || s == "." || strings.ContainsAny(s, "\\\n\r\x00") {
		return fmt.Errorf("%q cannot be the name of a file in an archive", s)
	}
	return nil
}

// longest is the size up to which a manifest is read into memory: that of millions of files.
const longest = 1 << 30

// Extract unpacks an archive into the folder dir, which is there and empty. An error names the entry at fault; what
// was unpacked before it stays for the caller to remove.
func Extract(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir) // no name leads out of it, whatever it says
	if err != nil {
		return err
	}
	defer root.Close()
	t := tar.NewReader(bufio.NewReaderSize(r, 1<<20))
	first, err := t.Next()
	if err != nil {
		return fmt.Errorf("not an archive of Anneal's: %w", short(err))
	}
	folder, ok := strings.CutSuffix(first.Name, "/"+Manifest)
	if !ok || strings.Contains(folder, "/") || name(folder) != nil || plain(first) != nil {
		return fmt.Errorf("not an archive of Anneal's: its first entry is %q, not FOLDER/%s", first.Name, Manifest)
	}
	if first.Size > longest {
		return fmt.Errorf("%s is of %d bytes, more than any list of files needs", Manifest, first.Size)
	}
	list, err := io.ReadAll(t)
	if err != nil {
		return fmt.Errorf("%s: %w", Manifest, short(err))
	}
	if err := root.WriteFile(Manifest, list, 0o666); err != nil {
		return err
	}
	for line := range strings.Lines(string(list)) {
		digest, want, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		d, err := store.ParseDigest(digest)
		if err != nil || !ok || name(want) != nil || want == Manifest {
			return fmt.Errorf("%s: a line is not a digest and the name of a file: %q", Manifest, line)
		}
		h, err := t.Next()
		if err != nil {
			return fmt.Errorf("%s: %w", want, short(err))
		}
		if h.Name != folder+"/"+want {
			return fmt.Errorf("%s: the archive has %q in its place", want, h.Name)
		}
		if err := plain(h); err != nil {
			return fmt.Errorf("%s: %w", want, err)
		}
		if err := extract(root, want, d, h, t); err != nil {
			return fmt.Errorf("%s: %w", want, short(err))
		}
	}
	switch h, err := t.Next(); {
	case err == nil:
		return fmt.Errorf("%q: not in %s", h.Name, Manifest)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("after the last file: %w", err)
	}
	return nil
}

// plain refuses links, devices and whatever else is no regular file with all its bytes, such as sparse ones, which
// would unpack to any size.
func plain(h *tar.Header) error {
	if h.Typeflag != tar.TypeReg {
		return errors.New("not a regular file")
	}
	for key := range h.PAXRecords {
		if key != "path" && key != "size" {
			return fmt.Errorf("has the attribute %s, which archives of Anneal's do not", key)
		}
	}
	return nil
}

func extract(root *os.Root, name string, want store.Digest, header *tar.Header, r io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o777); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444|fs.FileMode(header.Mode)&0o200)
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), r)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if got := store.Digest(h.Sum(nil)); got != want {
		return fmt.Errorf("damaged: its bytes have the digest %s, not %s", got.Short(), want.Short())
	}
	return root.Chtimes(name, header.ModTime, header.ModTime)
}

// short says in words that a file ends too early.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the archive ends here, too early")
	}
	return err
}
