// Package lm is the language model itself: a decoder-only transformer of the Llama or the OLMo 2 family, its training by AdamW, evaluation and
// generation, in float32 on CPUs.
//
// Everything is reproducible to the bit: weights, losses and generated tokens depend on the configuration, the data and the seed alone, never
// on the number of cores, the instruction set, or which sequences share a batch (see package kernel). Draws come from counters keyed by seed
// and purpose. Parameters, gradients and optimizer state are *tensor.Dense of float32.
package lm

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Numbers is the version of the arithmetic: it is raised when equal configurations come to give other bytes.
const Numbers = 1

// FieldError blames a field of a configuration by its name in the configuration language.
type FieldError struct{ Field, Text string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Text }

// Blame returns the field and what is wrong with it: how other packages tell a blamed field without knowing this type.
func (e *FieldError) Blame() (field, text string) { return e.Field, e.Text }

// problems collects field errors.
type problems []error

func (p *problems) add(bad bool, field, format string, args ...any) {
	if bad {
		*p = append(*p, &FieldError{field, fmt.Sprintf(format, args...)})
	}
}

// words adds the fields of the struct s that hold a word other than those of their values tags.
func (p *problems) words(s any) {
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		list, ok := f.Tag.Lookup("values")
		if !ok {
			continue
		}
		words := strings.Split(list, ",")
		name, _, _ := strings.Cut(f.Tag.Get("hcl"), ",")
		p.add(!slices.Contains(words, v.Field(i).String()), name, "must be %s, is %q", choice(words), v.Field(i))
	}
}

// choice prints words as "a", "b" or "c".
func choice(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

func (p problems) err() error { return errors.Join(p...) }
