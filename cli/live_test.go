package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"anneal/pipeline"
)

// screen is a terminal: what was written to it, as a person sees it. A line that is too wide takes two.
type screen struct {
	t             *testing.T
	width, height int
	lines         []string // all of them; the last is where the cursor stands
	gone          int      // lines that have scrolled out at the top
}

func (s *screen) Write(p []byte) (int, error) {
	text := string(p)
	for text != "" {
		switch {
		case strings.HasPrefix(text, "\x1b[J"):
			text = text[3:]
		case strings.HasPrefix(text, "\x1b["):
			var up int
			if _, err := fmt.Sscanf(text, "\x1b[%dA", &up); err != nil {
				s.t.Fatalf("a sequence that this terminal does not know: %q", text)
			}
			text = text[strings.IndexByte(text, 'A')+1:]
			if up > len(s.lines)-1-s.gone {
				s.t.Fatalf("moves up %d lines, above the top of the screen", up)
			}
			s.lines = s.lines[:len(s.lines)-up]
			s.lines[len(s.lines)-1] = ""
		case text[0] == '\r':
			text = text[1:]
		case text[0] == '\n':
			s.newLine()
			text = text[1:]
		default:
			r, n := utf8.DecodeRuneInString(text)
			if utf8.RuneCountInString(s.lines[len(s.lines)-1]) == s.width {
				s.newLine()
			}
			s.lines[len(s.lines)-1] += string(r)
			text = text[n:]
		}
	}
	return len(p), nil
}

func (s *screen) newLine() {
	s.lines = append(s.lines, "")
	s.gone = max(s.gone, len(s.lines)-s.height)
}

// live is a view on a screen, at a time of the test's choosing.
type live struct {
	*liveView
	*screen
	clock time.Time
}

func newLive(t *testing.T, width, height, stages int) *live {
	l := &live{screen: &screen{t: t, width: width, height: height, lines: []string{""}}, clock: time.Unix(1000, 0)}
	l.liveView = &liveView{
		lines: &lineView{pipeline: "p"}, out: l.screen, total: stages, stop: make(chan struct{}), done: make(chan struct{}),
		size: func() (int, int) { return width, height },
		now:  func() time.Time { return l.clock },
	}
	close(l.liveView.done)
	return l
}

func (l *live) on(after time.Duration, e pipeline.Event) {
	l.clock = l.clock.Add(after)
	e.Time = l.clock
	l.event(e)
	l.draw("")
}

func (l *live) shows(want ...string) {
	l.t.Helper()
	got := strings.TrimSuffix(strings.Join(l.screen.lines, "\n"), "\n")
	if got != strings.Join(want, "\n") {
		l.t.Errorf("shows\n%s\nand not\n%s", got, strings.Join(want, "\n"))
	}
}

// TestLive: finished stages scroll by, and below stands what runs.
func TestLive(t *testing.T) {
	l := newLive(t, 100, 24, 12)
	for _, addr := range []string{"dataset.a", "pretrain.base[seed=1]", "pretrain.base[seed=2]"} {
		l.on(0, pipeline.Event{Action: "cached", Addr: addr})
	}
	l.on(0, pipeline.Event{Action: "plan", Addr: "pretrain.base[seed=3]", Left: 240})
	l.shows("")
	l.on(0, pipeline.Event{Action: "start", Addr: "pretrain.base[seed=3]", Values: map[string]float64{"expected_seconds": 100}})
	l.on(0, pipeline.Event{Action: "start", Addr: "probe.loss[seed=1]", Values: map[string]float64{"expected_seconds": 20}})
	l.shows("   run pretrain.base[seed=3]  0.00 s of about 100 s",
		"   run probe.loss[seed=1]  0.00 s of about 20 s",
		"       3 of 12 stages, about 2 min left")
	l.on(0, pipeline.Event{Action: "progress", Addr: "pretrain.base[seed=3]", Step: 10, Total: 400})
	l.on(10*time.Second, pipeline.Event{Action: "progress", Addr: "pretrain.base[seed=3]", Step: 100, Total: 400, Values: map[string]float64{"train_loss": 2.345678, "tokens_per_second": 51234}})
	l.shows("   run pretrain.base[seed=3]  ████░░░░░░░░░░░░  25%  51.2k tokens/s  train loss 2.346  33.3 s left",
		"   run probe.loss[seed=1]  10.0 s of about 20 s",
		"       3 of 12 stages, about 103 s left") // of 240 s, 25 and 10 are done, by two stages at once
	l.on(time.Second, pipeline.Event{Action: "done", Addr: "probe.loss[seed=1]", Values: map[string]float64{"seconds": 11}, Left: 220})
	l.shows("cached dataset.a",
		"cached pretrain.base (2 stages)",
		"  done probe.loss[seed=1] (11.0 s)",
		"   run pretrain.base[seed=3]  ████░░░░░░░░░░░░  25%  51.2k tokens/s  train loss 2.346  36.7 s left",
		"       4 of 12 stages, about 3 min left")
	l.note("Stopping.")
	l.on(0, pipeline.Event{Action: "skip", Addr: "pretrain.base[seed=3]", Text: "interrupted at step 100 of 400"})
	l.on(0, pipeline.Event{Action: "skip", Addr: "report.r", Text: pipeline.NotBegun})
	l.on(0, pipeline.Event{Action: "summary", Summary: &pipeline.Summary{Ran: 1, Cached: 3, Skipped: 8, Seconds: 11}})
	l.close()
	l.shows("cached dataset.a",
		"cached pretrain.base (2 stages)",
		"  done probe.loss[seed=1] (11.0 s)",
		"Stopping.",
		"  skip pretrain.base[seed=3]: interrupted at step 100 of 400",
		"p: 1 ran, 3 cached, 8 skipped in 11.0 s")
}

// TestResumed: a stage that goes on from a step says so, and its time left goes by the steps since.
func TestResumed(t *testing.T) {
	l := newLive(t, 100, 24, 1)
	l.on(0, pipeline.Event{Action: "start", Addr: "pretrain.base", Values: map[string]float64{"expected_seconds": 60}})
	l.on(0, pipeline.Event{Action: "resume", Addr: "pretrain.base", Step: 200, Total: 400, Text: "resumed at step 200 of 400"})
	l.on(10*time.Second, pipeline.Event{Action: "progress", Addr: "pretrain.base", Step: 250, Total: 400})
	l.liveView.left = 60
	l.draw("")
	l.shows("       pretrain.base: resumed at step 200 of 400",
		"   run pretrain.base  ██████████░░░░░░  62%  30.0 s left",
		"       0 of 1 stages, about 45 s left")
}

// TestNarrow: a line gives up values, then its bar, and last the end of the address, and never wraps.
func TestNarrow(t *testing.T) {
	for width, want := range map[int]string{
		120: "   run pretrain.base[seed=1,weight_decay=0.1]  ████████░░░░░░░░  50%  train loss 2.346  10.0 s left",
		90:  "   run pretrain.base[seed=1,weight_decay=0.1]  ████████░░░░░░░░  50%  10.0 s left",
		70:  "   run pretrain.base[seed=1,weight_decay=0.1]   50%  10.0 s left",
		60:  "   run pretrain.base[seed=1,weight_decay=0.1]   50%",
		40:  "   run pretrain.base[seed=1,weigh…   50%",
		20:  "   run pretrain.bas…",
		4:   "   …",
	} {
		l := newLive(t, width+1, 24, 1)
		l.on(0, pipeline.Event{Action: "start", Addr: "pretrain.base[seed=1,weight_decay=0.1]"})
		l.on(0, pipeline.Event{Action: "progress", Addr: "pretrain.base[seed=1,weight_decay=0.1]", Step: 1, Total: 20001})
		l.on(10*time.Second, pipeline.Event{Action: "progress", Addr: "pretrain.base[seed=1,weight_decay=0.1]", Step: 10001, Total: 20001, Values: map[string]float64{"train_loss": 2.345678}})
		if got := l.screen.lines[0]; got != want || len(l.screen.lines) != 3 {
			t.Errorf("%d columns: %q of %d lines, want %q", width, got, len(l.screen.lines)-1, want)
		}
	}
}

// TestLow: however many stages run, the foot fits the terminal, and what has scrolled out of it is never redrawn.
func TestLow(t *testing.T) {
	for height := range 12 {
		l := newLive(t, 80, height+1, 100)
		for i := range 30 {
			l.on(0, pipeline.Event{Action: "start", Addr: fmt.Sprintf("word.w[i=%d]", i)})
		}
		if height == 7 {
			l.shows("   run word.w[i=0]  0.00 s", "   run word.w[i=1]  0.00 s", "   run word.w[i=2]  0.00 s", "   run word.w[i=3]  0.00 s", "   run word.w[i=4]  0.00 s",
				"       … 25 more", "       0 of 100 stages")
		}
		for i := range 30 {
			l.on(0, pipeline.Event{Action: "done", Addr: fmt.Sprintf("word.w[i=%d]", i)})
		}
		l.close()
		if len(l.screen.lines) != 31 {
			t.Errorf("height %d: %d lines are left of 30 stages", height+1, len(l.screen.lines)-1)
		}
	}
}

// TestCrowds: cached stages are told by block, or all together where they are many.
func TestCrowds(t *testing.T) {
	var b strings.Builder
	v := &lineView{out: &b, pipeline: "p"}
	for block := range 3 {
		for i := range 1 + block*499 {
			v.event(pipeline.Event{Action: "cached", Addr: fmt.Sprintf("word.b%d[i=%d]", block, i)})
		}
	}
	v.event(pipeline.Event{Action: "start", Addr: "word.c"})
	for block := range 1000 {
		v.event(pipeline.Event{Action: "cached", Addr: fmt.Sprintf("word.d%d", block)})
	}
	v.event(pipeline.Event{Action: "summary", Summary: &pipeline.Summary{Cached: 2499, Ran: 1}})
	v.close()
	const want = "cached word.b0[i=0]\ncached word.b1 (500 stages)\ncached word.b2 (999 stages)\n start word.c\ncached 1000 stages of 1000 blocks\np: 1 ran, 2499 cached in 0.00 s\n"
	if b.String() != want {
		t.Errorf("says\n%s", b.String())
	}
}
