package kernel

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// choose switches the instruction set for a test.
func choose(t testing.TB, name string) {
	before := ISA()
	if err := Choose(name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Choose(before); err != nil {
			t.Fatal(err)
		}
	})
}

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// at addresses element (i,j) of a matrix that may be transposed.
func at(x []float32, ld int, transposed bool, i, j int) float32 {
	if transposed {
		i, j = j, i
	}
	return x[i*ld+j]
}

// chain is the definition of a product: a chain of fused multiply-adds an element.
func chain(op Op, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, accumulate bool) {
	for i := range m {
		for j := range n {
			var s float32
			if accumulate {
				s = c[i*ldc+j]
			}
			for p := range k {
				s = fma(at(a, lda, op == TN, i, p), at(b, ldb, op == NT, p, j), s)
			}
			c[i*ldc+j] = s
		}
	}
}

func equalBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d is %g (%#x), want %g (%#x)", what, i, got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

// matrix is (rows,columns) with rows ld apart: random, with nothing behind its last element.
func matrix(r *rand.Rand, rows, columns, ld int) []float32 {
	return random(r, max(0, (rows-1)*ld+columns))
}

// checkProduct compares a product with its definition, and what lies between and behind the columns of c with what was there.
func checkProduct(t *testing.T, s *Scratch, r *rand.Rand, op Op, m, n, k int, accumulate bool) {
	t.Helper()
	lda, ldb, ldc := k+3, n+2, n+5
	a, b := matrix(r, m, k, lda), matrix(r, k, n, ldb)
	if op == TN {
		lda = m + 1
		a = matrix(r, k, m, lda)
	}
	if op == NT {
		ldb = k + 1
		b = matrix(r, n, k, ldb)
	}
	got := random(r, m*ldc+40)
	want := slices.Clone(got)
	chain(op, m, n, k, a, lda, b, ldb, want, ldc, accumulate)
	what := fmt.Sprintf("%s of (%d,%d) over %d, accumulate %t", []string{"NN", "NT", "TN"}[op], m, n, k, accumulate)
	given := slices.Clone(got)
	s.Product(op, m, n, k, a, lda, b, ldb, got, ldc, accumulate)
	equalBits(t, what, got, want)
	if op != TN {
		var p Panels
		p.Pack(op == NT, k, n, b, ldb)
		p.Product(m, a, lda, given, ldc, accumulate)
		equalBits(t, what+", packed", given, want)
	}
}

func TestProductIsOneChain(t *testing.T) {
	sizes := [][3]int{{5, 15, 0}, {13, 33, 300}, {64, 64, 64}, {65, 50, 31}, {130, 48, 70}, {129, 40, 70}, {2, 200, 513}, {48, 32, 7}, {7, 35, 600}, {123, 19, 257}}
	for _, isa := range Choices() {
		t.Run(isa, func(t *testing.T) {
			choose(t, isa)
			var s Scratch
			r := rand.New(rand.NewPCG(1, 2))
			for _, op := range []Op{NN, NT, TN} {
				for _, accumulate := range []bool{false, true} {
					for _, size := range sizes {
						checkProduct(t, &s, r, op, size[0], size[1], size[2], accumulate)
					}
				}
			}
		})
	}
}

// All heights and widths of a block up to two tiles and one more, and depths around the unrolled steps and the blocks.
func TestProductEdges(t *testing.T) {
	for _, isa := range Choices() {
		t.Run(isa, func(t *testing.T) {
			choose(t, isa)
			var s Scratch
			r := rand.New(rand.NewPCG(3, 4))
			rows, panels := tileShape()
			for m := 1; m <= 2*rows+1; m++ {
				for n := 1; n <= 2*panels*panelCols+1; n++ {
					for i, op := range []Op{NN, NT, TN} {
						checkProduct(t, &s, r, op, m, n, (m+n+i)%7, (m+n/3)%2 == 0)
					}
				}
				for _, k := range []int{255, 256, 257, 600} {
					checkProduct(t, &s, r, Op(m%3), m, 1+(m*7+k)%(2*panels*panelCols+1), k, m%2 == 0)
				}
			}
		})
	}
}

// Rows of a transposed a that meet in few sets of a cache are packed.
func TestProductOfCrowdedRows(t *testing.T) {
	const m, n, k = 130, 33, 300
	for _, isa := range Choices() {
		t.Run(isa, func(t *testing.T) {
			choose(t, isa)
			var s Scratch
			r := rand.New(rand.NewPCG(5, 6))
			a, b := matrix(r, k, m, crowded), matrix(r, k, n, n)
			got, want := make([]float32, m*n), make([]float32, m*n)
			chain(TN, m, n, k, a, crowded, b, n, want, n, false)
			s.Product(TN, m, n, k, a, crowded, b, n, got, n, false)
			equalBits(t, "packed", got, want)
		})
	}
}

// A product of columns or rows of a matrix gives the bits of the whole, so splitting it over workers shows nowhere.
func TestProductSplits(t *testing.T) {
	const m, n, k = 100, 90, 80
	r := rand.New(rand.NewPCG(3, 4))
	a, b := random(r, m*k), random(r, k*n)
	var s Scratch
	want := make([]float32, m*n)
	s.Product(NN, m, n, k, a, k, b, n, want, n, false)
	var p Panels
	p.Pack(false, k, n, b, n)
	for _, cores := range []int{1, 2, 7} {
		for _, rows := range []int{1, 6, 37, 100} {
			w := NewWorkers(func() int { return cores })
			got := make([]float32, m*n)
			w.Each(Chunks(m, rows), func(s *Scratch, i int) {
				from, to := Chunk(i, m, rows)
				p.Product(to-from, a[from*k:], k, got[from*n:], n, false)
			})
			equalBits(t, "by rows", got, want)
			clear(got)
			w.Each(Chunks(n, rows), func(s *Scratch, i int) {
				from, to := Chunk(i, n, rows)
				s.Product(NN, m, to-from, k, a, k, b[from:], n, got[from:], n, false)
			})
			equalBits(t, "by columns", got, want)
		}
	}
}

func TestProductDoesNotAllocate(t *testing.T) {
	var s Scratch
	a, c := make([]float32, 96*96), make([]float32, 96*96)
	run := func() {
		for _, op := range []Op{NN, NT, TN} {
			s.Product(op, 96, 90, 96, a, 96, a, 96, c, 96, true)
			s.Product(op, 20, 30, 90, a, 96, a, 96, c, 96, true)
		}
	}
	run()
	if n := testing.AllocsPerRun(10, run); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// exactFMA rounds the exact result once, by big.Float. Zeros and results that are not finite are left to the caller.
func exactFMA(a, b, c float32) (float32, bool) {
	x := new(big.Float).SetPrec(2000)
	x.Add(new(big.Float).SetPrec(2000).Mul(big.NewFloat(float64(a)), big.NewFloat(float64(b))), big.NewFloat(float64(c)))
	if x.Sign() == 0 {
		return 0, false
	}
	f, _ := x.Float32()
	return f, true
}

// adversarial draws operands whose exact sum lies near a midpoint, near a subnormal, or anywhere.
func adversarial(r *rand.Rand) (a, b, c float32) {
	few := func(bits int) float32 { // few significant bits: products and sums hit midpoints
		return float32(int32(r.Uint32())>>(31-bits)) * float32(math.Ldexp(1, r.IntN(60)-30))
	}
	switch r.IntN(5) {
	case 0:
		return math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32())
	case 1:
		return few(12), few(13), few(24)
	case 2: // half an ulp of c, and a product that breaks the tie far below
		c = math.Float32frombits(0x3f800000 | r.Uint32()>>9)
		return 1 + float32(r.IntN(3)-1)*0x1p-23, 0x1p-24 * (1 + float32(r.IntN(3)-1)*0x1p-23), c
	case 3: // subnormal results
		c = math.Float32frombits(r.Uint32() >> (9 + r.IntN(8)))
		return math.Float32frombits(r.Uint32()>>9|uint32(30+r.IntN(60))<<23) * sign(r), math.Float32frombits(r.Uint32()>>9 | uint32(1+r.IntN(60))<<23), c * sign(r)
	default: // a product halfway between subnormals, and a c many orders smaller in size than its ulp
		return float32(2*r.IntN(1<<11)+1) * 0x1p-75 * sign(r), float32(2*r.IntN(1<<11)+1) * 0x1p-75, math.Float32frombits(uint32(r.IntN(1<<20))) * sign(r)
	}
}

func sign(r *rand.Rand) float32 { return float32(1 - 2*r.IntN(2)) }

func TestPortableFMAIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	checked := 0
	for range 60000 {
		a, b, c := adversarial(r)
		if s := a + b + c; s != s || math.IsInf(float64(s), 0) {
			continue
		}
		want, ok := exactFMA(a, b, c)
		if got := fma(a, b, c); ok && math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("fma(%x, %x, %x) = %x, want %x", a, b, c, got, want)
		}
		if ok {
			checked++
		}
	}
	if checked < 50000 {
		t.Errorf("only %d cases were checked", checked)
	}
}

// The tiles and their twin agree on adversarial operands, zeros, infinities and NaN included.
func TestPortableFMAAgainstTiles(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.MaxFloat32, -math.MaxFloat32, 1e-45, -1e-45, 0x1p-126}
	var s Scratch
	for range 60 {
		a, b, c := make([]float32, 16), make([]float32, 16), make([]float32, 256)
		for i := range a {
			a[i], b[i], c[i] = adversarial(r)
			if r.IntN(4) == 0 {
				a[i] = special[r.IntN(len(special))]
			}
			if r.IntN(4) == 0 {
				b[i] = special[r.IntN(len(special))]
			}
		}
		for i := range c {
			if _, _, c[i] = adversarial(r); r.IntN(4) == 0 {
				c[i] = special[r.IntN(len(special))]
			}
		}
		want := make([]float32, 256)
		for i := range want {
			want[i] = fma(a[i/16], b[i%16], c[i])
		}
		s.Product(NN, 16, 16, 1, a, 1, b, 16, c, 16, true)
		for i := range want {
			if math.Float32bits(c[i]) != math.Float32bits(want[i]) && (c[i] == c[i] || want[i] == want[i]) {
				t.Fatalf("fma(%x, %x, …): tiles %x, twin %x", a[i/16], b[i%16], c[i], want[i])
			}
		}
	}
}

func TestChoose(t *testing.T) {
	if err := Choose("sse9"); err == nil || err.Error() == "" {
		t.Error("an unknown instruction set was accepted")
	}
}

// What training of small models computes: products with packed weights for a chunk of rows, the parts of attention, and gradients of weights.
func BenchmarkProduct(b *testing.B) {
	const packed = TN + 1
	for _, c := range []struct {
		op      Op
		m, n, k int
	}{
		{NN, 1024, 1024, 1024}, {NT, 1024, 1024, 1024}, {TN, 1024, 1024, 1024},
		{packed, 96, 64, 64}, {packed, 96, 176, 64}, {packed, 96, 64, 176}, {packed, 96, 512, 64}, {packed, 96, 128, 128}, {packed, 96, 352, 128},
		{packed, 96, 128, 352}, {packed, 96, 128, 2048}, {packed, 96, 384, 384}, {packed, 96, 1024, 384}, {packed, 96, 384, 1024}, {packed, 96, 4096, 384},
		{NN, 48, 64, 32}, {NN, 48, 32, 64}, {TN, 64, 32, 48}, {NN, 48, 240, 64}, {NN, 48, 64, 240}, {TN, 240, 64, 48},
		{TN, 64, 64, 2048}, {TN, 64, 176, 2048}, {TN, 120, 128, 2048}, {NN, 1, 64, 64},
	} {
		b.Run(fmt.Sprint([]string{"NN", "NT", "TN", "Packed"}[c.op], c.m, "x", c.n, "x", c.k), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			x, y, z := random(r, c.m*c.k), random(r, c.k*c.n), make([]float32, c.m*c.n)
			lda, ldb := c.k, c.n
			if c.op == TN {
				lda = c.m
			}
			if c.op == NT {
				ldb = c.k
			}
			var s Scratch
			var p Panels
			p.Pack(false, c.k, c.n, y, c.n)
			for b.Loop() {
				if c.op == packed {
					p.Product(c.m, x, lda, z, c.n, false)
				} else {
					s.Product(c.op, c.m, c.n, c.k, x, lda, y, ldb, z, c.n, false)
				}
			}
			b.ReportMetric(float64(2*c.m*c.n*c.k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
