package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

func (c *command) ls() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ls [PIPELINE...]",
		Short: "List the artifacts of the file's stages, with type, size and digest",
		Args:  cobra.ArbitraryArgs,
	}
	cmd.RunE = func(_ *cobra.Command, names []string) error {
		graphs, err := c.graphs(names)
		if err != nil {
			return err
		}
		st := c.store()
		w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		enc := json.NewEncoder(c.stdout)
		enc.SetEscapeHTML(false)
		if !c.json {
			fmt.Fprintln(w, "ARTIFACT\tTYPE\tSIZE\tDIGEST")
		}
		for _, g := range graphs {
			for _, s := range g.Plan(st) {
				for _, o := range s.Node.Stage.Outputs() {
					name := g.Name + "/" + s.Node.Addr + "." + o.Name
					b, stored := s.Output(o.Name)
					switch {
					case c.json:
						line := struct {
							Pipeline string `json:"pipeline"`
							Addr     string `json:"addr"`
							Output   string `json:"output"`
							Type     string `json:"type"`
							Size     int64  `json:"size,omitempty"`
							Digest   string `json:"digest,omitempty"`
						}{g.Name, s.Node.Addr, o.Name, o.Type, b.Size, ""}
						if stored {
							line.Digest = b.Digest.String()
						}
						if err := enc.Encode(line); err != nil {
							return err
						}
					case stored:
						fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, o.Type, bytes(b.Size), b.Digest.Short())
					default:
						fmt.Fprintf(w, "%s\t%s\t-\t-\n", name, o.Type)
					}
				}
			}
		}
		return w.Flush()
	}
	return cmd
}

// bytes prints a size as 812 B, 3.2 kB or 1.4 GB.
func bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1000, "kB"
	for _, next := range []string{"MB", "GB", "TB"} {
		if f < 1000 {
			break
		}
		f, unit = f/1000, next
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}

func (c *command) show() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ADDR",
		Short: "Show a stage's result: what it depends on, what it left, how long it took",
		Args:  cobra.ExactArgs(1),
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		found, err := c.find(args[0])
		if err != nil {
			return err
		}
		for _, f := range found {
			if f.step.Result == nil {
				return fmt.Errorf("%s has no stored result; run %s first", f.step.Node.Addr, f.graph.Name)
			}
			if err := c.showResult(f); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

func (c *command) showResult(f found) error {
	res := f.step.Result
	if c.json {
		enc := json.NewEncoder(c.stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(struct {
			Pipeline string        `json:"pipeline"`
			Addr     string        `json:"addr"`
			Key      store.Digest  `json:"key"`
			Result   *store.Result `json:"result"`
		}{f.graph.Name, f.step.Node.Addr, f.step.Key, res})
	}
	fmt.Fprintf(c.stdout, "%s/%s\nkey %s\n", f.graph.Name, f.step.Node.Addr, f.step.Key)
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nDepends on")
	for _, fact := range res.Key {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", fact.Kind, fact.Name, fact.Value)
	}
	fmt.Fprintln(w, "\nLeft")
	for _, o := range f.step.Node.Stage.Outputs() {
		b := res.Outputs[o.Name]
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", o.Name, b.Type, bytes(b.Size), b.Digest)
	}
	fmt.Fprintf(w, "\nTook %s", duration(res.Made.Seconds))
	if res.Made.Log != nil {
		fmt.Fprintf(w, "; its log is object %s", res.Made.Log.Digest.Short())
	}
	fmt.Fprintln(w)
	return w.Flush()
}

// found is a node that an address names.
type found struct {
	graph *pipeline.Graph
	step  pipeline.Step
}

// find returns the nodes that addr names: PIPELINE/ADDR, or ADDR where one pipeline has it; kind.name means every
// instance of a swept block.
func (c *command) find(addr string) ([]found, error) {
	config, err := c.load()
	if err != nil {
		return nil, err
	}
	names := config.Pipelines
	if p, rest, ok := strings.Cut(addr, "/"); ok && slices.Contains(names, p) {
		names, addr = []string{p}, rest
	}
	graphs, err := config.Graphs(names)
	if err != nil {
		return nil, err
	}
	var all []found
	var known []string
	pipelines := map[string]bool{}
	st := c.store()
	for _, g := range graphs {
		for _, s := range g.Plan(st) {
			known = append(known, s.Node.Addr)
			if s.Node.Addr == addr || s.Node.Block == addr {
				all = append(all, found{g, s})
				pipelines[g.Name] = true
			}
		}
	}
	if len(all) == 0 {
		return nil, usagef("no stage has the address %s; `anneal ls` lists those there are.%s", addr, pipeline.Nearest(addr, known))
	}
	if len(pipelines) > 1 {
		return nil, usagef("%s is in several pipelines: write PIPELINE/%s", addr, addr)
	}
	return all, nil
}
