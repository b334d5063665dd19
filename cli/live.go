package cli

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"anneal/pipeline"
)

// liveView keeps a line for every running stage, and one for the whole, at the foot of a terminal, above which finished
// stages scroll by.
type liveView struct {
	lines *lineView
	out   io.Writer
	size  func() (width, height int)
	now   func() time.Time
	stop  chan struct{}
	done  chan struct{}

	mu      sync.Mutex
	total   int // stages of the run
	ended   int
	left    float64 // seconds of stages' time to come; 0: not known
	running []*stageLine
	drawn   int // lines at the foot
}

// stageLine is what is known of a running stage.
type stageLine struct {
	addr        string
	started     time.Time
	expected    float64 // seconds that it is to take; 0: not known
	step, total int
	from        int       // the step that the work goes on from
	first       time.Time // of the first report of progress, from which the rest is foreseen
	firstStep   int
	values      map[string]float64
}

// newLiveView draws on the terminal f, also while nothing happens: time goes by.
func newLiveView(f *os.File, lines *lineView, stages int) *liveView {
	v := &liveView{
		lines: lines, out: f, now: time.Now, total: stages,
		size: func() (int, int) {
			width, height, err := term.GetSize(int(f.Fd()))
			if err != nil || width <= 0 || height <= 0 {
				return 80, 24
			}
			return width, height
		},
		stop: make(chan struct{}), done: make(chan struct{}),
	}
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
	at := func() int { return slices.IndexFunc(v.running, func(s *stageLine) bool { return s.addr == e.Addr }) }
	switch e.Action {
	case "start":
		if at() < 0 {
			v.running = append(v.running, &stageLine{addr: e.Addr, started: e.Time, expected: e.Values["expected_seconds"]})
		}
		return
	case "progress":
		if i := at(); i >= 0 && e.Text == "" {
			v.running[i].progress(e)
			return
		}
	case "resume":
		if i := at(); i >= 0 {
			v.running[i].from, v.running[i].first = e.Step, time.Time{}
			v.running[i].progress(e)
		}
	case "cached", "done", "fail", "skip":
		v.ended++
		v.left = e.Left
		if i := at(); i >= 0 {
			v.running = slices.Delete(v.running, i, i+1)
		}
	case "plan":
		v.left = e.Left
	}
	if text := v.lines.text(e); text != "" {
		v.draw(text)
	}
}

func (s *stageLine) progress(e pipeline.Event) {
	if s.first.IsZero() || e.Step < s.firstStep { // another attempt starts over
		s.first, s.firstStep = e.Time, e.Step
	}
	s.step, s.total, s.values = e.Step, e.Total, e.Values
}

func (v *liveView) note(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.draw(text + "\n")
}

func (v *liveView) close() {
	close(v.stop)
	<-v.done
	v.mu.Lock()
	defer v.mu.Unlock()
	v.running = nil
	v.draw(v.lines.crowd())
}

// draw replaces the foot, printing above first. The foot never fills the terminal: what has scrolled out of it could not
// be replaced.
func (v *liveView) draw(above string) {
	width, height := v.size()
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", v.drawn)
	}
	b.WriteString(above)
	foot := v.foot(width-1, height-1)
	for _, line := range foot {
		b.WriteString(line + "\n")
	}
	v.drawn = len(foot)
	if b.Len() > 0 {
		io.WriteString(v.out, b.String())
	}
}

// foot is a line for each running stage, as far as there is room, and one for the whole.
func (v *liveView) foot(width, height int) []string {
	if len(v.running) == 0 || height < 1 {
		return nil
	}
	now := v.now()
	var foot []string
	for i, s := range v.running {
		if i >= height-2 && len(v.running) > height-1 {
			if height > 1 {
				foot = append(foot, cut(fmt.Sprintf("%6s … %d more", "", len(v.running)-i), width))
			}
			break
		}
		foot = append(foot, s.text(now, width))
	}
	whole := fmt.Sprintf("%6s %d of %d stages", "", v.ended, v.total)
	if left := v.secondsLeft(now); left > 0 {
		whole += ", about " + about(left) + " left"
	}
	return append(foot, cut(whole, width))
}

// secondsLeft is how long the run will go on, if as many stages run at once as now. 0: that is not known.
func (v *liveView) secondsLeft(now time.Time) float64 {
	left := v.left
	for _, s := range v.running {
		done := now.Sub(s.started).Seconds()
		if s.total > 0 {
			done = s.expected * float64(s.step-s.from) / float64(max(1, s.total-s.from))
		}
		left -= min(done, s.expected)
	}
	return left / float64(len(v.running))
}

// about prints a time that nobody knows to the second.
func about(seconds float64) string {
	switch {
	case seconds < 120:
		return fmt.Sprintf("%.0f s", math.Ceil(seconds))
	case seconds < 3600:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}

// text is the stage's line: bar, share, values, time left. What does not fit is left out: values first, then the bar; the
// end of the address last.
func (s *stageLine) text(now time.Time, width int) string {
	head := fmt.Sprintf("%6s %s", "run", s.addr)
	tails := s.tails(now)
	for _, tail := range tails {
		if utf8.RuneCountInString(head)+utf8.RuneCountInString(tail) <= width {
			return head + tail
		}
	}
	tail := tails[len(tails)-1]
	if room := width - utf8.RuneCountInString(tail); room > 16 {
		return cut(head, room) + tail
	}
	return cut(head, width)
}

// tails is what follows the address, from the longest to the shortest.
func (s *stageLine) tails(now time.Time) []string {
	elapsed := now.Sub(s.started).Seconds()
	if s.total <= 0 {
		tail := "  " + duration(elapsed)
		if s.expected > elapsed {
			return []string{tail + " of about " + about(s.expected), tail}
		}
		return []string{tail}
	}
	const cells = 16
	step := min(max(s.step, 0), s.total)
	full := cells * step / s.total
	bar := "  " + strings.Repeat("█", full) + strings.Repeat("░", cells-full)
	share := fmt.Sprintf(" %3d%%", 100*step/s.total)
	values := ""
	names := make([]string, 0, len(s.values))
	for name := range s.values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values += "  " + value(name, s.values[name])
	}
	left := ""
	if moved := s.step - s.firstStep; moved > 0 && s.step < s.total {
		seconds := now.Sub(s.first).Seconds() / float64(moved) * float64(s.total-s.step)
		left = "  " + duration(seconds) + " left"
	}
	return []string{bar + share + values + left, bar + share + left, " " + share + left, " " + share}
}

// cut shortens a line that is too wide.
func cut(line string, width int) string {
	r := []rune(line)
	if len(r) <= width {
		return line
	}
	return string(r[:max(0, width-1)]) + "…"
}

// value prints a reported value with its name.
func value(name string, v float64) string {
	switch {
	case name == "tokens_per_second" && v >= 1000:
		return fmt.Sprintf("%.1fk tokens/s", v/1000)
	case name == "tokens_per_second":
		return fmt.Sprintf("%.0f tokens/s", v)
	case name == "bytes_per_second":
		return bytes(int64(v)) + "/s"
	}
	return fmt.Sprintf("%s %.4g", strings.ReplaceAll(name, "_", " "), v)
}
