package cli

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"anneal/pipeline"
)

func (c *command) plan() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan [PIPELINE...]",
		Short: "Tell what a run would compute, why, and what it will cost",
		Long: `Tell what a run would compute, why, and what it will cost. All pipelines are planned if none is named. It writes
nothing, and works before anything was run.`,
		Example: `  anneal plan demo
  anneal plan demo --var 'seeds=[1, 2, 3]'
  anneal plan demo --target finetune.sft --json`,
		Args: cobra.ArbitraryArgs,
	}
	detailed := cmd.Flags().Bool("detailed-exitcode", false, "exit 2 if something is to run")
	cores := jobs(cmd)
	part := selection(cmd)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		if *cores < 1 {
			return usagef("--jobs must be at least 1, is %d", *cores)
		}
		if err := noAddresses(names); err != nil {
			return err
		}
		graphs, err := c.graphs(names)
		if err != nil {
			return err
		}
		if graphs, err = selected(graphs, part); err != nil {
			return err
		}
		changes := false
		st := c.store()
		for i, g := range graphs {
			steps := g.Plan(st)
			for _, s := range steps {
				changes = changes || s.Do != pipeline.Cached
			}
			executors, err := executorsOf(cmd, g, *cores)
			if err != nil {
				return err
			}
			if err := g.Forecast(st, steps, executors); err != nil {
				return err
			}
			g.Cost(st, steps, *cores)
			if c.json {
				err = c.planJSON(g, steps)
			} else {
				if i > 0 {
					fmt.Fprintln(c.stdout)
				}
				c.planText(g, steps, *cores, executors)
			}
			if err != nil {
				return err
			}
		}
		if *detailed && changes {
			return exit(exitChanges)
		}
		return nil
	}
	return cmd
}

func (c *command) planJSON(g *pipeline.Graph, steps []pipeline.Step) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	for _, s := range steps {
		line := struct {
			Pipeline string   `json:"pipeline"`
			Addr     string   `json:"addr"`
			Kind     string   `json:"kind"`
			Do       string   `json:"do"`
			Why      []string `json:"why"`
			Notes    []string `json:"notes,omitempty"` // from where it goes on, or why it cannot
			Key      string   `json:"key,omitempty"`
			Seconds  *float64 `json:"seconds,omitempty"` // what it is expected to take
			Bytes    *int64   `json:"bytes,omitempty"`
			Steps    int      `json:"steps,omitempty"`    // of its work
			Computed *int     `json:"computed,omitempty"` // of these, what is not there already
			Memory   int64    `json:"memory,omitempty"`   // bytes at the peak
		}{Pipeline: g.Name, Addr: s.Node.Addr, Kind: s.Node.Kind.Name, Do: s.Do, Why: append([]string{}, s.Why...), Notes: s.Notes, Steps: s.Steps, Memory: s.Memory}
		if s.Steps > 0 {
			line.Computed = &s.Computed
		}
		if !s.Key.IsZero() {
			line.Key = s.Key.String()
		}
		if s.Foreseen {
			line.Seconds, line.Bytes = &s.Seconds, &s.Bytes
		}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

func (c *command) planText(g *pipeline.Graph, steps []pipeline.Step, cores int, executors map[string]pipeline.Executor) {
	tint := palette(c.color(c.stdout))
	lines := planLines(steps)
	if terminal(c.stdout) != nil {
		lines = grouped(lines)
	}
	colors := map[string]string{pipeline.Cached: tint.dim, pipeline.Run: tint.green, pipeline.Maybe: tint.yellow}
	for _, l := range lines {
		fmt.Fprintf(c.stdout, "%s%6s%s %s", colors[l.do], l.do, tint.reset, l.addr)
		text := strings.Join(l.why, "; ")
		switch width := c.width(); {
		case text == "":
		case len(l.addr)+len(text) < width-10:
			fmt.Fprintf(c.stdout, " %s(%s)%s", tint.dim, text, tint.reset)
		case len(text) < width-8:
			fmt.Fprintf(c.stdout, "\n       %s%s%s", tint.dim, text, tint.reset)
		default:
			for _, w := range l.why {
				fmt.Fprintf(c.stdout, "\n       %s%s%s", tint.dim, w, tint.reset)
			}
		}
		fmt.Fprintln(c.stdout)
	}
	fmt.Fprintln(c.stdout)
	c.planSummary(g, steps, cores)
	c.planMemory(steps, executors)
}

// planMemory says what the biggest stage of each executor will take of its memory.
func (c *command) planMemory(steps []pipeline.Step, executors map[string]pipeline.Executor) {
	peaks := map[string]int64{}
	for _, s := range steps {
		peaks[s.Node.Meta.Executor] = max(peaks[s.Node.Meta.Executor], s.Memory)
	}
	for _, name := range sortedNames(peaks) {
		if peaks[name] == 0 {
			continue
		}
		line := "peak memory " + bytes(peaks[name])
		if l, ok := executors[name].(pipeline.Limited); ok && l.Budget().Memory > 0 {
			line += " of " + bytes(l.Budget().Memory)
		}
		if len(executors) > 1 {
			line += " on " + name
		}
		fmt.Fprintf(c.stdout, "  %s\n", line)
	}
}

// planSummary counts steps that were foreseen, and says what they will cost.
func (c *command) planSummary(g *pipeline.Graph, steps []pipeline.Step, cores int) {
	tint := palette(c.color(c.stdout))
	counts := map[string]int{}
	for _, s := range steps {
		counts[s.Do]++
	}
	fmt.Fprintf(c.stdout, "%s%s%s: ", tint.bold, g.Name, tint.reset)
	if counts[pipeline.Run]+counts[pipeline.Maybe] == 0 {
		fmt.Fprintf(c.stdout, "nothing to do, all %s cached.\n", count(counts[pipeline.Cached], "stage"))
		return
	}
	fmt.Fprintf(c.stdout, "%s.\n", tally(counts[pipeline.Run], "to run", counts[pipeline.Maybe], "maybe", counts[pipeline.Cached], "cached"))
	only := func(do string) []pipeline.Step {
		return slices.DeleteFunc(slices.Clone(steps), func(s pipeline.Step) bool { return s.Do != do })
	}
	run, maybe := pipeline.CostOf(only(pipeline.Run), cores), pipeline.CostOf(only(pipeline.Maybe), cores)
	if counts[pipeline.Run] > 0 {
		fmt.Fprintf(c.stdout, "  to run: %s\n", costLine(run))
	}
	if counts[pipeline.Maybe] > 0 {
		fmt.Fprintf(c.stdout, "  maybe, once their inputs are known: %s\n", costLine(maybe))
	}
	if all := pipeline.CostOf(steps, cores); counts[pipeline.Run] > 0 && run.Seconds > 0 && maybe.Seconds > 0 {
		fmt.Fprintf(c.stdout, "  in all at most %s\n", strings.TrimPrefix(estimate(all), "about "))
	}
}

// costLine says which stages there are and what they are expected to take: "1 pretrain, 24 finetunes, about 14m02s,
// 3.1 GB".
func costLine(cost pipeline.Cost) string {
	var parts []string
	for _, k := range cost.Kinds {
		parts = append(parts, count(k.Count, k.Kind))
	}
	if e := estimate(cost); e != "" {
		parts = append(parts, e)
	}
	return strings.Join(parts, ", ")
}

// estimate says what stages are expected to take, "" where none like them was ever run.
func estimate(cost pipeline.Cost) string {
	known := -cost.Unknown
	for _, k := range cost.Kinds {
		known += k.Count
	}
	if known == 0 {
		return ""
	}
	text := fmt.Sprintf("about %s, %s", duration(max(0.1, cost.Wall)), bytes(cost.Bytes)) // nobody plans with less than that
	if cost.Unknown > 0 {
		text += fmt.Sprintf(" + %d of a kind never run", cost.Unknown)
	}
	return text
}

// planLine is one line of a plan: a step, or several that say the same.
type planLine struct {
	block, do, addr string
	why             []string
}

func planLines(steps []pipeline.Step) []planLine {
	lines := make([]planLine, len(steps))
	for i, s := range steps {
		why := s.Why
		if len(why) > 1 && s.Do == pipeline.Run {
			why = slices.DeleteFunc(slices.Clone(why), func(w string) bool { return strings.HasPrefix(w, pipeline.WaitsFor) })
		}
		lines[i] = planLine{s.Node.Block, s.Do, s.Node.Addr, append(slices.Clone(why), s.Notes...)}
	}
	return lines
}

// groupFrom is how many steps of a block have to say the same to share a line.
const groupFrom = 9

// inBrackets finds points, and no lists.
var inBrackets = regexp.MustCompile(`\[[^\[\]]*=[^\]]*\]`)

// grouped puts steps of one block that do the same for the same reasons, but for the points that these name, on one
// line where they are many.
func grouped(lines []planLine) []planLine {
	alike := func(l planLine) string {
		return l.block + "\n" + l.do + "\n" + inBrackets.ReplaceAllString(strings.Join(l.why, "\n"), "[…]")
	}
	times := map[string]int{}
	for _, l := range lines {
		times[alike(l)]++
	}
	var short []planLine
	said := map[string]bool{}
	for _, l := range lines {
		key := alike(l)
		n := times[key]
		if n < groupFrom {
			short = append(short, l)
			continue
		}
		if said[key] {
			continue
		}
		said[key] = true
		why := slices.Clone(l.why)
		for i := range why {
			why[i] = inBrackets.ReplaceAllString(why[i], "[…]")
		}
		short = append(short, planLine{l.block, l.do, fmt.Sprintf("%s ×%d", l.block, n), why})
	}
	return short
}

// tally joins the counts that are not 0 with their words.
func tally(pairs ...any) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		if n := pairs[i].(int); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, pairs[i+1]))
		}
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// colors are escape sequences, all empty where colours are off.
type colors struct{ dim, red, green, yellow, bold, reset string }

func palette(on bool) colors {
	if !on {
		return colors{}
	}
	return colors{"\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1m", "\x1b[0m"}
}
