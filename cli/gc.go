package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

func (c *command) gc() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "List what the store no longer needs; with --delete, remove it",
		Long: `List what in the store is of no more use, or with --delete remove it.

What stays: the results of all pipelines of the files, of runs that were given a name, and of the newest runs of each
pipeline; states that were kept on the way to them; whatever was made or used within the grace; journals of all runs.
Artifacts that are folders, such as weights, and kept states go before their results where the block says keep = "7d"
and no run used them for so long: a run that needs one makes it again, with equal bytes.`,
		Args: cobra.NoArgs,
	}
	remove := cmd.Flags().Bool("delete", false, "remove it")
	runs := cmd.Flags().Int("keep-runs", 10, "keep what the newest `N` runs of each pipeline have")
	grace := cmd.Flags().String("grace", "24h", "keep what was made or used within this `TIME`: 12h, 7d")
	cmd.RunE = func(*cobra.Command, []string) error {
		lately, err := pipeline.Span(*grace)
		if err != nil {
			return usagef("--grace takes a time such as 12h or 7d, is %q", *grace)
		}
		if *runs < 0 {
			return usagef("--keep-runs must be at least 0, is %d", *runs)
		}
		graphs, err := c.graphs(nil)
		if err != nil {
			return err
		}
		o := pipeline.Collection{KeepRuns: *runs, Grace: lately, Delete: *remove}
		found, err := pipeline.Collect(c.store(), graphs, o)
		if err != nil {
			return err
		}
		if c.json {
			return c.collectedJSON(found, o)
		}
		return c.collected(found, o)
	}
	return cmd
}

// heap is what goes of one block, or of one sort.
type heap struct {
	what  string
	note  string
	count int
	size  int64
}

// heaps sums up what goes.
func heaps(found *pipeline.Collected) []heap {
	var all []heap
	add := func(what, note string, size int64) {
		i := slices.IndexFunc(all, func(h heap) bool { return h.what == what && h.note == note })
		if i < 0 {
			i = len(all)
			all = append(all, heap{what: what, note: note})
		}
		all[i].count++
		all[i].size += size
	}
	for _, r := range found.Gone {
		add(blockOf(found, r.Key, r.Result), "result", r.Size)
	}
	slices.SortStableFunc(all, func(a, b heap) int { return strings.Compare(a.what, b.what) })
	results := len(all)
	for _, t := range found.Dropped {
		add(blockOf(found, t.Key, t.Result), t.Output, t.Size)
	}
	slices.SortStableFunc(all[results:], func(a, b heap) int { return strings.Compare(a.what, b.what) })
	dropped := len(all)
	for _, s := range found.States {
		what, _, _ := strings.Cut(found.Addrs[s.Trajectory], "[")
		add(cmp.Or(what, "of no run"), "kept state", s.Size)
	}
	slices.SortStableFunc(all[dropped:], func(a, b heap) int { return strings.Compare(a.what, b.what) })
	for _, f := range found.Loose {
		add("objects that no result names", "object", f.Size)
	}
	for _, f := range found.Debris {
		if strings.HasPrefix(f.Path, "damaged/") {
			add("damaged, set aside", "file", f.Size)
		} else if strings.HasPrefix(f.Path, "work/") {
			add("logs and snapshots of stages that ended", "entry", f.Size)
		} else {
			add("left by stages and processes that ended", "entry", f.Size)
		}
	}
	return all
}

// blockOf names the block that made a result, as well as anybody knows.
func blockOf(found *pipeline.Collected, key store.Digest, r *store.Result) string {
	if block, _, _ := strings.Cut(found.Addrs[key], "["); block != "" {
		return block
	}
	for _, f := range r.Key {
		if f.Kind == "kind" {
			return f.Name + ", of no run"
		}
	}
	return "of no run"
}

func (c *command) collected(found *pipeline.Collected, o pipeline.Collection) error {
	all := heaps(found)
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	var total int64
	for _, h := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\n", h.what, counted(h), bytes(h.size))
		total += h.size
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(all) > 0 {
		fmt.Fprintln(c.stdout)
	}
	switch {
	case len(all) == 0:
		fmt.Fprintln(c.stdout, "Nothing to remove.")
	case o.Delete:
		fmt.Fprintf(c.stdout, "Removed: %s.\n", bytes(total))
	default:
		fmt.Fprintf(c.stdout, "To remove: %s. `anneal gc --delete` removes it.\n", bytes(total))
	}
	stay, sizes := map[string]int{}, map[string]int64{}
	var size int64
	for _, r := range found.Stay {
		why := found.Why[r.Key]
		stay[why]++
		sizes[why] += r.Size
		size += r.Size
	}
	if len(found.Stay)+len(found.Kept) == 0 {
		return nil
	}
	var states int64
	for _, s := range found.Kept {
		states += s.Size
	}
	fmt.Fprintf(c.stdout, "Stays: %s, %s\n", count(len(found.Stay), "result"), bytes(size+states))
	for _, reason := range []struct{ why, text string }{
		{pipeline.StaysCurrent, "of the pipelines as they are"},
		{pipeline.StaysNamed, "of runs that have a name"},
		{pipeline.StaysRecent, fmt.Sprintf("of the newest %d runs of each pipeline", o.KeepRuns)},
		{pipeline.StaysYoung, "made or used in the last " + span(o.Grace)},
	} {
		if n := stay[reason.why]; n > 0 {
			fmt.Fprintf(w, "  %d\t%s\t%s\n", n, bytes(sizes[reason.why]), reason.text)
		}
	}
	if n := len(found.Kept); n > 0 {
		fmt.Fprintf(w, "  %d\t%s\tstates kept for stages with the same past\n", n, bytes(states))
	}
	return w.Flush()
}

// counted says how many there are of what h is about.
func counted(h heap) string {
	switch h.note {
	case "result", "kept state", "object", "file":
		return count(h.count, h.note)
	case "entry":
		return ""
	}
	return fmt.Sprintf("%s of %s (keep)", h.note, count(h.count, "result"))
}

// span prints a time of days or hours.
func span(d time.Duration) string {
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	s := strings.TrimSuffix(d.String(), "0s")
	if h, ok := strings.CutSuffix(s, "h0m"); ok {
		return h + " h"
	}
	return strings.TrimSpace(s)
}

func (c *command) collectedJSON(found *pipeline.Collected, o pipeline.Collection) error {
	type line struct {
		Action   string        `json:"action"` // remove: it would go; removed: it went; keep
		What     string        `json:"what"`   // result, artifact, state, object, or debris
		Pipeline string        `json:"pipeline,omitempty"`
		Addr     string        `json:"addr,omitempty"`
		Key      *store.Digest `json:"key,omitempty"`
		Output   string        `json:"output,omitempty"`
		Step     int           `json:"step,omitempty"`
		Path     string        `json:"path,omitempty"`
		Why      string        `json:"why,omitempty"`
		Used     *time.Time    `json:"used,omitempty"`
		Size     int64         `json:"size"`
	}
	action := "remove"
	if o.Delete {
		action = "removed"
	}
	var lines []line
	result := func(r store.SweptResult) line {
		used := r.Used.UTC()
		pipeline, addr, _ := strings.Cut(found.Addrs[r.Key], "/")
		return line{What: "result", Pipeline: pipeline, Addr: addr, Key: &r.Key, Used: &used, Size: r.Size}
	}
	for _, r := range found.Gone {
		l := result(r)
		l.Action = action
		lines = append(lines, l)
	}
	for _, t := range found.Dropped {
		pipeline, addr, _ := strings.Cut(found.Addrs[t.Key], "/")
		lines = append(lines, line{Action: action, What: "artifact", Pipeline: pipeline, Addr: addr, Key: &t.Key, Output: t.Output, Size: t.Size})
	}
	state := func(action string, s store.SweptState) {
		used := s.Used.UTC()
		pipeline, addr, _ := strings.Cut(found.Addrs[s.Trajectory], "/")
		lines = append(lines, line{Action: action, What: "state", Pipeline: pipeline, Addr: addr, Key: &s.Trajectory, Step: s.Step, Used: &used, Size: s.Size})
	}
	for _, s := range found.States {
		state(action, s)
	}
	for _, f := range found.Loose {
		lines = append(lines, line{Action: action, What: "object", Path: f.Path, Size: f.Size})
	}
	for _, f := range found.Debris {
		lines = append(lines, line{Action: action, What: "debris", Path: f.Path, Size: f.Size})
	}
	for _, r := range found.Stay {
		l := result(r)
		l.Action, l.Why = "keep", found.Why[r.Key]
		lines = append(lines, l)
	}
	for _, s := range found.Kept {
		state("keep", s)
	}
	for _, l := range lines {
		if err := c.line(l); err != nil {
			return err
		}
	}
	return nil
}
