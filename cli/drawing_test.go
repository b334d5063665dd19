package cli

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestLayout: whatever the graph, boxes of a layer do not overlap, edges lead downwards a layer at a time, and the
// drawing stays within its margins.
func TestLayout(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := &picture{}
		for i := range 1 + r.IntN(24) {
			b := &box{id: i, name: fmt.Sprintf("probe.%0*d", 1+r.IntN(20), i), total: 1 + r.IntN(3), counts: map[string]int{}}
			for range r.IntN(4) {
				if i > 0 {
					e := edge{p.boxes[r.IntN(i)], b}
					p.edges = append(p.edges, e)
				}
			}
			p.boxes = append(p.boxes, b)
		}
		layers, routes := p.layout()
		drawn := 0
		for _, layer := range layers {
			for i, v := range layer {
				if v.box != nil {
					drawn++
				}
				if v.x-v.width/2 < margin-1e-6 {
					t.Fatalf("seed %d: %v leaves the margin", seed, v)
				}
				if i > 0 && v.x-v.width/2 < layer[i-1].x+layer[i-1].width/2+1e-6 {
					t.Fatalf("seed %d: two boxes overlap", seed)
				}
			}
		}
		if drawn != len(p.boxes) || len(routes) != len(p.edges) {
			t.Fatalf("seed %d: %d of %d boxes and %d of %d edges are drawn", seed, drawn, len(p.boxes), len(routes), len(p.edges))
		}
		for i, route := range routes {
			if route[0].box != p.edges[i].from || route[len(route)-1].box != p.edges[i].to {
				t.Fatalf("seed %d: an edge leads elsewhere", seed)
			}
			for k := range route[1:] {
				if route[k+1].layer != route[k].layer+1 {
					t.Fatalf("seed %d: an edge leads from layer %d to %d", seed, route[k].layer, route[k+1].layer)
				}
			}
		}
	}
}

// TestCrossings: a graph that can be drawn without crossings is.
func TestCrossings(t *testing.T) {
	p := &picture{}
	add := func(name string) *box {
		b := &box{id: len(p.boxes), name: name, total: 1, counts: map[string]int{}}
		p.boxes = append(p.boxes, b)
		return b
	}
	var tops, bottoms []*box
	for i := range 5 {
		tops = append(tops, add(fmt.Sprint("top", i)))
	}
	for i := range 5 {
		bottoms = append(bottoms, add(fmt.Sprint("bottom", i)))
	}
	for i, b := range bottoms {
		p.edges = append(p.edges, edge{tops[4-i], b})
	}
	layers, _ := p.layout()
	if n := crossings(layers); n != 0 {
		t.Errorf("%d edges cross", n)
	}
	for _, v := range layers[0] {
		if d := v.x - v.down[0].x; d > 1 || d < -1 {
			t.Errorf("%s does not stand above what reads it", v.box.name)
		}
	}
}
