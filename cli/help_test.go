package cli

import (
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// TestHelp: every command stands under a heading, its summary fits a line of 80 columns, and examples are of commands and
// flags that there are.
func TestHelp(t *testing.T) {
	root := (&command{stdout: io.Discard, stderr: io.Discard}).commands()
	for _, g := range groups {
		for _, name := range g.commands {
			if cmd, _, err := root.Find([]string{name}); err != nil || cmd == root {
				t.Errorf("%s has a heading, and is no command", name)
			}
		}
	}
	for _, cmd := range root.Commands() {
		if cmd.GroupID == "" {
			t.Errorf("%s has no heading: name it in groups", cmd.Name())
		}
		if n := utf8.RuneCountInString(cmd.Short); n == 0 || n > 66 || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("the summary of %s has %d characters, or a full stop: write a phrase of 1 to 66, and a Long text", cmd.Name(), n)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			placeholder, usage := pflag.UnquoteUsage(f)
			if usage == "" || f.Value.Type() != "bool" && placeholder == f.Value.Type() {
				t.Errorf("%s --%s: its usage names no `PLACEHOLDER`", cmd.Name(), f.Name)
			}
		})
		for line := range strings.Lines(cmd.Example) {
			for _, invocation := range strings.Split(line, "anneal ")[1:] {
				words := strings.Fields(invocation)
				found, _, err := root.Find(words)
				if err != nil || found == root {
					t.Errorf("%s: the example runs a command that is not there: %s", cmd.Name(), line)
					continue
				}
				for _, w := range words {
					if strings.HasPrefix(w, "-") && len(w) > 1 {
						name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
						known := found.Flags().Lookup(name) != nil || root.PersistentFlags().Lookup(name) != nil
						if len(name) == 1 {
							known = found.Flags().ShorthandLookup(name) != nil || root.PersistentFlags().ShorthandLookup(name) != nil
						}
						if !known {
							t.Errorf("%s: the example gives a flag that is not there: %s", cmd.Name(), line)
						}
					}
				}
			}
		}
	}
}
