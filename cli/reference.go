package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"anneal/pipeline"
)

// Reference returns the pages of docs/reference by their names, made of what the program itself goes by: kinds, blocks
// and functions as they are decoded, commands as they are parsed.
func Reference(app App) map[string]string {
	c := &command{app: app, stdout: io.Discard, stderr: io.Discard}
	return reference(c.describe(), c.commands())
}

const generated = "<!-- Made by `make reference` from the code. Edit the descriptions there. -->\n\n"

func reference(s *pipeline.Schema, root *cobra.Command) map[string]string {
	pages := map[string]string{
		"README.md":    indexPage(s),
		"blocks.md":    blocksPage(s),
		"functions.md": functionsPage(s),
		"commands.md":  commandsPage(root),
		"artifacts.md": artifactsPage(s),
	}
	for _, k := range s.Kinds {
		pages[k.Name+".md"] = kindPage(k)
	}
	for name, text := range pages {
		pages[name] = generated + text
	}
	return pages
}

func indexPage(s *pipeline.Schema) string {
	var b strings.Builder
	fmt.Fprint(&b, "# Reference\n\nWhat a file may say, and what the program can do. `anneal schema NAME` shows the same in a terminal; `anneal schema --json` is all of it for programs.\n\n")
	fmt.Fprint(&b, "| kind of stage | |\n|---|---|\n")
	for _, k := range s.Kinds {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s |\n", k.Name, k.Name, inCell(firstSentence(k.Description)))
	}
	fmt.Fprint(&b, "\nWhat every stage takes besides, and what else stands in a file: [blocks](blocks.md). In expressions: [functions](functions.md). In a terminal: [commands](commands.md). What stages leave: [artifacts](artifacts.md).\n\n")
	fmt.Fprint(&b, "On these pages \"—\" marks an attribute that is unset where it is left out. An `integer` is a number without a fraction.\nAn attribute that reads an artifact takes those of the types named, and a `source` is the path of a file or folder, or a function such as `gofile(...)`.\n\n")
	fmt.Fprint(&b, "The JSON of `anneal schema --json` is one document with the members `kinds`, `stage` (what every stage takes), `blocks`, `executors` and `functions`, in an order that stays the same.\n"+
		"A kind has `attributes`, `blocks`, `outputs` and `examples`; a block `occurs` (`required`; `defaults`: absent, its defaults hold; `optional`; `repeated`), may have a `label`, and has `attributes` and `blocks` of its own.\n"+
		"An attribute has a `type`, and as they apply `required`, `default` (as HCL writes it), `values` (the words that it takes), `artifacts` (the types that it reads), `points` (whether sweep points of what it reads enter the key) and `unkeyed` (whether it stays out of the key).\n")
	return b.String()
}

func kindPage(k pipeline.KindDoc) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", k.Name, k.Description)
	for _, e := range k.Examples {
		fmt.Fprintf(&b, "\n```hcl\n%s\n```\n", e)
	}
	fmt.Fprint(&b, "\n## Attributes\n")
	var before []said
	bodySection(&b, 3, "", k.BodyDoc, &before)
	fmt.Fprint(&b, "\n## Outputs\n\n| output | type | |\n|---|---|---|\n")
	for _, o := range k.Outputs {
		of := fmt.Sprintf("[%s](artifacts.md#type-%s)", o.Type, o.Type)
		if o.Schema != "" {
			of += ", " + schemaLink(o.Schema)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", o.Name, of, inCell(o.Doc))
	}
	fmt.Fprintf(&b, "\nWhat every stage takes besides: [stage](blocks.md#stage). Version %d of the kind, which is part of its keys.\n", k.Version)
	return b.String()
}

// bodySection writes a table of attributes, then a section for each block.
func bodySection(b *strings.Builder, level int, path string, d pipeline.BodyDoc, before *[]said) {
	if len(d.Attributes)+len(d.Blocks) > 0 {
		fmt.Fprint(b, "\n| attribute | type | default | |\n|---|---|---|---|\n")
	}
	first := make([]string, len(d.Blocks)) // where an equal body was described, "" where it is to be
	for i, inner := range d.Blocks {
		first[i] = remember(before, blockPath(path, inner), inner.BodyDoc)
	}
	if len(d.Attributes)+len(d.Blocks) > 0 {
		for _, a := range d.Attributes {
			value := "—"
			switch {
			case a.Required:
				value = "required"
			case a.Default != "":
				value = code(a.Default)
			}
			fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", a.Name, inCell(attributeType(a)), value, inCell(attributeText(a)))
		}
		for i, inner := range d.Blocks {
			text := inner.Description
			if first[i] != "" {
				text += "; takes what `" + first[i] + "` takes"
			}
			fmt.Fprintf(b, "| `%s { … }` | block | %s | %s |\n", labelled(inner.Name, inner), occurs(inner.Occurs), inCell(text))
		}
	}
	for i, inner := range d.Blocks {
		if at := blockPath(path, inner); first[i] == "" {
			fmt.Fprintf(b, "\n%s `%s`\n\n%s\n", strings.Repeat("#", level), labelled(at, inner), sentence(inner.Description))
			bodySection(b, level, at, inner.BodyDoc, before)
		}
	}
}

// blockPath names a block by the blocks around it.
func blockPath(path string, b pipeline.BlockDoc) string {
	return strings.TrimPrefix(path+"."+b.Name, ".")
}

// labelled puts a block's label behind its name.
func labelled(name string, b pipeline.BlockDoc) string {
	if b.Label == "" {
		return name
	}
	return fmt.Sprintf("%s %q", name, b.Label)
}

// attributeText is what an attribute's row says of it.
func attributeText(a pipeline.AttributeDoc) string {
	text := a.Description
	if len(a.Values) > 0 {
		words := make([]string, len(a.Values))
		for i, w := range a.Values {
			words[i] = code(fmt.Sprintf("%q", w))
		}
		text = strings.Join(words, ", ") + ": " + text
	}
	if a.Points {
		text += "; their sweep points enter the key too"
	}
	return text
}

// inCell makes text fit for a table's cell.
func inCell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// code marks a literal, for a table's cell too.
func code(s string) string { return "`" + inCell(s) + "`" }

// sentence makes one of a description, which is a phrase.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.ContainsAny(s[len(s)-1:], ".?!") {
		s += "."
	}
	return s
}

func blocksPage(s *pipeline.Schema) string {
	var b strings.Builder
	fmt.Fprint(&b, "# Blocks\n\nWhat stands at the top of a file, and what every stage takes. [Language](../language.md) tells how they work together.\n")
	for _, block := range append(append([]pipeline.BlockDoc{}, s.Blocks...), s.Stage) {
		topSection(&b, s.Form(block), block)
	}
	if len(s.Executors) > 0 {
		fmt.Fprint(&b, "\n# Executors\n\nKinds of `executor` blocks, by their labels.\n")
		for _, e := range s.Executors {
			topSection(&b, s.Form(e), e)
		}
	}
	return b.String()
}

func topSection(b *strings.Builder, form string, block pipeline.BlockDoc) {
	fmt.Fprintf(b, "\n## %s\n\n`%s { … }`\n\n%s\n", block.Name, form, sentence(block.Description))
	bodySection(b, 3, block.Name, block.BodyDoc, new([]said))
}

func functionsPage(s *pipeline.Schema) string {
	var b strings.Builder
	fmt.Fprint(&b, "# Functions\n\nOf expressions, in files. None depends on time or chance; `name...` takes any number of arguments.\n\n| function | |\n|---|---|\n")
	for _, f := range s.Functions {
		fmt.Fprintf(&b, "| %s | %s |\n", code(signature(f)), inCell(strings.ReplaceAll(f.Description, "\n", " ")))
	}
	return b.String()
}

func commandsPage(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Commands\n\n%s.\n\nEvery command takes\n", root.Short)
	flagTable(&b, root.PersistentFlags())
	fmt.Fprint(&b, "\nand `--help`. It exits with 0: done; 1: a stage or the world failed; 2: changes are due, where `plan --detailed-exitcode` asks; 3: a file or the command line is wrong, and nothing ran.\n")
	for _, g := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(g.Title, ":"))
		for _, cmd := range root.Commands() {
			if cmd.GroupID == g.ID && cmd.IsAvailableCommand() {
				commandSection(&b, 3, cmd)
			}
		}
	}
	return b.String()
}

func commandSection(b *strings.Builder, level int, cmd *cobra.Command) {
	usage, path := strings.TrimSuffix(cmd.UseLine(), " [flags]"), cmd.CommandPath()
	fmt.Fprintf(b, "\n%s %s\n\n", strings.Repeat("#", level), strings.TrimPrefix(path, "anneal "))
	if strings.TrimSpace(usage) != path {
		fmt.Fprintf(b, "`%s`\n\n", usage)
	}
	for i, paragraph := range paragraphs(description(cmd)) {
		if i > 0 {
			fmt.Fprintln(b)
		}
		if verbatim(paragraph) {
			paragraph = "```text\n" + dedent(paragraph) + "\n```"
		}
		fmt.Fprintln(b, paragraph)
	}
	if cmd.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", dedent(cmd.Example))
	}
	flagTable(b, cmd.LocalNonPersistentFlags())
	for _, inner := range cmd.Commands() {
		commandSection(b, level+1, inner)
	}
}

// dedent takes the indentation off that help prints examples with.
func dedent(s string) string {
	lines := strings.Split(strings.Trim(s, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}

func flagTable(b *strings.Builder, flags *pflag.FlagSet) {
	title := "\n| flag | |\n|---|---|\n"
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		fmt.Fprint(b, title)
		title = ""
		placeholder, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if placeholder != "" {
			name += " " + placeholder
		}
		if d := f.DefValue; d != "" && d != "false" && d != "[]" && d != "0" {
			usage += fmt.Sprintf(" (default %s)", d)
		}
		fmt.Fprintf(b, "| %s | %s |\n", code(name), inCell(usage))
	})
}
