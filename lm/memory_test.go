package lm

import (
	"runtime"
	"testing"
)

// heap returns how many bytes are reachable.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What is foretold is what trainings and generation hold, but for the data and the headers of things.
func TestMemory(t *testing.T) {
	for _, family := range []string{"llama", "olmo2"} {
		for _, c := range []struct {
			vocab, width, layers, heads, groups, ff, sequences, length, micro int
			tied                                                              bool
		}{
			{512, 64, 2, 2, 2, 176, 32, 64, 32, false},
			{2048, 128, 4, 4, 2, 352, 16, 128, 2, true},
		} {
			m := DefaultModel()
			m.Family, m.Layers, m.Width, m.Heads, m.KVHeads, m.FF, m.Tied = family, c.layers, c.width, c.heads, c.groups, c.ff, c.tied
			check := func(what string, got, want int64) {
				if float64(got) < 0.97*float64(want) || float64(got) > 1.03*float64(want) {
					t.Errorf("%s of %s, width %d, holds %d bytes, foretold %d", what, family, c.width, got, want)
				}
			}
			data, err := NewBlocks(text(c.vocab, 40*(c.length+1)), c.length, c.sequences, 1)
			if err != nil {
				t.Fatal(err)
			}
			validation, err := EvaluationBlocks(text(c.vocab, 40*(c.length+1)), c.length, c.sequences, 0)
			if err != nil {
				t.Fatal(err)
			}
			before := heap()
			n, err := New(m, c.vocab, c.length, 1)
			if err != nil {
				t.Fatal(err)
			}
			r, err := NewTrainer(n, Training{Optimizer: DefaultAdamW(), Schedule: DefaultSchedule(), Steps: 1, Data: data, RowEvery: 1, MicroBatch: c.micro, Validation: validation})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Measure(); err != nil { // as a save point before the first step does
				t.Fatal(err)
			}
			if err := r.Run(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			check("a training", heap()-before, m.TrainingMemory(c.vocab, c.micro, c.length))
			runtime.KeepAlive(r)

			n, r = nil, nil
			before = heap()
			if n, err = New(m, c.vocab, c.length, 1); err != nil {
				t.Fatal(err)
			}
			problems := make([]Problem, c.sequences)
			for i := range problems {
				problems[i].Prompt = make([]int32, c.length)
			}
			done := func(int) { check("generation", heap()-before, m.GenerationMemory(c.vocab, c.sequences, c.length)) }
			how := Generation{Samples: 1, Sampling: Sampling{Temperature: 1, TopK: 3, TopP: 1, RepetitionPenalty: 1}, Length: 1, Done: done}
			if _, err := n.Generate(t.Context(), problems, how); err != nil {
				t.Fatal(err)
			}
		}
	}
}
