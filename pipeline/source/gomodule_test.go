package source

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// offer makes a proxy in a folder that has the module example.com/books at v1.0.0, and turns go to it alone, with an
// empty module cache.
func offer(t *testing.T) {
	t.Helper()
	proxy := t.TempDir()
	versions := filepath.Join(proxy, "example.com", "books", "@v")
	if err := os.MkdirAll(versions, 0o777); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for _, f := range []struct{ name, text string }{
		{"go.mod", "module example.com/books\n"},
		{"texts/peace.txt", "War and peace\n"},
		{"texts/empty.txt", ""},
	} {
		w, err := z.Create("example.com/books@v1.0.0/" + f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"list": "v1.0.0\n", "v1.0.0.info": `{"Version":"v1.0.0"}`, "v1.0.0.mod": "module example.com/books\n", "v1.0.0.zip": archive.String(),
	} {
		if err := os.WriteFile(filepath.Join(versions, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(proxy))
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "-modcacherw") // so that the test can clear it
	t.Setenv("GOSUMDB", "off")
	t.Setenv("GONOSUMDB", "")
	t.Setenv("GOPRIVATE", "")
}

func read(name string) (string, error) {
	var b bytes.Buffer
	err := WriteModuleFile(context.Background(), &b, name)
	return b.String(), err
}

func TestModuleFile(t *testing.T) {
	offer(t)
	for range 2 { // fetched, then from the cache
		got, err := read("example.com/books@v1.0.0 texts/peace.txt")
		if err != nil || got != "War and peace\n" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	for _, c := range []struct{ name, want string }{
		{"example.com/books@v1.0.0 texts/war.txt", `gomodule("example.com/books@v1.0.0", "texts/war.txt"): example.com/books@v1.0.0 has no such file; beside it are texts/empty.txt, texts/peace.txt`},
		{"example.com/books@v1.0.0 text/Peace.txt", "has no such file; there is texts/peace.txt"},
		{"example.com/books@v1.0.0 none/none", "has no such file"},
		{"example.com/books@v1.0.0 texts", "it is a folder of example.com/books@v1.0.0; beside it are texts/empty.txt"},
		{"example.com/books@v1.0.1 texts/peace.txt", "there is no such module, or it has no such version"},
		{"example.com/none@v1.0.0 texts/peace.txt", "there is no such module, or it has no such version"},
	} {
		if got, err := read(c.name); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s gives %q and error %v, want %q", c.name, got, err, c.want)
		}
	}
}

// TestModuleOffline: what the cache has is read without a proxy; what it lacks is said to be out of reach.
func TestModuleOffline(t *testing.T) {
	offer(t)
	if _, err := read("example.com/books@v1.0.0 texts/peace.txt"); err != nil {
		t.Fatal(err)
	}
	for _, proxy := range []string{"off", "http://127.0.0.1:1"} {
		t.Setenv("GOPROXY", proxy)
		if got, err := read("example.com/books@v1.0.0 texts/peace.txt"); err != nil || got != "War and peace\n" {
			t.Errorf("GOPROXY=%s: %q, %v", proxy, got, err)
		}
		if _, err := read("example.com/books@v1.0.1 texts/peace.txt"); err == nil || !strings.Contains(err.Error(), "go's module cache lacks it, and it cannot be fetched") {
			t.Errorf("GOPROXY=%s: %v", proxy, err)
		}
	}
}

// TestModuleDamaged: an archive in the cache whose bytes changed is no source.
func TestModuleDamaged(t *testing.T) {
	offer(t)
	if _, err := read("example.com/books@v1.0.0 texts/peace.txt"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(os.Getenv("GOMODCACHE"), "cache/download/example.com/books/@v/v1.0.0.zip")
	archive, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(archive, []byte("texts/peace.txt")) + len("texts/peace.txt") + 2
	archive[i] ^= 1
	if err := os.WriteFile(path, archive, 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := read("example.com/books@v1.0.0 texts/peace.txt"); err == nil {
		t.Errorf("a damaged archive gives %q", got)
	}
}

func TestModuleWithoutGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := read("example.com/books@v1.0.0 texts/peace.txt"); err == nil || !strings.Contains(err.Error(), "no go on the PATH") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("enough")
	cancel(reason)
	if err := WriteModuleFile(ctx, &bytes.Buffer{}, "example.com/books@v1.0.0 texts/peace.txt"); !errors.Is(err, reason) {
		t.Errorf("error %v", err)
	}
}

// TestBlame: what is behind an error of the go command, as its network and its checksum database word them.
func TestBlame(t *testing.T) {
	for text, want := range map[string]string{
		"m@v1.0.0: verifying module: checksum mismatch\n\tdownloaded: h1:a\n\tsum.golang.org: h1:b":                      "its bytes are not what the checksum database has",
		`m@v1.0.0: Get "https://proxy.golang.org/m/@v/v1.0.0.info": dial tcp: lookup proxy.golang.org: no such host`:     "it cannot be fetched",
		"m@v1.0.0: reading https://proxy.golang.org/m/@v/v1.0.0.info: 404 Not Found\n\tserver response: not found: m@v1": "no such version",
		"m@v1.0.0: invalid version: unknown revision v1.0.0":                                                             "no such version",
		"m@v1.0.0: something else": "something else",
	} {
		if got := blame("m@v1.0.0", text); !strings.Contains(got, want) || strings.ContainsAny(got, "\n\t") {
			t.Errorf("%s is told as %q, want %q", text, got, want)
		}
	}
}
