package main

import (
	"bytes"
	"os"
	"regexp"
	"testing"
)

func TestCommittedAssemblyIsGenerated(t *testing.T) {
	for _, f := range files {
		asm, stubs, err := generate(f.emit)
		if err != nil {
			t.Fatal(err)
		}
		for ending, want := range map[string][]byte{"s": asm, "go": stubs} {
			name := "../" + f.name + "_amd64." + ending
			got, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what go run ./gen writes", name)
			}
		}
	}
}

// Of the registers X and Y, those from 16 on exist with AVX-512 alone, and the allocator hands them out when the others are taken.
func TestRegistersOfAVX2(t *testing.T) {
	beyond := regexp.MustCompile(`\b[XY](1[6-9]|2\d|3[01])\b`)
	for _, f := range files {
		asm, _, err := generate(f.emit)
		if err != nil {
			t.Fatal(err)
		}
		for function := range bytes.SplitSeq(asm, []byte("TEXT ")) {
			if r := beyond.Find(function); r != nil && !bytes.Contains(function, []byte("Z0")) {
				t.Errorf("%s uses %s", bytes.Fields(function)[0], r)
			}
		}
	}
}
