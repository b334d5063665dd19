package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"anneal/pipeline"
)

// lineView prints a line when a stage starts and ends.
type lineView struct {
	out      io.Writer
	pipeline string
	tint     colors
}

func (v *lineView) event(e pipeline.Event) {
	if speaks(e) {
		fmt.Fprintln(v.out, v.line(e))
	}
}

// speaks tells whether people want a line of their own for e. Of what an interruption leaves undone the summary tells.
func speaks(e pipeline.Event) bool {
	return e.Action != "progress" && e.Text != pipeline.NotBegun || e.Action == "progress" && e.Text != ""
}

func (v *lineView) close() {}

// line prints an event for people.
func (v *lineView) line(e pipeline.Event) string {
	t := v.tint
	switch e.Action {
	case "start", "progress":
		if e.Text != "" {
			return fmt.Sprintf("%6s %s: %s", "", e.Addr, e.Text)
		}
		return fmt.Sprintf("%6s %s", "start", e.Addr)
	case "cached":
		return fmt.Sprintf("%s%6s%s %s", t.dim, "cached", t.reset, e.Addr)
	case "done":
		return fmt.Sprintf("%s%6s%s %s %s(%s)%s", t.green, "done", t.reset, e.Addr, t.dim, duration(e.Values["seconds"]), t.reset)
	case "fail":
		return fmt.Sprintf("%s%6s%s %s: %s", t.red, "FAILED", t.reset, e.Addr, e.Text)
	case "skip":
		return fmt.Sprintf("%s%6s%s %s: %s", t.yellow, "skip", t.reset, e.Addr, e.Text)
	case "summary":
		s := e.Summary
		return fmt.Sprintf("%s%s%s: %s in %s", t.bold, v.pipeline, t.reset,
			tally(s.Ran, "ran", s.Cached, "cached", s.Failed, "failed", s.Skipped, "skipped"), duration(s.Seconds))
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

// liveView keeps a line for every running stage at the foot of a terminal, above which finished ones scroll by.
type liveView struct {
	lines *lineView
	f     *os.File
	stop  chan struct{}
	done  chan struct{}

	mu      sync.Mutex
	running []*stageLine
	drawn   int // lines at the foot
}

type stageLine struct {
	addr        string
	started     time.Time
	step, total int
	first       time.Time // of the first report of progress, from which the rest is foreseen
	firstStep   int
	values      map[string]float64
}

func newLiveView(f *os.File, lines *lineView) *liveView {
	v := &liveView{lines: lines, f: f, stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(v.done)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-v.stop:
				return
			case <-tick.C:
				v.mu.Lock()
				v.draw("")
				v.mu.Unlock()
			}
		}
	}()
	return v
}

func (v *liveView) event(e pipeline.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.running, func(s *stageLine) bool { return s.addr == e.Addr })
	switch {
	case e.Action == "start":
		v.running = append(v.running, &stageLine{addr: e.Addr, started: e.Time})
	case e.Action == "progress" && e.Text == "" && i >= 0:
		s := v.running[i]
		if s.first.IsZero() {
			s.first, s.firstStep = e.Time, e.Step
		}
		s.step, s.total, s.values = e.Step, e.Total, e.Values
	default:
		if i >= 0 && e.Action != "progress" {
			v.running = slices.Delete(v.running, i, i+1)
		}
		if speaks(e) {
			v.draw(v.lines.line(e) + "\n")
		}
	}
}

func (v *liveView) close() {
	close(v.stop)
	<-v.done
	v.running = nil
	v.draw("")
}

// draw replaces the foot, printing above first.
func (v *liveView) draw(above string) {
	width, _, err := term.GetSize(int(v.f.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.drawn)
	}
	b.WriteString("\r\x1b[J" + above)
	now := time.Now()
	for _, s := range v.running {
		b.WriteString(s.text(now, width-1) + "\n")
	}
	v.drawn = len(v.running)
	io.WriteString(v.f, b.String())
}

// text is the stage's line: bar, share, values, time left.
func (s *stageLine) text(now time.Time, width int) string {
	line := fmt.Sprintf("%6s %s", "run", s.addr)
	if s.total > 0 {
		const cells = 16
		full := cells * s.step / s.total
		line += fmt.Sprintf("  %s%s %3d%%", strings.Repeat("█", full), strings.Repeat("░", cells-full), 100*s.step/s.total)
		names := make([]string, 0, len(s.values))
		for name := range s.values {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			line += "  " + value(name, s.values[name])
		}
		if moved := s.step - s.firstStep; moved > 0 && s.step < s.total {
			left := now.Sub(s.first).Seconds() / float64(moved) * float64(s.total-s.step)
			line += "  " + duration(left) + " left"
		}
	} else {
		line += "  " + duration(now.Sub(s.started).Seconds())
	}
	if r := []rune(line); len(r) > width {
		line = string(r[:width])
	}
	return line
}

// value prints a reported value with its name.
func value(name string, v float64) string {
	switch {
	case name == "tokens_per_second" && v >= 1000:
		return fmt.Sprintf("%.1fk tokens/s", v/1000)
	case name == "tokens_per_second":
		return fmt.Sprintf("%.0f tokens/s", v)
	}
	return fmt.Sprintf("%s %.4g", strings.ReplaceAll(name, "_", " "), v)
}
