package cli

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

func (c *command) verify() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [PIPELINE...]",
		Short: "Check every byte of the store, or make stages again and compare",
		Long: `Check every byte of the store against its digest: of all results and objects, or of those that the pipelines named have.
What is damaged is set aside, so that the next run makes it anew.

With --rerun, stages run again in folders beside the store, and what they make is compared with what is stored. The store
stays as it is, but for dropped artifacts that they read: those are made again.

Exit 1 if anything is damaged, missing or different.`,
		Args: cobra.ArbitraryArgs,
	}
	cores := jobs(cmd)
	rerun := cmd.Flags().StringArray("rerun", nil, "run `ADDR` again and compare")
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		if len(*rerun) == 0 {
			return c.verifyStore(cmd, names)
		}
		if len(names) > 0 {
			return usagef("--rerun takes addresses; leave out %s", strings.Join(names, " "))
		}
		return c.verifyStages(cmd, *rerun, *cores)
	}
	return cmd
}

func (c *command) verifyStore(cmd *cobra.Command, names []string) error {
	graphs, err := c.graphs(names)
	if err != nil && len(names) > 0 {
		return err
	} // else runs know what belongs to what, and bytes can be checked whatever the files say
	st := c.store()
	addrs, current := pipeline.Owners(st, graphs)
	var only func(store.Digest) bool
	if len(names) > 0 {
		only = func(key store.Digest) bool { return current[key] }
	}
	ctx, done := untilSignal(cmd.Context())
	defer done()
	started := time.Now()
	progress, clear := c.reading(started)
	found, err := st.VerifyAll(ctx, only, progress)
	clear()
	if ctx.Err() != nil {
		fmt.Fprintln(c.stderr, "Interrupted: not everything was read. What was found damaged is set aside.")
		return exit(exitFailed)
	}
	if err != nil {
		return err
	}
	for _, d := range found.Damage {
		if err := c.damage(d, addrs); err != nil {
			return err
		}
	}
	seconds := time.Since(started).Seconds()
	if c.json {
		err = c.line(struct {
			Action  string  `json:"action"`
			Results int     `json:"results"`
			Objects int     `json:"objects"`
			States  int     `json:"states,omitempty"` // kept states
			Bytes   int64   `json:"bytes"`
			Seconds float64 `json:"seconds"`
			Damaged int     `json:"damaged"`
		}{"summary", found.Results, found.Objects, found.States, found.Bytes, seconds, len(found.Damage)})
	} else {
		c.verified(found, seconds)
	}
	if err == nil && len(found.Damage) > 0 {
		return exit(exitFailed)
	}
	return err
}

// reading shows on a terminal how far the reading is. clear takes the line away.
func (c *command) reading(started time.Time) (progress func(done, total int64), clear func()) {
	f := terminal(c.stderr)
	if f == nil {
		return func(int64, int64) {}, func() {}
	}
	var mu sync.Mutex
	var last time.Time
	progress = func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(last) >= 200*time.Millisecond {
			last = now
			fmt.Fprintf(f, "\r\x1b[K%3d %% of %s, %s/s", 100*done/max(total, 1), bytes(total), bytes(int64(float64(done)/now.Sub(started).Seconds())))
		}
	}
	return progress, func() { fmt.Fprint(f, "\r\x1b[K") }
}

// damage lists one thing that is wrong, with what it belongs to.
func (c *command) damage(d store.Damage, addrs map[store.Digest]string) error {
	type use struct {
		Key      store.Digest `json:"key"`
		Pipeline string       `json:"pipeline,omitempty"` // where the files or a run know it
		Addr     string       `json:"addr,omitempty"`
		Output   string       `json:"output,omitempty"`
		Step     int          `json:"step,omitempty"` // of a kept state, whose key is that of its past
	}
	of := []use{}
	var words []string
	for _, u := range d.Of {
		pipeline, addr, _ := strings.Cut(addrs[u.Key], "/")
		of = append(of, use{u.Key, pipeline, addr, u.Output, u.Step})
		name := addrs[u.Key]
		if name == "" {
			name = "result " + u.Key.Short() + ", of no run"
		}
		switch {
		case u.Step > 0:
			name = fmt.Sprintf("the state kept after step %d of %s", u.Step, cmp.Or(addrs[u.Key], "no run"))
		case u.Output != "":
			name += "." + u.Output
		}
		if !slices.Contains(words, name) {
			words = append(words, name)
		}
	}
	if c.json {
		return c.line(struct {
			Action string `json:"action"`
			Path   string `json:"path"`
			Reason string `json:"reason"`
			Aside  bool   `json:"aside"`
			Of     []use  `json:"of"`
		}{"damaged", d.Path, d.Reason, d.Aside, of})
	}
	reason := d.Reason
	if d.Aside {
		reason += "; set aside"
	}
	fmt.Fprintf(c.stdout, "%s\n  %s\n", d.Path, reason)
	if len(words) > 6 {
		words = append(words[:5], fmt.Sprintf("%d more", len(words)-5))
	}
	for _, w := range words {
		fmt.Fprintf(c.stdout, "  of %s\n", w)
	}
	return nil
}

// verified sums up what a check of the store found.
func (c *command) verified(found *store.Verification, seconds float64) {
	if len(found.Damage) > 0 {
		fmt.Fprintln(c.stdout)
	}
	results := count(found.Results, "result")
	if found.States > 0 {
		results += ", " + count(found.States, "kept state")
	}
	fmt.Fprintf(c.stdout, "Read %s and %s: %s in %s", results, count(found.Objects, "object"), bytes(found.Bytes), duration(seconds))
	if seconds >= 0.1 {
		fmt.Fprintf(c.stdout, ", %s/s", bytes(int64(float64(found.Bytes)/seconds)))
	}
	if len(found.Damage) == 0 {
		fmt.Fprintln(c.stdout, ". Every byte is as it was written.")
		return
	}
	fmt.Fprintf(c.stdout, ".\n%s wrong.", entries(len(found.Damage)))
	if slices.ContainsFunc(found.Damage, func(d store.Damage) bool { return d.Aside }) {
		fmt.Fprintf(c.stdout, " What is damaged was moved to %s.", filepath.Join(c.store().Dir(), "damaged"))
	}
	if slices.ContainsFunc(found.Damage, func(d store.Damage) bool { return d.Of != nil }) {
		fmt.Fprint(c.stdout, " The next run makes anew what it needs of it.")
	}
	fmt.Fprintln(c.stdout)
}

func entries(n int) string {
	if n == 1 {
		return "1 entry is"
	}
	return fmt.Sprintf("%d entries are", n)
}

// verifyStages runs stages again and compares.
func (c *command) verifyStages(cmd *cobra.Command, addrs []string, cores int) error {
	if cores < 1 {
		return usagef("--jobs must be at least 1, is %d", cores)
	}
	ctx, done := untilSignal(cmd.Context())
	defer done()
	var all []*pipeline.Rerun
	pipelines := map[*pipeline.Rerun]string{}
	var failed error
	for _, addr := range addrs {
		g, nodes, err := c.match(addr)
		if err != nil {
			return err
		}
		executors, err := executorsOf(cmd, g, cores)
		if err != nil {
			return err
		}
		view := c.view(g)
		failed = g.Rerun(ctx, c.store(), nodes, executors, view.event, func(r *pipeline.Rerun) {
			all = append(all, r)
			pipelines[r] = g.Name
		})
		view.close()
		if failed != nil {
			break
		}
	}
	different := false
	for _, r := range all {
		different = different || r.Different() != nil
		if err := c.compared(pipelines[r], r); err != nil {
			return err
		}
	}
	var stage *pipeline.StageError
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(c.stderr, "Interrupted.")
	case errors.As(failed, &stage) && stage.Log != "":
		if err := c.printFailure(stage); err != nil {
			return err
		}
	case failed != nil:
		return failed
	case !different:
		return nil
	}
	return exit(exitFailed)
}

// compared tells how a stage that ran again came out.
func (c *command) compared(in string, r *pipeline.Rerun) error {
	different := r.Different()
	if c.json {
		type output struct {
			Output string       `json:"output"`
			Stored store.Digest `json:"stored"`
			Now    store.Digest `json:"now"`
			Path   string       `json:"path,omitempty"`
		}
		line := struct {
			Action   string   `json:"action"`
			Pipeline string   `json:"pipeline"`
			Addr     string   `json:"addr"`
			Equal    bool     `json:"equal"`
			Outputs  []output `json:"outputs"`
			Seconds  float64  `json:"seconds"`
		}{Action: "compared", Pipeline: in, Addr: r.Node.Addr, Equal: different == nil, Seconds: r.Seconds}
		for _, name := range slices.Sorted(maps.Keys(r.Result.Outputs)) {
			o := output{Output: name, Stored: r.Result.Outputs[name].Digest, Now: r.Outputs[name].Digest}
			if slices.Contains(different, name) {
				o.Path = filepath.Join(r.Dir, name)
			}
			line.Outputs = append(line.Outputs, o)
		}
		return c.line(line)
	}
	names := slices.Sorted(maps.Keys(r.Result.Outputs))
	if different == nil {
		fmt.Fprintf(c.stdout, "%s/%s: equal (%s)\n", in, r.Node.Addr, strings.Join(names, ", "))
		return nil
	}
	fmt.Fprintf(c.stdout, "%s/%s: different\n", in, r.Node.Addr)
	if a := r.Result.Made.Accepted; a != nil {
		fmt.Fprintf(c.stdout, "  its result was accepted from an older version: %s\n", a.Reason)
	}
	for _, name := range different {
		fmt.Fprintf(c.stdout, "  %s: stored %s, now %s\n    %s\n", name, r.Result.Outputs[name].Digest.Short(), r.Outputs[name].Digest.Short(), filepath.Join(r.Dir, name))
	}
	return nil
}
