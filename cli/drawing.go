package cli

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A picture is drawn in layers, as Sugiyama, Tagawa & Toda (1981) do: every box stands below all that it reads, edges
// that pass layers get a vertex in each, boxes of a layer are ordered by the barycentres of their neighbours so that
// edges cross less, and then move as near to these as their order allows.

// Sizes in pixels.
const (
	boxHeight   = 40
	layerHeight = 84
	between     = 22 // boxes of a layer
	passing     = 14 // what an edge that passes a layer takes of it
	letter      = 7.1
	margin      = 24
	legendSpace = 34
)

// vertex is a box of a layer, or the place where an edge passes it.
type vertex struct {
	box      *box // nil where an edge passes
	layer    int
	order    int
	x, width float64 // x of the middle
	up, down []*vertex
}

func (v *vertex) y() float64 { return margin + float64(v.layer)*layerHeight + boxHeight/2 }

// space is what v takes of its layer.
func (v *vertex) space() float64 {
	if v.box == nil {
		return passing
	}
	return v.width + between
}

// layout places the boxes. routes are the vertices of each edge.
func (p *picture) layout() (layers [][]*vertex, routes [][]*vertex) {
	vertices := map[*box]*vertex{}
	for _, b := range p.boxes {
		width := letter * float64(max(utf8.RuneCountInString(b.name), utf8.RuneCountInString(b.note())))
		vertices[b] = &vertex{box: b, width: max(64, width+20)}
	}
	for _, e := range p.edges { // boxes stand in topological order, and so do the edges that lead to them
		vertices[e.to].layer = max(vertices[e.to].layer, vertices[e.from].layer+1)
	}
	for _, b := range slices.Backward(p.boxes) { // what nothing holds above stands just above its first reader
		lowest := -1
		for _, e := range p.edges {
			if e.to == b {
				lowest = -1
				break
			}
			if e.from == b && (lowest < 0 || vertices[e.to].layer < lowest) {
				lowest = vertices[e.to].layer
			}
		}
		if lowest > 0 {
			vertices[b].layer = lowest - 1
		}
	}
	add := func(v *vertex) *vertex {
		for len(layers) <= v.layer {
			layers = append(layers, nil)
		}
		v.order = len(layers[v.layer])
		layers[v.layer] = append(layers[v.layer], v)
		return v
	}
	for _, b := range p.boxes {
		add(vertices[b])
	}
	for _, e := range p.edges {
		route := []*vertex{vertices[e.from]}
		for layer := vertices[e.from].layer + 1; layer < vertices[e.to].layer; layer++ {
			route = append(route, add(&vertex{layer: layer}))
		}
		route = append(route, vertices[e.to])
		for i := range route[1:] {
			route[i].down = append(route[i].down, route[i+1])
			route[i+1].up = append(route[i+1].up, route[i])
		}
		routes = append(routes, route)
	}
	order(layers)
	place(layers)
	return layers, routes
}

// sweeps is how often layers are gone through, down and up; more changes little.
const sweeps = 12

// order sorts the layers so that few edges cross, and keeps the best order met.
func order(layers [][]*vertex) {
	best, fewest := snapshot(layers), crossings(layers)
	for sweep := range sweeps {
		pass(layers, sweep, func(layer []*vertex, neighbours func(*vertex) []*vertex) {
			at := map[*vertex]float64{}
			for _, v := range layer {
				at[v] = mean(neighbours(v), float64(v.order), func(n *vertex) float64 { return float64(n.order) })
			}
			slices.SortStableFunc(layer, func(a, b *vertex) int { return cmp.Compare(at[a], at[b]) })
			for i, v := range layer {
				v.order = i
			}
		})
		if n := crossings(layers); n < fewest {
			best, fewest = snapshot(layers), n
		}
	}
	for i := range layers {
		copy(layers[i], best[i])
		for k, v := range layers[i] {
			v.order = k
		}
	}
}

// pass goes through the layers from the top on even sweeps, from the bottom on odd ones, with the neighbours on the side
// it comes from.
func pass(layers [][]*vertex, sweep int, visit func(layer []*vertex, neighbours func(*vertex) []*vertex)) {
	if sweep%2 == 0 {
		for _, layer := range layers {
			visit(layer, func(v *vertex) []*vertex { return v.up })
		}
		return
	}
	for _, layer := range slices.Backward(layers) {
		visit(layer, func(v *vertex) []*vertex { return v.down })
	}
}

func mean(of []*vertex, otherwise float64, value func(*vertex) float64) float64 {
	if len(of) == 0 {
		return otherwise
	}
	sum := 0.0
	for _, v := range of {
		sum += value(v)
	}
	return sum / float64(len(of))
}

func snapshot(layers [][]*vertex) [][]*vertex {
	all := make([][]*vertex, len(layers))
	for i := range layers {
		all[i] = slices.Clone(layers[i])
	}
	return all
}

func crossings(layers [][]*vertex) int {
	n := 0
	for _, layer := range layers {
		var ends []int // of the edges down from vertices further left
		for _, v := range layer {
			for _, d := range v.down {
				for _, end := range ends {
					if end > d.order {
						n++
					}
				}
			}
			for _, d := range v.down {
				ends = append(ends, d.order)
			}
		}
	}
	return n
}

// place moves the vertices of each layer as near to the middle of their neighbours as order and widths allow.
func place(layers [][]*vertex) {
	for _, layer := range layers {
		settle(layer, func(v *vertex) float64 { return 0 })
	}
	for sweep := range sweeps {
		pass(layers, sweep, func(layer []*vertex, neighbours func(*vertex) []*vertex) {
			settle(layer, func(v *vertex) float64 {
				return mean(neighbours(v), v.x, func(n *vertex) float64 { return n.x })
			})
		})
	}
	left := 0.0
	for i, layer := range layers {
		if edge := layer[0].x - layer[0].width/2; i == 0 || edge < left {
			left = edge
		}
	}
	for _, layer := range layers {
		for _, v := range layer {
			v.x += margin - left
		}
	}
}

// settle gives the vertices of a layer the places, in their order and without overlap, whose squared distances from
// those wanted add up to the least: neighbours that would overlap move as one.
func settle(layer []*vertex, want func(*vertex) float64) {
	type group struct {
		from, n int
		sum     float64 // of wanted places, less the offsets within the layer
	}
	offsets := make([]float64, len(layer))
	for i := 1; i < len(layer); i++ {
		offsets[i] = offsets[i-1] + (layer[i-1].space()+layer[i].space())/2
	}
	var groups []group
	for i, v := range layer {
		g := group{i, 1, want(v) - offsets[i]}
		for len(groups) > 0 {
			last := groups[len(groups)-1]
			if last.sum/float64(last.n) < g.sum/float64(g.n) {
				break
			}
			g = group{last.from, last.n + g.n, last.sum + g.sum}
			groups = groups[:len(groups)-1]
		}
		groups = append(groups, g)
	}
	for _, g := range groups {
		for i := g.from; i < g.from+g.n; i++ {
			layer[i].x = g.sum/float64(g.n) + offsets[i]
		}
	}
}

// svg draws the picture on a transparent ground, with colours that read on a light and on a dark one.
func (p *picture) svg(w io.Writer) error {
	layers, routes := p.layout()
	width, height := 320.0, float64(margin+len(layers)*layerHeight+legendSpace)
	for _, layer := range layers {
		last := layer[len(layer)-1]
		width = max(width, last.x+last.width/2+margin)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" font-family="system-ui, Helvetica, Arial, sans-serif" font-size="13" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(p.name))
	fmt.Fprintf(&b, `<style>
path { fill: none; stroke: %s; stroke-width: 1.3 }
rect { fill: var(--f); stroke: var(--s); stroke-width: 1.3 }
text { fill: %s; text-anchor: middle }
.note { font-size: 11px; opacity: .75 }
.key { text-anchor: start; font-size: 12px; fill: #555c64 }
@media (prefers-color-scheme: dark) { .key { fill: #b8bfc7 } }
`, wire, ink)
	for _, state := range states {
		fmt.Fprintf(&b, ".%s { --f: %s; --s: %s }\n", state, shades[state].fill, shades[state].stroke)
	}
	fmt.Fprintf(&b, "</style>\n"+`<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><polygon points="0,0.5 8,4 0,7.5" fill="%s"/></marker></defs>`+"\n", wire)
	for _, route := range routes {
		fmt.Fprintf(&b, `<path d="%s" marker-end="url(#to)"/>`+"\n", curve(route))
	}
	for _, layer := range layers {
		for _, v := range layer {
			if v.box != nil {
				v.draw(&b)
			}
		}
	}
	x := float64(margin)
	for _, state := range states {
		fmt.Fprintf(&b, `<g class="%s"><rect x="%.1f" y="%.1f" width="16" height="12" rx="3"/><text class="key" x="%.1f" y="%.1f">%s</text></g>`+"\n",
			state, x, height-26, x+22, height-16, map[string]string{"cached": "stored", "run": "to run", "maybe": "maybe"}[state])
		x += 90
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// draw writes a box, a sweep as a stack of them.
func (v *vertex) draw(b *strings.Builder) {
	x, y := v.x-v.width/2, v.y()-boxHeight/2
	fmt.Fprintf(b, `<g class="%s">`, v.box.state())
	if v.box.total > 1 {
		for _, behind := range []float64{6, 3} {
			fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" rx="6"/>`, x+behind, y-behind, v.width, boxHeight)
		}
	}
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" rx="6"/>`, x, y, v.width, boxHeight)
	note := v.box.note()
	if note == "" {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f">%s</text>`, v.x, v.y()+4.5, html.EscapeString(v.box.name))
	} else {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f">%s</text><text class="note" x="%.1f" y="%.1f">%s</text>`, v.x, v.y()-2.5, html.EscapeString(v.box.name), v.x, v.y()+13, html.EscapeString(note))
	}
	b.WriteString("</g>\n")
}

// curve is the path of an edge: from the foot of a box to the head of another, upright wherever it passes a layer.
func curve(route []*vertex) string {
	var d strings.Builder
	for i := range route[1:] {
		from, to := route[i], route[i+1]
		y0, y1 := from.y()+boxHeight/2, to.y()-boxHeight/2
		if i == 0 {
			fmt.Fprintf(&d, "M%.1f %.1f", from.x, y0)
		} else {
			fmt.Fprintf(&d, "L%.1f %.1f", from.x, y0)
		}
		if i == len(route)-2 {
			y1 -= 2
			if to.box.total > 1 {
				y1 -= 6
			}
		}
		bend := (y1 - y0) / 2
		fmt.Fprintf(&d, "C%.1f %.1f %.1f %.1f %.1f %.1f", from.x, y0+bend, to.x, y1-bend, to.x, y1)
	}
	return d.String()
}
