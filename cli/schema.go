package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"anneal/pipeline"
)

func (c *command) schema() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema [KIND|BLOCK|FUNCTION]",
		Short: "Describe kinds of stages, blocks and functions",
		Long: `Describe what a file may say: a kind of stage with its attributes, blocks, defaults and outputs; a block at the
top of a file; a function. Without a name, list them all.

With --json and no name, everything comes as one JSON document, in an order that stays the same, for editors and
other tools. With a name, it is that one's part of it.`,
		Example: `  anneal schema pretrain
  anneal schema grid
  anneal schema --json | jq '.kinds[].name'`,
		Args: cobra.MaximumNArgs(1),
	}
	markdown := cmd.Flags().String("markdown", "", "write the reference into `DIR`")
	cmd.Flags().MarkHidden("markdown")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s := c.describe()
		if *markdown != "" {
			return writeReference(reference(s, cmd.Root()), *markdown)
		}
		var topic any = s
		if len(args) == 1 {
			var err error
			if topic, err = s.Topic(args[0]); err != nil {
				return usagef("%w", err)
			}
		}
		if c.json {
			enc := json.NewEncoder(c.stdout)
			enc.SetEscapeHTML(false)
			return enc.Encode(topic)
		}
		p := &prose{w: c.stdout, width: min(c.width(), 100), tint: palette(c.color(c.stdout))}
		switch t := topic.(type) {
		case *pipeline.Schema:
			p.overview(t)
		case *pipeline.KindDoc:
			p.kind(t, s.Stage.BodyDoc)
		case *pipeline.BlockDoc:
			p.topBlock(s.Form(*t), t)
		case *pipeline.FunctionDoc:
			p.text(0, p.tint.bold+signature(*t)+p.tint.reset)
			p.text(2, t.Description)
		}
		return nil
	}
	return cmd
}

func (c *command) describe() *pipeline.Schema {
	return pipeline.Describe(c.app.Kinds, c.app.Executors, c.app.Starter)
}

// signature prints how a function is called.
func signature(f pipeline.FunctionDoc) string {
	return f.Name + "(" + strings.Join(f.Params, ", ") + ")"
}

// firstSentence returns that of a description, without its full stop.
func firstSentence(description string) string {
	paragraph, _, _ := strings.Cut(description, "\n")
	if i := strings.Index(paragraph, ". "); i >= 0 {
		return paragraph[:i]
	}
	return strings.TrimSuffix(paragraph, ".")
}

// prose prints descriptions for people, wrapped to the terminal.
type prose struct {
	w     io.Writer
	width int
	tint  colors
	said  []said // bodies of blocks that were printed
}

// said is a body of blocks and where it was described first.
type said struct {
	name string
	body string
}

// before returns where an equal body was described already, and remembers this one.
func (p *prose) before(name string, b pipeline.BodyDoc) string { return remember(&p.said, name, b) }

func remember(all *[]said, name string, b pipeline.BodyDoc) string {
	text, err := json.Marshal(b)
	if err != nil {
		panic("cli: a description that is no JSON")
	}
	for _, s := range *all {
		if s.body == string(text) {
			return s.name
		}
	}
	if len(b.Attributes)+len(b.Blocks) > 0 {
		*all = append(*all, said{name, string(text)})
	}
	return ""
}

// text prints a paragraph, indented and wrapped.
func (p *prose) text(indent int, s string) {
	line, used := strings.Repeat(" ", indent), 0
	for _, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		if used > 0 && indent+used+1+n > p.width {
			fmt.Fprintln(p.w, line)
			line, used = strings.Repeat(" ", indent), 0
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	if used > 0 {
		fmt.Fprintln(p.w, line)
	}
}

// pair prints a name and, beside it, what it is.
func (p *prose) pair(indent, column int, name, text string) {
	var b strings.Builder
	inner := &prose{w: &b, width: p.width}
	inner.text(indent+column, text)
	rest := b.String()
	if len(rest) > indent+column {
		rest = rest[indent+column:]
	}
	fmt.Fprintf(p.w, "%*s%s%s%s%*s%s", indent, "", p.tint.bold, name, p.tint.reset, max(1, column-utf8.RuneCountInString(name)), "", strings.TrimRight(rest, "\n"))
	fmt.Fprintln(p.w)
}

func (p *prose) heading(s string) { fmt.Fprintf(p.w, "\n%s%s%s\n", p.tint.bold, s, p.tint.reset) }

func (p *prose) overview(s *pipeline.Schema) {
	fmt.Fprintln(p.w, p.tint.bold+"Kinds of stages"+p.tint.reset)
	for _, k := range s.Kinds {
		p.pair(2, 12, k.Name, firstSentence(k.Description))
	}
	p.heading("Blocks of a file")
	for _, b := range append(slices.Clone(s.Blocks), s.Stage) {
		p.pair(2, 12, b.Name, b.Description)
	}
	if len(s.Executors) > 0 {
		p.heading("Executors")
		for _, b := range s.Executors {
			p.pair(2, 12, b.Name, b.Description)
		}
	}
	p.heading("Functions")
	var names []string
	for _, f := range s.Functions {
		names = append(names, f.Name)
	}
	p.text(2, strings.Join(names, " "))
	fmt.Fprintln(p.w)
	p.text(0, "`anneal schema NAME` says more about any of them.")
}

func (p *prose) kind(k *pipeline.KindDoc, stage pipeline.BodyDoc) {
	fmt.Fprintf(p.w, "%s%s \"name\" { ... }%s   version %d\n", p.tint.bold, k.Name, p.tint.reset, k.Version)
	for paragraph := range strings.SplitSeq(k.Description, "\n\n") {
		fmt.Fprintln(p.w)
		p.text(0, paragraph)
	}
	p.heading("Attributes and blocks")
	p.body(2, "", k.BodyDoc)
	p.heading("Outputs")
	for _, o := range k.Outputs {
		p.pair(2, 14, o.Name, o.Type)
		p.text(6, o.Doc)
	}
	var names []string
	for _, a := range stage.Attributes {
		names = append(names, a.Name)
	}
	for _, b := range stage.Blocks {
		names = append(names, b.Name+" { ... }")
	}
	p.heading("As every stage")
	p.text(2, strings.Join(names, ", ")+": see `anneal schema stage`.")
	if len(k.Examples) > 0 {
		p.heading("Example")
		for line := range strings.Lines(k.Examples[0]) {
			fmt.Fprint(p.w, "  "+line)
		}
		fmt.Fprintln(p.w)
	}
}

func (p *prose) topBlock(form string, b *pipeline.BlockDoc) {
	fmt.Fprintln(p.w, p.tint.bold+form+" { ... }"+p.tint.reset)
	p.text(2, b.Description)
	fmt.Fprintln(p.w)
	p.body(2, "", b.BodyDoc)
}

// body prints attributes, then blocks with what stands in them.
func (p *prose) body(indent int, path string, b pipeline.BodyDoc) {
	width := 0
	for _, a := range b.Attributes {
		width = max(width, len(a.Name)+2)
	}
	for _, a := range b.Attributes {
		p.pair(indent, width, a.Name, attributeFacts(a))
		p.text(indent+4, a.Description)
	}
	for i, inner := range b.Blocks {
		if path == "" && i+len(b.Attributes) > 0 {
			fmt.Fprintln(p.w)
		}
		at := blockPath(path, inner)
		fmt.Fprintf(p.w, "%*s%s%s { ... }%s  %s\n", indent, "", p.tint.bold, labelled(inner.Name, inner), p.tint.reset, occurs(inner.Occurs))
		p.text(indent+4, inner.Description)
		if first := p.before(at, inner.BodyDoc); first != "" {
			p.text(indent+4, "Takes what "+first+" takes.")
			continue
		}
		p.body(indent+4, at, inner.BodyDoc)
	}
}

// occurs says how often a block stands in another.
func occurs(how string) string {
	switch how {
	case pipeline.Required:
		return "required"
	case pipeline.Defaults:
		return "if absent, its defaults hold"
	case pipeline.Optional:
		return "optional"
	}
	return "any number"
}

// attributeFacts says what can be said of an attribute in a few words.
func attributeFacts(a pipeline.AttributeDoc) string {
	parts := []string{attributeType(a)}
	switch {
	case a.Required:
		parts = append(parts, "required")
	case a.Default != "":
		parts = append(parts, "default "+a.Default)
	}
	if len(a.Values) > 0 {
		parts = append(parts, "one of "+strings.Join(a.Values, ", "))
		if strings.HasPrefix(a.Type, "list(") {
			parts[len(parts)-1] = "of " + strings.Join(a.Values, ", ")
		}
	}
	return strings.Join(parts, "; ")
}

// attributeType names the type of an attribute, of an artifact what kind of artifact it may be.
func attributeType(a pipeline.AttributeDoc) string {
	if len(a.Artifacts) == 0 {
		return a.Type
	}
	return strings.Replace(a.Type, "artifact", strings.Join(a.Artifacts, " or ")+" artifact", 1)
}

// writeReference writes the pages into a folder in place of those that stand there.
func writeReference(pages map[string]string, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, ok := pages[filepath.Base(path)]; !ok {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(pages[name]), 0o666); err != nil {
			return err
		}
	}
	return nil
}
