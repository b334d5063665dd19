package pipeline

import (
	"slices"
	"strings"

	"anneal/artifacts/store"
)

// vanished are the points of one block that the newest run had and the graph has no longer, indexed so that for each of
// thousands of new points the one that differs least is found without comparing it with all.
//
// A point is a row of values, one a column; the columns are what facts are about, and coordinates. Those in which all
// rows agree tell nothing about nearness and are left out.
type vanished struct {
	points  []vanishedPoint // by address
	columns []column
	names   map[factName]int // columns by name
}

type vanishedPoint struct {
	point string       // in brackets
	facts []store.Fact // sorted
}

type column struct {
	name   factName // of class "coordinate" for those
	weight int
	ids    map[string]int // of values; 0 is for none
	values []int          // by row
	rows   map[int][]int  // by value, in order
}

// A fact in common outweighs all coordinates.
const (
	factWeight       = 1 << 10
	coordinateWeight = 1
)

// findVanished fills p.gone.
func (p *planner) findVanished() {
	here := map[string]bool{}
	for _, n := range p.graph.unselected().Nodes {
		here[n.Addr] = true
	}
	var addrs []string
	for _, addr := range sortedKeys(p.keys) {
		if !here[addr] && strings.Contains(addr, "[") {
			addrs = append(addrs, addr)
		}
	}
	results := make([]*store.Result, len(addrs))
	parallel(len(addrs), func(i int) { results[i], _ = p.st.Result(p.keys[addrs[i]]) })
	p.gone = map[string]*vanished{}
	for i, addr := range addrs {
		if results[i] == nil {
			continue
		}
		block, point, _ := strings.Cut(addr, "[")
		if p.gone[block] == nil {
			p.gone[block] = &vanished{}
		}
		p.gone[block].points = append(p.gone[block].points, vanishedPoint{"[" + point, sorted(results[i].Key)})
	}
	for _, v := range p.gone {
		v.index()
	}
}

// index fills the columns.
func (v *vanished) index() {
	v.names = map[factName]int{}
	var all []column
	set := func(row int, name factName, weight int, value string) {
		i, ok := v.names[name]
		if !ok {
			i = len(all)
			v.names[name] = i
			all = append(all, column{name: name, weight: weight, ids: map[string]int{}, values: make([]int, len(v.points))})
		}
		c := &all[i]
		id, ok := c.ids[value]
		if !ok {
			id = len(c.ids) + 1
			c.ids[value] = id
		}
		c.values[row] = id
	}
	for row, p := range v.points {
		for _, f := range p.facts {
			set(row, nameOf(f), factWeight, f.Value)
		}
		for _, c := range coordinates(p.point) {
			set(row, factName{"coordinate", c.name}, coordinateWeight, c.text)
		}
	}
	clear(v.names)
	for _, c := range all {
		if !slices.ContainsFunc(c.values, func(id int) bool { return id != c.values[0] }) {
			continue
		}
		c.rows = map[int][]int{}
		for row, id := range c.values {
			c.rows[id] = append(c.rows[id], row)
		}
		v.names[c.name] = len(v.columns)
		v.columns = append(v.columns, c)
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

// nearest returns the point that agrees with facts, as far as they are known, in most of what they are about, and of
// several the one with the most coordinates in common; nil where nothing vanished. Of what remains it is one of the
// first, the same every time.
func (v *vanished) nearest(point Point, facts []store.Fact, complete bool) *vanishedPoint {
	if v == nil || len(v.points) == 0 {
		return nil
	}
	values := make([]int, len(v.columns)) // 0 is for none, -1 for one that no row has
	known := make([]bool, len(v.columns))
	look := func(name factName, value string) {
		if i, ok := v.names[name]; ok {
			known[i] = true
			if values[i], ok = v.columns[i].ids[value]; !ok {
				values[i] = -1
			}
		}
	}
	for i, c := range v.columns { // what is missing is known to be, but for inputs that are waited for
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
	for i, c := range v.columns {
		if known[i] && len(c.rows[values[i]]) > 0 {
			order = append(order, i)
			most += c.weight
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return len(v.columns[a].rows[values[a]]) - len(v.columns[b].rows[values[b]])
	})
	best, reached := 0, -1
	for k, i := range order {
		if reached >= most {
			break
		}
		for _, row := range v.columns[i].rows[values[i]] {
			agrees := func(j int) bool { return v.columns[j].values[row] == values[j] }
			if slices.ContainsFunc(order[:k], agrees) {
				continue // it was visited then
			}
			score := 0
			for _, j := range order[k:] {
				if agrees(j) {
					score += v.columns[j].weight
				}
			}
			if score > reached {
				best, reached = row, score
			}
			if reached == most {
				break
			}
		}
		most -= v.columns[i].weight
	}
	return &v.points[best]
}
