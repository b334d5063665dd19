package lm

import (
	"math"
	"slices"
	"testing"

	"anneal/lm/kernel"
)

// States are those of Hidden; units are the SwiGLU of what the feed-forward reads, which down carries into the stream.
func TestFeatures(t *testing.T) {
	n := small(t, 2, false)
	sequences := [][]int32{{1, 2, 3}, {4}, {5, 6, 7, 8, 9, 10}}
	width, ff := n.model.Width, n.model.FF
	hidden := map[[2]int][]float32{}
	n.Hidden(sequences, func(sequence, layer int, states []float32) {
		hidden[[2]int{sequence, layer}] = slices.Clone(states)
	})
	calls := 0
	n.Features(sequences, func(sequence, layer int, states, units []float32) {
		calls++
		if !slices.Equal(states, hidden[[2]int{sequence, layer}]) {
			t.Errorf("sequence %d, layer %d: other states than Hidden's", sequence, layer)
		}
		if layer == 0 {
			if units != nil {
				t.Error("the embedding has no units")
			}
			return
		}
		if len(units) != len(sequences[sequence])*ff {
			t.Fatalf("sequence %d, layer %d: %d units", sequence, layer, len(units))
		}
		w := n.weights.layers[layer-1]
		for row := range sequences[sequence] {
			// The stream in the middle of the layer is what it leaves less what down writes.
			middle, read := make([]float32, width), make([]float32, width)
			for j := range middle {
				sum := float64(states[row*width+j])
				for u := range ff {
					sum -= float64(units[row*ff+u]) * float64(w.down[u*width+j])
				}
				middle[j] = float32(sum)
			}
			kernel.RMSNorm(read, make([]float32, 1), middle, w.ffnIn, float32(n.model.NormEps))
			for u := range ff {
				gate, up := 0.0, 0.0
				for j, x := range read {
					gate += float64(x) * float64(w.gate[j*ff+u])
					up += float64(x) * float64(w.up[j*ff+u])
				}
				if want := gate / (1 + math.Exp(-gate)) * up; math.Abs(want-float64(units[row*ff+u])) > 1e-4*max(1, math.Abs(want)) {
					t.Errorf("sequence %d, layer %d, position %d: unit %d is %g, want %g", sequence, layer, row, u, units[row*ff+u], want)
				}
			}
		}
	})
	if want := len(sequences) * (n.model.Layers + 1); calls != want {
		t.Errorf("%d calls, want %d", calls, want)
	}
}

// The noise of a tensor has the length asked for, is the same for one draw at every scale, and another for another draw.
func TestPerturb(t *testing.T) {
	noise := func(scale float64, seed int64, draw int) [][]float64 {
		n := small(t, 2, false)
		n.Parameter("layers.0.k").Zero()
		before := [][]float32{}
		for _, p := range n.parameters {
			before = append(before, slices.Clone(p.data()))
		}
		n.Perturb(scale, seed, draw)
		var all [][]float64
		for i, p := range n.parameters {
			var squares, added float64
			var x []float64
			for j, v := range p.data() {
				d := float64(v) - float64(before[i][j])
				x = append(x, d)
				squares += float64(before[i][j]) * float64(before[i][j])
				added += d * d
			}
			// The length of n normal draws is √n within a few times 1/√2.
			if length, want, off := math.Sqrt(added), scale*math.Sqrt(squares), 4*scale*math.Sqrt(squares/2/float64(len(x))); math.Abs(length-want) > off {
				t.Errorf("%s: noise of length %g, want %g ± %g", p.Name, length, want, off)
			}
			all = append(all, x)
		}
		return all
	}
	one, ten := noise(0.01, 1, 0), noise(0.1, 1, 0)
	for i, x := range one {
		for j, v := range x {
			if math.Abs(10*v-ten[i][j]) > 1e-5 {
				t.Fatalf("tensor %d, element %d: %g at scale 0.01, %g at 0.1", i, j, v, ten[i][j])
			}
		}
	}
	for _, other := range [][][]float64{noise(0.01, 1, 1), noise(0.01, 2, 0)} {
		if slices.Equal(one[0], other[0]) {
			t.Error("another draw or seed gives the same noise")
		}
	}
}

// What a training has read is what its batches held, and all of the stream from one pass on.
func TestSeenBlocks(t *testing.T) {
	const context, batch, seed = 4, 3, 9
	ids := text(50, 40*(context+1)+2)
	read := map[[context]int32]bool{}
	trained, err := NewBlocks(ids, context, batch, seed)
	if err != nil {
		t.Fatal(err)
	}
	sequences := func(batches []Batch) (all [][context]int32) {
		for _, b := range batches {
			for i := range b.Sequences {
				all = append(all, [context]int32(b.Tokens[i*context:]))
			}
		}
		return all
	}
	for step := range 20 {
		var b Batch
		trained.Batch(step, &b)
		for _, s := range sequences([]Batch{b}) {
			read[s] = true
		}
		seen, err := SeenBlocks(ids, context, 8, 0, seed, (step+1)*batch)
		if err != nil {
			t.Fatal(err)
		}
		got := sequences(seen)
		if want := min((step+1)*batch, trained.Count()); len(got) != want {
			t.Fatalf("after step %d: %d blocks, want %d", step, len(got), want)
		}
		for _, s := range got {
			if !read[s] {
				t.Errorf("after step %d: %v was not read", step, s)
			}
		}
	}
	all, err := EvaluationBlocks(ids, context, 8, 7)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := SeenBlocks(ids, context, 8, 7, seed, 41)
	if err != nil || !slices.Equal(sequences(seen), sequences(all)) {
		t.Errorf("after a whole pass it is another sample than EvaluationBlocks': %v", err)
	}
}
