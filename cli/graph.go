package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"anneal/pipeline"
)

func (c *command) graph() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "graph [PIPELINE]",
		Short:   "Draw a pipeline: what reads what, and what a run would do",
		Example: `  anneal graph demo --format svg >demo.svg`,
		Args:    cobra.MaximumNArgs(1),
	}
	format := cmd.Flags().String("format", "dot", "write `dot|mermaid|svg`")
	instances := cmd.Flags().Bool("instances", false, "draw every instance of a sweep (dot and mermaid)")
	cmd.RunE = func(_ *cobra.Command, names []string) error {
		draw := map[string]func(*picture, io.Writer) error{"dot": (*picture).dot, "mermaid": (*picture).mermaid, "svg": (*picture).svg}[*format]
		switch {
		case draw == nil:
			return usagef("--format must be dot, mermaid or svg, is %s", *format)
		case *instances && *format == "svg":
			return usagef("--instances is for dot and mermaid; the svg draws a sweep as one")
		}
		graphs, err := c.graphs(names)
		if err != nil {
			return err
		}
		if len(graphs) != 1 {
			var known []string
			for _, g := range graphs {
				known = append(known, g.Name)
			}
			return usagef("which pipeline? There are %s", strings.Join(known, ", "))
		}
		steps := graphs[0].Plan(c.store())
		if c.json {
			return c.graphJSON(graphs[0], steps)
		}
		return draw(newPicture(graphs[0].Name, steps, *instances), c.stdout)
	}
	return cmd
}

// graphJSON prints a line a node, with what it reads.
func (c *command) graphJSON(g *pipeline.Graph, steps []pipeline.Step) error {
	for _, s := range steps {
		line := struct {
			Pipeline string   `json:"pipeline"`
			Addr     string   `json:"addr"`
			Block    string   `json:"block"`
			Kind     string   `json:"kind"`
			Do       string   `json:"do"`
			Reads    []string `json:"reads"` // artifacts
		}{g.Name, s.Node.Addr, s.Node.Block, s.Node.Kind.Name, s.Do, []string{}}
		for _, in := range s.Node.Inputs() {
			line.Reads = append(line.Reads, in.String())
		}
		if err := c.line(line); err != nil {
			return err
		}
	}
	return nil
}

// picture is a pipeline as it is drawn.
type picture struct {
	name  string
	boxes []*box // in topological order
	edges []edge
}

// box is a block with its instances, or one instance.
type box struct {
	id     int
	name   string
	counts map[string]int // of instances, by what a run would do
	total  int
}

// edge says that one box reads artifacts of another.
type edge struct{ from, to *box }

func newPicture(name string, steps []pipeline.Step, instances bool) *picture {
	p := &picture{name: name}
	boxes := map[string]*box{}
	title := func(n *pipeline.Node) string {
		if instances {
			return n.Addr
		}
		return n.Block
	}
	drawn := map[edge]bool{}
	for _, s := range steps {
		b := boxes[title(s.Node)]
		if b == nil {
			b = &box{id: len(boxes), name: title(s.Node), counts: map[string]int{}}
			boxes[b.name] = b
			p.boxes = append(p.boxes, b)
		}
		b.total++
		b.counts[s.Do]++
		for _, in := range s.Node.Inputs() {
			e := edge{boxes[title(in.Node)], b}
			if !drawn[e] {
				drawn[e] = true
				p.edges = append(p.edges, e)
			}
		}
	}
	return p
}

// state is what a run would do about some of the box.
func (b *box) state() string {
	for _, do := range []string{pipeline.Run, pipeline.Maybe} {
		if b.counts[do] > 0 {
			return do
		}
	}
	return pipeline.Cached
}

// note tells the number of instances, and how many would run, where that is not said by the box's colour.
func (b *box) note() string {
	if b.total == 1 {
		return ""
	}
	note := fmt.Sprintf("×%d", b.total)
	if due := b.total - b.counts[pipeline.Cached]; due > 0 && due < b.total {
		note += ": " + tally(b.counts[pipeline.Run], "to run", b.counts[pipeline.Maybe], "maybe")
	}
	return note
}

// shade is how boxes of a state look; text on them is dark, so that they read on any ground.
type shade struct{ fill, stroke string }

// states in the order of a legend.
var states = []string{pipeline.Cached, pipeline.Run, pipeline.Maybe}

var shades = map[string]shade{
	pipeline.Cached: {"#e8eaed", "#7d858f"},
	pipeline.Run:    {"#bfe8c8", "#2f8a4a"},
	pipeline.Maybe:  {"#fbe6a8", "#b58900"},
}

const ink, wire = "#1c1f23", "#808890"

func (p *picture) dot(w io.Writer) error {
	quote := func(s string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
	}
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n", quote(p.name))
	fmt.Fprintf(&b, "  bgcolor=transparent\n  node [shape=box style=\"rounded,filled\" fontname=\"Helvetica\" fontsize=11 fontcolor=%q]\n  edge [color=%q arrowsize=0.7]\n", ink, wire)
	for _, x := range p.boxes {
		label := x.name
		if note := x.note(); note != "" {
			label += "\n" + note
		}
		fmt.Fprintf(&b, "  n%d [label=%s fillcolor=%q color=%q]\n", x.id, quote(label), shades[x.state()].fill, shades[x.state()].stroke)
	}
	for _, e := range p.edges {
		fmt.Fprintf(&b, "  n%d -> n%d\n", e.from.id, e.to.id)
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *picture) mermaid(w io.Writer) error {
	quote := func(s string) string {
		return `"` + strings.NewReplacer("#", "#35;", `"`, "#quot;", "\n", "<br/>", "<", "#lt;", ">", "#gt;").Replace(s) + `"`
	}
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	for _, x := range p.boxes {
		label := x.name
		if note := x.note(); note != "" {
			label += "\n" + note
		}
		fmt.Fprintf(&b, "  n%d[%s]:::%s\n", x.id, quote(label), x.state())
	}
	for _, e := range p.edges {
		fmt.Fprintf(&b, "  n%d --> n%d\n", e.from.id, e.to.id)
	}
	for _, state := range states {
		fmt.Fprintf(&b, "  classDef %s fill:%s,stroke:%s,color:%s\n", state, shades[state].fill, shades[state].stroke, ink)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
