package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

func (c *command) accept() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "accept ADDR... --reason TEXT",
		Short: "Keep the results of an older version of a kind",
		Long: `Keep the results of an older version of a kind, where nothing but versions differs. Of a whole PIPELINE, all such results
are kept. Lineage shows that they were, and why.`,
		Args: cobra.MinimumNArgs(1),
	}
	reason := cmd.Flags().String("reason", "", "`TEXT` that says why the older results are as good; lineage shows it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(*reason) == "" {
			return usagef("--reason: say why the older results are as good as new ones")
		}
		config, err := c.load()
		if err != nil {
			return err
		}
		graphs, err := config.Graphs(config.Pipelines)
		if err != nil {
			return err
		}
		named := map[*pipeline.Node]bool{}
		whole := map[*pipeline.Graph]bool{}
		for _, arg := range args {
			if i := slices.IndexFunc(graphs, func(g *pipeline.Graph) bool { return g.Name == arg }); i >= 0 {
				whole[graphs[i]] = true
				continue
			}
			found, err := pipeline.Match(graphs, arg)
			if err != nil {
				return usagef("%w", err)
			}
			for n := range found {
				named[n] = true
			}
		}
		var accepted []pipeline.Acceptance
		var refused []string
		st := c.store()
		lines := map[*pipeline.Graph][]pipeline.Acceptance{}
		for _, g := range graphs {
			nodes := slices.DeleteFunc(slices.Clone(g.Nodes), func(n *pipeline.Node) bool { return !whole[g] && !named[n] })
			if len(nodes) == 0 {
				continue
			}
			for _, a := range g.Acceptances(st, nodes) {
				if !a.Stored && !a.Possible() && named[a.Node] {
					refused = append(refused, fmt.Sprintf("%s/%s: %s", g.Name, a.Node.Addr, strings.Join(a.Change, "; ")))
				}
				accepted = append(accepted, a)
				lines[g] = append(lines[g], a)
			}
		}
		if refused != nil {
			return fmt.Errorf("nothing was accepted, for not only versions differ:\n  %s", strings.Join(refused, "\n  "))
		}
		if err := pipeline.Accept(cmd.Context(), st, accepted, *reason); err != nil {
			return err
		}
		for _, g := range graphs {
			if err := c.accepted(g, lines[g]); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// accepted tells what became of the nodes of a pipeline.
func (c *command) accepted(g *pipeline.Graph, all []pipeline.Acceptance) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	counts := map[string]int{}
	for _, a := range all {
		action := "left"
		switch {
		case a.Possible():
			action = "accepted"
		case a.Stored:
			action = "stored"
		}
		counts[action]++
		if c.json {
			line := struct {
				Pipeline string        `json:"pipeline"`
				Addr     string        `json:"addr"`
				Action   string        `json:"action"` // accepted, stored, or left where more than a version differs
				From     *store.Digest `json:"from,omitempty"`
				Why      []string      `json:"why"`
			}{Pipeline: g.Name, Addr: a.Node.Addr, Action: action, Why: append([]string{}, a.Change...)}
			if a.Possible() {
				line.From = &a.From
			}
			if err := enc.Encode(line); err != nil {
				return err
			}
		} else if action != "stored" {
			fmt.Fprintf(c.stdout, "%8s %s (%s)\n", action, a.Node.Addr, strings.Join(a.Change, "; "))
		}
	}
	if !c.json && len(all) > 0 {
		fmt.Fprintf(c.stdout, "%s: %s.\n", g.Name, tally(counts["accepted"], "accepted", counts["stored"], "stored already", counts["left"], "left"))
	}
	return nil
}
