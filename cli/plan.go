package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"anneal/pipeline"
)

func (c *command) plan() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan [PIPELINE...]",
		Short: "Tell what a run would compute, and why; of all pipelines if none is named",
		Args:  cobra.ArbitraryArgs,
	}
	detailed := cmd.Flags().Bool("detailed-exitcode", false, "exit 2 if something is to run")
	cmd.RunE = func(_ *cobra.Command, names []string) error {
		graphs, err := c.graphs(names)
		if err != nil {
			return err
		}
		changes := false
		st := c.store()
		for i, g := range graphs {
			steps := g.Plan(st)
			for _, s := range steps {
				changes = changes || s.Do != pipeline.Cached
			}
			if c.json {
				err = c.planJSON(g, steps)
			} else {
				if i > 0 {
					fmt.Fprintln(c.stdout)
				}
				err = c.planText(g, steps)
			}
			if err != nil {
				return err
			}
		}
		if *detailed && changes {
			return exit(exitChanges)
		}
		return nil
	}
	return cmd
}

func (c *command) planJSON(g *pipeline.Graph, steps []pipeline.Step) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	for _, s := range steps {
		line := struct {
			Pipeline string   `json:"pipeline"`
			Addr     string   `json:"addr"`
			Kind     string   `json:"kind"`
			Do       string   `json:"do"`
			Why      []string `json:"why"`
			Key      string   `json:"key,omitempty"`
		}{g.Name, s.Node.Addr, s.Node.Kind.Name, s.Do, append([]string{}, s.Why...), ""}
		if !s.Key.IsZero() {
			line.Key = s.Key.String()
		}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

func (c *command) planText(g *pipeline.Graph, steps []pipeline.Step) error {
	tint := palette(c.color(c.stdout))
	colors := map[string]string{pipeline.Cached: tint.dim, pipeline.Run: tint.green, pipeline.Maybe: tint.yellow}
	counts := map[string]int{}
	for _, s := range steps {
		counts[s.Do]++
		fmt.Fprintf(c.stdout, "%s%6s%s %s\n", colors[s.Do], s.Do, tint.reset, s.Node.Addr)
		for _, why := range s.Why {
			fmt.Fprintf(c.stdout, "       %s- %s%s\n", tint.dim, why, tint.reset)
		}
	}
	fmt.Fprintf(c.stdout, "Plan for %s: %s.\n", g.Name, tally(
		counts[pipeline.Run], "to run", counts[pipeline.Maybe], "maybe, once their inputs are known", counts[pipeline.Cached], "cached"))
	return nil
}

// tally joins the counts that are not 0 with their words.
func tally(pairs ...any) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		if n := pairs[i].(int); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, pairs[i+1]))
		}
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// colors are escape sequences, all empty where colours are off.
type colors struct{ dim, red, green, yellow, bold, reset string }

func palette(on bool) colors {
	if !on {
		return colors{}
	}
	return colors{"\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1m", "\x1b[0m"}
}
