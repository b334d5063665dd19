package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Hashes remembers digests of files outside the store, so that large ones are not read for every plan. A file counts as
// unchanged while its size, its inode and the times of its last write and change are those that it was hashed with, if
// these were settle old by then: a write after the hashing could leave a younger file with the same times.
type Hashes struct {
	path string // a line of JSON for each file

	mu      sync.Mutex
	loaded  bool
	known   map[string]hashed // by absolute path
	checked map[string]bool   // in known, and found to hold by this process
	changed bool
}

// settle is above the coarsest step in which file systems count time, that of FAT.
const settle = 2 * time.Second

// hashed is a file as it was when it was hashed.
type hashed struct {
	Path   string
	Size   int64
	Inode  uint64
	Device uint64
	Write  time.Time
	Change time.Time
	Hashed time.Time
	Digest Digest
}

// OpenHashes returns what the file at path remembers; it need not be there. Nothing is read before it is asked for.
func OpenHashes(path string) *Hashes {
	return &Hashes{path: path, known: map[string]hashed{}, checked: map[string]bool{}}
}

// File is HashFile, without reading a file that is known to be unchanged. It looks at each file once.
func (h *Hashes) File(path string) (Digest, int64, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Digest{}, 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.load()
	was, known := h.known[path]
	if known && h.checked[path] {
		return was.Digest, was.Size, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return Digest{}, 0, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return Digest{}, 0, err
	}
	now := inspect(path, before)
	if known && was.like(now) && was.settled() {
		h.checked[path] = true
		return was.Digest, was.Size, nil
	}
	now.Hashed = time.Now()
	if now.Digest, now.Size, err = hashReader(f); err != nil {
		return Digest{}, 0, err
	}
	after, err := f.Stat()
	if err != nil {
		return Digest{}, 0, err
	}
	if now.like(inspect(path, after)) {
		h.known[path], h.checked[path], h.changed = now, true, true
	}
	return now.Digest, now.Size, nil
}

// inspect returns what tells whether a file was changed.
func inspect(path string, info fs.FileInfo) hashed {
	sys := info.Sys().(*syscall.Stat_t)
	return hashed{Path: path, Size: info.Size(), Inode: uint64(sys.Ino), Device: uint64(sys.Dev), Write: info.ModTime().UTC(), Change: changed(info).UTC()}
}

func (a hashed) like(b hashed) bool {
	return a.Size == b.Size && a.Inode == b.Inode && a.Device == b.Device && a.Write.Equal(b.Write) && a.Change.Equal(b.Change)
}

// settled tells whether the file's times were old enough when it was hashed to tell of every later write.
func (a hashed) settled() bool {
	return a.Hashed.Sub(a.Write) >= settle && a.Hashed.Sub(a.Change) >= settle
}

// load reads what was remembered. A line that cannot be read is forgotten.
func (h *Hashes) load() {
	if h.loaded {
		return
	}
	h.loaded = true
	data, err := os.ReadFile(h.path)
	if err != nil {
		return
	}
	for line := range bytes.Lines(data) {
		var e hashed
		if json.Unmarshal(line, &e) == nil && e.Path != "" && !e.Digest.IsZero() {
			h.known[e.Path] = e
		}
	}
}

// Save writes what is remembered, if there is anything new. Of processes that save at once, one wins.
func (h *Hashes) Save() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.changed {
		return nil
	}
	all := make([]hashed, 0, len(h.known))
	for _, e := range h.known {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b hashed) int { return strings.Compare(a.Path, b.Path) })
	temporary := h.path + "." + strconv.FormatUint(rand.Uint64(), 36) + partial
	f, err := os.Create(temporary)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for _, e := range all {
		err = errors.Join(err, enc.Encode(e))
	}
	if err = errors.Join(err, w.Flush(), f.Close()); err == nil {
		err = os.Rename(temporary, h.path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a sweep was faster; the files will be hashed again
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	h.changed = false
	return nil
}
