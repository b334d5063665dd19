package store

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// TestForeignStore: who may only read a store reads it, also where the times of its files were lost in a copy.
func TestForeignStore(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can act as somebody else")
	}
	dir := t.TempDir()
	own, copied, mine := filepath.Join(dir, "own"), filepath.Join(dir, "copy"), filepath.Join(dir, "mine")
	put(t, Open(own), facts, map[string]string{"a": "alpha", "w/model.json": "{}"})
	err := errors.Join(os.CopyFS(copied, os.DirFS(own)), os.Mkdir(mine, 0o777), os.Chmod(mine, 0o777),
		os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	if err := syscall.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Setfsuid(0)
		runtime.UnlockOSThread()
	})
	c := Open(copied)
	r, err := c.Result(Key(facts))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Complete(r); err != nil {
		t.Error(err)
	}
	for name, b := range r.Outputs {
		if err := c.Stage(b, filepath.Join(mine, name)); err != nil {
			t.Error(err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(mine, "a")); string(text) != "alpha" {
		t.Errorf("staged %q, %v", text, err)
	}
}
