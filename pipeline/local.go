package pipeline

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// Local runs stages in this process and shares what the machine has among those that run. A stage that asks for cores has
// as many; the others share what is left: a lone stage gets all of it, as many stages as cores get one each, and what a
// finished stage leaves goes to those that still run.
type Local struct {
	Cores  int    `hcl:"cores,optional" doc:"cores to use; all of the machine where left out, and --jobs goes before it"`
	Memory string `hcl:"memory,optional" doc:"memory that stages may ask for, such as 32GB; the machine's where left out"`
	GPUs   int    `hcl:"gpus,optional" doc:"GPUs that stages may ask for"`

	mu      sync.Mutex
	running []*Task // longest first
}

// NewLocal returns an executor with a budget of cores; 0: all of the machine.
func NewLocal(cores int) *Local { return &Local{Cores: cores} }

// Check tells what is wrong with the configuration.
func (l *Local) Check() error {
	if l.Cores < 0 {
		return Errorf("cores", "must be at least 1, is %d", l.Cores)
	}
	if l.GPUs < 0 {
		return Errorf("gpus", "must be at least 0, is %d", l.GPUs)
	}
	if _, err := parseMemory(l.Memory); l.Memory != "" && err != nil {
		return Errorf("memory", "%s", err)
	}
	return nil
}

// Budget is what stages may occupy together.
func (l *Local) Budget() Resources {
	b := Resources{Cores: l.cores(), GPUs: l.GPUs}
	if l.Memory == "" {
		b.Memory = machineMemory()
	} else {
		b.Memory, _ = parseMemory(l.Memory)
	}
	return b
}

func (l *Local) cores() int {
	if l.Cores == 0 {
		return runtime.NumCPU()
	}
	return l.Cores
}

// panicError is a panic of a stage.
type panicError struct{ value any }

// Error leaves out what follows the first line, such as the stack of another goroutine: the log has it.
func (e *panicError) Error() string {
	first, _, _ := strings.Cut(fmt.Sprint(e.value), "\n")
	return "the stage panicked: " + first
}

// Run runs the stage of t. A panic in it becomes its error, with the stack in its log.
func (l *Local) Run(ctx context.Context, t *Task) (err error) {
	l.mu.Lock()
	l.running = append(l.running, t)
	l.mu.Unlock()
	t.Cores = func() int { return l.share(t) }
	defer func() {
		l.mu.Lock()
		l.running = slices.DeleteFunc(l.running, func(o *Task) bool { return o == t })
		l.mu.Unlock()
		if p := recover(); p != nil {
			fmt.Fprintf(t.Log, "panic: %v\n\n%s", p, debug.Stack())
			err = &panicError{p}
		}
	}()
	return t.Stage.Run(ctx, t)
}

// share is the number of cores that t may use now.
func (l *Local) share(t *Task) int {
	if n := t.Resources.Cores; n > 0 {
		return n
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	cores, sharing, place := l.cores(), 0, 0
	for _, o := range l.running {
		if o == t {
			place = sharing
		}
		if n := o.Resources.Cores; n > 0 {
			cores -= n
		} else {
			sharing++
		}
	}
	share := cores / sharing
	if place < cores%sharing {
		share++
	}
	return max(1, share)
}
