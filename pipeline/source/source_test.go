package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestToolchain(t *testing.T) {
	root, version, err := Toolchain(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(root) || !strings.HasPrefix(version, "go1.") && !strings.HasPrefix(version, "devel") {
		t.Errorf("root %q, version %q", root, version)
	}
	t.Setenv("PATH", t.TempDir())
	again, _, err := Toolchain(context.Background())
	if err != nil || again != root {
		t.Errorf("asked again, the toolchain is at %q, %v; want %q without asking", again, err, root)
	}
}

func TestWithoutGo(t *testing.T) {
	saved := toolchain.root
	defer func() { toolchain.root = saved }()
	toolchain.root = ""
	t.Setenv("PATH", t.TempDir())
	if _, err := GoFile(context.Background(), "VERSION"); err == nil || !strings.Contains(err.Error(), "no go on the PATH") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("enough")
	cancel(reason)
	if _, _, err := Toolchain(ctx); !errors.Is(err, reason) {
		t.Errorf("error %v", err)
	}
}

func TestGoFile(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "src", "testdata", "book.txt")
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("text"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := goFile(root, "go1.0", "src/testdata/book.txt"); err != nil || got != file {
		t.Errorf("path %q, %v, want %q", got, err, file)
	}
	for _, c := range []struct{ path, want string }{
		{"../book.txt", "starts at the toolchain's root"},
		{"/etc/passwd", "starts at the toolchain's root"},
		{"", "starts at the toolchain's root"},
		{"src/testdata", "is not a regular file"},
		{"src/testdata/none.txt", "go1.0 in " + root + " has no such file, nor the folder test: this distribution"},
	} {
		if _, err := goFile(root, "go1.0", c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives error %v, want %q", c.path, err, c.want)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "test"), 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := goFile(root, "go1.0", "src/none.txt")
	if err == nil || !strings.HasSuffix(err.Error(), "has no such file") {
		t.Errorf("a whole distribution is called stripped: %v", err)
	}
}
