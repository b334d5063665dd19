package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

func (c *command) why() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "why ADDR",
		Short:   "Tell why a stage ran last, and why it would run now",
		Example: `  anneal why 'finetune.sft[seed=1]'`,
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		all, err := c.results(args[0])
		if err != nil {
			return err
		}
		st := c.store()
		all = once(all)
		c.locate(all)
		accounts := make([]*account, len(all))
		makings := makingsOf(st, all)
		for i, n := range all {
			accounts[i] = &account{named: n, last: makings[n]}
		}
		if c.json {
			for _, a := range accounts {
				if err := c.line(a.json()); err != nil {
					return err
				}
			}
			return nil
		}
		c.printAccounts(accounts)
		return nil
	}
	return cmd
}

// locate looks up in the files where results stand that were not named by an address of theirs: what a run would do about
// them. Files that are gone or wrong have none.
func (c *command) locate(all []*named) {
	now := map[string]map[string]*named{} // by block, then by address
	for _, n := range all {
		if n.node != nil || n.addr == "" {
			continue
		}
		block, _, _ := strings.Cut(n.title(), "[")
		if now[block] == nil {
			now[block] = map[string]*named{}
			declared, err := c.byAddr(c.store(), block)
			if err != nil {
				continue
			}
			for _, d := range declared {
				now[block][d.title()] = d
			}
		}
		if d := now[block][n.title()]; d != nil && d.node != nil {
			n.declared = true
			if d.key == n.key {
				n.graph, n.node, n.do, n.why, n.causes = d.graph, d.node, d.do, d.why, d.causes
			}
		}
	}
}

// makingsOf finds how results came about: that which is stored, or else the newest attempt at their addresses.
func makingsOf(st *store.Store, all []*named) map[*named]*pipeline.Making {
	var keys []store.Digest
	addrs := map[string][]string{} // by pipeline
	for _, n := range all {
		if n.result != nil {
			keys = append(keys, n.key)
		} else if n.addr != "" {
			addrs[n.pipeline] = append(addrs[n.pipeline], n.addr)
		}
	}
	made := pipeline.Makings(st, keys)
	ran := map[string]map[string]*pipeline.Making{}
	for p, of := range addrs {
		ran[p] = pipeline.LastRuns(st, p, of)
	}
	found := map[*named]*pipeline.Making{}
	for _, n := range all {
		if n.result != nil {
			found[n] = made[n.key]
		} else {
			found[n] = ran[n.pipeline][n.addr]
		}
	}
	return found
}

// account is what there is to say about why a stage ran.
type account struct {
	*named
	last *pipeline.Making // nil where no journal tells
}

// tookHere stands where a paragraph is to say how long its stages took, in which they may differ.
const tookHere = "\x01"

// past tells why the stage ran last, without how long that took.
func (a *account) past() []string {
	var lines []string
	if a.result != nil && a.result.Made.Accepted != nil {
		was := a.result.Made.Accepted
		lines = append(lines, fmt.Sprintf("its result was accepted %s from %s: %s", day(was.Time), was.From.Short(), was.Reason))
	}
	if a.last == nil {
		switch {
		case len(lines) > 0:
		case a.result != nil:
			lines = append(lines, "its result is stored; no journal tells how it came about")
		default:
			lines = append(lines, "it never ran")
		}
		return lines
	}
	run := a.last.Run.Short()
	if a.last.Run.Name != "" {
		run += " (" + a.last.Run.Name + ")"
	}
	as := ""
	if a.last.Run.Pipeline != a.pipeline || a.last.Addr != a.addr {
		as = ", as " + a.last.Run.Pipeline + "/" + a.last.Addr // equal facts, one result
	}
	if a.last.End.Action == "fail" {
		lines = append(lines, fmt.Sprintf("it failed last in run %s of %s%s: %s", run, day(a.last.Run.Started), as, a.last.End.Text))
	} else {
		lines = append(lines, fmt.Sprintf("it ran last in run %s of %s%s", run, day(a.last.Run.Started), as)+tookHere)
	}
	if a.last.Plan != nil {
		for _, w := range slices.Concat(a.last.Plan.Why, a.last.Plan.Notes) {
			lines = append(lines, "  "+w)
		}
	}
	return lines
}

// now tells what a run would do.
func (a *account) now() []string {
	switch {
	case a.node == nil && a.declared:
		return []string{"the files have other settings or inputs there now"}
	case a.node == nil:
		return []string{"the files do not declare it now"}
	case a.do == pipeline.Cached:
		lines := []string{"it would not run now: its result is stored"}
		for _, w := range a.why {
			lines = append(lines, "  "+w)
		}
		return lines
	}
	lines := []string{"it would run now:"}
	if a.do == pipeline.Maybe {
		lines = []string{"it may run now; a stored result has an equal configuration:"}
	}
	for _, w := range a.why {
		lines = append(lines, "  "+w)
	}
	for _, cause := range a.causes {
		lines = append(lines, "  since "+cause)
	}
	return lines
}

func (a *account) text() string { return "  " + strings.Join(append(a.past(), a.now()...), "\n  ") }

// printAccounts prints a paragraph a stage; instances of which all is equal but for points that reasons name share one.
func (c *command) printAccounts(all []*account) {
	tint := palette(c.color(c.stdout))
	var order []string
	alike := map[string][]*account{}
	for _, a := range all {
		block, _, _ := strings.Cut(a.title(), "[")
		text := block + "\x00" + inBrackets.ReplaceAllString(a.text(), "[…]")
		if alike[text] == nil {
			order = append(order, text)
		}
		alike[text] = append(alike[text], a)
	}
	for i, text := range order {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		of := alike[text]
		block, said, _ := strings.Cut(text, "\x00")
		title := of[0].title()
		if len(of) == 1 {
			said = of[0].text()
		}
		if len(of) > 1 {
			var points []string
			for _, a := range of[:min(3, len(of))] {
				points = append(points, "["+a.point.String()+"]")
			}
			if more := len(of) - len(points); more > 0 {
				points = append(points, fmt.Sprintf("%d more", more))
			}
			title = fmt.Sprintf("%s, %d instances: %s", block, len(of), strings.Join(points, ", "))
		}
		fmt.Fprintf(c.stdout, "%s%s%s\n%s\n", tint.bold, title, tint.reset, strings.Replace(said, tookHere, took(of), 1))
	}
}

// took says how long stages took, all at least if they are many.
func took(all []*account) string {
	var seconds []float64
	for _, a := range all {
		if a.last != nil && a.last.End.Action == "done" {
			seconds = append(seconds, a.last.End.Values["seconds"])
		}
	}
	if len(seconds) == 0 {
		return ""
	}
	low, high := duration(slices.Min(seconds)), duration(slices.Max(seconds))
	if low == high {
		return ", in " + low
	}
	return ", in " + low + " to " + high
}

type accountJSON struct {
	Pipeline string    `json:"pipeline,omitempty"`
	Addr     string    `json:"addr,omitempty"`
	Key      string    `json:"key,omitempty"`
	Last     *lastJSON `json:"last,omitempty"`
	Do       string    `json:"do,omitempty"`
	Why      []string  `json:"why"`
	Since    []string  `json:"since,omitempty"` // why inputs that it waits for would change
}

// lastJSON is when and why a stage ran last.
type lastJSON struct {
	Run     string    `json:"run"`
	Time    time.Time `json:"time"`
	Action  string    `json:"action"` // done or fail
	Seconds float64   `json:"seconds,omitempty"`
	Why     []string  `json:"why"`
	Text    string    `json:"text,omitempty"`
}

func (a *account) json() accountJSON {
	line := accountJSON{Pipeline: a.pipeline, Addr: a.addr, Do: a.do, Why: append([]string{}, a.named.why...), Since: a.causes}
	if !a.key.IsZero() {
		line.Key = a.key.String()
	}
	if m := a.last; m != nil {
		line.Last = &lastJSON{m.Run.ID, m.End.Time, m.End.Action, m.End.Values["seconds"], []string{}, m.End.Text}
		if m.Plan != nil {
			line.Last.Why = append(append(line.Last.Why, m.Plan.Why...), m.Plan.Notes...)
		}
	}
	return line
}
