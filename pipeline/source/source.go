// Package source reads bytes from outside the graph that are not plain local files: files of the Go toolchain, the
// documentation in its sources, files of Go modules, and files of the Hugging Face hub. The last two may use the network.
package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

var toolchain struct {
	sync.Mutex
	root, version string
}

// Toolchain returns the root of the Go toolchain and its version, such as "go1.26.0", as `go env` gives them. It asks
// once a process.
func Toolchain(ctx context.Context) (root, version string, err error) {
	toolchain.Lock()
	defer toolchain.Unlock()
	if toolchain.root == "" {
		out, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOVERSION").Output()
		if err != nil {
			return "", "", explain(ctx, err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(lines) != 2 {
			return "", "", fmt.Errorf("go env GOROOT GOVERSION says %q, want two lines", out)
		}
		toolchain.root, toolchain.version = strings.TrimSpace(lines[0]), strings.TrimSpace(lines[1])
	}
	return toolchain.root, toolchain.version, nil
}

// explain says what keeps `go env` from answering.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("gofile and godoc read files of the Go toolchain, and there is no go on the PATH")
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("go env GOROOT GOVERSION: %w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return fmt.Errorf("go env GOROOT GOVERSION: %w", err)
}

// GoFile returns where the file of the Go toolchain at path lies, given with slashes from the toolchain's root, as in
// "src/testdata/Isaac.Newton-Opticks.txt".
func GoFile(ctx context.Context, path string) (abs string, err error) {
	root, version, err := Toolchain(ctx)
	if err != nil {
		return "", err
	}
	return goFile(root, version, path)
}

func goFile(root, version, path string) (string, error) {
	if !fs.ValidPath(path) {
		return "", fmt.Errorf("gofile(%q): the path starts at the toolchain's root, is parted by slashes and has no \"..\"", path)
	}
	abs := filepath.Join(root, filepath.FromSlash(path))
	info, err := os.Stat(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("gofile(%q): %s in %s has no such file%s", path, version, root, stripped(root))
	}
	if err != nil {
		return "", fmt.Errorf("gofile(%q): %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("gofile(%q): %s is not a regular file", path, abs)
	}
	return abs, nil
}

// stripped explains a missing file where the toolchain lacks the folders that some distributions leave out.
func stripped(root string) string {
	for _, folder := range []string{"src", "src/testdata", "test"} {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(folder))); err != nil {
			return fmt.Sprintf(", nor the folder %s: this distribution of Go left it out; the one from go.dev/dl has it", folder)
		}
	}
	return ""
}
