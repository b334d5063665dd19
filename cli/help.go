package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// groups are the headings of help, with the commands under each in the order in which one comes to need them.
var groups = []struct {
	id, title string
	commands  []string
}{
	{"write", "Write and check a study:", []string{"init", "fmt", "validate", "schema"}},
	{"run", "Run it:", []string{"plan", "run", "replicate"}},
	{"ask", "Ask about runs and results:", []string{"runs", "show", "why", "diff", "lineage", "graph", "ls", "cat", "query"}},
	{"share", "Hand results on:", []string{"export", "bundle", "open"}},
	{"care", "Take care of the store:", []string{"verify", "accept", "gc"}},
	{"measure", "Measure this machine:", []string{"bench"}},
	{"tools", "For tools:", []string{"completion"}},
}

// arrange puts commands under their headings, in order.
func arrange(root *cobra.Command) {
	cobra.EnableCommandSorting = false
	commands := root.Commands()
	root.RemoveCommand(commands...)
	for _, g := range groups {
		for _, name := range g.commands {
			i := slices.IndexFunc(commands, func(c *cobra.Command) bool { return c.Name() == name })
			if i >= 0 {
				if commands[i].GroupID = g.id; !root.ContainsGroup(g.id) {
					root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
				}
				root.AddCommand(commands[i])
				commands = slices.Delete(commands, i, i+1)
			}
		}
	}
	root.AddCommand(commands...) // those without a heading, which a test demands
	root.SetHelpCommandGroupID("tools")
}

// help prints what a command is for, wrapped to the terminal, and how it is used.
func (c *command) help(cmd *cobra.Command, _ []string) {
	p := &prose{w: c.stdout, width: min(c.width(), 100)}
	for _, paragraph := range paragraphs(description(cmd)) {
		if verbatim(paragraph) {
			fmt.Fprintln(p.w, paragraph)
		} else {
			p.text(0, paragraph)
		}
		fmt.Fprintln(p.w)
	}
	fmt.Fprint(p.w, cmd.UsageString())
}

// description is what help says of a command.
func description(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return cmd.Long
	}
	return cmd.Short + "."
}

func paragraphs(text string) []string { return strings.Split(strings.Trim(text, "\n"), "\n\n") }

// verbatim tells whether a paragraph's lines are to stay as they are.
func verbatim(paragraph string) bool { return strings.HasPrefix(paragraph, "  ") }
