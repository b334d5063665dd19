package pipeline

import (
	"maps"
	"slices"
	"strings"

	"anneal/artifacts/store"
)

// candidates are stored results, indexed so that for each of thousands of nodes the one that differs least is found
// without comparing it with all.
//
// A candidate is a row of values, one a column; the columns are what facts are about, and coordinates. Those in which all
// agree tell nothing about nearness and are left out.
type candidates struct {
	rows    []candidate
	columns []column
	names   map[factName]int // columns by name
}

type candidate struct {
	*stored
	point string // in brackets; "" of one that has none, or that is compared by its facts alone
}

type column struct {
	name   factName // of class "coordinate" for those
	weight int
	ids    map[string]int // of values; 0 is for none
	values []int          // by row
	having map[int][]int  // rows by value, in order
}

// A fact in common outweighs all coordinates.
const (
	factWeight       = 1 << 10
	coordinateWeight = 1
)

// vanished lists by block the instances that the newest run had, or knew to be gone, and the graph has no longer.
func (p *planner) vanished() map[string]*candidates {
	if p.gone != nil {
		return p.gone
	}
	here := map[string]bool{}
	for _, n := range p.graph.unselected().Nodes {
		here[n.Addr] = true
	}
	var addrs []string
	keys := p.past()
	for _, addr := range sortedKeys(keys) {
		if !here[addr] {
			addrs = append(addrs, addr)
		}
	}
	results := make([]*stored, len(addrs))
	parallel(len(addrs), func(i int) {
		if r, err := p.st.Result(keys[addrs[i]]); err == nil {
			results[i] = storedOf(r)
		}
	})
	p.gone = map[string]*candidates{}
	for i, addr := range addrs {
		if results[i] == nil {
			continue
		}
		block, point := addr, ""
		if i := strings.IndexByte(addr, '['); i >= 0 {
			block, point = addr[:i], addr[i:]
		}
		if p.gone[block] == nil {
			p.gone[block] = &candidates{}
		}
		p.gone[block].rows = append(p.gone[block].rows, candidate{results[i], point})
	}
	for _, c := range p.gone {
		c.index()
	}
	return p.gone
}

// past returns the keys that the newest run left, and those that it knew to be gone.
func (p *planner) past() map[string]store.Digest {
	keys := map[string]store.Digest{}
	if last := p.last(); last != nil {
		maps.Copy(keys, last.Gone)
		maps.Copy(keys, p.keys())
	}
	return keys
}

// index fills the columns.
func (cs *candidates) index() {
	cs.names = map[factName]int{}
	var all []column
	set := func(row int, name factName, weight int, value string) {
		i, ok := cs.names[name]
		if !ok {
			i = len(all)
			cs.names[name] = i
			all = append(all, column{name: name, weight: weight, ids: map[string]int{}, values: make([]int, len(cs.rows))})
		}
		c := &all[i]
		id, ok := c.ids[value]
		if !ok {
			id = len(c.ids) + 1
			c.ids[value] = id
		}
		c.values[row] = id
	}
	for row, p := range cs.rows {
		for _, f := range p.facts {
			set(row, nameOf(f), factWeight, f.Value)
		}
		for _, c := range coordinates(p.point) {
			set(row, factName{"coordinate", c.name}, coordinateWeight, c.text)
		}
	}
	clear(cs.names)
	for _, c := range all {
		if !slices.ContainsFunc(c.values, func(id int) bool { return id != c.values[0] }) {
			continue
		}
		c.having = map[int][]int{}
		for row, id := range c.values {
			c.having[id] = append(c.having[id], row)
		}
		cs.names[c.name] = len(cs.columns)
		cs.columns = append(cs.columns, c)
	}
}

// coordinates takes the point of an address apart.
func coordinates(point string) []coordinateText {
	p, err := parsePattern("a.b" + point)
	if err != nil {
		return nil
	}
	return p.point
}

// nearest returns the candidate that agrees with facts, as far as they are known, in most of what they are about, and of
// several the one with the most coordinates in common; nil where there is none. Of what remains it is one of the first,
// the same every time.
func (cs *candidates) nearest(point Point, facts []store.Fact, complete bool) *candidate {
	if cs == nil || len(cs.rows) == 0 {
		return nil
	}
	values := make([]int, len(cs.columns)) // 0 is for none, -1 for one that no row has
	known := make([]bool, len(cs.columns))
	look := func(name factName, value string) {
		if i, ok := cs.names[name]; ok {
			known[i] = true
			if values[i], ok = cs.columns[i].ids[value]; !ok {
				values[i] = -1
			}
		}
	}
	for i, c := range cs.columns { // what is missing is known to be, but for inputs that are waited for
		known[i] = c.name.class != "input" || complete
	}
	for _, f := range facts {
		look(nameOf(f), f.Value)
	}
	for _, c := range point {
		look(factName{"coordinate", c.Name}, c.Text())
	}
	// Rows that agree in some column are visited column by column, starting with what the fewest share. Once the best so
	// far agrees in as much as rows can that agree in none of the columns already visited, none of those can be better.
	var order []int
	most := 0 // what a row can reach that has not been visited
	for i, c := range cs.columns {
		if known[i] && len(c.having[values[i]]) > 0 {
			order = append(order, i)
			most += c.weight
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return len(cs.columns[a].having[values[a]]) - len(cs.columns[b].having[values[b]])
	})
	best, reached := 0, -1
	for k, i := range order {
		if reached >= most {
			break
		}
		for _, row := range cs.columns[i].having[values[i]] {
			agrees := func(j int) bool { return cs.columns[j].values[row] == values[j] }
			if slices.ContainsFunc(order[:k], agrees) {
				continue // it was visited then
			}
			score := 0
			for _, j := range order[k:] {
				if agrees(j) {
					score += cs.columns[j].weight
				}
			}
			if score > reached {
				best, reached = row, score
			}
			if reached == most {
				break
			}
		}
		most -= cs.columns[i].weight
	}
	return &cs.rows[best]
}
