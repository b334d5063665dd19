package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// found is a node that an address names, and what a run would do about it.
type found struct {
	graph  *pipeline.Graph
	step   pipeline.Step
	causes []string // why inputs that the step waits for would change
}

// find returns the nodes that addr names: PIPELINE/ADDR, or ADDR where one pipeline has it. kind.name means every
// instance of a swept block, kind.name[seed=1] those at that coordinate. Only they and what they need are planned.
func (c *command) find(addr string) ([]found, error) {
	g, nodes, err := c.match(addr)
	if err != nil {
		return nil, err
	}
	return c.steps(g, nodes)
}

// steps plans nodes of a graph.
func (c *command) steps(g *pipeline.Graph, nodes []*pipeline.Node) ([]found, error) {
	targets := make([]string, len(nodes))
	for i, n := range nodes {
		targets[i] = n.Addr
	}
	wanted := map[*pipeline.Node]bool{}
	for _, n := range nodes {
		wanted[n] = true
	}
	if len(nodes) > 1 {
		targets = blocksOf(nodes) // a pattern a block instead of one a node
	}
	part, err := g.Select(pipeline.Selection{Target: targets})
	if err != nil {
		return nil, usagef("%w", err)
	}
	var all []found
	causes := map[*pipeline.Node][]string{} // why what a node leaves may change, itself among the reasons
	for _, s := range part.Plan(c.store()) {
		var since []string
		for _, in := range s.Node.Inputs() {
			for _, cause := range causes[in.Node] {
				if !slices.Contains(since, cause) {
					since = append(since, cause)
				}
			}
		}
		if wanted[s.Node] {
			all = append(all, found{g, s, since})
		}
		if own := ownReasons(s); own != "" && !slices.Contains(since, s.Node.Block+": "+own) {
			since = append(since[:len(since):len(since)], s.Node.Block+": "+own)
		}
		if s.Do != pipeline.Cached {
			causes[s.Node] = since
		}
	}
	return all, nil
}

// ownReasons are those for which s would run if all that it waits for came out as before, "" where there are none.
func ownReasons(s pipeline.Step) string {
	if s.Do == pipeline.Cached {
		return ""
	}
	why := slices.DeleteFunc(slices.Clone(s.Why), func(w string) bool { return strings.HasPrefix(w, pipeline.WaitsFor) })
	if len(why) < len(s.Why) && len(why) == 1 && (why[0] == "never run" || why[0] == "new point") {
		return "" // so is what it waits for
	}
	return strings.Join(why, ", ")
}

func blocksOf(nodes []*pipeline.Node) []string {
	var blocks []string
	for _, n := range nodes {
		if !slices.Contains(blocks, n.Block) {
			blocks = append(blocks, n.Block)
		}
	}
	return blocks
}

// match returns the nodes that addr names, and the pipeline that has them.
func (c *command) match(addr string) (*pipeline.Graph, []*pipeline.Node, error) {
	config, err := c.load()
	if err != nil {
		return nil, nil, err
	}
	names := config.Pipelines
	if p, _, ok := strings.Cut(addr, "/"); ok && slices.Contains(names, p) {
		names = []string{p}
	}
	graphs, err := config.Graphs(names)
	if err != nil {
		return nil, nil, err
	}
	found, err := pipeline.Match(graphs, addr)
	if err != nil {
		return nil, nil, &noStage{usagef("%w", err)}
	}
	var in *pipeline.Graph
	var nodes []*pipeline.Node
	for _, g := range graphs {
		here := slices.DeleteFunc(slices.Clone(g.Nodes), func(n *pipeline.Node) bool { return !found[n] })
		if len(here) == 0 {
			continue
		}
		if in != nil {
			return nil, nil, usagef("%s is in several pipelines: write %s/%s or %s/%s", addr, in.Name, addr, g.Name, addr)
		}
		in, nodes = g, here
	}
	return in, nodes, nil
}

// noStage says that the files declare no stage of an address.
type noStage struct{ error }

func (e *noStage) Unwrap() error { return e.error }

// named is a stored result that an argument of a command names.
type named struct {
	pipeline string
	addr     string // "" where no run knows one
	point    pipeline.Point
	run      *pipeline.Record // that the argument names, or that was the last to have the address where the files have it no longer
	key      store.Digest
	result   *store.Result   // nil where there is none
	output   string          // that the argument names, "" for all
	log      bool            // the argument names the log
	graph    *pipeline.Graph // that the files have now, with the node; nil where they have none
	node     *pipeline.Node
	declared bool   // the files have the address, if perhaps with another key
	do       string // what a run would do about the node
	why      []string
	causes   []string // why what it waits for would change
}

// title is what a list calls n.
func (n *named) title() string {
	if n.addr == "" {
		return n.key.Short()
	}
	return n.pipeline + "/" + n.addr
}

// need demands a stored result.
func (n *named) need(st *store.Store) error {
	if n.result != nil {
		return nil
	}
	if n.run != nil {
		return fmt.Errorf("%s: the result that run %s had is no longer stored", n.title(), n.run.Short())
	}
	hint := ""
	if r, err := pipeline.FindRun(st, n.pipeline, pipeline.Latest); err == nil {
		if key, ok := reached(r, n.addr); ok {
			if _, err := st.Result(key); err == nil && key != n.key {
				hint = fmt.Sprintf("; that of the last run is last:%s", n.addr)
			}
		}
	}
	why := ""
	if len(n.why) > 0 {
		why = " (" + n.why[0] + ")"
	}
	return fmt.Errorf("%s has no stored result%s; run %s first%s", n.addr, why, n.pipeline, hint)
}

// reached returns the key that addr had when a run ended.
func reached(r *pipeline.Record, addr string) (store.Digest, bool) {
	if key, ok := r.Keys[addr]; ok {
		return key, true
	}
	key, ok := r.Before[addr]
	return key, ok
}

var hexadecimal = regexp.MustCompile(`^[0-9a-f]{6,64}$`)

// results returns what arg names: ADDR or ADDR.OUTPUT of the files, or, where they have it no longer, of the newest run
// that had it; RUN:ADDR of a run; the start of a digest of a key or an artifact; or a file that an artifact was exported
// to. outputs tells whether an output may follow an address.
func (c *command) results(arg string) ([]*named, error) {
	st := c.store()
	if hexadecimal.MatchString(arg) {
		return c.byDigest(st, arg)
	}
	if info, err := os.Stat(arg); err == nil && !info.IsDir() {
		return c.byFile(st, arg)
	}
	if run, addr, ok := strings.Cut(arg, ":"); ok && !strings.Contains(run, "[") {
		return c.ofRun(st, run, addr)
	}
	return withOutput(arg, func(addr string) ([]*named, error) { return c.byAddr(st, addr) })
}

// withOutput looks an address up as it is, or else what stands before its last dot, as that of an output.
func withOutput(arg string, look func(addr string) ([]*named, error)) ([]*named, error) {
	all, err := look(arg)
	var missing *noStage
	if !errors.As(err, &missing) {
		return all, err
	}
	i, bracket := strings.LastIndexByte(arg, '.'), strings.LastIndexByte(arg, ']')
	if i < 0 || bracket >= 0 && i != bracket+1 || !strings.Contains(arg[:i], ".") {
		return nil, err
	}
	of, other := look(arg[:i])
	if other != nil {
		if errors.As(other, &missing) {
			return nil, err // of the whole argument
		}
		return nil, other
	}
	for _, n := range of {
		n.output = arg[i+1:]
		if n.node != nil {
			var known []string
			for _, o := range n.node.Stage.Outputs() {
				known = append(known, o.Name)
			}
			if !slices.Contains(known, n.output) {
				return nil, usagef("%s has no output %s; it leaves %s", n.addr, n.output, strings.Join(known, ", "))
			}
		} else if n.result != nil {
			if _, ok := n.result.Outputs[n.output]; !ok {
				return nil, usagef("%s has no output %s; it leaves %s", n.title(), n.output, strings.Join(sortedNames(n.result.Outputs), ", "))
			}
		}
	}
	return of, nil
}

// byAddr returns the nodes of the files at addr, or what the newest run that knew the address had there.
func (c *command) byAddr(st *store.Store, addr string) ([]*named, error) {
	g, nodes, err := c.match(addr)
	var missing *noStage
	if errors.As(err, &missing) {
		if all := c.ofOlderRun(st, addr); all != nil {
			return all, nil
		}
	}
	if err != nil {
		return nil, err
	}
	steps, err := c.steps(g, nodes)
	if err != nil {
		return nil, err
	}
	var all []*named
	for _, f := range steps {
		s := f.step
		all = append(all, &named{pipeline: g.Name, addr: s.Node.Addr, point: s.Node.Point, key: s.Key, result: s.Result, graph: g, node: s.Node, do: s.Do, why: s.Why, causes: f.causes})
	}
	return all, nil
}

// ofOlderRun returns what the newest run that had addr left there, nil where none had.
func (c *command) ofOlderRun(st *store.Store, addr string) []*named {
	for _, r := range pipeline.Runs(st) {
		if all, err := inRun(st, r, addr); err == nil && len(all) > 0 {
			return all
		}
	}
	return nil
}

// ofRun returns what RUN:ADDR names. Of a run that the words last~1 name it is the newest of a pipeline that has the
// address.
func (c *command) ofRun(st *store.Store, run, arg string) ([]*named, error) {
	var pipelines []string
	if p, _, ok := strings.Cut(arg, "/"); ok {
		pipelines = []string{p}
	} else {
		for _, r := range pipeline.Runs(st) {
			if !slices.Contains(pipelines, r.Pipeline) {
				pipelines = append(pipelines, r.Pipeline)
			}
		}
	}
	var none, other error
	for _, p := range pipelines {
		r, err := pipeline.FindRun(st, p, run)
		if err != nil {
			none = err
			continue
		}
		all, err := withOutput(arg, func(addr string) ([]*named, error) {
			all, err := inRun(st, r, addr)
			if err != nil {
				return nil, &noStage{usagef("run %s of %s: %w", r.Short(), r.Pipeline, err)}
			}
			return all, nil
		})
		if err == nil {
			return all, nil
		}
		if other == nil {
			other = err
		}
	}
	if other != nil {
		return nil, other
	}
	if len(pipelines) != 1 {
		_, none = pipeline.FindRun(st, "", run)
	}
	return nil, usagef("%w", none)
}

func inRun(st *store.Store, r *pipeline.Record, pattern string) ([]*named, error) {
	addrs, err := r.Match(pattern)
	if err != nil {
		return nil, err
	}
	var all []*named
	for _, addr := range addrs {
		key, _ := reached(r, addr)
		n := &named{pipeline: r.Pipeline, addr: addr, run: r, key: key}
		if _, n.point, err = pipeline.ParseAddr(addr); err != nil {
			return nil, err
		}
		if n.result, err = st.Result(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// byDigest returns the results whose key, or an artifact of which, has a digest that starts with prefix.
func (c *command) byDigest(st *store.Store, prefix string) ([]*named, error) {
	all, digests := withDigest(st, func(d store.Digest) bool { return strings.HasPrefix(d.String(), prefix) })
	if len(digests) > 1 {
		return nil, usagef("%d keys and artifacts start with %s: write more of the digest", len(digests), prefix)
	}
	if len(all) == 0 {
		return nil, usagef("no key, artifact or file of one starts with %s", prefix)
	}
	return all, nil
}

// withDigest returns the results whose key, an artifact of which, or a file in one of its folders, has a digest that is
// wanted, and which digests those were.
func withDigest(st *store.Store, wanted func(store.Digest) bool) ([]*named, map[store.Digest]bool) {
	var all []*named
	digests := map[store.Digest]bool{}
	for key, r := range st.Results() {
		if wanted(key) {
			digests[key] = true
			all = append(all, &named{key: key, result: r})
			continue
		}
		for _, name := range sortedNames(r.Outputs) {
			b := r.Outputs[name]
			if wanted(b.Digest) {
				digests[b.Digest] = true
				all = append(all, &named{key: key, result: r, output: name})
			}
		}
		if log := r.Made.Log; log != nil && wanted(log.Digest) {
			digests[log.Digest] = true
			all = append(all, &named{key: key, result: r, log: true})
		}
	}
	if len(all) == 0 { // a file in a folder, perhaps
		for key, r := range st.Results() {
			for _, name := range sortedNames(r.Outputs) {
				if b := r.Outputs[name]; b.Tree {
					parts, err := st.Objects(b)
					if err != nil {
						continue // dropped or damaged
					}
					for _, o := range parts {
						if wanted(o.Digest) {
							digests[o.Digest] = true
							all = append(all, &named{key: key, result: r, output: name})
							break
						}
					}
				}
			}
		}
	}
	keys := make([]store.Digest, len(all))
	for i, n := range all {
		keys[i] = n.key
	}
	places := pipeline.Places(st, keys)
	for _, n := range all {
		if p, ok := places[n.key]; ok {
			n.pipeline, n.addr = p.Run.Pipeline, p.Addr
			_, n.point, _ = pipeline.ParseAddr(p.Addr)
		}
	}
	return all, digests
}

// byFile returns the results that left the bytes of a file.
func (c *command) byFile(st *store.Store, path string) ([]*named, error) {
	digest, _, err := store.HashFile(path)
	if err != nil {
		return nil, err
	}
	all, _ := withDigest(st, func(d store.Digest) bool { return d == digest })
	if len(all) > 0 {
		return all, nil
	}
	why := "no artifact in " + st.Dir() + " has its bytes"
	if ext := filepath.Ext(path); ext == ".parquet" || ext == ".csv" {
		why += "; exported tables and those of results/ are compressed copies with coordinates joined on, so ask by address: `anneal ls` lists them"
	}
	return nil, usagef("%s: its digest is %s, and %s", path, digest.Short(), why)
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
