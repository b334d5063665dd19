package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

func (c *command) show() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ADDR|RUN:ADDR|DIGEST",
		Short: "Show a stored result: what it depends on, what it left",
		Example: `  anneal show checkpoint.final
  anneal show 'pretrain.base[seed=1,weight_decay=0]' --log`,
		Args: cobra.ExactArgs(1),
	}
	log := cmd.Flags().Bool("log", false, "print what the stage logged instead")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		all, err := c.results(args[0])
		if err != nil {
			return err
		}
		st := c.store()
		all = once(all)
		if *log {
			for _, n := range all {
				if err := c.showLog(st, n, len(all) > 1); err != nil {
					return err
				}
			}
			return nil
		}
		keys := make([]store.Digest, len(all))
		for i, n := range all {
			if err := n.need(st); err != nil {
				return err
			}
			keys[i] = n.key
		}
		made := pipeline.Makings(st, keys)
		for i, n := range all {
			if i > 0 && !c.json {
				fmt.Fprintln(c.stdout)
			}
			if err := c.showResult(st, n, made[n.key]); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// once leaves out results that an argument names several times, by several of their artifacts.
func once(all []*named) []*named {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(n *named) bool {
		id := n.title() + n.key.String()
		defer func() { seen[id] = true }()
		return seen[id]
	})
}

func (c *command) showResult(st *store.Store, n *named, made *pipeline.Making) error {
	res := n.result
	if c.json {
		line := struct {
			Pipeline string        `json:"pipeline,omitempty"`
			Addr     string        `json:"addr,omitempty"`
			Key      store.Digest  `json:"key"`
			Run      string        `json:"run,omitempty"` // that made it
			Time     *time.Time    `json:"time,omitempty"`
			Result   *store.Result `json:"result"`
		}{n.pipeline, n.addr, n.key, "", nil, res}
		if made != nil {
			line.Run, line.Time = made.Run.ID, &made.End.Time
		}
		return c.line(line)
	}
	tint := palette(c.color(c.stdout))
	fmt.Fprintf(c.stdout, "%s%s%s\nkey %s\n", tint.bold, n.title(), tint.reset, n.key)
	if a := res.Made.Accepted; a != nil {
		fmt.Fprintf(c.stdout, "accepted %s as what %s left: %s\n", day(a.Time), a.From.Short(), a.Reason)
	}
	fmt.Fprintf(c.stdout, "%s\n", madeText(res, made))

	facts := factColumns(res, func(f store.Fact) string {
		if f.Kind == "input" && !res.Made.Inputs[f.Name].IsZero() {
			return " from " + res.Made.Inputs[f.Name].Short()
		}
		return ""
	})
	fmt.Fprintln(c.stdout, "\nDepends on")
	facts.print(c.stdout)

	left := &columns{right: []bool{false, false, true, false, false}}
	for _, name := range sortedNames(res.Outputs) {
		b := res.Outputs[name]
		note := ""
		if st.Dropped(b) {
			note = "dropped"
		} else if err := st.Present(b); err != nil {
			note = "missing"
		}
		left.rows = append(left.rows, []string{"  " + name, b.Type, bytes(b.Size), b.Digest.String(), note})
	}
	fmt.Fprintln(c.stdout, "\nLeft")
	left.print(c.stdout)
	if res.Made.Log != nil {
		fmt.Fprintf(c.stdout, "\nIt logged %s; --log prints them.\n", bytes(res.Made.Log.Size))
	}
	return nil
}

// factColumns lists what a result depends on. more is what to say behind a fact's value.
func factColumns(res *store.Result, more func(store.Fact) string) *columns {
	facts := &columns{right: []bool{false, false, false}}
	rank := map[string]int{"kind": 1, "numbers": 2, "config": 3, "input": 5, "point": 6, "missing": 7} // sources are 4
	for _, f := range slices.SortedStableFunc(slices.Values(res.Key), func(a, b store.Fact) int {
		return cmp.Compare(cmp.Or(rank[a.Kind], 4), cmp.Or(rank[b.Kind], 4))
	}) {
		facts.rows = append(facts.rows, []string{"  " + f.Kind, f.Name, f.Value + more(f)})
	}
	return facts
}

// madeText says when and by which run a result was made, how long that took, and with what.
func madeText(res *store.Result, made *pipeline.Making) string {
	text := "made in " + duration(res.Made.Seconds)
	if made != nil {
		text = fmt.Sprintf("made %s in %s by run %s", day(made.End.Time), duration(res.Made.Seconds), made.Run.Short())
		if made.Run.Name != "" {
			text += " (" + made.Run.Name + ")"
		}
	}
	var tools []string
	for _, name := range sortedNames(res.Made.Tools) {
		tools = append(tools, name+" "+res.Made.Tools[name])
	}
	if tools != nil {
		text += ", with " + strings.Join(tools, ", ")
	}
	return text
}

// day prints a time as people here read their clocks.
func day(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// showLog prints the log of a stored result, or of the last attempt where that failed.
func (c *command) showLog(st *store.Store, n *named, several bool) error {
	var text []byte
	var err error
	switch {
	case n.result != nil && n.result.Made.Log != nil:
		text, err = st.Read(*n.result.Made.Log)
	case n.result == nil && !n.key.IsZero():
		attempts, _ := filepath.Glob(filepath.Join(st.Dir(), "work", n.key.String(), "*", "log"))
		if len(attempts) == 0 {
			return n.need(st)
		}
		text, err = os.ReadFile(attempts[len(attempts)-1])
	case n.result == nil:
		return n.need(st)
	}
	if err != nil {
		return err
	}
	if c.json {
		return c.line(struct {
			Pipeline string `json:"pipeline,omitempty"`
			Addr     string `json:"addr,omitempty"`
			Log      string `json:"log"`
		}{n.pipeline, n.addr, string(text)})
	}
	if several {
		fmt.Fprintf(c.stdout, "— %s\n", n.title())
	}
	_, err = c.stdout.Write(text)
	return err
}
