package bench

import (
	"context"
	"flag"
	"math/rand/v2"
	"time"

	"anneal/cli"
	"anneal/lm/kernel"
)

var gemm = cli.Benchmark{
	Name:  "gemm",
	Short: "GFLOP/s of the matrix product on one core, beside the core's peak",
	Long: `Multiply matrices of 1024×1024 and those of the models of anneal bench train, as training does: c (m,n) = op(a)·op(b), k numbers to a sum,
where op is nothing (N) or the transpose (T). Beside each the share of the core's peak: fused multiply-adds in registers, of the widest vectors
for which there are kernels. Each figure is the best of several by CPU time, since whatever else the machine does only adds to it.`,
	Measure: func(flags *flag.FlagSet) func(context.Context, func(any)) error {
		return products
	},
}

// shape is a product that a model of a size computes.
type shape struct {
	size, role string
	op         kernel.Op
	m, n, k    int
}

// shapes lists the products of 1024×1024 matrices and those of the sizes: of a training step forward, the gradients of what came in, which
// need the transpose of the weights, and those of the weights.
func shapes() []shape {
	all := []shape{
		{"1024", "square", kernel.NN, 1024, 1024, 1024},
		{"1024", "square", kernel.NT, 1024, 1024, 1024},
		{"1024", "square", kernel.TN, 1024, 1024, 1024},
	}
	for _, s := range sizes {
		rows := s.batch * s.context
		for _, w := range []struct {
			role    string
			in, out int
		}{{"attention projection", s.width, s.width}, {"gate and up", s.width, s.ff}, {"down", s.ff, s.width}, {"logits", s.width, s.vocab}} {
			all = append(all,
				shape{s.name, w.role, kernel.NN, rows, w.out, w.in},
				shape{s.name, w.role, kernel.NT, rows, w.in, w.out},
				shape{s.name, w.role, kernel.TN, w.in, w.out, rows},
			)
		}
	}
	return all
}

// gemmRow is the result of one shape.
type gemmRow struct {
	Size   string  `json:"size"`
	Role   string  `json:"role"`
	Op     string  `json:"op"`
	M      int     `json:"m"`
	N      int     `json:"n"`
	K      int     `json:"k"`
	GFLOPS float64 `json:"gflops"`
	Peak   float64 `json:"peak_gflops"`
	Share  float64 `json:"share"`
}

func products(ctx context.Context, row func(any)) error {
	for _, s := range shapes() {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, g := peak(), s.measure()
		r := gemmRow{s.size, s.role, [...]string{"NN", "NT", "TN"}[s.op], s.m, s.n, s.k, round(g, 1), round(p, 1), 0}
		if p > 0 {
			r.Share = round(g/p, 2)
		}
		row(r)
	}
	return nil
}

// measure returns GFLOP/s: the best of batches of products that take a few milliseconds each.
func (s shape) measure() float64 {
	r := rand.New(rand.NewPCG(1, 2))
	numbers := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = r.Float32() - 0.5
		}
		return x
	}
	a, b, c := numbers(s.m*s.k), numbers(s.k*s.n), make([]float32, s.m*s.n)
	lda, ldb := s.k, s.n
	if s.op == kernel.TN {
		lda = s.m
	}
	if s.op == kernel.NT {
		ldb = s.k
	}
	var scratch kernel.Scratch
	operations := 2 * float64(s.m) * float64(s.n) * float64(s.k)
	return best(operations, func() { scratch.Product(s.op, s.m, s.n, s.k, a, lda, b, ldb, c, s.n, false) })
}

// best returns the GFLOP/s of a function of so many operations, by CPU time: the best of several times, each long enough to be told well.
func best(operations float64, f func()) float64 {
	const rounds, shortest = 5, 4 * time.Millisecond
	f()
	speed := 0.0
	for round, times := 0, 1; round < rounds; {
		start := cpuTime()
		for range times {
			f()
		}
		took := cpuTime() - start
		if took < shortest {
			times *= 2
			continue
		}
		speed = max(speed, operations*float64(times)/took.Seconds()/1e9)
		round++
	}
	return speed
}

// peak returns the GFLOP/s of one core's fused multiply-adds, 0 where that cannot be told.
func peak() float64 {
	lanes := map[string]int{"avx2": 8, "avx512": 16}[kernel.Choices()[0]]
	if lanes == 0 {
		return 0
	}
	const chains, rounds = 12, 1 << 16
	return best(2*chains*float64(lanes)*rounds, func() { multiplyAdd(lanes, rounds) })
}
