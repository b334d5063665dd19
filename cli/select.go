package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"anneal/pipeline"
)

// selection adds --target, --exclude and --replace to a command.
func selection(cmd *cobra.Command) *pipeline.Selection {
	s := new(pipeline.Selection)
	flags := cmd.Flags()
	flags.StringArrayVar(&s.Target, "target", nil, "only `ADDR` and what it needs: kind.name, kind.name[seed=1], module.x")
	flags.StringArrayVar(&s.Exclude, "exclude", nil, "not `ADDR`, nor what depends on it")
	flags.StringArrayVar(&s.Replace, "replace", nil, "make `ADDR` anew, though it is stored")
	return s
}

// selected returns what is selected of graphs.
func selected(graphs []*pipeline.Graph, s *pipeline.Selection) ([]*pipeline.Graph, error) {
	graphs, err := pipeline.Select(graphs, *s)
	if err != nil {
		return nil, usagef("%w", err)
	}
	return graphs, nil
}

// noAddresses refuses addresses where pipelines are named.
func noAddresses(names []string) error {
	for _, name := range names {
		if strings.ContainsAny(name, ".[") {
			return usagef("%s is no pipeline; for a part of one, write --target '%s'", name, name)
		}
	}
	return nil
}
