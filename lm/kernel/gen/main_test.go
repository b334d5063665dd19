package main

import (
	"bytes"
	"os"
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
