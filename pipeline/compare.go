package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"anneal/artifacts/store"
)

// Difference is how a result differs from another of its kind.
type Difference struct {
	Changes []string      `json:"changes,omitempty"` // of its own configuration and versions, of which inputs it has, in words
	Inputs  []InputChange `json:"inputs,omitempty"`  // whose content differs
	Equal   int           `json:"equal"`             // facts that are equal
}

// InputChange is an artifact that two results read at one field, and that differs.
type InputChange struct {
	Field  string  `json:"field"`  // of a row, with its point
	Causes []Cause `json:"causes"` // what makes it differ, followed up to where it begins
}

// Cause is where a difference begins: in the configuration of a block.
type Cause struct {
	Block   string   `json:"block"`
	Changes []string `json:"changes"`
}

func (c Cause) String() string { return c.Block + ": " + strings.Join(c.Changes, ", ") }

// Comparison compares stored results.
type Comparison struct {
	st     *store.Store
	kinds  map[string]*Kind
	blocks map[store.Digest]string // where keys stand
	causes map[[2]store.Digest][]Cause
	depths map[store.Digest]int
}

// Compare returns a comparison of results of these kinds, which knows where results stand from the runs given.
func Compare(st *store.Store, kinds []*Kind, runs ...*Record) *Comparison {
	c := &Comparison{st, map[string]*Kind{}, map[store.Digest]string{}, map[[2]store.Digest][]Cause{}, map[store.Digest]int{}}
	for _, k := range kinds {
		c.kinds[k.Name] = k
	}
	for _, r := range runs {
		for addr, key := range r.Reached() {
			c.blocks[key], _, _ = strings.Cut(addr, "[")
		}
	}
	return c
}

// block names the block that made key.
func (c *Comparison) block(key store.Digest) string {
	if c.blocks[key] == "" {
		c.blocks[key] = key.Short()
		keys := []store.Digest{key}
		for _, o := range Lineage(c.st, key).Ancestors() {
			keys = append(keys, o.Key)
		}
		for k, p := range Places(c.st, keys) {
			c.blocks[k], _, _ = strings.Cut(p.Addr, "[")
		}
	}
	return c.blocks[key]
}

// Results tells how b differs from a.
func (c *Comparison) Results(a, b *store.Result) *Difference {
	d := new(Difference)
	was, is := ownFacts(a), ownFacts(b)
	if k := c.kinds[MadeBy(b)]; k != nil {
		d.Changes = Changes(k, was, is)
	} else if store.Key(was) != store.Key(is) {
		d.Changes = []string{"its kind " + MadeBy(b) + " is not one of this program, so settings cannot be compared"}
	}
	for _, f := range is {
		if slices.Contains(was, f) {
			d.Equal++
		}
	}
	before, after := inputsOf(a), inputsOf(b)
	fields := slices.Compact(slices.Sorted(slices.Values(append(sortedKeys(before), sortedKeys(after)...))))
	SortAddrs(fields) // rows by their points
	for _, field := range fields {
		x, had := before[field]
		y, has := after[field]
		switch {
		case had && has && x.content == y.content:
			d.Equal++
		case had && has:
			d.Inputs = append(d.Inputs, InputChange{field, c.why(x.producer, y.producer)})
		case x.row || y.row: // told by the points
		case had:
			d.Changes = append(d.Changes, field+": "+c.block(x.producer)+" → none")
		default:
			d.Changes = append(d.Changes, field+": none → "+c.block(y.producer))
		}
	}
	return d
}

// why follows a difference between the artifacts of two results up to where it begins.
func (c *Comparison) why(a, b store.Digest) []Cause {
	pair := [2]store.Digest{a, b}
	if known, ok := c.causes[pair]; ok {
		return known
	}
	c.causes[pair] = nil
	block := c.block(b)
	was, errA := c.st.Result(a)
	is, errB := c.st.Result(b)
	var all []Cause
	switch {
	case errA != nil || errB != nil:
		all = []Cause{{block, []string{"one of its results is no longer stored"}}}
	case MadeBy(was) != MadeBy(is):
		all = []Cause{{block, []string{"stands where " + c.block(a) + " stood"}}}
	default:
		d := c.Results(was, is)
		if d.Changes != nil {
			all = []Cause{{block, d.Changes}}
		}
		for _, in := range d.Inputs {
			for _, cause := range in.Causes {
				if !slices.ContainsFunc(all, func(o Cause) bool { return o.String() == cause.String() }) {
					all = append(all, cause)
				}
			}
		}
		if all == nil {
			all = []Cause{{block, []string{"other bytes came of equal facts"}}}
		}
	}
	c.causes[pair] = all
	return all
}

// Depth is how many results stand between what has key and what came of nothing: none is less deep than what it came from.
func (c *Comparison) Depth(key store.Digest) int {
	if d, ok := c.depths[key]; ok {
		return d
	}
	c.depths[key] = 0
	depth := 0
	if r, err := c.st.Result(key); err == nil {
		for _, producer := range r.Made.Inputs {
			depth = max(depth, 1+c.Depth(producer))
		}
	}
	c.depths[key] = depth
	return depth
}

// ownFacts are the facts of a result but for the content of its inputs.
func ownFacts(r *store.Result) []store.Fact {
	return slices.DeleteFunc(slices.Clone(r.Key), func(f store.Fact) bool { return f.Kind == "input" })
}

// MadeBy returns the kind of stage that made a result.
func MadeBy(r *store.Result) string {
	for _, f := range r.Key {
		if f.Kind == "kind" {
			return f.Name
		}
	}
	return ""
}

// read is an artifact that a result was made of: its content, and the key of what made it.
type read struct {
	content  string
	producer store.Digest
	row      bool
}

// inputsOf returns what a result read, by field; rows of a sweep by their point, wherever they stand in their list. Of
// several rows at one point, as of two sweeps that were joined, the order tells which is which.
func inputsOf(r *store.Result) map[string]read {
	points := map[string][]string{} // by field and place
	for _, f := range r.Key {
		if f.Kind == "point" {
			i := strings.LastIndexByte(f.Name, '.')
			points[f.Name[:i]] = append(points[f.Name[:i]], f.Name[i+1:]+"="+f.Value)
		}
	}
	all := map[string]read{}
	at := map[string]int{} // how many rows of a field one point has had
	for _, f := range slices.SortedFunc(slices.Values(r.Key), func(a, b store.Fact) int { return naturally(a.Name, b.Name) }) {
		if f.Kind != "input" {
			continue
		}
		name := f.Name
		if p := points[name]; p != nil {
			slices.Sort(p)
			name = name[:strings.LastIndexByte(name, '.')] + "[" + strings.Join(p, ",") + "]"
			if at[name]++; at[name] > 1 {
				name += fmt.Sprintf(" (%d)", at[name])
			}
		}
		all[name] = read{f.Value, r.Made.Inputs[f.Name], points[f.Name] != nil}
	}
	return all
}
