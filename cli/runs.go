package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

func (c *command) runs() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runs [PIPELINE|RUN]",
		Short: "List runs, newest first, or show one",
		Long:  `List runs, newest first. With a RUN, its id, its name or last, show that one: its command, its versions, what ran and why.`,
		Example: `  anneal runs
  anneal runs last`,
		Args: cobra.MaximumNArgs(1),
	}
	n := cmd.Flags().IntP("number", "n", 20, "list `N` runs")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *n < 1 {
			return usagef("--number must be at least 1, is %d", *n)
		}
		st := c.store()
		all := pipeline.Runs(st)
		if len(args) == 1 {
			of := slices.DeleteFunc(slices.Clone(all), func(r *pipeline.Record) bool { return r.Pipeline != args[0] })
			if len(of) == 0 {
				r, err := pipeline.FindRun(st, "", args[0])
				if err != nil {
					return usagef("%w", err)
				}
				return c.showRun(st, r)
			}
			all = of
		}
		return c.listRuns(all, *n)
	}
	return cmd
}

func (c *command) listRuns(all []*pipeline.Record, n int) error {
	shown := all[:min(n, len(all))]
	if c.json {
		for _, r := range shown {
			if err := c.line(runLine(r)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		fmt.Fprintln(c.stdout, "Nothing ran yet.")
		return nil
	}
	t := &columns{head: [][]string{{"RUN", "STARTED", "PIPELINE", "TOOK", "RESULT", "NAME"}}, right: []bool{false, false, false, true, false, false}, tint: palette(c.color(c.stdout))}
	for _, r := range shown {
		name := r.Name
		if r.Note != "" {
			name = strings.TrimPrefix(name+": "+oneLine(r.Note), ": ")
		}
		t.rows = append(t.rows, []string{r.Short(), day(r.Started), r.Pipeline, duration(r.Seconds), outcome(r), shorten(name, 60)})
	}
	t.print(c.stdout)
	if len(all) > n {
		fmt.Fprintf(c.stdout, "… and %s; -n lists more\n", count(len(all)-n, "older run"))
	}
	return nil
}

// outcome tells what became of a run's stages.
func outcome(r *pipeline.Record) string {
	if r.Unfinished {
		return "killed, or still running"
	}
	s := r.Summary
	text := tally(s.Ran, "ran", s.Cached, "cached", s.Failed, "failed", s.Skipped, "skipped")
	if r.Interrupted {
		text += ", interrupted"
	}
	return text
}

// runJSON is a run as one line.
type runJSON struct {
	Run         string                  `json:"run"`
	Pipeline    string                  `json:"pipeline"`
	Name        string                  `json:"name,omitempty"`
	Note        string                  `json:"note,omitempty"`
	Started     time.Time               `json:"started"`
	Seconds     float64                 `json:"seconds"`
	Ran         int                     `json:"ran"`
	Cached      int                     `json:"cached"`
	Failed      int                     `json:"failed"`
	Skipped     int                     `json:"skipped"`
	Unfinished  bool                    `json:"unfinished,omitempty"`
	Interrupted bool                    `json:"interrupted,omitempty"`
	Command     []string                `json:"command,omitempty"`
	Versions    map[string]string       `json:"versions,omitempty"`
	Variables   map[string]string       `json:"variables,omitempty"`
	Sources     map[string]store.Digest `json:"sources,omitempty"`
}

func runLine(r *pipeline.Record) runJSON {
	s := r.Summary
	return runJSON{Run: r.ID, Pipeline: r.Pipeline, Name: r.Name, Note: r.Note, Started: r.Started, Seconds: r.Seconds,
		Ran: s.Ran, Cached: s.Cached, Failed: s.Failed, Skipped: s.Skipped, Unfinished: r.Unfinished, Interrupted: r.Interrupted, Command: r.Command}
}

// line prints a line of JSON.
func (c *command) line(v any) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// ranStep is what one run tells of a stage that it did not find stored.
type ranStep struct {
	Addr    string   `json:"addr"`
	Action  string   `json:"action"` // done, fail or skip; start where the run does not say how it ended
	Seconds float64  `json:"seconds,omitempty"`
	Why     []string `json:"why,omitempty"`
	Text    string   `json:"text,omitempty"`
}

func (c *command) showRun(st *store.Store, r *pipeline.Record) error {
	var begin *pipeline.Begin
	steps := map[string]*ranStep{}
	var order []*ranStep
	why := map[string][]string{}
	for e, err := range r.Journal(st) {
		if err != nil {
			return err
		}
		switch e.Action {
		case "begin":
			begin = e.Begin
		case "plan":
			why[e.Addr] = slices.Concat(e.Why, e.Notes)
		case "start", "done", "fail", "skip":
			s := steps[e.Addr]
			if s == nil {
				s = &ranStep{Addr: e.Addr}
				steps[e.Addr] = s
				order = append(order, s)
			}
			s.Action, s.Text, s.Seconds = e.Action, e.Text, e.Values["seconds"]
		}
	}
	for _, s := range order {
		s.Why = why[s.Addr]
	}
	if c.json {
		head := runLine(r)
		if begin != nil {
			head.Versions, head.Variables, head.Sources = begin.Versions, begin.Variables, begin.Sources
		}
		if err := c.line(head); err != nil {
			return err
		}
		for _, s := range order {
			if err := c.line(s); err != nil {
				return err
			}
		}
		return nil
	}
	tint := palette(c.color(c.stdout))
	fmt.Fprintf(c.stdout, "%srun %s of %s%s\n", tint.bold, r.ID, r.Pipeline, tint.reset)
	about := &columns{right: []bool{false, false}}
	say := func(what, text string) {
		if text != "" {
			about.rows = append(about.rows, []string{what, text})
		}
	}
	say("name", r.Name)
	say("note", oneLine(r.Note))
	say("started", day(r.Started))
	say("took", duration(r.Seconds))
	say("result", outcome(r))
	say("command", shellWords(r.Command))
	if begin != nil {
		say("versions", pairs(begin.Versions, " "))
		say("variables", pairs(begin.Variables, " = "))
		short := map[string]string{}
		for path, d := range begin.Sources {
			short[path] = d.Short()
		}
		say("files", pairs(short, " "))
	}
	about.print(c.stdout)
	ran := &columns{head: [][]string{{"TOOK", "STAGE", "WHY"}}, right: []bool{true, false, false}, tint: tint}
	for _, s := range order {
		var took string
		switch s.Action {
		case "done":
			took = duration(s.Seconds)
		case "start":
			took = "no end"
		case "fail":
			took = "failed"
		case "skip":
			took = "skipped"
		}
		reasons := strings.Join(s.Why, "; ")
		if s.Text != "" && s.Action != "done" {
			reasons = s.Text
		}
		ran.rows = append(ran.rows, []string{took, s.Addr, oneLine(reasons)})
	}
	if len(ran.rows) > 0 {
		fmt.Fprintln(c.stdout)
		ran.print(c.stdout)
	}
	return nil
}

// pairs prints a map in the order of its names.
func pairs(m map[string]string, between string) string {
	var parts []string
	for _, name := range sortedNames(m) {
		parts = append(parts, name+between+m[name])
	}
	return strings.Join(parts, ", ")
}

// shellWords prints a command as one would type it.
func shellWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if w == "" || strings.ContainsAny(w, " \t\n\"'`$&|;<>()[]{}*?!\\~#") {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
