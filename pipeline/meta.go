package pipeline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Meta is what a block says about where and how its stages run. It cannot change what they make, so none of it enters
// a key.
type Meta struct {
	Executor  string // the name of an executor, "local" where the block says nothing
	Resources Resources
	Retry     int           // further attempts after one that failed
	Timeout   time.Duration // of one attempt; 0: none
	OnFailure string        // what becomes of a run whose stage failed: one of the constants below
	Keep      time.Duration // how long artifacts that are folders, such as weights, stay unused before gc drops them; negative: for good
}

// What becomes of a run in which a stage failed.
const (
	SkipDependents = "skip"   // what needs the stage is skipped, the rest goes on
	StopRun        = "stop"   // nothing new is started
	IgnoreFailure  = "ignore" // as skip, and the run counts as a success
)

// Resources is what one stage occupies while it runs.
type Resources struct {
	Cores  int   // 0: a share of those that are free
	Memory int64 // bytes
	GPUs   int
}

// meta reads what the strings of m mean. The error blames fields.
func (m *stageArguments) meta(c *Config) (Meta, error) {
	meta := Meta{Executor: "local", Retry: m.Retry, OnFailure: SkipDependents, Keep: -1}
	var errs []error
	if m.Executor != "" {
		meta.Executor = m.Executor
		if known := c.executorNames(); c.executors[m.Executor] == nil && m.Executor != "local" {
			errs = append(errs, Errorf("executor", "is %q, which this build does not have; it has %s.%s", m.Executor, strings.Join(known, ", "), strings.TrimSuffix(Nearest(m.Executor, known), ".")))
		}
	}
	if m.OnFailure != "" {
		meta.OnFailure = m.OnFailure
	}
	if m.Retry < 0 {
		errs = append(errs, Errorf("retry", "must be at least 0, is %d", m.Retry))
	}
	var err error
	if m.Timeout != "" {
		if meta.Timeout, err = Span(m.Timeout); err != nil || meta.Timeout == 0 {
			errs = append(errs, Errorf("timeout", "takes a time above 0 such as \"90m\" or \"12h\", is %q", m.Timeout))
		}
	}
	if m.Keep != "" {
		if meta.Keep, err = Span(m.Keep); err != nil {
			errs = append(errs, Errorf("keep", "takes a time such as \"7d\", \"12h\" or \"0\", is %q", m.Keep))
		}
	}
	if r := m.Resources; r != nil {
		meta.Resources = Resources{Cores: r.Cores, GPUs: r.GPUs}
		if r.Cores < 0 {
			errs = append(errs, Errorf("resources.cores", "must be at least 0, is %d", r.Cores))
		}
		if r.GPUs < 0 {
			errs = append(errs, Errorf("resources.gpus", "must be at least 0, is %d", r.GPUs))
		}
		if r.Memory != "" {
			if meta.Resources.Memory, err = parseMemory(r.Memory); err != nil {
				errs = append(errs, Errorf("resources.memory", "%s", err))
			}
		}
	}
	return meta, errors.Join(errs...)
}

// Span reads a length of time: Go's units, and d for days of 24 hours.
func Span(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || !(n >= 0 && n < 100000) {
			return 0, fmt.Errorf("%q is no number of days", days)
		}
		return time.Duration(n * float64(24*time.Hour)), nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = fmt.Errorf("%s is negative", text)
	}
	return d, err
}
