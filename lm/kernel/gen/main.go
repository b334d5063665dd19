// Command gen writes the assembly of package kernel for amd64: the tiles of the matrix product, the vector functions, and
// attention by one query.
//
//	cd lm/kernel && go run ./gen
package main

import (
	"fmt"
	"os"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// files are what is written: the assembly NAME_amd64.s and its declarations NAME_amd64.go.
var files = []struct {
	name string
	emit func(*Context)
}{
	{"product", products},
	{"vector", vectors},
	{"decode", decodes},
}

func main() {
	for _, f := range files {
		asm, stubs, err := generate(f.emit)
		if err == nil {
			err = os.WriteFile(f.name+"_amd64.s", asm, 0o644)
		}
		if err == nil {
			err = os.WriteFile(f.name+"_amd64.go", stubs, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// generate returns the assembly and the Go declarations of what emit emits.
func generate(emit func(*Context)) (asm, stubs []byte, err error) {
	c := NewContext()
	emit(c)
	file, err := c.Result()
	if err != nil {
		return nil, nil, err
	}
	if err := pass.Compile.Execute(file); err != nil {
		return nil, nil, err
	}
	config := printer.Config{Argv: []string{"go", "run", "./gen"}, Pkg: "kernel"}
	if asm, err = printer.NewGoAsm(config).Print(file); err != nil {
		return nil, nil, err
	}
	stubs, err = printer.NewStubs(config).Print(file)
	return asm, stubs, err
}
