// Package cli is the command line: commands, and the views of a run.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// App is what the command line works with.
type App struct {
	Kinds     []*pipeline.Kind
	Executors []*pipeline.ExecutorKind
	Starter   []byte // the pipeline file that init writes

	Benchmarks []Benchmark
}

// Exit codes.
const (
	exitFailed  = 1 // a stage or the world failed
	exitChanges = 2 // plan --detailed-exitcode: something is to run
	exitInvalid = 3 // the file or the flags are wrong; nothing ran
)

// exit ends a command with a code of its own; what there is to say has been said.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// usageError is a mistake in flags or arguments.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// command is one run of the program: its flags and its streams.
type command struct {
	app            App
	args           []string // as typed
	stdout, stderr io.Writer

	dir, file string
	vars      []string
	varFiles  []string
	seeds     map[string]int // what replicate asks axes of seeds to be extended to
	json      bool
	noColor   bool

	collection int // the percentage for the garbage collector while stages run
}

// Main runs the program and returns its exit code.
func Main(ctx context.Context, app App, args []string, stdout, stderr io.Writer) int {
	c := &command{app: app, args: args, stdout: stdout, stderr: stderr}
	root := c.commands()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	// Files and results become many small values that live to the end: until a stage starts, fewer collections save a third
	// of the time.
	c.collection = debug.SetGCPercent(300)
	cmd, err := root.ExecuteContextC(ctx)
	return c.code(cmd, err)
}

// commands makes the tree of commands.
func (c *command) commands() *cobra.Command {
	root := &cobra.Command{
		Use:           "anneal",
		Short:         "Language-model experiments, declared in HCL and rerun only where something changed",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if c.dir != "" {
				if err := os.Chdir(c.dir); err != nil {
					return usagef("-C: %w", err)
				}
			}
			return nil
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	flags := root.PersistentFlags()
	flags.StringVarP(&c.dir, "directory", "C", "", "work in `DIR`")
	flags.StringVarP(&c.file, "file", "f", ".", "read `FILE`, or every .hcl file of a folder")
	flags.StringArrayVar(&c.vars, "var", nil, "set a variable: `NAME=VALUE`")
	flags.StringArrayVar(&c.varFiles, "var-file", nil, "set the variables that `FILE` names: name = value, or JSON")
	flags.BoolVar(&c.json, "json", false, "print a line of JSON for every step or event")
	flags.BoolVar(&c.noColor, "no-color", false, "print without colours")
	root.AddCommand(
		c.init(),
		c.validate(),
		c.fmt(),
		c.plan(),
		c.run(),
		c.replicate(),
		c.accept(),
		c.verify(),
		c.gc(),
		c.runs(),
		c.show(),
		c.why(),
		c.diff(),
		c.lineage(),
		c.graph(),
		c.ls(),
		c.cat(),
		c.export(),
		c.query(),
		c.bundle(),
		c.open(),
		c.bench(),
		c.schema(),
		c.completion(),
	)
	for _, cmd := range below(root) {
		args := cmd.Args
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return usagef("%s with %s; write %s", cmd.CommandPath(), count(len(given), "argument"), strings.TrimSuffix(cmd.UseLine(), " [flags]"))
			}
			return nil
		}
		c.complete(cmd)
	}
	c.completeFlags(root, flags)
	root.SetHelpFunc(c.help)
	arrange(root)
	return root
}

// below lists all commands below cmd, each followed by its own.
func below(cmd *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, c := range cmd.Commands() {
		all = append(append(all, c), below(c)...)
	}
	return all
}

// flagError says what a flag takes, in words of ours.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		flag := invalid.GetFlag()
		switch flag.Value.Type() {
		case "int":
			return usagef("--%s takes a whole number, not %q", flag.Name, invalid.GetValue())
		case "bool":
			return usagef("--%s takes true, false or nothing, not %q", flag.Name, invalid.GetValue())
		}
	}
	return usageError{err}
}

// code says the error that cmd ended with and returns the exit code that goes with it.
func (c *command) code(cmd *cobra.Command, err error) int {
	var code exit
	var invalid *pipeline.InvalidError
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &invalid):
		invalid.Print(c.stderr, c.width(), c.color(c.stderr))
		return exitInvalid
	case errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command"):
		fmt.Fprintf(c.stderr, "Error: %s\nRun '%s --help' for usage.\n", err, cmd.CommandPath())
		return exitInvalid
	}
	fmt.Fprintf(c.stderr, "Error: %s\n", err)
	return exitFailed
}

// terminal returns the file behind w if it is a terminal.
func terminal(w io.Writer) *os.File {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

func (c *command) color(w io.Writer) bool {
	return !c.noColor && os.Getenv("NO_COLOR") == "" && terminal(w) != nil
}

func (c *command) width() int {
	if f := terminal(c.stderr); f != nil {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return 100
}

// root is the folder of the pipeline files, in which the store and the results stand.
func (c *command) root() string {
	if info, err := os.Stat(c.file); err == nil && info.IsDir() {
		return filepath.Clean(c.file)
	}
	return filepath.Dir(c.file)
}

func (c *command) store() *store.Store { return store.Open(filepath.Join(c.root(), ".anneal")) }

// load reads the pipeline files.
func (c *command) load() (*pipeline.Config, error) {
	vars := map[string]string{}
	for _, v := range c.vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return nil, usagef("--var %s: write --var NAME=VALUE", v)
		}
		vars[name] = value
	}
	return pipeline.Load(c.file, pipeline.LoadOptions{
		Kinds: c.app.Kinds, Executors: c.app.Executors,
		Vars: vars, VarFiles: c.varFiles, Environ: os.Environ(), Seeds: c.seeds,
		Hashes: store.OpenHashes(filepath.Join(c.root(), ".anneal", "files")),
	})
}

// graphs decodes the pipelines named, all of the file's if none is. Problems of all of them are reported together.
func (c *command) graphs(names []string) ([]*pipeline.Graph, error) {
	config, err := c.load()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = config.Pipelines
	}
	return config.Graphs(names)
}

// jobs adds the flag --jobs to a command.
func jobs(cmd *cobra.Command) *int {
	n := cmd.Flags().IntP("jobs", "j", runtime.NumCPU(), "use `N` cores, all of the machine if not given")
	cmd.Flags().Lookup("jobs").DefValue = "0" // help leaves it out: it is this machine's
	return n
}
