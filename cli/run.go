package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"anneal/pipeline"
)

func (c *command) run() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [PIPELINE]",
		Short: "Compute what is not stored; the name may be left out where the file has one pipeline",
		Args:  cobra.MaximumNArgs(1),
	}
	cores := jobs(cmd)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		if *cores < 1 {
			return usagef("--jobs must be at least 1, is %d", *cores)
		}
		graphs, err := c.graphs(names)
		if err != nil {
			return err
		}
		if len(graphs) != 1 {
			var known []string
			for _, g := range graphs {
				known = append(known, g.Name)
			}
			return usagef("which pipeline? %s declares %q", c.file, known)
		}
		g := graphs[0]
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		go func() {
			<-ctx.Done()
			stop() // a second signal ends the program at once
		}()
		view := c.view(g)
		st := c.store()
		out, err := g.Run(ctx, st, pipeline.RunOptions{Executors: map[string]pipeline.Executor{"local": pipeline.NewLocal(*cores)}}, view.event)
		view.close()
		if out == nil {
			return err
		}
		err = errors.Join(err, c.writeResults(g, out, st))
		for _, f := range out.Failures {
			if err := c.printFailure(f); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			fmt.Fprintln(c.stderr, "Interrupted. Finished stages are kept; run again to go on.")
		}
		if err == nil && out.Failed+out.Skipped > 0 {
			return exit(exitFailed)
		}
		return err
	}
	return cmd
}

// printFailure says why a stage failed, with the lines of the file where those are to blame, and which log to read.
func (c *command) printFailure(f *pipeline.StageError) error {
	fmt.Fprintln(c.stderr)
	if blamed := f.Blamed(); blamed != nil {
		if err := blamed.Print(c.stderr, c.width(), c.color(c.stderr)); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.stderr, "Error: %s\n", f)
	}
	if f.Log != "" {
		fmt.Fprintf(c.stderr, "%s failed; its log is %s\n", f.Addr, f.Log)
	}
	return nil
}

// view shows a run as it goes.
type view interface {
	event(pipeline.Event)
	close()
}

func (c *command) view(g *pipeline.Graph) view {
	if c.json {
		enc := json.NewEncoder(c.stdout)
		enc.SetEscapeHTML(false)
		return jsonView{enc}
	}
	lines := &lineView{out: c.stdout, pipeline: g.Name, tint: palette(c.color(c.stdout))}
	if f := terminal(c.stdout); f != nil {
		return newLiveView(f, lines)
	}
	return lines
}

// jsonView prints events as they stand in the journal.
type jsonView struct{ enc *json.Encoder }

func (v jsonView) event(e pipeline.Event) { v.enc.Encode(e) }
func (v jsonView) close()                 {}
