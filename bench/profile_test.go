package bench

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// TestGroupsAreOfCodeThatIsThere: the files and functions by which a profile is told still exist.
func TestGroupsAreOfCodeThatIsThere(t *testing.T) {
	for _, g := range kernels {
		for _, file := range g.of {
			if _, err := os.Stat(filepath.Join("../lm/kernel", file)); err != nil {
				t.Errorf("%s: %v", g.name, err)
			}
		}
	}
	functions := map[string]bool{}
	packages, err := parser.ParseDir(token.NewFileSet(), "../lm", func(i fs.FileInfo) bool { return !strings.HasSuffix(i.Name(), "_test.go") }, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range packages["lm"].Files {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				name = strings.TrimPrefix(types.ExprString(f.Recv.List[0].Type), "*") + "." + name
			}
			functions[name] = true
		}
	}
	for _, g := range parts {
		for _, name := range g.of {
			if !functions[name] {
				t.Errorf("%s: lm has no function %s", g.name, name)
			}
		}
	}
}

func TestGroups(t *testing.T) {
	const lm, kernel = "anneal/lm", "anneal/lm/kernel"
	tile, product := frame{kernel, "tile6", "product_amd64.s"}, frame{kernel, "Scratch.Product", "product.go"}
	attend := frame{lm, "Net.attend", "forward.go"}
	trainer := frame{lm, "Trainer.step", "train.go"}
	for _, c := range []struct {
		stack        []frame
		kernel, part string
	}{
		{[]frame{tile, {kernel, "tileFused", "tile_amd64.go"}, product, {lm, "Net.afterAttention", "forward.go"}, trainer}, "matrix product", "forward: output of attention, feed-forward"},
		{[]frame{tile, product, {kernel, "Attention.Forward", "attention.go"}, attend}, "attention products", "forward: attention"},
		{[]frame{{"runtime", "memmove", "memmove_amd64.s"}, {kernel, "Scratch.packBlock", "product.go"}, product, {lm, "Net.task", "gradients.go"}}, "packing of matrices", "gradients of weights"},
		{[]frame{{kernel, "transposeBlocks", "vector_amd64.s"}, {kernel, "Transpose", "rows.go"}, {kernel, "Panels.Pack", "product.go"}, product, {lm, "Net.task", "gradients.go"}}, "packing of matrices", "gradients of weights"},
		{[]frame{{kernel, "expTile", "vector_amd64.s"}, {kernel, "Exp", "exp.go"}, {kernel, "Attention.Forward", "attention.go"}, attend, {kernel, "Workers.Each.func1", "workers.go"}}, "exponential", "forward: attention"},
		{[]frame{{"runtime", "memclr", "memclr_amd64.s"}, {lm, "gradients.reset", "gradients.go"}, trainer}, "elsewhere in lm", "gradient: clearing, norm"},
		{[]frame{{kernel, "RowSquares", "adamw.go"}, {lm, "NewTrainer.func1", "train.go"}}, "AdamW and squares", "gradient: clearing, norm"},
		{[]frame{trainer}, "elsewhere in lm", "elsewhere in lm"},
		{[]frame{{"runtime", "gcDrain", "mgcmark.go"}}, "Go runtime", "Go runtime"},
	} {
		if k, p := kernelOf(c.stack), partOf(c.stack); k != c.kernel || p != c.part {
			t.Errorf("%v is of %q, %q", c.stack, k, p)
		}
	}
}

// TestProfileIsTheWhole: the rows of either table sum to what was sampled, which its last one tells, wherever the samples stand.
func TestProfileIsTheWhole(t *testing.T) {
	stack := func(id uint64, name, file string) *profile.Location {
		return &profile.Location{ID: id, Line: []profile.Line{{Function: &profile.Function{ID: id, Name: name, Filename: file}}}}
	}
	product, update := stack(1, "anneal/lm/kernel.(*Scratch).Product", "lm/kernel/product.go"), stack(2, "anneal/lm.(*Trainer).updatePiece", "lm/train.go")
	collector, step := stack(3, "runtime.gcDrain", "runtime/mgcmark.go"), stack(4, "anneal/lm.(*Trainer).step", "lm/train.go")
	read := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}}
	for i, l := range []*profile.Location{product, update, collector, step} {
		read.Location, read.Function = append(read.Location, l), append(read.Function, l.Line[0].Function)
		read.Sample = append(read.Sample, &profile.Sample{Location: []*profile.Location{l}, Value: []int64{1, int64(i+1) * 1e7}})
	}
	var p profiler
	if err := read.Write(&p.samples); err != nil {
		t.Fatal(err)
	}
	var kernels, parts []float64
	if err := p.rows(5, func(row any) {
		switch row := row.(type) {
		case kernelRow:
			kernels = append(kernels, row.Millis)
		case partRow:
			parts = append(parts, row.Millis)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if want := []float64{12, 6, 2, 20}; !slices.Equal(kernels, want) {
		t.Errorf("kernels took %v ms a step, want %v", kernels, want)
	}
	if want := []float64{4, 8, 8, 20}; !slices.Equal(parts, want) {
		t.Errorf("parts took %v ms a step, want %v", parts, want)
	}
}
