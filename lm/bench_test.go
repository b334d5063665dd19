package lm

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// The sizes of bench/torch_train.py: tokens a second of whole steps, and a second of CPU time, which other work on the
// machine disturbs less.
func BenchmarkTrain(b *testing.B) {
	for _, c := range []struct {
		name                                            string
		vocab, width, layers, heads, ff, context, batch int
	}{
		{"demo", 256, 64, 2, 2, 176, 64, 32},
		{"tiny", 512, 64, 2, 2, 176, 64, 32},
		{"small", 2048, 128, 4, 4, 352, 128, 16},
		{"mid", 4096, 384, 6, 6, 1024, 256, 8},
	} {
		for _, cores := range []int{1, 2} {
			b.Run(fmt.Sprint(c.name, "/cores=", cores), func(b *testing.B) {
				m := DefaultModel()
				m.Layers, m.Width, m.Heads, m.FF = c.layers, c.width, c.heads, c.ff
				n, err := New(m, c.vocab, c.context, 1)
				if err != nil {
					b.Fatal(err)
				}
				data, err := NewBlocks(text(c.vocab, 40*(c.context+1)), c.context, c.batch, 1)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				t := Training{Optimizer: DefaultAdamW(), Schedule: DefaultSchedule(), Steps: b.N + 1, Data: data, RowEvery: 1 << 30, Cores: func() int { return cores }}
				var before time.Duration
				t.OnStep = func(step int, _ float64) error {
					if step == 1 { // workspaces are there
						b.ResetTimer()
						before = cpuTime(b)
					}
					return nil
				}
				r, err := NewTrainer(n, t)
				if err != nil {
					b.Fatal(err)
				}
				if err := r.Run(b.Context(), t.Steps); err != nil {
					b.Fatal(err)
				}
				tokens := float64(b.N * c.batch * c.context)
				b.ReportMetric(tokens/b.Elapsed().Seconds(), "tokens/s")
				b.ReportMetric(tokens/(cpuTime(b)-before).Seconds(), "tokens/cpu-s")
			})
		}
	}
}

// cpuTime is what the process has used so far, of all its threads.
func cpuTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// text is a stream of ids that repeats and varies enough to be learnt.
func text(vocab, length int) Stream[uint16] {
	ids := make(Stream[uint16], length)
	d := newDraws(1, "text")
	for i := range ids {
		if i > 0 && d.bits(uint64(i))%4 != 0 {
			ids[i] = uint16((int(ids[i-1])*7 + 3) % vocab)
		} else {
			ids[i] = uint16(d.bits(uint64(i)) >> 32 % uint64(vocab))
		}
	}
	return ids
}
