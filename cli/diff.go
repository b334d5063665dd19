package cli

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"anneal/artifacts"
	"anneal/artifacts/store"
	"anneal/pipeline"
)

func (c *command) diff() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff RUN RUN | ADDR ADDR",
		Short: "Tell in what two runs or two results differ",
		Long:  `Tell in what two runs or two results differ: settings, inputs and what made those differ, metrics.`,
		Example: `  anneal diff last~1 last
  anneal diff 'pretrain.base[weight_decay=0]' 'pretrain.base[weight_decay=1]'`,
		Args: cobra.ExactArgs(2),
	}
	all := cmd.Flags().Bool("all", false, "show every instance of a sweep")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		st := c.store()
		a, b, err := c.twoRuns(st, args[0], args[1])
		if err != nil {
			return err
		}
		d := &differ{command: c, st: st, all: *all, tint: palette(c.color(c.stdout))}
		if a != nil {
			d.comparison = pipeline.Compare(st, c.app.Kinds, a, b)
			return d.runs(a, b)
		}
		d.comparison = pipeline.Compare(st, c.app.Kinds)
		return d.results(args[0], args[1])
	}
	return cmd
}

// differ prints differences.
type differ struct {
	*command
	st         *store.Store
	comparison *pipeline.Comparison
	all        bool
	tint       colors
	tables     map[store.Digest]*artifacts.Table // last rows
}

// pair are two results at one place, one of them nil where the place came or went.
type pair struct {
	pipeline, addr string // of the second, where there is one
	point          string // or the address, of what is not swept
	a, b           *store.Result
	keys           [2]store.Digest
	values         []metric
	*pipeline.Difference
}

// blockPairs are those of one block.
type blockPairs struct {
	block string
	pairs []*pair
}

// results compares what two addresses name: their results, or those of two sweeps point by point.
func (d *differ) results(first, second string) error {
	a, err := d.command.results(first)
	if err != nil {
		return err
	}
	b, err := d.command.results(second)
	if err != nil {
		return err
	}
	a, b = once(a), once(b)
	for _, n := range append(slices.Clone(a), b...) {
		if err := n.need(d.st); err != nil {
			return err
		}
	}
	if len(a) == 1 && len(b) == 1 {
		if x, y := pipeline.MadeBy(a[0].result), pipeline.MadeBy(b[0].result); x != y {
			return usagef("%s is of kind %s, %s of kind %s; results of one kind can be compared", a[0].title(), x, b[0].title(), y)
		}
		if !d.json {
			fmt.Fprintf(d.stdout, "%s%s → %s%s\n", d.tint.bold, d.of(a[0]), d.of(b[0]), d.tint.reset)
		}
		p, err := d.pair(b[0].title(), a[0], b[0])
		if err != nil {
			return err
		}
		if d.json {
			return d.pairJSON(p)
		}
		if p.keys[0] == p.keys[1] {
			fmt.Fprintln(d.stdout, "They are one result.")
			return nil
		}
		d.details([]*pair{p}, "  ")
		return nil
	}
	block := blockPairs{block: b[0].title()}
	block.block, _, _ = strings.Cut(block.block, "[")
	at := map[string]*named{}
	for _, n := range a {
		at[n.point.String()] = n
	}
	for _, n := range b {
		p, err := d.pair("["+n.point.String()+"]", at[n.point.String()], n)
		if err != nil {
			return err
		}
		delete(at, n.point.String())
		block.pairs = append(block.pairs, p)
	}
	for _, point := range sortedNames(at) {
		p, err := d.pair("["+point+"]", at[point], nil)
		if err != nil {
			return err
		}
		block.pairs = append(block.pairs, p)
	}
	if d.json {
		return d.blockJSON(block)
	}
	if equal := d.block(block); equal {
		fmt.Fprintln(d.stdout, "All results are equal.")
	}
	return nil
}

// of names a result in a heading, with its run where the argument said one.
func (d *differ) of(n *named) string {
	if n.run != nil {
		return n.run.Short() + ":" + n.title()
	}
	return n.title()
}

func (d *differ) pair(point string, a, b *named) (*pair, error) {
	p := &pair{point: point}
	if a != nil {
		p.pipeline, p.addr = a.pipeline, a.addr
		p.a, p.keys[0] = a.result, a.key
	}
	if b != nil {
		p.pipeline, p.addr = b.pipeline, b.addr
		p.b, p.keys[1] = b.result, b.key
	}
	return p, d.compare(p)
}

// compare fills in what differs.
func (d *differ) compare(p *pair) error {
	if p.a == nil || p.b == nil || p.keys[0] == p.keys[1] {
		return nil
	}
	p.Difference = d.comparison.Results(p.a, p.b)
	for _, name := range sortedNames(p.b.Outputs) {
		x, had := p.a.Outputs[name]
		y := p.b.Outputs[name]
		if !had || x.Type != "table" || y.Type != "table" || x.Digest == y.Digest {
			continue
		}
		was, err := d.lastRow(x)
		if err != nil {
			return err
		}
		is, err := d.lastRow(y)
		if err != nil {
			return err
		}
		p.values = append(p.values, metrics(name, was, is)...)
	}
	return nil
}

// details prints in what equal pairs differ, and their metrics one by one.
func (d *differ) details(pairs []*pair, indent string) {
	p := pairs[0]
	for _, change := range p.Changes {
		fmt.Fprintf(d.stdout, "%s%s\n", indent, change)
	}
	for _, line := range inputLines(p.Difference) {
		fmt.Fprintf(d.stdout, "%s%s\n", indent, line)
	}
	if len(pairs) == 1 && p.Equal > 0 {
		fmt.Fprintf(d.stdout, "%s%s%s equal%s\n", indent, d.tint.dim, count(p.Equal, "other fact"), d.tint.reset)
	}
	t := &columns{right: []bool{false, false, false}}
	equal, left := 0, 0
	told, untold := 0, 0 // instances some number of which changed
	for _, p := range pairs {
		changed := slices.DeleteFunc(slices.Clone(p.values), func(m metric) bool {
			return m.Was == m.Is || math.IsNaN(m.Was) && math.IsNaN(m.Is)
		})
		equal += len(p.values) - len(changed)
		switch {
		case len(changed) == 0:
			continue
		case !d.all && told == few:
			untold++
			left += len(changed)
			continue
		}
		told++
		point := p.point
		for _, m := range changed {
			t.rows = append(t.rows, []string{point, m.Output + "." + m.Name, m.change()})
			point = ""
		}
	}
	if len(pairs) == 1 {
		for i := range t.rows {
			t.rows[i] = t.rows[i][1:]
		}
		t.right = t.right[1:]
	}
	for i := range t.rows {
		t.rows[i][0] = indent + t.rows[i][0]
	}
	t.print(d.stdout)
	if left > 0 {
		fmt.Fprintf(d.stdout, "%s%s… and %s of %s; --all shows all%s\n", indent, d.tint.dim, count(left, "more number"), count(untold, "more instance"), d.tint.reset)
	}
	if equal > 0 {
		fmt.Fprintf(d.stdout, "%s%s%s equal%s\n", indent, d.tint.dim, count(equal, "number"), d.tint.reset)
	}
}

// inputLines says of which inputs the content differs, and why; fields of which the same is to be said share a line, and
// so do rows of a field.
func inputLines(p *pipeline.Difference) []string {
	fields := map[string][]string{}
	rows := map[string]int{} // by what is said and field
	var order []string
	for _, in := range p.Inputs {
		var causes []string
		for _, cause := range in.Causes {
			causes = append(causes, cause.String())
		}
		why := strings.Join(causes, "; ")
		if fields[why] == nil {
			order = append(order, why)
		}
		field, _, _ := strings.Cut(in.Field, "[")
		if rows[why+"\x00"+field]++; rows[why+"\x00"+field] == 1 {
			fields[why] = append(fields[why], in.Field)
		}
	}
	var lines []string
	for _, why := range order {
		of := fields[why]
		verb := "differs"
		if len(of) > 1 {
			verb = "differ"
		}
		for i := range of {
			field, _, _ := strings.Cut(of[i], "[")
			if n := rows[why+"\x00"+field]; n > 1 {
				of[i] = fmt.Sprintf("%s at %d points", field, n)
			}
		}
		lines = append(lines, fmt.Sprintf("%s %s since %s", strings.Join(of, ", "), verb, why))
	}
	return lines
}

// said is what tells groups of pairs apart.
func (p *pair) said() string {
	return strings.Join(append(slices.Clone(p.Changes), inputLines(p.Difference)...), "\n")
}

// block prints what came, went and changed of a block. equal tells that nothing did.
func (d *differ) block(b blockPairs) (equal bool) {
	var came, went []string
	var order []string
	same := 0
	changed := map[string][]*pair{}
	for _, p := range b.pairs {
		switch {
		case p.keys[0].IsZero():
			came = append(came, p.point)
		case p.keys[1].IsZero():
			went = append(went, p.point)
		case p.keys[0] == p.keys[1]:
			same++
		case p.Difference == nil:
			if changed[""] == nil {
				order = append(order, "")
			}
			changed[""] = append(changed[""], p)
		default:
			if changed[p.said()] == nil {
				order = append(order, p.said())
			}
			changed[p.said()] = append(changed[p.said()], p)
		}
	}
	if same == len(b.pairs) {
		return true
	}
	note := ""
	if same > 0 {
		note = fmt.Sprintf("%s (%d equal)%s", d.tint.dim, same, d.tint.reset)
	}
	fmt.Fprintf(d.stdout, "%s%s%s%s\n", d.tint.bold, b.block, d.tint.reset, note)
	list := func(mark, color string, points []string) {
		for i, p := range points {
			if !d.all && i == many {
				fmt.Fprintf(d.stdout, "  %s… and %d more%s\n", color, len(points)-i, d.tint.reset)
				return
			}
			fmt.Fprintf(d.stdout, "  %s%s %s%s\n", color, mark, p, d.tint.reset)
		}
	}
	list("+", d.tint.green, came)
	list("-", d.tint.red, went)
	for _, said := range order {
		group := changed[said]
		switch {
		case said == "" && group[0].Difference == nil:
			fmt.Fprintf(d.stdout, "  %s of which a result is no longer stored\n", count(len(group), "instance"))
		case len(b.pairs) == 1:
			d.details(group, "  ")
		default:
			fmt.Fprintf(d.stdout, "  %s~ %s%s\n", d.tint.yellow, pointsOf(group), d.tint.reset)
			d.details(group, "    ")
		}
	}
	return false
}

// pointsOf names the points of pairs, some of them where there are many.
func pointsOf(pairs []*pair) string {
	var points []string
	for _, p := range pairs[:min(few, len(pairs))] {
		points = append(points, p.point)
	}
	if more := len(pairs) - len(points); more > 0 {
		points = append(points, fmt.Sprintf("%d more", more))
	}
	return strings.Join(points, ", ")
}

// pairJSON prints what became of one result.
func (d *differ) pairJSON(p *pair) error {
	line := struct {
		Pipeline string `json:"pipeline,omitempty"`
		Addr     string `json:"addr,omitempty"`
		Change   string `json:"change"` // came, went, changed, equal
		Was      string `json:"was,omitempty"`
		Is       string `json:"is,omitempty"` // keys
		*pipeline.Difference
		Metrics []metric `json:"metrics,omitempty"`
	}{Pipeline: p.pipeline, Addr: p.addr, Change: "changed", Difference: p.Difference, Metrics: p.values}
	if !p.keys[0].IsZero() {
		line.Was = p.keys[0].String()
	}
	if !p.keys[1].IsZero() {
		line.Is = p.keys[1].String()
	}
	switch {
	case p.keys[0] == p.keys[1]:
		line.Change = "equal"
	case line.Was == "":
		line.Change = "came"
	case line.Is == "":
		line.Change = "went"
	}
	line.Metrics = slices.DeleteFunc(slices.Clone(line.Metrics), func(m metric) bool {
		return math.IsNaN(m.Was) || math.IsNaN(m.Is) || math.IsInf(m.Was, 0) || math.IsInf(m.Is, 0)
	})
	return d.line(line)
}

// blockJSON prints a line for every result that is not equal.
func (d *differ) blockJSON(b blockPairs) error {
	for _, p := range b.pairs {
		if p.keys[0] == p.keys[1] {
			continue
		}
		if err := d.pairJSON(p); err != nil {
			return err
		}
	}
	return nil
}
