package pipeline

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"anneal/artifacts/store"
)

// Graph is one pipeline, decoded: its nodes in topological order.
type Graph struct {
	Name  string
	Nodes []*Node

	config *Config
	scope  *scope // of what is evaluated only when it is asked for
	whole  *Graph // what this graph is a selection of, nil where it is none
}

// Node is one instance of a stage block: a vertex of the graph.
type Node struct {
	Addr  string // kind.name[seed=1,weight_decay=0.1]
	Block string // kind.name
	Kind  *Kind
	Point Point
	Stage Stage
	Meta  Meta

	inputs  []input
	missing []Missing // of lists of rows; see without
	files   []external
	facts   []store.Fact         // all but those of the inputs
	header  hcl.Range            // of the block
	fields  map[string]hcl.Range // by HCL name, where the file says something

	replace bool // made anew though its result may be stored
}

// input is one field, or one element of one, that reads an artifact.
type input struct {
	field string
	ref   Ref
	row   bool
	point Point // of a row
}

// external is one field, or one element of one, that reads bytes from outside the graph.
type external struct {
	field string
	file  File
	dir   string // which the path of a local file is relative to
	kind  string // of its fact: "file", whose value is a content digest, "folder" likewise, or a source that pins more than bytes
	value string
	path  string         // of a file or a folder
	files []store.Object // of a folder
}

// producers lists the nodes that n reads from, each once.
func (n *Node) producers() []*Node {
	var all []*Node
	seen := map[*Node]bool{}
	for _, in := range n.inputs {
		if !seen[in.ref.Node] {
			seen[in.ref.Node] = true
			all = append(all, in.ref.Node)
		}
	}
	return all
}

// output returns the type of the output named, "" where the stage has none of that name.
func (n *Node) output(name string) string {
	for _, o := range n.Stage.Outputs() {
		if o.Name == name {
			return o.Type
		}
	}
	return ""
}

// outputTypes returns the types of the outputs, by their names.
func (n *Node) outputTypes() map[string]string {
	types := map[string]string{}
	for _, o := range n.Stage.Outputs() {
		types[o.Name] = o.Type
	}
	return types
}

// says tells whether the file gives the field a value.
func (n *Node) says(field string) bool {
	_, ok := n.fields[field]
	return ok
}

// where returns the place in the file that says the field, or the nearest block around it.
func (n *Node) where(field string) hcl.Range {
	for {
		if r, ok := n.fields[field]; ok {
			return r
		}
		i := strings.LastIndexByte(field, '.')
		if i < 0 {
			return n.header
		}
		field = field[:i]
	}
}

// Node returns the node at addr, nil where there is none.
func (g *Graph) Node(addr string) *Node {
	for _, n := range g.Nodes {
		if n.Addr == addr {
			return n
		}
	}
	return nil
}

// String prints the coordinates of p as they stand in an address: name=value, joined by commas.
func (p Point) String() string {
	parts := make([]string, len(p))
	for i, c := range p {
		parts[i] = c.Name + "=" + c.Text()
	}
	return strings.Join(parts, ",")
}

// Text prints the value of c: shortest numbers, strings quoted when they are not plain words.
func (c Coordinate) Text() string {
	switch v := c.Value.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return formatFloat(v)
	case bool:
		return strconv.FormatBool(v)
	case string:
		if plain(v) {
			return v
		}
		return strconv.Quote(v)
	}
	panic("pipeline: a coordinate of an unknown type")
}

func plain(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.') {
			return false
		}
	}
	return s != "" && s != "true" && s != "false" && !(s[0] >= '0' && s[0] <= '9') && s[0] != '-' && s[0] != '.'
}

// formatFloat prints the shortest number that reads back as v; −0 is 0.
func formatFloat(v float64) string {
	if v == 0 {
		return "0"
	}
	s := strconv.FormatFloat(v, 'g', -1, 64)
	mantissa, exponent, found := strings.Cut(s, "e")
	if !found {
		return s
	}
	n, _ := strconv.Atoi(exponent)
	if n >= 0 && n < 21 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return mantissa + "e" + strconv.Itoa(n)
}

// compare orders points coordinate by coordinate: numbers by size, strings by their bytes.
func (p Point) compare(q Point) int {
	return slices.CompareFunc(p, q, func(a, b Coordinate) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		x, xn := number(a.Value)
		y, yn := number(b.Value)
		if xn && yn {
			return cmp.Compare(x, y)
		}
		return strings.Compare(a.Text(), b.Text())
	})
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
