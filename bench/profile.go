package bench

import (
	"bytes"
	"cmp"
	"path"
	"runtime/pprof"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// A profiler tells where the CPU time of trainings goes, from samples of the stacks: code that is measured needs no marks.
type profiler struct{ samples bytes.Buffer }

func (p *profiler) start() error { return pprof.StartCPUProfile(&p.samples) }

func (p *profiler) stop() { pprof.StopCPUProfile() }

// group is a name for people, and what belongs to it.
type group struct {
	name string
	of   []string
}

// kernels are groups of files of lm/kernel, which keeps an idea a file. Those that only choose among instruction sets are in none: what they
// call counts for their callers.
var kernels = []group{
	{matrixProduct, []string{"product.go"}},
	{"exponential", []string{"exp.go"}},
	{"norms", []string{"norm.go"}},
	{"rotary positions", []string{"rope.go"}},
	{"SwiGLU", []string{"swiglu.go"}},
	{"softmax, transposes", []string{"rows.go"}},
	{"cross-entropy", []string{"crossentropy.go"}},
	{"AdamW and squares", []string{"adamw.go"}},
	{"embedding", []string{"embedding.go"}},
	{"sums and maxima of rows", []string{"lanes.go"}},
	{"attention beside products", []string{attentionFile}},
}

const (
	matrixProduct     = "matrix product"
	attentionProducts = "attention products"
	packing           = "packing of matrices"
	attentionFile     = "attention.go"
	elsewhere         = "elsewhere in lm"
	goRuntime         = "Go runtime"
	wholeStep         = "whole step"
)

// parts are groups of functions of lm, by the part of a step that they carry out.
var parts = []group{
	{"data", []string{"Blocks.Batch"}},
	{"packing of weights", []string{"Net.pack", "Net.packMatrix"}},
	{"forward: embedding", []string{"Net.embed"}},
	{"forward: norm, queries, keys, values", []string{"Net.beforeAttention"}},
	{"forward: attention", []string{"Net.attend"}},
	{"forward: output of attention, feed-forward", []string{"Net.afterAttention"}},
	{"logits and loss, both ways", []string{"Net.computeLogits", "Net.losses", "Net.lossRows"}},
	{"backward: feed-forward, output of attention", []string{"Net.ffnBackward"}},
	{"backward: attention", []string{"Net.attendBackward"}},
	{"backward: queries, keys, values, norm", []string{"Net.projectionsBackward"}},
	{"backward: embedding", []string{"Net.embedBackward"}},
	{"gradients of weights", []string{"Net.run", "Net.task"}},
	{"gradient: clearing, norm", []string{"gradients.reset", "Net.finish", "Trainer.norm", "NewTrainer"}},
	{"AdamW", []string{"Trainer.updatePiece"}},
}

// kernelRow is the time in one group of kernels, partRow that in one part of a step.
type (
	kernelRow struct {
		Kernel  string  `json:"kernel"`
		Millis  float64 `json:"ms_per_step"`
		Percent float64 `json:"percent"`
	}
	partRow struct {
		Part    string  `json:"part"`
		Millis  float64 `json:"ms_per_step"`
		Percent float64 `json:"percent"`
	}
)

// rows gives out how the time was spent in so many steps: by kernel, the most first, then by part of the step, in its order. Each ends with
// the whole.
func (p *profiler) rows(steps int, row func(any)) error {
	read, err := profile.Parse(&p.samples)
	if err != nil {
		return err
	}
	byKernel, byPart, total := map[string]float64{}, map[string]float64{}, 0.0
	for _, s := range read.Sample {
		ns := float64(s.Value[1]) // of CPU time; before it stands the number of samples
		stack := frames(s)
		byKernel[kernelOf(stack)] += ns
		byPart[partOf(stack)] += ns
		total += ns
	}
	each := func(names []string, ns map[string]float64, of func(name string, ms, percent float64) any) {
		for _, name := range names {
			if ns[name] > 0 {
				row(of(name, round(ns[name]/1e6/float64(steps), 3), round(100*ns[name]/total, 1)))
			}
		}
	}
	var names []string
	for name := range byKernel {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(byKernel[b], byKernel[a]), strings.Compare(a, b))
	})
	byKernel[wholeStep], byPart[wholeStep] = total, total
	each(append(names, wholeStep), byKernel, func(name string, ms, percent float64) any { return kernelRow{name, ms, percent} })
	names = nil
	for _, g := range parts {
		names = append(names, g.name)
	}
	each(append(names, elsewhere, goRuntime, wholeStep), byPart, func(name string, ms, percent float64) any { return partRow{name, ms, percent} })
	return nil
}

// frame is a function on a stack: its package, its name with that of its receiver, as in "Net.forward.func1", and its file.
type frame struct{ pkg, name, file string }

// frames lists a sample's stack, the function that ran first.
func frames(s *profile.Sample) []frame {
	var all []frame
	for _, location := range s.Location {
		for _, line := range location.Line {
			full := line.Function.Name
			slash := strings.LastIndexByte(full, '/') + 1
			pkg, name, _ := strings.Cut(full[slash:], ".")
			all = append(all, frame{full[:slash] + pkg, strings.NewReplacer("(*", "", ")", "").Replace(name), path.Base(line.Function.Filename)})
		}
	}
	return all
}

// find returns the name of the group that has x.
func find(groups []group, x string) string {
	for _, g := range groups {
		if slices.Contains(g.of, x) {
			return g.name
		}
	}
	return ""
}

// kernelOf names the group of kernels in which a stack stands.
func kernelOf(stack []frame) string {
	name, inLM := "", false
	for _, f := range stack {
		switch {
		case f.pkg == "anneal/lm":
			inLM = true
		case f.pkg != "anneal/lm/kernel":
		case strings.Contains(strings.ToLower(f.name), "pack"):
			return packing // whatever it calls: b transposed is packed by transposing
		case name == "":
			name = find(kernels, f.file)
		case name == matrixProduct && f.file == attentionFile:
			return attentionProducts
		}
	}
	switch {
	case name != "":
		return name
	case inLM:
		return elsewhere
	}
	return goRuntime
}

// partOf names the part of a step in which a stack stands.
func partOf(stack []frame) string {
	inLM := false
	for _, f := range stack {
		if f.pkg != "anneal/lm" {
			continue
		}
		inLM = true
		function, _, _ := strings.Cut(f.name, ".func") // without the closures in it
		if name := find(parts, function); name != "" {
			return name
		}
	}
	if inLM {
		return elsewhere
	}
	return goRuntime
}
