package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"anneal/pipeline"
)

func (c *command) replicate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replicate [PIPELINE] --seeds N",
		Short: "Run a pipeline as if its grids listed more seeds",
		Long: `Run a pipeline as if its grids listed more seeds, without an edit of its file.

Every list of seeds that a grid has as its axis counts as one of N values: those
listed, then the whole numbers above the largest. Only what that adds is
computed; reports take it in. "anneal run" leaves the added points out until the
file lists them, and a larger N later computes only the difference.`,
		Args: cobra.MaximumNArgs(1),
	}
	how := running(cmd)
	part := selection(cmd)
	seeds := cmd.Flags().Int("seeds", 0, "how many values the axis is to have: `N`")
	axis := cmd.Flags().String("axis", "seed", "the axis to extend: seed, or a `NAME` that ends in _seed")
	dry := cmd.Flags().Bool("dry-run", false, "only say what would be added, and what it would cost")
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		if *seeds < 1 {
			return usagef("--seeds must be given, at least 1")
		}
		if !pipeline.IsSeed(*axis) {
			return usagef("--axis %s: an axis of seeds is called seed, or ends in _seed", *axis)
		}
		listed, _, err := c.one(names)
		if err != nil {
			return err
		}
		c.seeds = map[string]int{*axis: *seeds}
		g, found, err := c.one(names)
		if err != nil {
			return err
		}
		lists := found[*axis]
		if len(lists) == 0 {
			var others []string
			for name := range found {
				others = append(others, name)
			}
			slices.Sort(others)
			if others != nil {
				return usagef("no grid of %s lists values of %s; there is --axis %s", g.Name, *axis, strings.Join(others, ", --axis "))
			}
			return usagef("no grid of %s lists values of %s: write for_each = grid({ %s = [1], ... }) in a block, and %s = each.value.%s", g.Name, *axis, *axis, *axis, *axis)
		}
		lists = slices.DeleteFunc(lists, func(a pipeline.SeedAxis) bool { return len(a.All) == len(a.Listed) })
		if len(lists) == 0 {
			fmt.Fprintf(c.stderr, "%s: nothing to add: every list of %s has %s or more.\n", g.Name, *axis, count(*seeds, "value"))
			return nil
		}
		graphs, err := selected([]*pipeline.Graph{g}, part)
		if err != nil {
			return err
		}
		g = graphs[0]
		if c.json && *dry {
			return c.planJSON(g, c.foreseen(g, *how.cores))
		}
		if !c.json {
			c.announce(listed, g, *axis, lists)
			c.planSummary(g, c.foreseen(g, *how.cores), *how.cores)
		}
		if *dry {
			return nil
		}
		if !c.json {
			fmt.Fprintln(c.stdout)
		}
		if err := c.execute(cmd, []*pipeline.Graph{g}, how); err != nil {
			return err
		}
		if !c.json {
			for _, l := range lists {
				fmt.Fprintf(c.stdout, "To keep them, write %s = %s where the file has %s; `anneal run` leaves them out until then.\n", *axis, numbers(l.All), numbers(l.Listed))
			}
		}
		return nil
	}
	return cmd
}

// one decodes the pipeline named, or the file's only one, and returns the lists of seeds that its grids have.
func (c *command) one(names []string) (*pipeline.Graph, map[string][]pipeline.SeedAxis, error) {
	config, err := c.load()
	if err != nil {
		return nil, nil, err
	}
	if len(names) == 0 {
		if names = config.Pipelines; len(names) != 1 {
			return nil, nil, usagef("which pipeline? There are %s", strings.Join(names, ", "))
		}
	}
	graphs, err := config.Graphs(names)
	if err != nil {
		return nil, nil, err
	}
	return graphs[0], config.SeedAxes(), nil
}

// foreseen plans g, with what its steps will cost.
func (c *command) foreseen(g *pipeline.Graph, cores int) []pipeline.Step {
	st := c.store()
	steps := g.Plan(st)
	g.Cost(st, steps, cores)
	return steps
}

// announce says which seeds are added, and to how many stages more they lead than are listed.
func (c *command) announce(listed, g *pipeline.Graph, axis string, lists []pipeline.SeedAxis) {
	for _, l := range lists {
		fmt.Fprintf(c.stdout, "%s: %s → %s\n", axis, numbers(l.Listed), numbers(l.All))
	}
	there := map[string]bool{}
	for _, n := range listed.Nodes {
		there[n.Addr] = true
	}
	added := map[string]int{}
	var kinds []string
	for _, n := range g.Nodes {
		if there[n.Addr] {
			continue
		}
		if added[n.Kind.Name]++; added[n.Kind.Name] == 1 {
			kinds = append(kinds, n.Kind.Name)
		}
	}
	total := 0
	parts := make([]string, len(kinds))
	for i, k := range kinds {
		total += added[k]
		parts[i] = count(added[k], k)
	}
	fmt.Fprintf(c.stdout, "adds %s: %s\n", count(total, "stage"), strings.Join(parts, ", "))
}

// numbers prints a list as a file would have it.
func numbers(all []int64) string {
	parts := make([]string, len(all))
	for i, n := range all {
		parts[i] = fmt.Sprint(n)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
