package pipeline_test

import (
	"context"
	"slices"
	"testing"

	"anneal/pipeline"
)

type stageFunc func()

func (stageFunc) Outputs() []pipeline.Output { return nil }

func (f stageFunc) Run(context.Context, *pipeline.Task) error { f(); return nil }

// TestCoresAreShared: a lone stage has all cores, several share them, who asks for some has as many, and what a finished
// one leaves goes to who still runs.
func TestCoresAreShared(t *testing.T) {
	for name, c := range map[string]struct {
		cores     int
		asked     []int // of each stage; 0: a share
		want      []int // while all of them run
		afterward int   // of the last, once it is alone
	}{
		"alone":             {8, []int{0}, []int{8}, 8},
		"as many as cores":  {3, []int{0, 0, 0}, []int{1, 1, 1}, 3},
		"what is left over": {8, []int{0, 0, 0}, []int{3, 3, 2}, 8},
		"more than cores":   {2, []int{0, 0, 0}, []int{1, 1, 1}, 2},
		"one asks":          {8, []int{5, 0, 0}, []int{5, 2, 1}, 8},
		"all ask":           {8, []int{4, 2, 2}, []int{4, 2, 2}, 2},
		"nothing left":      {2, []int{2, 0}, []int{2, 1}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			l := pipeline.NewLocal(c.cores)
			var tasks []*pipeline.Task
			var finish, finished []chan struct{}
			for _, n := range c.asked {
				started, end, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
				finish, finished = append(finish, end), append(finished, ended)
				task := &pipeline.Task{Resources: pipeline.Resources{Cores: n}, Stage: stageFunc(func() {
					close(started)
					<-end
				})}
				tasks = append(tasks, task)
				go func() {
					l.Run(t.Context(), task)
					close(ended)
				}()
				<-started
			}
			var got []int
			for _, task := range tasks {
				got = append(got, task.Cores())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("shares %v, want %v", got, c.want)
			}
			last := len(tasks) - 1
			for i := range last {
				close(finish[i])
				<-finished[i]
			}
			if got := tasks[last].Cores(); got != c.afterward {
				t.Errorf("alone, the last one has %d, want %d", got, c.afterward)
			}
			close(finish[last])
			<-finished[last]
		})
	}
}

func TestLocalIsChecked(t *testing.T) {
	for want, l := range map[string]*pipeline.Local{
		"cores: must be at least 1, is -1":                                                 {Cores: -1},
		"gpus: must be at least 0, is -2":                                                  {GPUs: -2},
		`memory: must be an amount of memory such as 512MB, 32GB or 1.5GiB, is "lots"`:     {Memory: "lots"},
		`memory: must be an amount of memory such as 512MB, 32GB or 1.5GiB, is "12"`:       {Memory: "12"},
		`memory: must be an amount of memory such as 512MB, 32GB or 1.5GiB, is "5 apples"`: {Memory: "5 apples"},
	} {
		if err := l.Check(); err == nil || err.Error() != want {
			t.Errorf("says %v, want %s", err, want)
		}
	}
	for text, want := range map[string]int64{"32GB": 32e9, "1.5 GiB": 3 << 29, "512kB": 512e3, "": pipeline.NewLocal(1).Budget().Memory} {
		l := &pipeline.Local{Memory: text}
		if err := l.Check(); err != nil || l.Budget().Memory != want {
			t.Errorf("%s is %d bytes, %v", text, l.Budget().Memory, err)
		}
	}
	if b := (&pipeline.Local{}).Budget(); b.Cores < 1 || b.GPUs != 0 {
		t.Errorf("the machine's own: %+v", b)
	}
}
