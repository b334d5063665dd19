package cli

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// twoRuns returns the runs that both arguments name, nil where one is no run. Two of the form last~1 are of one pipeline.
func (c *command) twoRuns(st *store.Store, first, second string) (a, b *pipeline.Record, err error) {
	if strings.ContainsAny(first+second, ":[") {
		return nil, nil, nil
	}
	in := ""
	for _, arg := range []string{first, second} {
		if r, err := pipeline.FindRun(st, "", arg); err == nil && !strings.HasPrefix(arg, pipeline.Latest) {
			in = r.Pipeline
		}
	}
	if last, err := pipeline.FindRun(st, "", pipeline.Latest); in == "" && err == nil {
		in = last.Pipeline
	}
	find := func(arg string) (*pipeline.Record, error) {
		r, err := pipeline.FindRun(st, in, arg)
		if err != nil {
			r, err = pipeline.FindRun(st, "", arg)
		}
		if err != nil && strings.Contains(arg, ".") {
			return nil, nil // an address
		}
		if err != nil {
			return nil, usagef("%w", err)
		}
		return r, nil
	}
	if a, err = find(first); a == nil || err != nil {
		return nil, nil, err
	}
	if b, err = find(second); b == nil || err != nil {
		return nil, nil, err
	}
	if a.Pipeline != b.Pipeline {
		return nil, nil, usagef("%s is a run of %s, %s one of %s; two runs of one pipeline can be compared", a.Short(), a.Pipeline, b.Short(), b.Pipeline)
	}
	for _, r := range []*pipeline.Record{a, b} {
		if r.Unfinished {
			return nil, nil, usagef("run %s is unfinished and left no results to compare", r.Short())
		}
	}
	return a, b, nil
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
		if x, y := kindOf(a[0].result), kindOf(b[0].result); x != y {
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

// lastRow reads the last row of a table, nil where the table is no longer there or has none.
func (d *differ) lastRow(b store.Blob) (*artifacts.Table, error) {
	if t, ok := d.tables[b.Digest]; ok {
		return t, nil
	}
	if d.tables == nil {
		d.tables = map[store.Digest]*artifacts.Table{}
	}
	d.tables[b.Digest] = nil
	if err := d.st.Present(b); err != nil {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "anneal-diff-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "table")
	if err := stage(d.st, b, path); err != nil {
		return nil, err
	}
	t, err := artifacts.ReadTable(path)
	if err != nil || t.Rows() == 0 {
		return nil, nil // no flat table
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		c.Values = c.Values[len(c.Values)-1:]
	}
	d.tables[b.Digest] = t
	return t, nil
}

// metric is a number in the last row of a table.
type metric struct {
	Output string  `json:"output"`
	Name   string  `json:"name"`
	Was    float64 `json:"was"`
	Is     float64 `json:"is"`
}

// metrics compares the numbers of two rows. Rows that stand for different things, by their words, are not compared.
func metrics(output string, was, is *artifacts.Table) []metric {
	if was == nil || is == nil {
		return nil
	}
	var all []metric
	for _, c := range is.Columns {
		old := was.Column(c.Name)
		if old == nil || old.Type != c.Type || c.Values[0] == nil || old.Values[0] == nil {
			continue
		}
		switch v := c.Values[0].(type) {
		case float64:
			all = append(all, metric{output, c.Name, old.Values[0].(float64), v})
		case int64:
			all = append(all, metric{output, c.Name, float64(old.Values[0].(int64)), float64(v)})
		default:
			if v != old.Values[0] {
				return nil
			}
		}
	}
	return all
}

// change prints a metric as 1.573 → 1.575 (+0.002), with the digits in which it changed.
func (m metric) change() string {
	delta := m.Is - m.Was
	digits := 0
	if m.Was != math.Trunc(m.Was) || m.Is != math.Trunc(m.Is) {
		digits = min(12, max(3, 1+int(math.Ceil(-math.Log10(math.Abs(delta))))))
	}
	text := func(v float64) string {
		if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e9) {
			return number(v)
		}
		return strconv.FormatFloat(v, 'f', digits, 64)
	}
	by := text(delta)
	if !strings.HasPrefix(by, "-") && !strings.HasPrefix(by, "+") {
		by = "+" + by
	}
	return fmt.Sprintf("%s → %s (%s)", text(m.Was), text(m.Is), by)
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

// runs compares what two runs of a pipeline left.
func (d *differ) runs(a, b *pipeline.Record) error {
	blocks, order := map[string]*blockPairs{}, []string{}
	was, is := map[string]store.Digest{}, map[string]store.Digest{}
	for addr, key := range a.Reached() {
		was[addr] = key
	}
	for addr, key := range b.Reached() {
		is[addr] = key
	}
	addrs := slices.Compact(slices.Sorted(slices.Values(append(sortedNames(was), sortedNames(is)...))))
	pipeline.SortAddrs(addrs)
	depth := map[string]int{}
	for _, addr := range addrs {
		block, _, swept := strings.Cut(addr, "[")
		p := &pair{pipeline: b.Pipeline, addr: addr, point: addr[len(block):], keys: [2]store.Digest{was[addr], is[addr]}}
		if !swept {
			p.point = addr
		}
		if p.keys[0] != p.keys[1] {
			if r, err := d.st.Result(p.keys[0]); err == nil {
				p.a = r
			}
			if r, err := d.st.Result(p.keys[1]); err == nil {
				p.b = r
			}
			depth[block] = max(depth[block], d.comparison.Depth(p.keys[0]), d.comparison.Depth(p.keys[1]))
			if err := d.compare(p); err != nil {
				return err
			}
		}
		if blocks[block] == nil {
			blocks[block] = &blockPairs{block: block}
			order = append(order, block)
		}
		blocks[block].pairs = append(blocks[block].pairs, p)
	}
	slices.SortStableFunc(order, func(a, b string) int { return depth[a] - depth[b] }) // what made others differ comes first
	if d.json {
		for _, block := range order {
			if err := d.blockJSON(*blocks[block]); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Fprintf(d.stdout, "%s%s: run %s → run %s%s\n", d.tint.bold, b.Pipeline, runTitle(a), runTitle(b), d.tint.reset)
	d.files(a.Sources, b.Sources)
	d.files(a.Files, b.Files)
	for _, r := range []*pipeline.Record{a, b} {
		if n := len(r.Before); n > 0 {
			fmt.Fprintf(d.stdout, "%sof %s run %s has what earlier runs left%s\n", d.tint.dim, count(n, "stage"), r.Short(), d.tint.reset)
		}
	}
	equal := 0
	for _, block := range order {
		if d.block(*blocks[block]) {
			equal += len(blocks[block].pairs)
		}
	}
	switch {
	case equal == len(addrs):
		fmt.Fprintf(d.stdout, "All results are equal, %d of them.\n", equal)
	case equal > 0:
		fmt.Fprintf(d.stdout, "%s equal in the other blocks\n", count(equal, "result"))
	}
	return nil
}

func runTitle(r *pipeline.Record) string {
	if r.Name != "" {
		return fmt.Sprintf("%s (%s, %s)", r.Short(), r.Name, day(r.Started))
	}
	return fmt.Sprintf("%s (%s)", r.Short(), day(r.Started))
}

// files says which of the files that the runs were made from differ.
func (d *differ) files(before, after map[string]store.Digest) {
	var changed []string
	all := slices.Compact(slices.Sorted(slices.Values(append(sortedNames(before), sortedNames(after)...))))
	for _, path := range all {
		was, had := before[path]
		is, has := after[path]
		switch {
		case had && has && was != is:
			changed = append(changed, path+" changed")
		case had && !has:
			changed = append(changed, path+" went")
		case has && !had:
			changed = append(changed, path+" came")
		}
	}
	if more := len(changed) - many; more > 0 && !d.all {
		changed = append(changed[:many], count(more, "more file"))
	}
	if changed != nil {
		fmt.Fprintf(d.stdout, "%s%s%s\n", d.tint.dim, strings.Join(changed, ", "), d.tint.reset)
	}
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
