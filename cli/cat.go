package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"anneal/artifacts"
	"anneal/artifacts/store"
	"anneal/pipeline"
)

// head is how cat shows artifacts.
type head struct {
	*command
	rows int64 // of each table or list
	all  bool
	cut  int // characters of a text
}

func (c *command) cat() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cat ADDR[.OUTPUT]|DIGEST",
		Short: "Show the head of an artifact: rows, decoded tokens, tensors",
		Example: `  anneal cat probe.scores                       # a whole sweep: one table, coordinates first
  anneal cat 'pretrain.base[seed=1].metrics' -n 20`,
		Args: cobra.ExactArgs(1),
	}
	rows := cmd.Flags().Int64P("rows", "n", 10, "show `N` rows")
	all := cmd.Flags().Bool("all", false, "show all rows, and texts whole")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *rows < 1 {
			return usagef("--rows must be at least 1, is %d", *rows)
		}
		named, err := c.artifacts(args[0])
		if err != nil {
			return err
		}
		h := &head{c, *rows, *all, 40}
		if *all {
			h.rows, h.cut = math.MaxInt64, math.MaxInt
		}
		return h.show(named)
	}
	return cmd
}

// artifact is a stored output that an argument names.
type artifact struct {
	name  string // address and output, or the digest where no address is known
	point pipeline.Point
	blob  store.Blob
}

// stored returns what results does, to be read: of several that left equal bytes, which a digest names, the first.
func (c *command) stored(arg string) ([]*named, error) {
	all, err := c.results(arg)
	if hexadecimal.MatchString(arg) && len(all) > 1 {
		all = all[:1]
	}
	return all, err
}

// axes lists the coordinates that points have, those that only some of them have too, as of a union: columns without
// values, by their names.
func axes(points []pipeline.Point) []artifacts.Column {
	var all []artifacts.Column
	in := map[string]int{}
	for _, p := range points {
		for _, c := range p {
			if in[c.Name]++; in[c.Name] == 1 {
				all = append(all, artifacts.Column{Name: c.Name, Type: artifacts.TypeOf(c.Value)})
			}
		}
	}
	for i := range all {
		all[i].Optional = in[all[i].Name] < len(points)
	}
	slices.SortFunc(all, func(a, b artifacts.Column) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// ofSweep ends the name of a coordinate where the stage has a column of that name too.
const ofSweep = "_of_sweep"

// join puts the coordinates of a point before the columns of a table; null is one that the point has not.
func join(t *artifacts.Table, axes []artifacts.Column, point pipeline.Point) error {
	for _, axis := range slices.Backward(axes) {
		value := point.Get(axis.Name)
		if t.Column(axis.Name) != nil {
			axis.Name += ofSweep
		}
		if value == nil {
			axis.Values = make([]any, t.Rows())
			t.Columns = slices.Insert(t.Columns, 0, axis)
		} else if err := t.Prepend(axis.Name, value); err != nil {
			return err
		}
	}
	return nil
}

// artifacts returns the stored outputs that arg names, all of one name.
func (c *command) artifacts(arg string) ([]artifact, error) {
	st := c.store()
	named, err := c.stored(arg)
	if err != nil {
		return nil, err
	}
	var all []artifact
	for _, n := range named {
		if err := n.need(st); err != nil {
			return nil, err
		}
		if n.log {
			all = append(all, artifact{n.title(), n.point, *n.result.Made.Log})
			continue
		}
		outputs := sortedNames(n.result.Outputs)
		switch {
		case n.output == "" && len(outputs) == 1:
			n.output = outputs[0]
		case n.output == "":
			return nil, usagef("%s leaves %s: write %s.%s, say", n.title(), strings.Join(outputs, ", "), arg, outputs[0])
		}
		b := n.result.Outputs[n.output]
		if st.Dropped(b) {
			return nil, fmt.Errorf("%s.%s was dropped; a run that needs it makes it again", n.title(), n.output)
		}
		all = append(all, artifact{n.title() + "." + n.output, n.point, b})
	}
	return all, nil
}

// show prints artifacts of one type: flat tables as one, others one by one.
func (h *head) show(all []artifact) error {
	st := h.store()
	dir, err := os.MkdirTemp(st.Dir(), "cat-")
	if err != nil { // a store that is only to be read
		dir, err = os.MkdirTemp("", "anneal-cat-")
	}
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	paths := make([]string, len(all))
	for i, a := range all {
		paths[i] = filepath.Join(dir, fmt.Sprint(i))
		if err := stage(st, a.blob, paths[i]); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	if flat(all[0].blob, paths[0]) && (h.json || !slices.Contains([]string{"text", "examples", "passages"}, all[0].blob.Type)) {
		return h.table(all, paths)
	}
	for i, a := range all {
		if !h.json {
			if i > 0 {
				fmt.Fprintln(h.stdout)
			}
			tint := palette(h.color(h.stdout))
			fmt.Fprintf(h.stdout, "%s%s%s: %s, %s\n", tint.bold, a.name, tint.reset, a.blob.Type, bytes(a.blob.Size))
		}
		if err := h.one(a, paths[i]); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return nil
}

// flat tells whether an artifact is one table of plain columns.
func flat(b store.Blob, path string) bool {
	if b.Tree {
		return false
	}
	_, _, err := artifacts.ReadHead(path, 0)
	return err == nil
}

// one prints an artifact that is no flat table, or a text.
func (h *head) one(a artifact, path string) error {
	switch a.blob.Type {
	case "text":
		return h.text(path)
	case "examples":
		return h.examples(path)
	case "passages":
		return h.passages(path)
	case "tokens":
		return h.tokens(path)
	case "vocabulary":
		return h.vocabulary(path)
	case "weights":
		return h.weights(a.name, path)
	}
	if a.blob.Tree {
		return h.files(path)
	}
	return h.plain(path)
}

// table prints the rows of tables as one table with the coordinates of their points; of several, the first rows of each.
func (h *head) table(all []artifact, paths []string) error {
	each := max(1, h.rows/int64(len(all)))
	points := make([]pipeline.Point, len(all))
	for i, a := range all {
		points[i] = a.point
	}
	columns := axes(points)
	whole := new(artifacts.Table)
	var rows int64
	for i, a := range all {
		t, n, err := artifacts.ReadHead(paths[i], each)
		if err != nil {
			return err
		}
		rows += n
		if err := errors.Join(join(t, columns, a.point), whole.Append(t)); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	if h.json {
		return h.rowsJSON(whole)
	}
	c := cells(whole, h.cut)
	c.tint = palette(h.color(h.stdout))
	if terminal(h.stdout) != nil && !h.all {
		c.width = h.width()
	}
	c.print(h.stdout)
	of := ""
	if len(all) > 1 {
		of = fmt.Sprintf(" of %d points", len(all))
	}
	if shown := int64(whole.Rows()); shown < rows {
		fmt.Fprintf(h.stdout, "%s%d of %d rows%s; --all shows all%s\n", c.tint.dim, shown, rows, of, c.tint.reset)
	} else {
		fmt.Fprintf(h.stdout, "%s%s%s%s\n", c.tint.dim, count(int(rows), "row"), of, c.tint.reset)
	}
	return nil
}

// rowsJSON prints rows as objects, names in the order of columns.
func (h *head) rowsJSON(t *artifacts.Table) error {
	for i := range t.Rows() {
		var line strings.Builder
		for k, c := range t.Columns {
			sep := ","
			if k == 0 {
				sep = "{"
			}
			v := c.Values[i]
			if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
				v = nil // JSON has no such number
			}
			name, err := plainJSON(c.Name)
			if err != nil {
				return err
			}
			value, err := plainJSON(v)
			if err != nil {
				return err
			}
			fmt.Fprintf(&line, "%s%s:%s", sep, name, value)
		}
		if _, err := fmt.Fprintln(h.stdout, line.String()+"}"); err != nil {
			return err
		}
	}
	return nil
}

// plainJSON encodes a value without escaping what HTML would want escaped.
func plainJSON(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}
