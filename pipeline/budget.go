package pipeline

import (
	"container/heap"
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// Limited is an executor that has only so much to give at once. One that is not, such as a cluster with a queue of its
// own, is handed every stage that is ready.
type Limited interface {
	Executor
	Budget() Resources
}

// Fits checks that every stage has an executor that could ever run it. The error is an *InvalidError.
func (g *Graph) Fits(executors map[string]Executor) error {
	var diags hcl.Diagnostics
	budgets := map[string]Resources{}
	for _, name := range sortedKeys(executors) {
		if limited, ok := executors[name].(Limited); ok {
			budgets[name] = limited.Budget()
		}
	}
	for _, n := range g.Nodes {
		name := n.Meta.Executor
		if executors[name] == nil {
			diags = append(diags, n.problem(n.where("executor"), "No such executor", "executor %q is not declared.%s", name, Nearest(name, sortedKeys(executors))))
			continue
		}
		b, limited := budgets[name]
		if !limited {
			continue
		}
		need := n.Meta.Resources
		if need.Cores > b.Cores {
			diags = append(diags, n.problem(n.where("resources.cores"), "A stage never fits", "resources.cores is %d, and executor %q has %d: ask for fewer, or give it more with --jobs or cores.", need.Cores, name, b.Cores))
		}
		if b.Memory > 0 && need.Memory > b.Memory {
			diags = append(diags, n.problem(n.where("resources.memory"), "A stage never fits", "resources.memory is %s, and executor %q has %s: ask for less, or give it more with memory.", amount(need.Memory), name, amount(b.Memory)))
		}
		if need.GPUs > b.GPUs {
			diags = append(diags, n.problem(n.where("resources.gpus"), "A stage never fits", "resources.gpus is %d, and executor %q has %d: ask for fewer, or give it more with gpus.", need.GPUs, name, b.GPUs))
		}
	}
	return invalid(g.config.files, diags)
}

// amount prints bytes of memory in the largest unit of which there is one.
func amount(n int64) string {
	f, unit := float64(n), "B"
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if f < 999.5 { // as it is printed
			break
		}
		f, unit = f/1000, next
	}
	return fmt.Sprintf("%.3g %s", f, unit)
}

// queue holds the stages that are to run on one executor, and what those that run occupy.
//
// The most urgent goes first. Where it does not fit beside those that run, smaller ones behind it may start meanwhile, but
// only as many as the executor has cores: then nothing starts before it does. So a big stage waits for at most one turn of
// what is on the machine, and cores are seldom idle for its sake.
type queue struct {
	executor Executor
	budget   *Resources // nil: no limit
	used     Resources
	demands  []*demand
}

// demand holds the waiting stages that occupy the same.
type demand struct {
	Resources
	waiting urgency
}

func newQueue(e Executor) *queue {
	q := &queue{executor: e}
	if l, ok := e.(Limited); ok {
		b := l.Budget()
		q.budget = &b
	}
	return q
}

func (q *queue) push(s *stageRun) {
	need := s.occupies()
	for _, d := range q.demands {
		if d.Resources == need {
			heap.Push(&d.waiting, s)
			return
		}
	}
	q.demands = append(q.demands, &demand{need, urgency{s}})
}

// occupies is what a stage takes of a budget: one that asks for no number of cores has at least one of them, and one that
// asks for no memory takes what it foretells.
func (s *stageRun) occupies() Resources {
	r := s.node.Meta.Resources
	r.Cores = max(1, r.Cores)
	if r.Memory == 0 && s.prospect != nil {
		r.Memory = s.prospect.Memory
	}
	return r
}

// next takes out the stage that is to start now, nil where there is none that is at least as urgent as said.
func (q *queue) next(urgent float64) *stageRun {
	var head, fit *demand
	for _, d := range q.demands {
		if len(d.waiting) == 0 {
			continue
		}
		if head == nil || d.waiting[0].before(head.waiting[0]) {
			head = d
		}
		if q.fits(d.Resources) && (fit == nil || d.waiting[0].before(fit.waiting[0])) {
			fit = d
		}
	}
	if fit == nil || fit.waiting[0].rest < urgent {
		return nil
	}
	if fit != head {
		first := head.waiting[0]
		if first.passed == q.budget.Cores {
			return nil
		}
		first.passed++
	}
	s := heap.Pop(&fit.waiting).(*stageRun)
	q.used.Cores += fit.Cores
	q.used.Memory += fit.Memory
	q.used.GPUs += fit.GPUs
	return s
}

// free gives back what s occupied.
func (q *queue) free(s *stageRun) {
	need := s.occupies()
	q.used.Cores -= need.Cores
	q.used.Memory -= need.Memory
	q.used.GPUs -= need.GPUs
}

func (q *queue) fits(need Resources) bool {
	b := q.budget
	return b == nil || q.used.Cores+need.Cores <= b.Cores && q.used.GPUs+need.GPUs <= b.GPUs &&
		(b.Memory == 0 || q.used.Memory+need.Memory <= b.Memory)
}

// urgency is a heap of stages, the most urgent first.
type urgency []*stageRun

func (h urgency) Len() int           { return len(h) }
func (h urgency) Less(i, j int) bool { return h[i].before(h[j]) }
func (h urgency) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *urgency) Push(s any)        { *h = append(*h, s.(*stageRun)) }
func (h *urgency) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	*h = (*h)[:last]
	return s
}
