package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

func (c *command) lineage() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lineage ADDR|RUN:ADDR|DIGEST|FILE",
		Short: "Show everything that a result came from",
		Args:  cobra.ExactArgs(1),
	}
	all := cmd.Flags().Bool("all", false, "show every instance of a sweep")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		named, err := c.results(args[0])
		if err != nil {
			return err
		}
		st := c.store()
		var roots []*pipeline.Origin
		seen := map[store.Digest]bool{}
		for _, n := range named {
			if err := n.need(st); err != nil {
				return err
			}
			if !seen[n.key] {
				seen[n.key] = true
				roots = append(roots, pipeline.Lineage(st, n.key))
			}
		}
		t := c.tree(st, roots, named, *all)
		if c.json {
			return t.json(roots)
		}
		for i, o := range roots {
			if i > 0 {
				fmt.Fprintln(c.stdout)
			}
			t.root(o)
		}
		return nil
	}
	return cmd
}

// ancestry draws trees of origins.
type ancestry struct {
	*command
	all    bool
	places map[store.Digest]pipeline.Place
	made   map[store.Digest]*pipeline.Making
	nodes  map[string]*pipeline.Node // of the files as they are now, by PIPELINE/ADDR
	kinds  map[string]*pipeline.Kind
	drawn  map[store.Digest]bool
	tint   colors
}

func (c *command) tree(st *store.Store, roots []*pipeline.Origin, named []*named, all bool) *ancestry {
	var keys []store.Digest
	seen := map[store.Digest]bool{}
	for _, o := range roots {
		for _, a := range o.Ancestors() {
			if !seen[a.Key] {
				seen[a.Key] = true
				keys = append(keys, a.Key)
			}
		}
	}
	t := &ancestry{command: c, all: all, places: pipeline.Places(st, keys), made: pipeline.Makings(st, keys),
		nodes: map[string]*pipeline.Node{}, kinds: map[string]*pipeline.Kind{}, drawn: map[store.Digest]bool{}, tint: palette(c.color(c.stdout))}
	for _, k := range c.app.Kinds {
		t.kinds[k.Name] = k
	}
	for _, n := range named {
		if n.addr != "" {
			t.places[n.key] = pipeline.Place{Run: &pipeline.Record{Pipeline: n.pipeline}, Addr: n.addr}
		}
	}
	t.declared(named)
	return t
}

// declared collects the nodes that the files have, which know the names of local files. Lineage does without them where
// the files are gone or wrong.
func (t *ancestry) declared(named []*named) {
	graphs := map[string]*pipeline.Graph{}
	for _, n := range named {
		if n.graph != nil {
			graphs[n.pipeline] = n.graph
		}
	}
	var missing []string
	for _, p := range t.places {
		if name := p.Run.Pipeline; graphs[name] == nil && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		if config, err := t.load(); err == nil {
			for _, name := range missing {
				if g, err := config.Graphs([]string{name}); err == nil {
					graphs[name] = g[0]
				}
			}
		}
	}
	for name, g := range graphs {
		for _, n := range g.Nodes {
			t.nodes[name+"/"+n.Addr] = n
		}
	}
}

func (t *ancestry) title(o *pipeline.Origin) string {
	if p, ok := t.places[o.Key]; ok {
		return p.Addr
	}
	return o.Key.Short()
}

func (t *ancestry) root(o *pipeline.Origin) {
	title := t.title(o)
	if p, ok := t.places[o.Key]; ok {
		title = p.Run.Pipeline + "/" + title
	}
	fmt.Fprintf(t.stdout, "%s%s%s\n", t.tint.bold, title, t.tint.reset)
	t.below(o, "")
}

// below draws what there is to say about o and what it came from.
func (t *ancestry) below(o *pipeline.Origin, indent string) {
	bar := "   "
	if len(o.Inputs) > 0 {
		bar = "│  "
	}
	t.about(o, indent+bar)
	if t.drawn[o.Key] {
		return
	}
	t.drawn[o.Key] = true
	type producer struct {
		origin *pipeline.Origin
		edges  []string
	}
	var producers []*producer
	of := map[*pipeline.Origin]*producer{}
	for _, in := range o.Inputs {
		p := of[in.From]
		if p == nil {
			p = &producer{origin: in.From}
			of[in.From] = p
			producers = append(producers, p)
		}
		name := t.title(in.From)
		if in.Output != "" {
			name += "." + in.Output
		}
		p.edges = append(p.edges, fmt.Sprintf("%s%s = %s%s %s%s%s", t.tint.dim, in.Field, t.tint.reset, name, t.tint.dim, in.Blob.Digest.Short(), t.tint.reset))
	}
	shown, left := map[string]int{}, map[string]int{}
	var drawn []*producer
	var blocks []string
	for _, p := range producers {
		block, _, _ := strings.Cut(t.title(p.origin), "[")
		if shown[block]++; !t.all && shown[block] > few {
			if left[block]++; left[block] == 1 {
				blocks = append(blocks, block)
			}
			continue
		}
		drawn = append(drawn, p)
	}
	for i, p := range drawn {
		last := i == len(drawn)-1 && len(blocks) == 0
		branch, further := "├─ ", "│  "
		if last {
			branch, further = "└─ ", "   "
		}
		seen := t.drawn[p.origin.Key]
		for k, e := range p.edges {
			if k > 0 {
				branch = further
			}
			if seen && k == len(p.edges)-1 {
				e += t.tint.dim + " (see above)" + t.tint.reset
			}
			fmt.Fprintf(t.stdout, "%s%s%s\n", indent, branch, e)
		}
		if seen {
			continue
		}
		t.below(p.origin, indent+further)
	}
	for i, block := range blocks {
		branch := "├─ "
		if i == len(blocks)-1 {
			branch = "└─ "
		}
		fmt.Fprintf(t.stdout, "%s%s… and %s of %s; --all shows all\n", indent, branch, count(left[block], "more instance"), block)
	}
}

// few is how many instances of a block are drawn below one result.
const few = 3

// about prints lines on a result: how it was made, of which settings, from which sources.
func (t *ancestry) about(o *pipeline.Origin, indent string) {
	say := func(text string) { fmt.Fprintf(t.stdout, "%s%s\n", indent, text) }
	if o.Result == nil {
		say(fmt.Sprintf("key %s, no longer stored", o.Key.Short()))
		return
	}
	text := fmt.Sprintf("key %s", o.Key.Short())
	if m := t.made[o.Key]; m != nil {
		text += fmt.Sprintf(", made %s by run %s", day(m.End.Time), m.Run.Short())
		if m.Run.Name != "" {
			text += " (" + m.Run.Name + ")"
		}
	}
	say(t.tint.dim + text + t.tint.reset)
	if a := o.Result.Made.Accepted; a != nil {
		say(fmt.Sprintf("%saccepted %s from %s: %s%s", t.tint.yellow, day(a.Time), a.From.Short(), oneLine(a.Reason), t.tint.reset))
	}
	for _, line := range wrap(t.settings(o), ", ", t.width()-utf8.RuneCountInString(indent)) {
		say(line)
	}
	for _, source := range t.sources(o) {
		say(source)
	}
}

func (t *ancestry) settings(o *pipeline.Origin) []string {
	if k := t.kinds[pipeline.MadeBy(o.Result)]; k != nil {
		return pipeline.Settings(k, o.Result.Key)
	}
	return nil
}

func (t *ancestry) sources(o *pipeline.Origin) []string {
	var node *pipeline.Node
	if p, ok := t.places[o.Key]; ok {
		node = t.nodes[p.Run.Pipeline+"/"+p.Addr]
	}
	return pipeline.Sources(o.Result, node)
}

// wrap joins parts to lines of at most width characters, where a part alone is not longer.
func wrap(parts []string, between string, width int) []string {
	var lines []string
	line := ""
	for _, p := range parts {
		if line != "" && utf8.RuneCountInString(line)+len(between)+utf8.RuneCountInString(p) > width {
			lines = append(lines, line+strings.TrimRight(between, " "))
			line = ""
		}
		if line != "" {
			line += between
		}
		line += p
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// originJSON is one result of a lineage.
type originJSON struct {
	Key      store.Digest          `json:"key"`
	Pipeline string                `json:"pipeline,omitempty"`
	Addr     string                `json:"addr,omitempty"`
	Kind     string                `json:"kind,omitempty"`
	Settings []string              `json:"settings,omitempty"`
	Sources  []string              `json:"sources,omitempty"`
	Run      string                `json:"run,omitempty"`
	Time     *time.Time            `json:"time,omitempty"`
	Inputs   []inputJSON           `json:"inputs,omitempty"`
	Outputs  map[string]store.Blob `json:"outputs,omitempty"` // absent where the result is no longer stored
	Accepted *store.Accepted       `json:"accepted,omitempty"`
}

type inputJSON struct {
	Field  string       `json:"field"`
	Key    store.Digest `json:"key"` // of what made it
	Output string       `json:"output,omitempty"`
	Digest store.Digest `json:"digest"`
}

// json prints a line a result, what was made first first.
func (t *ancestry) json(roots []*pipeline.Origin) error {
	for _, root := range roots {
		for _, o := range root.Ancestors() {
			if t.drawn[o.Key] {
				continue
			}
			t.drawn[o.Key] = true
			line := originJSON{Key: o.Key}
			if p, ok := t.places[o.Key]; ok {
				line.Pipeline, line.Addr = p.Run.Pipeline, p.Addr
			}
			if m := t.made[o.Key]; m != nil {
				line.Run, line.Time = m.Run.ID, &m.End.Time
			}
			if o.Result != nil {
				line.Kind, line.Settings, line.Sources = pipeline.MadeBy(o.Result), t.settings(o), t.sources(o)
				line.Outputs, line.Accepted = o.Result.Outputs, o.Result.Made.Accepted
			}
			for _, in := range o.Inputs {
				line.Inputs = append(line.Inputs, inputJSON{in.Field, in.From.Key, in.Output, in.Blob.Digest})
			}
			if err := t.line(line); err != nil {
				return err
			}
		}
	}
	return nil
}
