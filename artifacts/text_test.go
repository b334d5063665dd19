package artifacts

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// someBlocks returns n blocks, of all lengths below most.
func someBlocks(n, most int) []Block {
	r := rand.New(rand.NewPCG(1, 2))
	blocks := make([]Block, n)
	for i := range blocks {
		blocks[i] = Block{int64(i % 3), int64(i / 2), int64(i), strings.Repeat(string(rune('a'+i%26)), r.IntN(most))}
	}
	return blocks
}

// TestTextWriter: what is written block by block has the bytes of what is written at once, up to a row group, and is read
// back in both ways.
func TestTextWriter(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 1000, 5003} {
		dir := t.TempDir()
		blocks := someBlocks(n, 4096)
		atOnce, oneByOne := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		if err := WriteRows(atOnce, blocks); err != nil {
			t.Fatal(err)
		}
		if err := WriteText(oneByOne, blocks); err != nil {
			t.Fatal(err)
		}
		a, _ := os.ReadFile(atOnce)
		b, _ := os.ReadFile(oneByOne)
		if !bytes.Equal(a, b) || len(a) == 0 {
			t.Errorf("%d blocks written one by one have other bytes", n)
		}
		if got, err := ReadText(oneByOne); err != nil || !slices.Equal(got, blocks) {
			t.Errorf("%d blocks come back otherwise: %v", n, err)
		}
	}
}

// TestTextGroups: text larger than a row group stands in several, and comes back.
func TestTextGroups(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	blocks := someBlocks(6*textGroup/(1<<20), 2<<20)
	if err := WriteText(path, blocks); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := openParquet(f)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.RowGroups()); n < 2 {
		t.Errorf("%d bytes of text stand in %d row groups", 6*textGroup, n)
	}
	if got, err := ReadText(path); err != nil || !slices.Equal(got, blocks) {
		t.Errorf("blocks come back otherwise: %v", err)
	}
}

// TestTextMemory: what a writer holds does not grow with what it has written.
func TestTextMemory(t *testing.T) {
	w, err := CreateText(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 4096)
	held := func(groups int) int64 {
		for range groups * textGroup / len(text) {
			if err := w.Write(Block{Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	first := held(4)
	if grown := held(12) - first; grown > 2<<20 {
		t.Errorf("%d bytes more are held after %d more were written", grown, 12*textGroup)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBytesText: text that is no UTF-8 stands in a column of bytes, and is read like any other.
func TestBytesText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	w, err := CreateBytesText(path)
	if err != nil {
		t.Fatal(err)
	}
	var want []Block
	for i := range 200 {
		want = append(want, Block{0, int64(i), 0, fmt.Sprintf("\xff%d\x00", i)})
		if err := w.Write(want[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := schemaOf(t, path); !strings.Contains(got, "required binary text;") {
		t.Errorf("schema %s", got)
	}
	if got, err := ReadText(path); err != nil || !slices.Equal(got, want) {
		t.Errorf("blocks come back otherwise: %v", err)
	}
	for range Blocks(path) {
		break
	}
}
