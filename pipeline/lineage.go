package pipeline

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"anneal/artifacts/store"
)

// Match returns the nodes of graphs that a pattern of addresses names. It has to name some.
func Match(graphs []*Graph, pattern string) (map[*Node]bool, error) {
	return match(graphs, "", []string{pattern})
}

// Match returns the addresses of results of the run, of this or an earlier one, that a pattern names, sorted by their points.
func (r *Record) Match(pattern string) ([]string, error) {
	if r.Unfinished {
		return nil, errors.New("it is unfinished, and kept no list of results")
	}
	g := &Graph{Name: r.Pipeline}
	for addr := range r.Reached() {
		block, point, err := ParseAddr(addr)
		if err != nil {
			return nil, err
		}
		g.Nodes = append(g.Nodes, &Node{Addr: addr, Block: block, Point: point})
	}
	nodes, err := g.Match(pattern)
	if err != nil {
		left := &Graph{Name: r.Pipeline}
		for _, addr := range slices.Concat(r.Failed, r.Skipped) {
			if block, point, err := ParseAddr(addr); err == nil {
				left.Nodes = append(left.Nodes, &Node{Addr: addr, Block: block, Point: point})
			}
		}
		if _, other := left.Match(pattern); other == nil {
			err = fmt.Errorf("%s left no result there: it failed or was skipped", pattern)
		}
	}
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, n.Addr)
	}
	SortAddrs(addrs)
	return addrs, err
}

// Inputs lists the artifacts that n reads, each once, in the order of its fields.
func (n *Node) Inputs() []Ref {
	var all []Ref
	seen := map[Ref]bool{}
	for _, in := range n.inputs {
		if !seen[in.ref] {
			seen[in.ref] = true
			all = append(all, in.ref)
		}
	}
	return all
}

// SortAddrs sorts addresses by their blocks, and those of one block by their points.
func SortAddrs(addrs []string) {
	type parsed struct {
		block string
		point Point
	}
	of := map[string]parsed{}
	for _, addr := range addrs {
		block, point, err := ParseAddr(addr)
		if err != nil {
			block, point = addr, nil
		}
		of[addr] = parsed{block, point}
	}
	slices.SortStableFunc(addrs, func(a, b string) int {
		return cmp.Or(naturally(of[a].block, of[b].block), of[a].point.compare(of[b].point))
	})
}

// Place is where a key stood: an address of a pipeline, in a run.
type Place struct {
	Run  *Record
	Addr string
}

// Places returns where keys stood in the newest runs that had them. Keys that no run knows are left out.
func Places(st *store.Store, keys []store.Digest) map[store.Digest]Place {
	wanted := map[store.Digest]bool{}
	for _, k := range keys {
		wanted[k] = true
	}
	found := map[store.Digest]Place{}
	for r := range history(st) {
		if len(found) == len(wanted) {
			break
		}
		for addr, key := range r.Reached() {
			if _, known := found[key]; wanted[key] && !known {
				found[key] = Place{r, addr}
			}
		}
	}
	return found
}

// Making is what the journals tell of how a result came about.
type Making struct {
	Run  *Record
	Addr string
	Plan *Event // why it ran, nil where the run said nothing of it
	End  Event  // done, or fail
}

// Makings finds for each key the newest run that made it. Keys of which no journal tells are left out.
func Makings(st *store.Store, keys []store.Digest) map[store.Digest]*Making {
	wanted := map[string]store.Digest{}
	for _, k := range keys {
		wanted[k.String()] = k
	}
	made := map[store.Digest]*Making{}
	for _, id := range runIDs(st) {
		if len(made) == len(wanted) {
			break
		}
		ended(st, id, func(line []byte) bool {
			_, known := made[wanted[text(line, "key")]]
			_, want := wanted[text(line, "key")]
			return want && !known
		}, func(m *Making) { made[m.End.Key] = m })
	}
	return made
}

// LastRuns finds for each address of a pipeline the newest run in which it ran, for better or worse.
func LastRuns(st *store.Store, pipeline string, addrs []string) map[string]*Making {
	wanted := map[string]bool{}
	for _, addr := range addrs {
		wanted[addr] = true
	}
	ran := map[string]*Making{}
	for _, id := range runIDs(st) {
		if len(ran) == len(wanted) {
			break
		}
		ended(st, id, func(line []byte) bool {
			addr := unquoted(text(line, "addr"))
			return wanted[addr] && ran[addr] == nil && text(line, "pipeline") == pipeline
		}, func(m *Making) { ran[m.Addr] = m })
	}
	return ran
}

// ended calls found for the stages that ended in a run by themselves, done or failed, as far as the line of the journal
// that says so is wanted. Journals are long: only those lines are decoded.
func ended(st *store.Store, id string, wanted func(line []byte) bool, found func(*Making)) {
	data, err := os.ReadFile((&Record{ID: id}).journal(st))
	if err != nil {
		return
	}
	all := map[string]*Making{}
	for line := range bytes.Lines(data) {
		if action := text(line, "action"); action != "done" && action != "fail" || !wanted(line) {
			continue
		}
		m := new(Making)
		if json.Unmarshal(line, &m.End) == nil {
			m.Addr = m.End.Addr
			all[m.Addr] = m // of an artifact that was made again, the last
		}
	}
	if len(all) == 0 {
		return
	}
	run := readRecord(st, id)
	if run == nil {
		return
	}
	for line := range bytes.Lines(data) {
		if m := all[unquoted(text(line, "addr"))]; m != nil && text(line, "action") == "plan" {
			e := new(Event)
			if json.Unmarshal(line, e) == nil {
				m.Plan = e
			}
		}
	}
	for _, addr := range sortedKeys(all) {
		all[addr].Run = run
		found(all[addr])
	}
}

// text returns a string of a journal's line, as JSON writes it, by its name; "" where there is none.
func text(line []byte, name string) string {
	_, rest, ok := bytes.Cut(line, []byte(`"`+name+`":"`))
	if !ok {
		return ""
	}
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return string(rest[:i])
		}
	}
	return ""
}

// unquoted undoes JSON's escapes, which only a few addresses have.
func unquoted(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var plain string
	if json.Unmarshal([]byte(`"`+s+`"`), &plain) != nil {
		return s
	}
	return plain
}

// Origin is a stored result, and what it came from.
type Origin struct {
	Key    store.Digest
	Result *store.Result // nil where it is stored no longer
	Inputs []InputOrigin // in the order of their names
}

// InputOrigin is one artifact that a result was made of.
type InputOrigin struct {
	Field  string
	Output string     // of the result that it came from, "" where that is stored no longer
	Blob   store.Blob // without its size
	From   *Origin
}

// Lineage returns the result stored under key with everything that it came from. What several came from stands there
// once: origins of one key are one.
func Lineage(st *store.Store, key store.Digest) *Origin {
	return lineage(st, key, map[store.Digest]*Origin{})
}

func lineage(st *store.Store, key store.Digest, known map[store.Digest]*Origin) *Origin {
	if o := known[key]; o != nil {
		return o
	}
	o := &Origin{Key: key}
	known[key] = o
	r, err := st.Result(key)
	if err != nil {
		return o
	}
	o.Result = r
	for _, f := range r.Key {
		producer, ok := r.Made.Inputs[f.Name]
		if f.Kind != "input" || !ok {
			continue
		}
		in := InputOrigin{Field: f.Name, Blob: inputBlob(f), From: lineage(st, producer, known)}
		if in.From.Result != nil {
			for _, name := range sortedKeys(in.From.Result.Outputs) {
				if b := in.From.Result.Outputs[name]; b.Digest == in.Blob.Digest && b.Type == in.Blob.Type {
					in.Output = name
					break
				}
			}
		}
		o.Inputs = append(o.Inputs, in)
	}
	slices.SortStableFunc(o.Inputs, func(a, b InputOrigin) int { return naturally(a.Field, b.Field) })
	return o
}

// Settings lists the configuration among facts of a kind as far as it differs from the defaults, "name = value".
func Settings(k *Kind, facts []store.Fact) []string {
	d := difference{vocabulary: newVocabulary(k), after: map[factName]string{}}
	for _, f := range facts {
		d.after[nameOf(f)] = f.Value
	}
	var all []string
	for _, f := range sorted(facts) {
		if f.Kind != "config" {
			continue
		}
		switch t := d.term(f.Name); t.role {
		case listTerm:
			if t.rest == "" {
				elements := make([]string, 0, 4)
				for i := 0; ; i++ {
					e, ok := d.after[factName{"config", f.Name + "." + strconv.Itoa(i)}]
					if !ok {
						break
					}
					elements = append(elements, valueText(e, t.text))
				}
				all = append(all, f.Name+" = ["+strings.Join(elements, ", ")+"]")
			}
		case blockTerm:
			all = append(all, f.Name+" {}")
		case artifactTerm, sourceTerm, rowsTerm, blocksTerm: // what they hold is told elsewhere
		default:
			all = append(all, f.Name+" = "+valueText(f.Value, t.text))
		}
	}
	return all
}

// Sources lists what a result took from outside the graph, by field: a digest or what pins it. names, which may be nil,
// is the node that the files have where the result was made: of a file whose bytes are still the same it tells the name.
func Sources(r *store.Result, names *Node) []string {
	var all []string
	for _, f := range r.Key {
		if nameOf(f).class != "source" {
			continue
		}
		text := sourceText(f.Value)
		if f.Kind != "file" {
			text = f.Kind + " " + text
		}
		if names != nil {
			for _, x := range names.files {
				if x.field == f.Name && x.value == f.Value && x.kind == f.Kind && !strings.Contains(text, x.file.Name) {
					text = x.file.Name + " " + text
				}
			}
		}
		all = append(all, f.Name+" = "+text)
	}
	return all
}

// inputBlob reads the fact of an input: its type and its digest.
func inputBlob(f store.Fact) store.Blob {
	kind, digest, _ := strings.Cut(f.Value, " ")
	d, _ := store.ParseDigest(digest)
	return store.Blob{Type: kind, Digest: d}
}

// Ancestors lists o and everything that it came from, each once, what was made first first.
func (o *Origin) Ancestors() []*Origin {
	var all []*Origin
	seen := map[*Origin]bool{}
	var walk func(o *Origin)
	walk = func(o *Origin) {
		if seen[o] {
			return
		}
		seen[o] = true
		for _, in := range o.Inputs {
			walk(in.From)
		}
		all = append(all, o)
	}
	walk(o)
	return all
}

// naturally orders names of fields: the numbers of elements by their size.
func naturally(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	return slices.CompareFunc(x, y, func(a, b string) int {
		i, notA := strconv.Atoi(a)
		j, notB := strconv.Atoi(b)
		if notA == nil && notB == nil {
			return cmp.Compare(i, j)
		}
		return strings.Compare(a, b)
	})
}
