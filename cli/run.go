package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"anneal/pipeline"
)

func (c *command) run() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [PIPELINE...]",
		Short: "Compute what is not stored",
		Long: `Compute what is not stored. The name may be left out where the file has one pipeline. Interrupt it whenever you like:
finished stages are kept, and the next run goes on.`,
		Example: `  anneal run demo
  anneal run demo --var 'weight_decay=[0, 0.1, 0.3]' --name finer --note "between 0.1 and 1"`,
		Args: cobra.ArbitraryArgs,
	}
	how := running(cmd)
	part := selection(cmd)
	failed := cmd.Flags().Bool("failed", false, "only what failed or was skipped in the newest run, and what that needs")
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		if err := noAddresses(names); err != nil {
			return err
		}
		graphs, err := c.graphs(names)
		if err != nil {
			return err
		}
		if len(names) == 0 && len(graphs) != 1 {
			var known []string
			for _, g := range graphs {
				known = append(known, g.Name)
			}
			return usagef("which pipeline? There are %s", strings.Join(known, ", "))
		}
		if graphs, err = selected(graphs, part); err != nil {
			return err
		}
		if *failed {
			if graphs, err = c.onlyFailed(graphs); err != nil || len(graphs) == 0 {
				return err
			}
		}
		return c.execute(cmd, graphs, how)
	}
	return cmd
}

// onlyFailed returns what the newest runs of pipelines left undone.
func (c *command) onlyFailed(graphs []*pipeline.Graph) ([]*pipeline.Graph, error) {
	var parts []*pipeline.Graph
	for _, g := range graphs {
		part, r, err := g.Failed(c.store())
		switch {
		case err != nil:
			return nil, usagef("%w: leave out --failed", err)
		case part != nil:
			parts = append(parts, part)
		case c.json:
		case len(r.Failed)+len(r.Skipped) > 0:
			fmt.Fprintf(c.stdout, "%s: what failed or was skipped in run %s of %s is not in the files any more.\n", g.Name, r.Short(), r.Started.Local().Format(time.DateTime))
		default:
			fmt.Fprintf(c.stdout, "%s: nothing failed or was skipped in run %s of %s.\n", g.Name, r.Short(), r.Started.Local().Format(time.DateTime))
		}
	}
	return parts, nil
}

// runFlags is how a command that runs pipelines goes about it.
type runFlags struct {
	cores      *int
	failFast   bool
	name, note string
}

// running adds --jobs, --fail-fast, --name and --note to a command.
func running(cmd *cobra.Command) *runFlags {
	f := &runFlags{cores: jobs(cmd)}
	cmd.Flags().BoolVar(&f.failFast, "fail-fast", false, "start nothing new once a stage failed")
	cmd.Flags().StringVar(&f.name, "name", "", "call the run `NAME`, by which other commands find it")
	cmd.Flags().StringVar(&f.note, "note", "", "keep `TEXT` with the run")
	return f
}

// runName is what other commands can take for the name of a run, and for nothing else.
var runName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`)

// execute runs pipelines one after the other. The error carries the exit code of the worst.
func (c *command) execute(cmd *cobra.Command, graphs []*pipeline.Graph, f *runFlags) error {
	if *f.cores < 1 {
		return usagef("--jobs must be at least 1, is %d", *f.cores)
	}
	if f.name != "" && (!runName.MatchString(f.name) || f.name == pipeline.Latest) {
		return usagef("--name %q: a name starts with a letter, has letters, digits, _, . and -, and is not %q, which means the newest run", f.name, pipeline.Latest)
	}
	executors := make([]map[string]pipeline.Executor, len(graphs))
	for i, g := range graphs {
		var err error
		if executors[i], err = executorsOf(cmd, g, *f.cores); err != nil {
			return err
		}
		if err := g.Fits(executors[i]); err != nil {
			return err
		}
		if g.Foretells() {
			if err := g.Forecast(c.store(), g.Plan(c.store()), executors[i]); err != nil {
				return err
			}
		}
	}
	ctx, done := untilSignal(cmd.Context())
	defer done()
	worst := error(nil)
	for i, g := range graphs {
		if ctx.Err() != nil {
			fmt.Fprintf(c.stderr, "%s was not begun.\n", g.Name)
			continue
		}
		o := pipeline.RunOptions{Executors: executors[i], FailFast: f.failFast, Name: f.name, Note: f.note, Command: append([]string{"anneal"}, c.args...)}
		if err := c.runOne(ctx, g, o, *f.cores); err != nil {
			var code exit
			if !errors.As(err, &code) {
				return err
			}
			worst = err
			if f.failFast {
				break
			}
		}
	}
	return worst
}

// untilSignal returns a context that ends with the first signal to stop. A second one ends the program at once: what is
// half done stays under work/, where the next run goes on from the last snapshot and clears the rest away.
func untilSignal(parent context.Context) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, came := <-signals; came {
			cancel()
		}
		if _, came := <-signals; came {
			os.Exit(exitFailed)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

// printed is how many failures a run explains; more of them seldom say anything new.
const printed = 10

// runOne runs a pipeline and says what became of it.
func (c *command) runOne(ctx context.Context, g *pipeline.Graph, o pipeline.RunOptions, cores int) error {
	st := c.store()
	view := c.view(g)
	cancelled := context.AfterFunc(ctx, func() {
		view.note("Stopping as soon as what runs can stop; once more to stop at once.")
	})
	working := sync.OnceFunc(func() { debug.SetGCPercent(c.collection) })
	out, err := g.Run(ctx, st, o, func(e pipeline.Event) {
		if e.Action == "start" {
			working()
		}
		view.event(e)
	})
	cancelled()
	view.close()
	if out == nil {
		return err
	}
	err = errors.Join(err, c.writeResults(g, out, st, cores))
	for i, f := range out.Failures {
		if i == printed {
			fmt.Fprintf(c.stderr, "\n… and %d more failures; `anneal runs last` lists them\n", len(out.Failures)-printed)
			break
		}
		if err := c.printFailure(f); err != nil {
			return err
		}
	}
	if out.Ended != "" && out.NotBegun > 0 {
		fmt.Fprintf(c.stderr, "\nNothing was begun after %s failed: %s left.\n", out.Ended, count(out.NotBegun, "stage"))
	}
	if out.Interrupted {
		fmt.Fprintln(c.stderr, interruption(out))
	}
	if err == nil && !out.Succeeded() {
		return exit(exitFailed)
	}
	return err
}

// executorsOf returns what the stages of g run on; this machine with so many cores, unless the file says how many and
// no flag does.
func executorsOf(cmd *cobra.Command, g *pipeline.Graph, cores int) (map[string]pipeline.Executor, error) {
	executors, err := g.Executors()
	if err != nil {
		return nil, err
	}
	if executors["local"] == nil {
		executors["local"] = pipeline.NewLocal(0)
	}
	if local, ok := executors["local"].(*pipeline.Local); ok && (local.Cores == 0 || cmd.Flags().Changed("jobs")) {
		local.Cores = cores
	}
	return executors, nil
}

// interruption tells how far a run came that was told to stop.
func interruption(out *pipeline.Outcome) string {
	text := fmt.Sprintf("Interrupted: %d finished", out.Ran)
	if n := len(out.Stopped); n > 0 {
		some := out.Stopped
		if n > 4 {
			some = append(some[:3:3], fmt.Sprintf("%d more", n-3))
		}
		text += fmt.Sprintf(", %d stopped in the middle (%s)", n, strings.Join(some, ", "))
	}
	if out.NotBegun > 0 {
		text += fmt.Sprintf(", %d not begun", out.NotBegun)
	}
	return text + ". Run again to go on."
}

// printFailure says why a stage failed, with the lines of the file where those are to blame, and which log to read.
func (c *command) printFailure(f *pipeline.StageError) error {
	fmt.Fprintln(c.stderr)
	ignored := ""
	if f.Ignored {
		ignored = " (ignored: on_failure)"
	}
	if blamed := f.Blamed(); blamed != nil {
		if err := blamed.Print(c.stderr, c.width(), c.color(c.stderr)); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.stderr, "Error: %s\n", f)
	}
	if f.Log != "" {
		fmt.Fprintf(c.stderr, "%s failed%s; its log is %s\n", f.Addr, ignored, f.Log)
	}
	return nil
}

// view shows a run as it goes.
type view interface {
	event(pipeline.Event)
	note(string) // at any time, from elsewhere
	close()
}

func (c *command) view(g *pipeline.Graph) view {
	if c.json {
		enc := json.NewEncoder(c.stdout)
		enc.SetEscapeHTML(false)
		return jsonView{enc, c.stderr}
	}
	lines := &lineView{out: c.stdout, notes: c.stderr, pipeline: g.Name, tint: palette(c.color(c.stdout))}
	if f := terminal(c.stdout); f != nil {
		return newLiveView(f, lines, len(g.Nodes))
	}
	return lines
}

// jsonView prints events as they stand in the journal.
type jsonView struct {
	enc   *json.Encoder
	notes io.Writer
}

func (v jsonView) event(e pipeline.Event) { v.enc.Encode(e) }
func (v jsonView) note(text string)       { fmt.Fprintln(v.notes, text) }
func (v jsonView) close()                 {}
