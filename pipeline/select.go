package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Selection is the part of a graph that a command is about, in patterns of addresses:
//
//	kind.name                   every instance of a block
//	kind.name[seed=1]           those at these coordinates, whatever their others are
//	module.x, module.x.kind.y   of a module, or of a block in it
//	PIPELINE/kind.name          of one pipeline
type Selection struct {
	Target  []string // only these, and what they need; all where there is none
	Exclude []string // not these, nor what depends on them
	Replace []string // these are made anew, stored or not
}

// Select returns what s selects of g. The error, of a pattern that matches nothing, names the flag it was given with.
func (g *Graph) Select(s Selection) (*Graph, error) {
	graphs, err := Select([]*Graph{g}, s)
	if err != nil {
		return nil, err
	}
	return graphs[0], nil
}

// Select returns what s selects of each graph. Of several, a pattern has to match in one, and those that a target leaves
// nothing of are left out.
func Select(graphs []*Graph, s Selection) ([]*Graph, error) {
	if len(s.Target)+len(s.Exclude)+len(s.Replace) == 0 {
		return graphs, nil
	}
	target, err := match(graphs, "--target", s.Target)
	if err != nil {
		return nil, err
	}
	exclude, err := match(graphs, "--exclude", s.Exclude)
	if err != nil {
		return nil, err
	}
	replace, err := match(graphs, "--replace", s.Replace)
	if err != nil {
		return nil, err
	}
	var selected []*Graph
	for _, g := range graphs {
		wanted := map[*Node]bool{}
		for _, n := range slices.Backward(g.Nodes) {
			if len(s.Target) == 0 || target[n] {
				wanted[n] = true
			}
			if wanted[n] {
				for _, p := range n.producers() {
					wanted[p] = true
				}
			}
		}
		part := *g
		part.Nodes = nil
		part.whole = g.unselected()
		lost := map[*Node]string{}
		for _, n := range g.Nodes {
			if exclude[n] || n.without(lost) == nil {
				lost[n] = excludedHere
			}
			if wanted[n] && lost[n] == "" {
				part.Nodes = append(part.Nodes, n)
				n.replace = n.replace || replace[n]
				delete(replace, n)
			}
		}
		if len(part.Nodes) > 0 {
			selected = append(selected, &part)
		}
	}
	for _, g := range graphs {
		for _, n := range g.Nodes {
			if replace[n] {
				return nil, fmt.Errorf("--replace: %s is not among what --target and --exclude leave", n.Addr)
			}
		}
	}
	if len(selected) == 0 {
		return nil, fmt.Errorf("--target and --exclude leave no stage")
	}
	return selected, nil
}

// unselected is the graph as the file has it, of which g may be a part.
func (g *Graph) unselected() *Graph {
	if g.whole != nil {
		return g.whole
	}
	return g
}

// Match returns the nodes that a pattern of addresses names, in the order of the graph.
func (g *Graph) Match(pattern string) ([]*Node, error) {
	found, err := match([]*Graph{g}, "", []string{pattern})
	return slices.DeleteFunc(slices.Clone(g.Nodes), func(n *Node) bool { return !found[n] }), err
}

// match returns the nodes that patterns name. Each has to name some.
func match(graphs []*Graph, flag string, patterns []string) (map[*Node]bool, error) {
	found := map[*Node]bool{}
	for _, text := range patterns {
		p, err := parsePattern(text)
		if err == nil {
			any := false
			for _, g := range graphs {
				for _, n := range g.Nodes {
					if p.matches(g, n) {
						found[n], any = true, true
					}
				}
			}
			if !any {
				err = p.unknown(graphs)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimSpace(flag+" "+text), err)
		}
	}
	return found, nil
}

// pattern is an address as far as it is given.
type pattern struct {
	pipeline string // "" in any
	block    string // or a module
	point    []coordinateText
}

type coordinateText struct{ name, text string }

func parsePattern(s string) (pattern, error) {
	var p pattern
	head, point, swept := strings.Cut(s, "[")
	if name, rest, ok := strings.Cut(head, "/"); ok {
		p.pipeline, head = name, rest
	}
	p.block = head
	if !strings.Contains(head, ".") {
		return p, fmt.Errorf("is no address; write kind.name, kind.name[seed=1] or PIPELINE/kind.name")
	}
	if !swept {
		return p, nil
	}
	point, closed := strings.CutSuffix(point, "]")
	if !closed {
		return p, fmt.Errorf("ends without a ]; write %s[seed=1]", head)
	}
	for point != "" {
		name, rest, ok := strings.Cut(point, "=")
		if !ok || name == "" {
			return p, fmt.Errorf("%q is no coordinate; write %s[seed=1]", point, head)
		}
		text, err := strconv.QuotedPrefix(rest) // a quoted value may hold a comma
		if err != nil {
			text, _, _ = strings.Cut(rest, ",")
		}
		if point = rest[len(text):]; point != "" {
			if point[0] != ',' || point == "," {
				return p, fmt.Errorf("%q is no coordinate; write %s[seed=1]", point, head)
			}
			point = point[1:]
		}
		p.point = append(p.point, coordinateText{strings.TrimSpace(name), text})
	}
	if p.point == nil {
		return p, fmt.Errorf("names no coordinate; write %s[seed=1], or %s for all of it", head, head)
	}
	return p, nil
}

func (p pattern) matches(g *Graph, n *Node) bool {
	if p.pipeline != "" && p.pipeline != g.Name {
		return false
	}
	if n.Block != p.block && !(strings.HasPrefix(p.block, "module.") && strings.HasPrefix(n.Block, p.block+".")) {
		return false
	}
	for _, c := range p.point {
		v := n.Point.Get(c.name)
		if v == nil || !c.is(v) {
			return false
		}
	}
	return true
}

// is tells whether the text stands for a coordinate's value, which it may print in another way: 0.10 for 0.1, a quoted
// word for a plain one.
func (c coordinateText) is(v any) bool {
	if x, ok := number(v); ok {
		y, err := strconv.ParseFloat(c.text, 64)
		return err == nil && x == y
	}
	if s, ok := v.(string); ok {
		unquoted, err := strconv.Unquote(c.text)
		return s == c.text || err == nil && s == unquoted
	}
	return c.text == Coordinate{Value: v}.Text()
}

// unknown says why nothing matches p.
func (p pattern) unknown(graphs []*Graph) error {
	var pipelines, blocks, instances []string
	for _, g := range graphs {
		pipelines = append(pipelines, g.Name)
		for _, n := range g.Nodes {
			if p.pipeline != "" && p.pipeline != g.Name {
				continue
			}
			if n.Block == p.block {
				instances = append(instances, n.Addr)
			} else if !slices.Contains(blocks, n.Block) {
				blocks = append(blocks, n.Block)
			}
		}
	}
	switch {
	case p.pipeline != "" && !slices.Contains(pipelines, p.pipeline):
		return fmt.Errorf("there is no pipeline %s here.%s", p.pipeline, Nearest(p.pipeline, pipelines))
	case instances != nil:
		return fmt.Errorf("no instance is at that point; there are %s", strings.Join(few(instances), ", "))
	}
	return fmt.Errorf("there is no such stage.%s", Nearest(p.block, blocks))
}
