package cli

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"anneal/artifacts"
	"anneal/artifacts/store"
	"anneal/pipeline"
)

// origins joins to the reports of a run what artifacts do not hold: the addresses of what they were made of, the facts of
// these, and the commands that make them again.
type origins struct {
	*command
	graph    *pipeline.Graph
	results  map[*pipeline.Node]*store.Result
	cores    int
	order    map[*pipeline.Node]int
	sections map[*pipeline.Node]string
	replicas map[string]string // by command, what a page says
}

func (c *command) origins(g *pipeline.Graph, out *pipeline.Outcome, cores int) *origins {
	o := &origins{command: c, graph: g, results: out.Results, cores: cores,
		order: map[*pipeline.Node]int{}, sections: map[*pipeline.Node]string{}, replicas: map[string]string{}}
	for i, n := range g.Nodes {
		o.order[n] = i
	}
	return o
}

// of lists the artifacts that n was made of, by their digests. Equal bytes may come from several places.
func (o *origins) of(n *pipeline.Node) map[store.Digest][]pipeline.Ref {
	all := map[store.Digest][]pipeline.Ref{}
	for _, ref := range n.Inputs() {
		if res := o.results[ref.Node]; res != nil {
			digest := res.Outputs[ref.Output].Digest
			all[digest] = append(all[digest], ref)
		}
	}
	return all
}

// again is the command that does what words say, with the flags that decided what this run was about.
func (o *origins) again(words ...string) string {
	words = append([]string{"anneal"}, words...)
	if o.dir != "" {
		words = append(words, "-C", o.dir)
	}
	if o.file != "." {
		words = append(words, "-f", o.file)
	}
	for _, v := range o.vars {
		words = append(words, "--var", v)
	}
	for _, f := range o.varFiles {
		words = append(words, "--var-file", f)
	}
	return o.graph.Mask(shellWords(words))
}

// remake is the command that makes n anew.
func (o *origins) remake(n *pipeline.Node) string {
	for axis, seeds := range o.seeds {
		return o.again(append(replicateWords(o.graph.Name, axis, strconv.Itoa(seeds)), "--replace", n.Addr)...)
	}
	return o.again("run", o.graph.Name, "--replace", n.Addr)
}

func replicateWords(pipeline, axis, seeds string) []string {
	words := []string{"replicate", pipeline, "--seeds", seeds}
	if axis != "seed" {
		words = append(words, "--axis", axis)
	}
	return words
}

// marker is a place on a report's page that waits for what only the command line knows.
var marker = regexp.MustCompile(`<span class="(?:origin" data-digest="([0-9a-f]{64})|replicate" data-axis="([A-Za-z0-9_]+)" data-seeds="([0-9]+))"></span>`)

// fill fills the markers of a page: origins with their addresses, a link to what they came from, and the command that makes
// them again; more seeds with the command that adds them and what that costs.
func (o *origins) fill(page string, of map[store.Digest][]pipeline.Ref) string {
	var b strings.Builder
	end := 0
	for _, m := range marker.FindAllStringSubmatchIndex(page, -1) {
		at := m[1] - len("</span>")
		b.WriteString(page[end:at])
		if end = at; m[2] >= 0 {
			digest, _ := store.ParseDigest(page[m[2]:m[3]])
			b.WriteString(o.origin(digest, of[digest]))
		} else {
			b.WriteString(o.replica(page[m[4]:m[5]], page[m[6]:m[7]]))
		}
	}
	return b.String() + page[end:]
}

func (o *origins) origin(digest store.Digest, refs []pipeline.Ref) string {
	if refs == nil {
		return ""
	}
	var b strings.Builder
	for _, ref := range refs {
		fmt.Fprintf(&b, "<code>%s</code> ", html.EscapeString(ref.String()))
	}
	fmt.Fprintf(&b, `<a href="%s">lineage</a> <code>%s</code>`, lineageFile(digest), html.EscapeString(o.remake(refs[0].Node)))
	return b.String()
}

func (o *origins) replica(axis, seeds string) string {
	command := o.again(replicateWords(o.graph.Name, axis, seeds)...)
	if _, known := o.replicas[command]; !known {
		text := "<code>" + html.EscapeString(command) + "</code>"
		if cost := o.added(axis, seeds); cost != "" {
			text += " (" + cost + ")"
		}
		o.replicas[command] = text
	}
	return o.replicas[command]
}

// added foretells what more seeds cost, "" where they cannot be planned.
func (o *origins) added(axis, seeds string) string {
	n, err := strconv.Atoi(seeds)
	if err != nil {
		return ""
	}
	c := *o.command
	c.seeds = map[string]int{axis: n}
	g, found, err := c.one([]string{o.graph.Name})
	if err != nil || found[axis] == nil {
		return ""
	}
	cost := pipeline.CostOf(c.foreseen(g, o.cores), o.cores)
	stages := 0
	for _, k := range cost.Kinds {
		stages += k.Count
	}
	text := count(stages, "stage")
	if stages > cost.Unknown {
		text = "about " + duration(max(0.1, cost.Wall)) + ", " + text
	}
	return text
}

// copy copies a file of a report: a table compressed, a page filled.
func (o *origins) copy(from, to string, of map[store.Digest][]pipeline.Ref) error {
	switch filepath.Ext(from) {
	case ".parquet":
		return o.copyTable(from, to, of)
	case ".html":
		page, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return os.WriteFile(to, []byte(o.fill(string(page), of)), 0o666)
	}
	return copyFile(from, to)
}

// copyTable copies a table of a report, compressed, with what is known of its columns.
func (o *origins) copyTable(from, to string, of map[store.Digest][]pipeline.Ref) error {
	columns, err := artifacts.TableColumns(from)
	if err != nil {
		return err
	}
	about := recognised(columns)
	if about.Columns == nil {
		about.Columns = o.said(columns, of)
	}
	w, err := artifacts.CreateTable(to, artifacts.Parquet, columns, about)
	if err != nil {
		return err
	}
	for batch, err := range artifacts.Batches(from) {
		if err == nil {
			err = w.Write(batch)
		}
		if err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return w.Close()
}

// said describes columns of a report's table: a coordinate of what the report was made of, or as the tables among that have it
// which have a column of the name and the type. What these disagree on is left out.
func (o *origins) said(columns []artifacts.Column, of map[store.Digest][]pipeline.Ref) []artifacts.ColumnDoc {
	var docs []artifacts.ColumnDoc
	for _, c := range columns {
		var doc *artifacts.ColumnDoc
		for _, refs := range of {
			for _, ref := range refs {
				doc = agreed(doc, o.saidBy(ref, c))
			}
		}
		if doc != nil {
			docs = append(docs, *doc)
		}
	}
	return docs
}

// saidBy describes a column as one artifact has it, nil where it has no such column.
func (o *origins) saidBy(ref pipeline.Ref, c artifacts.Column) *artifacts.ColumnDoc {
	if ref.Node.Point.Get(c.Name) != nil {
		return &sweepDocs([]artifacts.Column{c})[0]
	}
	s := o.schemaOf(ref.Node.Kind.Name, ref.Output, o.results[ref.Node].Outputs[ref.Output].Type)
	if s == nil {
		return nil
	}
	i := slices.IndexFunc(s.Columns, func(d artifacts.ColumnDoc) bool { return d.Name == c.Name && d.Type == c.Type })
	if i < 0 {
		return nil
	}
	return &s.Columns[i]
}

// agreed is what two say in common of a column, of which nil says nothing.
func agreed(a, b *artifacts.ColumnDoc) *artifacts.ColumnDoc {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	both := *a
	for _, text := range []struct {
		of   *string
		said string
	}{{&both.Unit, b.Unit}, {&both.Null, b.Null}, {&both.Doc, b.Doc}} {
		if *text.of != text.said {
			*text.of = ""
		}
	}
	return &both
}

// lineageFile names the file that tells of an artifact, from the folder of the report.
func lineageFile(digest store.Digest) string { return "lineage/" + digest.String()[:12] + ".txt" }

// artifactRow is an artifact that a report was made of: a row of lineage/artifacts.parquet.
type artifactRow struct {
	Digest  string `parquet:"digest" doc:"SHA-256 of its bytes"`
	Address string `parquet:"address" doc:"of the stage, and the output"`
	Kind    string `parquet:"kind" doc:"of the stage"`
	Key     string `parquet:"key" doc:"of the result"`
	Command string `parquet:"command" doc:"that makes it anew"`
}

var lineages = artifacts.SchemaOf[artifactRow]("lineage", 1, "an artifact that the report was made of")

// write leaves in the folder of a report a file for each artifact that the report was made of, and a table of
// all.
func (o *origins) write(w *written, folder string, of map[store.Digest][]pipeline.Ref) error {
	if len(of) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(w.root, folder, "lineage"), 0o777); err != nil {
		return err
	}
	var rows []artifactRow
	digests := make([]store.Digest, 0, len(of))
	for digest := range of {
		digests = append(digests, digest)
	}
	slices.SortFunc(digests, func(a, b store.Digest) int { return o.order[of[a][0].Node] - o.order[of[b][0].Node] })
	for _, digest := range digests {
		for _, ref := range of[digest] {
			rows = append(rows, artifactRow{digest.String(), ref.String(), ref.Node.Kind.Name, store.Key(o.results[ref.Node].Key).String(), o.remake(ref.Node)})
		}
		text := []byte(o.text(of[digest]))
		name := filepath.Join(folder, filepath.FromSlash(lineageFile(digest)))
		if err := replace(filepath.Join(w.root, name), func(part string) error { return os.WriteFile(part, text, 0o666) }); err != nil {
			return err
		}
		w.wrote(name, sha256.Sum256(text))
	}
	name := filepath.Join(folder, "lineage", "artifacts.parquet")
	return replace(filepath.Join(w.root, name), func(part string) error {
		table, err := artifacts.CreateRows[artifactRow](part, describe(&lineages))
		if err != nil {
			return err
		}
		for _, row := range rows {
			err = errors.Join(err, table.Write(row))
		}
		if err := errors.Join(err, table.Close()); err != nil {
			return err
		}
		digest, _, err := store.HashFile(part)
		w.wrote(name, digest)
		return err
	})
}

// text tells of an artifact that stands at several places: what it is, how it is made again, and what it came from, each
// stage before those that it reads from.
func (o *origins) text(refs []pipeline.Ref) string {
	var b strings.Builder
	all := map[*pipeline.Node]bool{}
	blob := o.results[refs[0].Node].Outputs[refs[0].Output]
	fmt.Fprintf(&b, "%s %s\n", blob.Type, blob.Digest)
	for _, ref := range refs {
		fmt.Fprintf(&b, "\n%s/%s\n  %s\n", o.graph.Name, ref, o.remake(ref.Node))
		o.ancestors(ref.Node, all)
	}
	nodes := make([]*pipeline.Node, 0, len(all))
	for n := range all {
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b *pipeline.Node) int { return o.order[b] - o.order[a] })
	for _, n := range nodes {
		b.WriteString("\n" + o.section(n))
	}
	return b.String()
}

// ancestors adds n and all that it came from.
func (o *origins) ancestors(n *pipeline.Node, all map[*pipeline.Node]bool) {
	if all[n] || o.results[n] == nil {
		return
	}
	all[n] = true
	for _, ref := range n.Inputs() {
		o.ancestors(ref.Node, all)
	}
}

// section tells of one stage: its key and its facts.
func (o *origins) section(n *pipeline.Node) string {
	if text, known := o.sections[n]; known {
		return text
	}
	res := o.results[n]
	more := map[string]string{} // by what a fact holds, what people call it
	for digest, refs := range o.of(n) {
		more[digest.String()] = " from " + refs[0].String()
	}
	for _, source := range pipeline.Sources(res, n) {
		field, what, _ := strings.Cut(source, " = ")
		if i := strings.LastIndexByte(what, ' '); i >= 0 {
			more[field] = " " + what[:i]
		}
	}
	facts := factColumns(res, func(f store.Fact) string {
		switch f.Kind {
		case "input":
			_, digest, _ := strings.Cut(f.Value, " ")
			return more[digest]
		case "file":
			return more[f.Name]
		}
		return ""
	})
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nkey %s\n", n.Addr, store.Key(res.Key))
	if a := res.Made.Accepted; a != nil {
		fmt.Fprintf(&b, "accepted as what %s left: %s\n", a.From.Short(), oneLine(a.Reason))
	}
	facts.print(&b)
	o.sections[n] = b.String()
	return o.sections[n]
}
