// Package kernel holds the float32 arithmetic of the language model: matrix products, the row operations of a transformer with their
// backward passes, AdamW, and the functions they need.
//
// Every result has one defined order of operations, whatever the instruction set, the number of workers or the split of the work, so equal
// inputs give equal bits on every machine:
//
//   - an element of a matrix product is one chain of fused multiply-adds, k ascending (see Product);
//   - a sum over a row runs in 16 lanes joined by a fixed tree (see lanes);
//   - sums over rows are float64, in row order;
//   - exp, log, sin and cos are polynomials of our own, written without fusing.
//
// Elsewhere a product that feeds a sum is written float32(a*b)+c: the conversion forbids the compiler to fuse it.
//
// Slices are row-major; ld* is the distance between rows, in elements. A wrong shape is a bug of the caller and panics.
package kernel

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Variable is the environment variable that overrides the choice of instruction set.
const Variable = "ANNEAL_ISA"

// fused says that the assembly tiles are in use.
var fused bool

func init() {
	name := os.Getenv(Variable)
	if name == "" {
		name = Choices()[0]
	}
	if err := Choose(name); err != nil {
		panic(Variable + ": " + err.Error())
	}
}

// Choices lists the instruction sets this machine can use, best first.
func Choices() []string {
	if haveAVX2 {
		return []string{"avx2", "generic"}
	}
	return []string{"generic"}
}

// Choose selects an instruction set by name for the whole process: "avx2" or "generic", the portable twin that gives the same bits about a
// hundred times slower. It must not be called while kernels run.
func Choose(name string) error {
	if choices := Choices(); !slices.Contains(choices, name) {
		return fmt.Errorf("this machine has no instruction set %q; it can use %s", name, strings.Join(choices, ", "))
	}
	fused = name == "avx2"
	return nil
}

// ISA returns the name of the instruction set in use.
func ISA() string {
	if fused {
		return "avx2"
	}
	return "generic"
}
