package pipeline

import "github.com/hashicorp/hcl/v2"

// Node is one instance of a stage block: a vertex of the graph.
type Node struct {
	Addr  string // kind.name[seed=1,weight_decay=0.1]
	Block string // kind.name
	Kind  *Kind
	Point Point
	Stage Stage

	inputs []input // in the order of the fields
	files  []fileField
	rng    hcl.Range            // the block's header
	fields map[string]hcl.Range // by HCL name, where the file says something
}
