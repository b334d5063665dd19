package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
)

// Local runs stages in this process and shares its cores among those that run: a lone stage gets all of them, as many
// stages as cores get one each, and what a finished stage leaves goes to the others.
type Local struct {
	cores int

	mu      sync.Mutex
	running []*Task // longest first
}

// NewLocal returns an executor with a budget of cores.
func NewLocal(cores int) *Local { return &Local{cores: cores} }

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
			err = fmt.Errorf("the stage panicked: %v", p)
		}
	}()
	return t.Stage.Run(ctx, t)
}

// share is the number of cores that t may use now.
func (l *Local) share(t *Task) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.running)
	i := slices.Index(l.running, t)
	share := l.cores / n
	if i < l.cores%n {
		share++
	}
	return max(1, share)
}
