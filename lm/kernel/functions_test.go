package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// ulps is the distance of got from want in units of want's last place at the given precision.
func ulps(got, want float64, bits int) float64 {
	_, e := math.Frexp(want)
	return math.Abs(got-want) / math.Ldexp(1, e-bits)
}

func TestExp(t *testing.T) {
	for _, isa := range Choices() {
		choose(t, isa)
		x := []float32{}
		for v := float32(-69.3); v < 88; v += 0.00371 {
			x = append(x, v)
		}
		out := make([]float32, len(x))
		Exp(out, x, 1, 0)
		for i, v := range x {
			if u := ulps(float64(out[i]), math.Exp(float64(v)), 24); u > 2 {
				t.Fatalf("exp(%g) = %g: %g ulp", v, out[i], u)
			}
		}
		Exp(x, x, -0.5, 0.25)
		if want := float32(math.Exp(0.5*69.3 - 0.25)); math.Abs(float64(x[0]/want-1)) > 1e-5 {
			t.Errorf("scale and shift: %g, want %g", x[0], want)
		}
	}
}

func TestExpSpecial(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, isa := range Choices() {
		choose(t, isa)
		x := []float32{0, -70, -69.32, -1e30, -inf, 88.1, 1e30, inf, nan, -69.4, -69.6}
		want := []float32{1, 0, 0, 0, 0, inf, inf, inf, nan, 0, 0}
		for range 2 { // whole vectors and what is left over
			out := make([]float32, len(x))
			Exp(out, x, 1, 0)
			for i, w := range want {
				if math.Float32bits(out[i]) != math.Float32bits(w) && !(w != w && out[i] != out[i]) {
					t.Errorf("exp(%g) = %g, want %g", x[i], out[i], w)
				}
			}
			x, want = append([]float32{1, 1, 1}, x...), append([]float32{math.E, math.E, math.E}, want...)
		}
	}
}

// The vector exponential and its portable twin agree bit by bit.
func TestExpTwins(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, scale := range []float32{1, -1, 0.17} {
		x := make([]float32, 1<<17)
		for i := range x {
			x[i] = float32(r.NormFloat64() * 50)
			if i%8 == 0 {
				x[i] = math.Float32frombits(r.Uint32())
			}
		}
		var want []float32
		for _, isa := range Choices() {
			choose(t, isa)
			got := make([]float32, len(x))
			Exp(got, x, scale, 0.3)
			for i := range got {
				if got[i] != got[i] {
					got[i] = float32(math.NaN())
				}
			}
			if want == nil {
				want = got
			}
			equalBits(t, isa, got, want)
		}
	}
}

func TestLog(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 100000 {
		x := math.Exp(r.NormFloat64() * 30)
		if r.IntN(2) == 0 {
			x = 1 + r.NormFloat64()*0.1
		}
		if want := math.Log(x); ulps(Log(x), want, 53) > 2 {
			t.Fatalf("log(%v) = %v, want %v", x, Log(x), want)
		}
	}
	if !math.IsInf(Log(0), -1) || !math.IsNaN(Log(-1)) || !math.IsNaN(Log(math.NaN())) || !math.IsInf(Log(math.Inf(1)), 1) || Log(1) != 0 {
		t.Error("special values")
	}
}

func TestExpm(t *testing.T) {
	for x := -699.0; x < 700; x += 0.0137 {
		if want := math.Exp(x); ulps(Expm(x), want, 53) > 2 {
			t.Fatalf("e^%v = %v, want %v", x, Expm(x), want)
		}
	}
}

func TestSinCos(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 100000 {
		x := r.NormFloat64() * math.Pow(10, float64(r.IntN(6)))
		s, c := SinCos(x)
		if math.Abs(s-math.Sin(x)) > 2.5e-16 || math.Abs(c-math.Cos(x)) > 2.5e-16 {
			t.Fatalf("at %v: %v %v, want %v %v", x, s, c, math.Sin(x), math.Cos(x))
		}
	}
	if s, c := SinCos(0); s != 0 || c != 1 {
		t.Error("at 0")
	}
}

// The order of a row sum: lanes, then the tree.
func TestLanes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for n := range 70 {
		x, y := random(r, n), random(r, n)
		var sum, dot [16]float32
		for i := range x {
			sum[i%16] += x[i]
			dot[i%16] += float32(x[i] * y[i])
		}
		for apart := 8; apart > 0; apart /= 2 {
			for j := range apart {
				sum[j] += sum[j+apart]
				dot[j] += dot[j+apart]
			}
		}
		if Sum(x) != sum[0] || Dot(x, y) != dot[0] {
			t.Errorf("length %d: %g %g, want %g %g", n, Sum(x), Dot(x, y), sum[0], dot[0])
		}
	}
}

// What is below 2^-100 becomes +0, and what is not a number stays.
func TestTinyAndNaN(t *testing.T) {
	nan := float32(math.NaN())
	a := AdamW{Rate: 1, Beta1: 0.5, Beta2: 0.5, Rest1: 0.5, Rest2: 0.5, Unbias1: 1, Unbias2: 1, Eps: 1, Scale: 1}
	w, m, v, g := []float32{-1e-40, 1, 1}, []float32{-1e-35, 0, 0}, []float32{1e-35, 0, 0}, []float32{0, nan, 1e-20}
	a.Step(w, m, v, g)
	for _, x := range []float32{w[0], m[0], v[0], v[2]} {
		if math.Float32bits(x) != 0 {
			t.Errorf("%g is not +0", x)
		}
	}
	if w[1] == w[1] || m[1] == m[1] || v[1] == v[1] {
		t.Error("the update dropped a NaN")
	}
	p := []float32{0, -69, -80}
	softmaxRow(p, 1)
	if p[1] < Tiny || math.Float32bits(p[2]) != 0 {
		t.Errorf("softmax %g", p)
	}
	d := []float32{1, 1e-31, 1}
	softmaxBackward(d, []float32{1e-32, 0.5, 0.5}, 1)
	if math.Float32bits(d[0])<<1 != 0 && math.Abs(float64(d[0])) < Tiny {
		t.Errorf("gradient %g", d)
	}
	for i := range 3 {
		x := []float32{1, 2, 3}
		x[i] = nan
		loss := []float64{0}
		CrossEntropy(loss, x, []int32{0}, true, 1, 0)
		if loss[0] == loss[0] || x[1] == x[1] {
			t.Errorf("cross-entropy dropped a NaN at %d", i)
		}
		gate := []float32{nan}
		out := []float32{0}
		SwiGLU(out, make([]float32, 1), gate, []float32{1})
		if out[0] == out[0] {
			t.Error("SwiGLU dropped a NaN")
		}
		x = []float32{1, 2, 3}
		x[i] = nan
		y := make([]float32, 3)
		RMSNorm(y, make([]float32, 1), x, []float32{1, 1, 1}, 1e-5)
		if y[0] == y[0] {
			t.Error("RMSNorm dropped a NaN")
		}
		RMSNorm(y, make([]float32, 1), []float32{1, 1e20, 1}, []float32{1, 1, 1}, 1e-5)
		if y[0] == y[0] {
			t.Error("RMSNorm hid an overflow")
		}
	}
}

// A masked key's value may be any finite number: it leaves no trace, not even in the sign of a zero.
func TestAttentionMaskLeavesNoTrace(t *testing.T) {
	a := Attention{Heads: 1, Groups: 1, Dim: 2, Scale: 1}
	var s Scratch
	q, k := []float32{0, 0, 0, 0}, []float32{0, 0, 0, 0}
	tiny := float32(math.Float32frombits(1))
	for _, later := range []float32{1, -1} {
		v, out := []float32{-tiny, float32(math.Copysign(0, -1)), later, later}, make([]float32, 4)
		a.ForwardSequence(&s, 0, 2, q, k, v, out, nil)
		alone := make([]float32, 2)
		a.ForwardSequence(&s, 0, 1, q[:2], k[:2], v[:2], alone, nil)
		equalBits(t, "first position", out[:2], alone)
		if math.Float32bits(alone[1]) != 0 {
			t.Error("a zero kept its sign")
		}
	}
}

func TestRotation(t *testing.T) {
	r := NewRotation(20, 4, 100)
	x := []float32{1, 2, 3, 4, 5, 6, 7, 8}
	y := append([]float32(nil), x...)
	r.Rotate(y, []int32{7}, false)
	s, c := math.Sincos(7)
	if math.Abs(float64(y[0])-(c-3*s)) > 1e-6 || math.Abs(float64(y[2])-(3*c+s)) > 1e-6 {
		t.Errorf("rotated to %g", y)
	}
	s, c = math.Sincos(0.7)
	if math.Abs(float64(y[5])-(6*c-8*s)) > 1e-5 {
		t.Errorf("rotated to %g", y)
	}
	r.Rotate(y, []int32{7}, true)
	for i := range x {
		if math.Abs(float64(y[i]-x[i])) > 1e-5 {
			t.Errorf("turned back to %g", y)
		}
	}
}
