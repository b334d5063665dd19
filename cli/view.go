package cli

import (
	"fmt"
	"io"
	"strings"

	"anneal/pipeline"
)

// lineView prints a line when a stage starts and ends. Stages that are cached come in crowds: those between two other
// lines are told together.
type lineView struct {
	out      io.Writer
	notes    io.Writer
	pipeline string
	tint     colors
	cached   []string // addresses not told yet
}

func (v *lineView) event(e pipeline.Event) { io.WriteString(v.out, v.text(e)) }

func (v *lineView) note(text string) { fmt.Fprintln(v.notes, text) }

func (v *lineView) close() { io.WriteString(v.out, v.crowd()) }

// text is what e gives people to read: whole lines, or nothing.
func (v *lineView) text(e pipeline.Event) string {
	switch {
	case e.Action == "cached":
		v.cached = append(v.cached, e.Addr)
		return ""
	case e.Action == "begin", e.Action == "plan",
		e.Action == "progress" && e.Text == "",
		e.Text == pipeline.NotBegun: // of these the summary tells
		return ""
	}
	return v.crowd() + v.line(e) + "\n"
}

// blockLines is how many lines a crowd of cached stages may take.
const blockLines = 12

// crowd tells of the stages that were cached since it was asked before: a line a block, or one for all where that would
// be many.
func (v *lineView) crowd() string {
	var blocks []string
	counts := map[string]int{}
	for _, addr := range v.cached {
		block, _, _ := strings.Cut(addr, "[")
		if counts[block]++; counts[block] == 1 {
			blocks = append(blocks, block)
		}
	}
	all := v.cached
	v.cached = nil
	var b strings.Builder
	if len(blocks) > blockLines {
		fmt.Fprintf(&b, "%s%6s%s %s of %d blocks\n", v.tint.dim, "cached", v.tint.reset, count(len(all), "stage"), len(blocks))
		return b.String()
	}
	for _, block := range blocks {
		if counts[block] > 1 {
			fmt.Fprintf(&b, "%s%6s%s %s (%s)\n", v.tint.dim, "cached", v.tint.reset, block, count(counts[block], "stage"))
			continue
		}
		for _, addr := range all {
			if addr == block || strings.HasPrefix(addr, block+"[") {
				fmt.Fprintf(&b, "%s%6s%s %s\n", v.tint.dim, "cached", v.tint.reset, addr)
			}
		}
	}
	return b.String()
}

// line prints an event for people.
func (v *lineView) line(e pipeline.Event) string {
	t := v.tint
	switch e.Action {
	case "start", "progress", "resume":
		if e.Text != "" {
			return fmt.Sprintf("%6s %s: %s", "", e.Addr, e.Text)
		}
		return fmt.Sprintf("%6s %s", "start", e.Addr)
	case "done":
		return fmt.Sprintf("%s%6s%s %s %s(%s)%s", t.green, "done", t.reset, e.Addr, t.dim, duration(e.Values["seconds"]), t.reset)
	case "fail":
		return fmt.Sprintf("%s%6s%s %s: %s", t.red, "FAILED", t.reset, e.Addr, e.Text)
	case "skip":
		return fmt.Sprintf("%s%6s%s %s: %s", t.yellow, "skip", t.reset, e.Addr, e.Text)
	case "summary":
		s := e.Summary
		failed := "failed"
		if s.Ignored > 0 {
			failed += fmt.Sprintf(" (%d ignored)", s.Ignored)
		}
		return fmt.Sprintf("%s%s%s: %s in %s", t.bold, v.pipeline, t.reset,
			tally(s.Ran, "ran", s.Cached, "cached", s.Failed, failed, s.Skipped, "skipped"), duration(s.Seconds))
	}
	return e.Action + " " + e.Addr
}

// duration prints seconds as 0.42 s, 12.3 s or 3m04s.
func duration(seconds float64) string {
	switch {
	case seconds < 1:
		return fmt.Sprintf("%.2f s", seconds)
	case seconds < 60:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm%02ds", int(seconds)/60, int(seconds)%60)
	}
	return fmt.Sprintf("%dh%02dm", int(seconds)/3600, int(seconds)/60%60)
}
