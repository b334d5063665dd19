package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"anneal/artifacts/store"
)

var when = time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.FixedZone("", 7200))

// randomTree draws files with names of every kind that an archive takes: deep, long, and beyond ASCII.
func randomTree(r *rand.Rand) map[string][]byte {
	parts := []string{"a", "b.hcl", ".hidden", "with space", "größe", "世界", strings.Repeat("long", 40), "x=1,y=\"2\"", "-", "..."}
	tree := map[string][]byte{}
	for range r.IntN(20) {
		name := fmt.Sprint("d", r.IntN(3)) // never both a file and a folder
		for range r.IntN(4) {
			name += "/" + parts[r.IntN(len(parts))] + "d"
		}
		name += "/" + parts[r.IntN(len(parts))]
		data := make([]byte, r.IntN(3)*r.IntN(3000))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		tree[name] = data
	}
	return tree
}

func filesOf(tree map[string][]byte, order *rand.Rand) []File {
	var files []File
	for name, data := range tree { // in any order
		f := Bytes(name, data)
		f.ReadOnly = len(data)%2 == 1
		files = append(files, f)
	}
	order.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	return files
}

func pack(t *testing.T, files []File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, "study", when, files); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRoundTrip: whatever is packed comes back, and equal trees have equal archives.
func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		tree := randomTree(r)
		data := pack(t, filesOf(tree, r))
		if again := pack(t, filesOf(tree, r)); !bytes.Equal(data, again) {
			t.Fatal("two archives of one tree differ")
		}
		dir := t.TempDir()
		if err := Extract(bytes.NewReader(data), dir); err != nil {
			t.Fatal(err)
		}
		got := map[string][]byte{}
		err := fs.WalkDir(os.DirFS(dir), ".", func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || p == Manifest {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			if writable := info.Mode()&0o200 != 0; writable != (info.Size()%2 == 0) {
				t.Errorf("%s has the mode %s", p, info.Mode())
			}
			if !info.ModTime().Equal(when.Truncate(time.Second)) {
				t.Errorf("%s has the time %s", p, info.ModTime())
			}
			got[p], err = os.ReadFile(filepath.Join(dir, p))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(tree) {
			t.Errorf("%d files of %d came back", len(got), len(tree))
		}
		for name, data := range tree {
			if !bytes.Equal(got[name], data) {
				t.Errorf("%s came back with other bytes", name)
			}
		}
	}
}

// TestTruncated: an archive that ends anywhere before its last file does names the file it ends in.
func TestTruncated(t *testing.T) {
	files := []File{Bytes("a", []byte("first")), Bytes("b/c", bytes.Repeat([]byte("x"), 2000))}
	data := pack(t, files)
	end := len(data) - 1024 - (512 - 2000%512) // of the last file's bytes
	for n := 0; n < end; n += 97 {
		err := Extract(bytes.NewReader(data[:n]), t.TempDir())
		if err == nil || !strings.Contains(err.Error(), "too early") {
			t.Errorf("cut to %d of %d bytes: %v", n, len(data), err)
		}
	}
	if err := Extract(bytes.NewReader(data[:3000]), t.TempDir()); err == nil || !strings.HasPrefix(err.Error(), "b/c: ") {
		t.Errorf("the error does not name the entry: %v", err)
	}
}

// TestDamaged: a bit that flips is never passed over, save in what tar leaves unused.
func TestDamaged(t *testing.T) {
	files := []File{Bytes("a", []byte("first")), Bytes("b", []byte("second"))}
	data := pack(t, files)
	for _, content := range []string{"first", "second", "  b\n"} {
		i := bytes.Index(data, []byte(content))
		spoilt := slices.Clone(data)
		spoilt[i+2] ^= 1
		if err := Extract(bytes.NewReader(spoilt), t.TempDir()); err == nil {
			t.Errorf("a change in %q went unseen", content)
		}
	}
	at := bytes.Index(data, []byte("second"))
	data[at] ^= 1
	if err := Extract(bytes.NewReader(data), t.TempDir()); err == nil || !strings.HasPrefix(err.Error(), "b: damaged: ") {
		t.Errorf("the error does not name the entry: %v", err)
	}
}

// TestHostile: an archive that somebody made up writes nothing outside its folder, and no link.
func TestHostile(t *testing.T) {
	type entry struct {
		header  tar.Header
		content string
	}
	file := func(name, content string) entry {
		return entry{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}, content}
	}
	list := func(names ...string) entry {
		var b strings.Builder
		for _, n := range names {
			fmt.Fprintf(&b, "%s  %s\n", store.Digest(sha256.Sum256([]byte("evil"))), n)
		}
		return file("s/"+Manifest, b.String())
	}
	link := func(kind byte, name, to string) entry {
		return entry{tar.Header{Name: name, Typeflag: kind, Linkname: to, Mode: 0o777}, ""}
	}
	for _, c := range []struct {
		name    string
		entries []entry
		want    string
	}{
		{"no archive of ours", []entry{file("s/a", "evil")}, `its first entry is "s/a"`},
		{"a list at the top", []entry{file(Manifest, "")}, "not an archive"},
		{"a list somewhere else", []entry{file("../s/"+Manifest, "")}, "not an archive"},
		{"a parent", []entry{list("../evil"), file("s/../evil", "evil")}, "not a digest and the name of a file"},
		{"a parent within", []entry{list("a/../../evil"), file("s/a/../../evil", "evil")}, "not a digest and the name of a file"},
		{"an absolute name", []entry{list("/tmp/evil"), file("/tmp/evil", "evil")}, "not a digest and the name of a file"},
		{"the list itself", []entry{list(Manifest), file("s/"+Manifest, "evil")}, "not a digest and the name of a file"},
		{"another name than the list's", []entry{list("a"), file("s/b", "evil")}, `a: the archive has "s/b" in its place`},
		{"another folder", []entry{list("a"), file("t/a", "evil")}, `a: the archive has "t/a" in its place`},
		{"a file twice", []entry{list("a", "a"), file("s/a", "evil"), file("s/a", "evil")}, "a: "},
		{"a file in a file", []entry{list("a", "a/b"), file("s/a", "evil"), file("s/a/b", "evil")}, "a/b: "},
		{"a symbolic link", []entry{list("a", "a/b"), link(tar.TypeSymlink, "s/a", "/tmp"), file("s/a/b", "evil")}, "a: not a regular file"},
		{"a hard link", []entry{list("a"), link(tar.TypeLink, "s/a", "/etc/passwd")}, "a: not a regular file"},
		{"a device", []entry{list("a"), link(tar.TypeChar, "s/a", "")}, "a: not a regular file"},
		{"one file too many", []entry{list("a"), file("s/a", "evil"), file("s/b", "evil")}, `"s/b": not in MANIFEST`},
		{"an attribute", []entry{list("a"), {tar.Header{Name: "s/a", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"SCHILY.xattr.user.x": "1"}}, "evil"}}, "has the attribute SCHILY.xattr.user.x"},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, e := range c.entries {
			e.header.Size = int64(len(e.content))
			if err := w.WriteHeader(&e.header); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, e.content); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		parent := t.TempDir()
		dir := filepath.Join(parent, "in")
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		err := Extract(&b, dir)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if entries, _ := os.ReadDir(parent); len(entries) != 1 {
			t.Errorf("%s: it left %v beside its folder", c.name, entries)
		}
	}
}

// TestLongManifest: a list of files that would fill the memory is not read.
func TestLongManifest(t *testing.T) {
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Name: "s/" + Manifest, Typeflag: tar.TypeReg, Mode: 0o644, Size: longest + 1}); err != nil {
		t.Fatal(err)
	}
	if err := Extract(&b, t.TempDir()); err == nil || !strings.Contains(err.Error(), "more than any list of files needs") {
		t.Error(err)
	}
}

// TestNames: what could not be unpacked again is not packed.
func TestNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "/a", "a/", "a//b", "a/../b", "./a", "a\nb", `a\b`, "a\xffb", Manifest} {
		if err := Write(io.Discard, "study", when, []File{Bytes(name, nil)}); err == nil {
			t.Errorf("%q was packed", name)
		}
	}
	if err := Write(io.Discard, "study", when, []File{Bytes("a", nil), Bytes("a", nil)}); err == nil {
		t.Error("two files of one name were packed")
	}
}

// TestChangedMeanwhile: a file that is no longer what was listed stops the packing.
func TestChangedMeanwhile(t *testing.T) {
	for _, now := range []string{"ab", "abcd", "abx"} {
		f := Bytes(path.Join("x", "y"), []byte("abc"))
		f.Open = Bytes("", []byte(now)).Open
		err := Write(io.Discard, "study", when, []File{f})
		if err == nil || !strings.HasPrefix(err.Error(), "x/y: its bytes have the digest ") {
			t.Errorf("%q in place of abc: %v", now, err)
		}
	}
	f := Bytes("gone", nil)
	f.Open = func() (io.ReadCloser, error) { return nil, fs.ErrNotExist }
	if err := Write(io.Discard, "study", when, []File{f}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is gone: %v", err)
	}
}
