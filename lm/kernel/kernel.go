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
	"strings"
)

// Variable is the environment variable that overrides the choice of instruction set.
const Variable = "ANNEAL_ISA"

// level is an instruction set that kernels may use.
type level int

const (
	generic level = iota // portable Go
	neon
	avx2 // with FMA
	avx512
)

var levelNames = [...]string{"generic", "neon", "avx2", "avx512"}

// isa is the instruction set in use.
var isa level

func init() {
	if Check() != nil { // whoever started the process says so: see Check
		isa = supported()[0]
	}
}

// Choices lists the instruction sets this machine can use, best first.
func Choices() []string {
	var names []string
	for _, l := range supported() {
		names = append(names, levelNames[l])
	}
	return names
}

// Choose selects an instruction set by name for the whole process, or the best one for "": all give the same bits, "generic", the portable
// twin, about a hundred times slower. It must not be called while kernels run.
func Choose(name string) error {
	if name == "" {
		isa = supported()[0]
		return nil
	}
	for _, l := range supported() {
		if levelNames[l] == name {
			isa = l
			return nil
		}
	}
	return fmt.Errorf("this machine has no instruction set %q; it can use %s", name, strings.Join(Choices(), ", "))
}

// ISA returns the name of the instruction set in use.
func ISA() string { return levelNames[isa] }

// Check chooses the instruction set that the environment asks for, and returns what is wrong with that.
func Check() error {
	if err := Choose(os.Getenv(Variable)); err != nil {
		return fmt.Errorf("the environment variable %s: %w", Variable, err)
	}
	return nil
}
