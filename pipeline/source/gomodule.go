package source

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// CheckModule returns an error unless mod is a module path with an exact version, such as golang.org/x/text@v0.3.0, and
// file a path in it. A branch, "latest" or a version without its parts would name other bytes tomorrow.
func CheckModule(mod, file string) error {
	name, version, ok := strings.Cut(mod, "@")
	if !ok || version == "" {
		return fmt.Errorf("%q names no version: write module@version, as in golang.org/x/text@v0.3.0", mod)
	}
	if module.CanonicalVersion(version) != version {
		return fmt.Errorf("%q is not an exact version: write all of it, as in golang.org/x/text@v0.3.0", version)
	}
	if err := module.Check(name, version); err != nil {
		return err
	}
	if !fs.ValidPath(file) || file == "." {
		return fmt.Errorf("%q is no path in a module: it starts at the module's root, is parted by slashes and has no \"..\"", file)
	}
	return nil
}

// WriteModuleFile writes the file of a Go module that name gives, as "module@version path". The go command fetches the
// module unless its cache has it, and checks it against go's checksum database as it does for a build.
func WriteModuleFile(ctx context.Context, w io.Writer, name string) error {
	mod, file, _ := strings.Cut(name, " ")
	call := fmt.Sprintf("gomodule(%q, %q)", mod, file)
	archive, err := download(ctx, mod)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w", call, err)
	}
	z, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", call, archive, err)
	}
	defer z.Close()
	f, err := z.Open(mod + "/" + file)
	if err != nil {
		return fmt.Errorf("%s: %s has no such file%s", call, mod, near(&z.Reader, mod+"/", file))
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return fmt.Errorf("%s: it is a folder of %s%s", call, mod, near(&z.Reader, mod+"/", file+"/"))
	}
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("%s: %w", call, err)
	}
	return nil
}

// download returns the path of a module's archive in go's module cache.
func download(ctx context.Context, mod string) (string, error) {
	dir, err := os.MkdirTemp("", "anneal-gomodule-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	// A module of its own: that of the folder we are called in, its replacements and its sums, has no say.
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module gomodule.invalid\n"), 0o666); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", mod)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "PWD="+dir)
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("the go command fetches modules, and there is no go on the PATH")
	}
	var answer struct{ Zip, Error string }
	if json.Unmarshal(out, &answer) == nil && answer.Error != "" {
		return "", errors.New(blame(mod, answer.Error))
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("go mod download: %w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("go mod download: %w", err)
	}
	if answer.Zip == "" {
		return "", fmt.Errorf("go mod download names no archive of %s", mod)
	}
	return answer.Zip, nil
}

// blame says what is behind an error of the go command.
func blame(mod, text string) string {
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	text = strings.Join(strings.Fields(strings.TrimPrefix(text, mod+": ")), " ")
	switch {
	case says("checksum mismatch", "SECURITY ERROR"):
		return "its bytes are not what the checksum database has: " + text
	case says("GOPROXY=off", "dial tcp", "no such host", "connection refused", "i/o timeout", "connection reset", "network is unreachable"):
		return "go's module cache lacks it, and it cannot be fetched: " + text
	case says("unknown revision", "404 Not Found", "410 Gone", "400 Bad Request", "403 Forbidden", "no such file or directory", "invalid version", "repository not found"):
		return "there is no such module, or it has no such version: " + text
	}
	return text
}

// near lists files of the archive that may have been meant: the one whose path differs in case alone, or those of the
// same name elsewhere, or else those in the same folder.
func near(z *zip.Reader, prefix, file string) string {
	var same, beside []string
	for _, f := range z.File {
		name := strings.TrimPrefix(f.Name, prefix)
		switch {
		case strings.EqualFold(name, file):
			return "; there is " + name
		case strings.EqualFold(path.Base(name), path.Base(file)):
			same = append(same, name)
		case path.Dir(name) == path.Dir(file):
			beside = append(beside, name)
		}
	}
	found, text := same, "; there is "
	if len(found) == 0 {
		found, text = beside, "; beside it are "
	}
	if len(found) == 0 {
		return ""
	}
	slices.Sort(found)
	const most = 4
	if more := len(found) - most; more > 0 {
		return fmt.Sprintf("%s%s and %d more", text, strings.Join(found[:most], ", "), more)
	}
	return text + strings.Join(found, ", ")
}
