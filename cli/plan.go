package cli

import (
	"encoding/json"
	"fmt"
	"slices"
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
				err = c.planText(g, steps, g.Cost(st, steps))
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

func (c *command) planText(g *pipeline.Graph, steps []pipeline.Step, cost pipeline.Cost) error {
	tint := palette(c.color(c.stdout))
	colors := map[string]string{pipeline.Cached: tint.dim, pipeline.Run: tint.green, pipeline.Maybe: tint.yellow}
	counts := map[string]int{}
	kinds := map[string]map[string]int{}
	var order []string
	for _, s := range steps {
		counts[s.Do]++
		if kinds[s.Do] == nil {
			kinds[s.Do] = map[string]int{}
		}
		kind := s.Node.Kind.Name
		kinds[s.Do][kind]++
		if !slices.Contains(order, kind) {
			order = append(order, kind)
		}
		why := s.Why
		if len(why) > 1 && s.Do == pipeline.Run {
			why = slices.DeleteFunc(slices.Clone(why), func(w string) bool { return strings.HasPrefix(w, pipeline.WaitsFor) })
		}
		fmt.Fprintf(c.stdout, "%s%6s%s %s", colors[s.Do], s.Do, tint.reset, s.Node.Addr)
		text := strings.Join(why, "; ")
		switch width := c.width(); {
		case text == "":
		case len(s.Node.Addr)+len(text) < width-10:
			fmt.Fprintf(c.stdout, " %s(%s)%s", tint.dim, text, tint.reset)
		case len(text) < width-8:
			fmt.Fprintf(c.stdout, "\n       %s%s%s", tint.dim, text, tint.reset)
		default:
			for _, w := range why {
				fmt.Fprintf(c.stdout, "\n       %s%s%s", tint.dim, w, tint.reset)
			}
		}
		fmt.Fprintln(c.stdout)
	}
	fmt.Fprintf(c.stdout, "\n%s%s%s: ", tint.bold, g.Name, tint.reset)
	if counts[pipeline.Run]+counts[pipeline.Maybe] == 0 {
		fmt.Fprintf(c.stdout, "nothing to do, all %s cached.\n", count(counts[pipeline.Cached], "stage"))
		return nil
	}
	fmt.Fprintf(c.stdout, "%s.\n", tally(counts[pipeline.Run], "to run", counts[pipeline.Maybe], "maybe", counts[pipeline.Cached], "cached"))
	for _, line := range []struct{ do, text string }{{pipeline.Run, "to run"}, {pipeline.Maybe, "maybe, once their inputs are known"}} {
		var parts []string
		for _, kind := range order {
			if n := kinds[line.do][kind]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, kind))
			}
		}
		if parts != nil {
			fmt.Fprintf(c.stdout, "  %s: %s\n", line.text, strings.Join(parts, ", "))
		}
	}
	if cost.Seconds > 0 {
		fmt.Fprintf(c.stdout, "  going by past runs, at most %s of stages' time and %s\n", duration(cost.Seconds), bytes(cost.Bytes))
	}
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
