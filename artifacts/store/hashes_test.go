package store

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestHashes: a digest is remembered while nothing speaks for a change, and while nothing could have hidden one.
func TestHashes(t *testing.T) {
	dir := t.TempDir()
	file, memory := filepath.Join(dir, "a.txt"), filepath.Join(dir, "files")
	if err := os.WriteFile(file, []byte("text"), 0o666); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	right, _, err := HashFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other := Digest{1} // what is remembered, so that it can be told from what is read
	for name, c := range map[string]struct {
		edit func(e *hashed)
		want Digest
	}{
		"unchanged":                {func(*hashed) {}, other},
		"another size":             {func(e *hashed) { e.Size++ }, right},
		"another inode":            {func(e *hashed) { e.Inode++ }, right},
		"another device":           {func(e *hashed) { e.Device++ }, right},
		"another time of writing":  {func(e *hashed) { e.Write = e.Write.Add(1) }, right},
		"another time of change":   {func(e *hashed) { e.Change = e.Change.Add(1) }, right},
		"hashed as it was written": {func(e *hashed) { e.Hashed = e.Change.Add(settle - 1) }, right},
		"written in the future":    {func(e *hashed) { e.Hashed = e.Change.Add(-time.Hour) }, right},
		"another file":             {func(e *hashed) { e.Path += "2" }, right},
		"without a digest":         {func(e *hashed) { e.Digest = Digest{} }, right},
		"hashed long enough after": {func(e *hashed) { e.Hashed = e.Change.Add(settle) }, other},
	} {
		e := inspect(file, info)
		e.Digest, e.Hashed = other, e.Change.Add(time.Hour)
		c.edit(&e)
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(memory, append(append([]byte("no JSON\n"), line...), '\n'), 0o666); err != nil {
			t.Fatal(err)
		}
		if got, size, err := OpenHashes(memory).File(file); err != nil || got != c.want || size != 4 {
			t.Errorf("%s: %v, %d, %v, want %v", name, got, size, err, c.want)
		}
	}
}

// TestHashesAreKept: what one process hashed another knows, once it was saved; nothing is written before.
func TestHashesAreKept(t *testing.T) {
	dir := t.TempDir()
	file, memory := filepath.Join(dir, "a.txt"), filepath.Join(dir, "files")
	if err := os.WriteFile(file, []byte("text"), 0o666); err != nil {
		t.Fatal(err)
	}
	h := OpenHashes(memory)
	want, _, err := h.File(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(memory); err == nil {
		t.Error("a digest was written before it was to be saved")
	}
	if err := h.Save(); err != nil {
		t.Fatal(err)
	}
	again := OpenHashes(memory)
	again.load()
	if e := again.known[file]; e.Digest != want || e.settled() {
		t.Errorf("%v is remembered, want %v, not settled", e, want)
	}
	if _, _, err := again.File(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there has a digest")
	}
	if err := OpenHashes(filepath.Join(dir, "none", "files")).Save(); err != nil {
		t.Errorf("nothing to save: %v", err)
	}
}
