package source

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

// tree is a small src folder of a toolchain.
var tree = fstest.MapFS{
	"alpha/alpha.go": {Data: []byte(`// Copyright notice that documents nothing.

// Package alpha is the first.
//
// It has two paragraphs.
package alpha

// Exported does
// something.
//
//go:noinline
func Exported() {}

// hidden stays out.
func hidden() {}

// T is a type.
type T struct {
	// A is a field.
	A int
	b int // trailing comments stay out
	// c stays out.
	c int
}

/*
M is a method.
*/
func (*T) M() {}

// m stays out.
func (T) m() {}

type lower struct{}

// N stays out: its type is not exported.
func (lower) N() {}

// Limits of things.
const (
	// Max is the largest.
	Max = 1
	// min stays out.
	min = 0
)

// I is an interface.
type I interface {
	// Do does.
	Do()
}

// G is generic.
type G[K any, V any] struct{}

// Get gets.
func (g *G[K, V]) Get() {}
`)},
	"alpha/alpha_linux.go": {Data: []byte(`//go:build linux

package alpha

// OS is declared twice with one comment.
func OS() {}
`)},
	"alpha/alpha_windows.go": {Data: []byte(`//go:build windows

// Package alpha has words for another system.
package alpha

// OS is declared twice with one comment.
func OS() {}
`)},
	"alpha/gen.go":             {Data: []byte("//go:build ignore\n\n// Gen stays out.\npackage main\n")},
	"alpha/alpha_test.go":      {Data: []byte("// Tests stay out.\npackage alpha\n")},
	"alpha/testdata/broken.go": {Data: []byte("no Go at all")},
	"alpha/inner/inner.go":     {Data: []byte("// Package inner lies below.\npackage inner\n")},
	"alphabet/a.go":            {Data: []byte("// Package alphabet is no part of alpha.\npackage alphabet\n")},
	"internal/deep/deep.go":    {Data: []byte("// Package deep is internal.\npackage deep\n")},
	"vendor/v/v.go":            {Data: []byte("// Package v is vendored.\npackage v\n")},
	"cmd/tool/main.go":         {Data: []byte("// Tool is a command.\npackage main\n")},
	"cmd/vendor/w/w.go":        {Data: []byte("// Package w is vendored.\npackage w\n")},
	"bare/bare.go":             {Data: []byte("package bare\n\nfunc F() {}\n")},
	"broken/broken.go":         {Data: []byte("package broken\nfunc {")},
}

const alpha = `Package alpha is the first.

It has two paragraphs.

Package alpha has words for another system.

Exported does
something.

T is a type.

A is a field.

M is a method.

Limits of things.

Max is the largest.

I is an interface.

Do does.

G is generic.

Get gets.

OS is declared twice with one comment.
`

func TestDoc(t *testing.T) {
	sound := fstest.MapFS{}
	for name, file := range tree {
		if !strings.HasPrefix(name, "broken/") {
			sound[name] = file
		}
	}
	for _, c := range []struct{ pattern, want string }{
		{"alpha", alpha},
		{"alpha/...", alpha + "\nPackage inner lies below.\n"},
		{"alpha/inner", "Package inner lies below.\n"},
		{"std", alpha + "\nPackage inner lies below.\n\nPackage alphabet is no part of alpha.\n\nPackage deep is internal.\n"},
		{"internal/...", "Package deep is internal.\n"},
		{"cmd/...", "Tool is a command.\n"},
	} {
		var b bytes.Buffer
		if err := writeDoc(context.Background(), &b, sound, c.pattern); err != nil {
			t.Errorf("%s: %v", c.pattern, err)
		}
		if b.String() != c.want {
			t.Errorf("%s gives\n%s\nwant\n%s", c.pattern, b.String(), c.want)
		}
	}
}

func TestDocErrors(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		{"alpah", "no such package"},
		{"alpah/...", "no such package"},
		{"alpha/alpha.go", "no such package"},
		{"bare", "no package with documentation"},
		{"broken", "broken/broken.go:2:6"},
		{"", "a pattern is"},
		{"...", "a pattern is"},
		{"al...", "a pattern is"},
		{"../etc", "a pattern is"},
		{"/alpha", "a pattern is"},
	} {
		var b bytes.Buffer
		err := writeDoc(context.Background(), &b, tree, c.pattern)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives error %v, want %q", c.pattern, err, c.want)
		}
	}
}

func TestDocStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("enough")
	cancel(reason)
	if err := writeDoc(ctx, &bytes.Buffer{}, tree, "alpha"); !errors.Is(err, reason) {
		t.Errorf("error %v, want %v", err, reason)
	}
}
