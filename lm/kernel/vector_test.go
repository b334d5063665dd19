package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// operands are vectors of one length, misaligned, that lie in larger ones, and numbers.
type operands struct {
	whole, x [4][]float32
	s        [4]float32
	wide     []float64
}

const guard = 40 // elements behind the end

func newOperands(r *rand.Rand, n int, draw func(r *rand.Rand) float32) *operands {
	o := new(operands)
	for i := range o.x {
		offset := r.IntN(9)
		o.whole[i] = make([]float32, offset+n+guard)
		for j := range o.whole[i] {
			o.whole[i][j] = draw(r)
		}
		o.x[i] = o.whole[i][offset : offset+n]
	}
	for i := range o.s {
		o.s[i] = float32(r.NormFloat64())
		switch r.IntN(16) {
		case 0, 1:
			o.s[i] = draw(r)
		case 2:
			o.s[i] = float32(math.Inf(1))
		}
	}
	o.wide = make([]float64, n)
	for i := range o.wide {
		o.wide[i] = r.NormFloat64()
	}
	return o
}

func (o *operands) copy() *operands {
	c := *o
	for i := range o.x {
		offset := len(o.whole[i]) - guard - len(o.x[i])
		c.whole[i] = append([]float32(nil), o.whole[i]...)
		c.x[i] = c.whole[i][offset : offset+len(o.x[i])]
	}
	c.wide = append([]float64(nil), o.wide...)
	return &c
}

// draws are what rows are made of: ordinary numbers, numbers around 2^-100 and its root, all that is special, and any bits.
var draws = map[string]func(r *rand.Rand) float32{
	"ordinary": func(r *rand.Rand) float32 { return float32(r.NormFloat64() * 4) },
	"tiny": func(r *rand.Rand) float32 {
		x := float32(math.Ldexp(1+r.Float64(), -102+r.IntN(4))) * sign(r)
		switch r.IntN(5) {
		case 0:
			return math.Nextafter32(Tiny, float32(r.IntN(2)))
		case 1:
			return float32(r.NormFloat64())
		case 2:
			return x * 0x1p50
		}
		return x
	},
	"special": func(r *rand.Rand) float32 {
		special := []float32{0, float32(math.Copysign(0, -1)), 1e-45, -1e-40, 0x1p-126, Tiny, -Tiny, math.MaxFloat32, -math.MaxFloat32, 88, -69.5, 1e20}
		if r.IntN(2) == 0 {
			return float32(r.NormFloat64())
		}
		return special[r.IntN(len(special))]
	},
	"not finite": func(r *rand.Rand) float32 {
		special := []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
		if r.IntN(20) > 0 {
			return float32(r.NormFloat64())
		}
		return special[r.IntN(len(special))]
	},
	"bits":     func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32()) },
	"not any":  func(r *rand.Rand) float32 { return float32(math.NaN()) },
	"negative": func(r *rand.Rand) float32 { return float32(math.Inf(-1)) },
}

// rowFunctions calls each function on vectors with operands, and returns what it returns.
var rowFunctions = []struct {
	name string
	call func(o *operands) []float32
}{
	{"Sum", func(o *operands) []float32 { return []float32{Sum(o.x[0])} }},
	{"Dot", func(o *operands) []float32 { return []float32{Dot(o.x[0], o.x[1])} }},
	{"Max", func(o *operands) []float32 { return []float32{Max(o.x[0])} }},
	{"Finite", func(o *operands) []float32 {
		if Finite(o.x[0]) {
			return []float32{1}
		}
		return []float32{0}
	}},
	{"Exp", func(o *operands) []float32 { Exp(o.x[0], o.x[1], o.s[0], o.s[1]); return nil }},
	{"Exp alone", func(o *operands) []float32 { Exp(o.x[0], o.x[1], 1, 0); return nil }},
	{"expSum", func(o *operands) []float32 { return []float32{expSum(o.x[0], o.x[0], o.s[0], o.s[1])} }},
	{"softmaxRow", func(o *operands) []float32 {
		peak, inverse := softmaxRow(o.x[0], o.s[0])
		return []float32{peak, inverse}
	}},
	{"softmaxAgain", func(o *operands) []float32 { softmaxAgain(o.x[0], o.s[0], o.s[1], o.s[2]); return nil }},
	{"scaleFlush", func(o *operands) []float32 { scaleFlush(o.x[0], o.s[0], o.s[1]); return nil }},
	{"softmaxBackward", func(o *operands) []float32 { softmaxBackward(o.x[0], o.x[1], o.s[0]); return nil }},
	{"RMSNorm", func(o *operands) []float32 {
		rows, n := 1+len(o.x[0])%3, len(o.x[0])/(1+len(o.x[0])%3)
		rstd := make([]float32, rows)
		RMSNorm(o.x[0][:rows*n], rstd, o.x[1][:rows*n], o.x[2][:n], 1e-5)
		return rstd
	}},
	{"RMSNormBackward", func(o *operands) []float32 {
		rows, n := 1+len(o.x[0])%3, len(o.x[0])/(1+len(o.x[0])%3)
		RMSNormBackward(o.x[0][:rows*n], o.x[1][:rows*n], o.x[2][:rows*n], o.s[:rows], o.x[3][:n], make([]float32, 2*n))
		return nil
	}},
	{"RMSNormGain", func(o *operands) []float32 {
		width := len(o.x[0]) / 3
		first := width / 5
		RMSNormGain(o.wide[:width-first], first, o.x[0][:3*width], o.x[1][:3*width], o.s[:3], width)
		return nil
	}},
	{"Rotate", func(o *operands) []float32 { return rotateBy(o, false) }},
	{"Rotate back", func(o *operands) []float32 { return rotateBy(o, true) }},
	{"SwiGLU", func(o *operands) []float32 { SwiGLU(o.x[0], o.x[1], o.x[2], o.x[3]); return nil }},
	{"SwiGLUBackward", func(o *operands) []float32 { SwiGLUBackward(o.x[0], o.x[1], o.x[2], o.x[3]); return nil }},
	{"AdamW", func(o *operands) []float32 {
		a := AdamW{Rate: 0.01, Decay: o.s[0], Beta1: 0.9, Beta2: 0.95, Rest1: 0.1, Rest2: 0.05, Unbias1: 1.3, Unbias2: 2.2, Eps: 1e-8, Scale: o.s[1]}
		a.Step(o.x[0], o.x[1], o.x[2], o.x[3])
		return nil
	}},
	{"EmbedBackward", func(o *operands) []float32 {
		width := len(o.x[0]) / 3
		EmbedBackward(o.x[0], o.x[1], width, []int32{2, 0, 2}, width/4, width)
		return nil
	}},
	{"CrossEntropy", func(o *operands) []float32 { return lossesOf(o, 0) }},
	{"CrossEntropy with z", func(o *operands) []float32 { return lossesOf(o, o.s[1]) }},
	{"Transpose", func(o *operands) []float32 {
		for _, rows := range []int{1, 7, 8, 17} {
			if columns := len(o.x[0]) / (rows + 3); columns > 1 {
				Transpose(o.x[0], rows+1, o.x[1], columns, rows, columns-1)
			}
		}
		return nil
	}},
}

// rotateBy turns two rows of heads whose size depends on the length.
func rotateBy(o *operands, inverse bool) []float32 {
	dim := []int{2, 8, 10, 32, 46, 64}[len(o.x[0])%6]
	width := len(o.x[0]) / 2 / dim * dim
	r := &Rotation{half: dim / 2, cos: o.x[1], sin: o.x[2]}
	if len(o.x[1]) < 3*dim/2 {
		return nil
	}
	r.Rotate(o.x[0][:2*width], []int32{2, 0}, inverse)
	return nil
}

func lossesOf(o *operands, z float32) []float32 {
	vocab := len(o.x[0]) / 3
	if vocab == 0 {
		return nil
	}
	CrossEntropy(o.wide[:3], o.x[0][:3*vocab], []int32{int32(vocab - 1), -1, 0}, true, o.s[0], z)
	return nil
}

func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// Every function on vectors leaves the bits of its portable twin, and nothing behind the end. Not-a-number counts as one value.
func TestVectorsAgainstTheirTwins(t *testing.T) {
	lengths := []int{1000, 4099}
	for n := range 71 {
		lengths = append(lengths, n)
	}
	for _, isa := range Choices() {
		if isa == "generic" {
			continue
		}
		for _, f := range rowFunctions {
			t.Run(isa+"/"+f.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(11, 12))
				for kind, draw := range draws {
					for _, n := range lengths {
						before := newOperands(r, n, draw)
						got, want := before.copy(), before.copy()
						choose(t, isa)
						gave := f.call(got)
						choose(t, "generic")
						wants := f.call(want)
						for i, w := range wants {
							if !sameBits(gave[i], w) {
								t.Fatalf("%s, length %d: returns %g (%#x), the twin %g (%#x)", kind, n, gave[i], math.Float32bits(gave[i]), w, math.Float32bits(w))
							}
						}
						for i := range want.whole {
							for j, w := range want.whole[i] {
								if g := got.whole[i][j]; !sameBits(g, w) {
									t.Fatalf("%s, length %d: element %d of operand %d is %g (%#x), the twin's %g (%#x)", kind, n,
										j-(len(want.whole[i])-guard-n), i, g, math.Float32bits(g), w, math.Float32bits(w))
								}
							}
						}
						for j, w := range want.wide {
							if g := got.wide[j]; math.Float64bits(g) != math.Float64bits(w) && (g == g || w == w) {
								t.Fatalf("%s, length %d: sum %d is %g, the twin's %g", kind, n, j, g, w)
							}
						}
					}
				}
			})
		}
	}
}

// What is below 2^-100 is stored as +0, wherever in a row it stands: later operations meet no subnormal.
func TestTinyIsZero(t *testing.T) {
	stores := map[string]func(o *operands) []float32{
		"Exp":             func(o *operands) []float32 { Exp(o.x[0], o.x[1], -60, 20); return o.x[0] },
		"softmaxRow":      func(o *operands) []float32 { softmaxRow(o.x[0], 60); return o.x[0] },
		"softmaxBackward": func(o *operands) []float32 { softmaxBackward(o.x[0], o.x[1], 1); return o.x[0] },
		"SwiGLU": func(o *operands) []float32 {
			scale(o.x[2], 40)
			SwiGLU(o.x[0], o.x[1], o.x[2], o.x[3])
			return o.x[1]
		},
		"CrossEntropy": func(o *operands) []float32 {
			scale(o.x[0], 30)
			CrossEntropy(o.wide[:1], o.x[0], []int32{0}, true, 0x1p-20, 1e-3)
			return o.x[0]
		},
		"AdamW": func(o *operands) []float32 {
			a := AdamW{Rate: 0x1p-10, Beta1: 0.5, Beta2: 0.5, Rest1: 0.5, Rest2: 0.5, Unbias1: 1, Unbias2: 1, Eps: 1, Scale: 1}
			for i, v := range o.x[2] {
				o.x[2][i] = float32(math.Abs(float64(v)))
			}
			a.Step(o.x[0], o.x[1], o.x[2], o.x[3])
			return append(append(o.x[0], o.x[1]...), o.x[2]...)
		},
	}
	for _, isa := range Choices() {
		choose(t, isa)
		r := rand.New(rand.NewPCG(13, 14))
		for name, store := range stores {
			zeros := 0
			for n := 1; n < 70; n++ {
				for _, v := range store(newOperands(r, n, draws["tiny"])) {
					if m := math.Abs(float64(v)); m < Tiny && math.Float32bits(v) != 0 {
						t.Fatalf("%s, %s: %g was stored", isa, name, v)
					}
					if v == 0 {
						zeros++
					}
				}
			}
			if zeros == 0 {
				t.Errorf("%s, %s: nothing was below 2^-100", isa, name)
			}
		}
	}
}

func scale(x []float32, by float32) {
	for i := range x {
		x[i] *= by
	}
}

func TestVectorsDoNotAllocate(t *testing.T) {
	o := newOperands(rand.New(rand.NewPCG(15, 16)), 99, draws["ordinary"])
	x, s, wide := o.x, o.s, o.wide
	rotation, a := NewRotation(4, 22, 100), AdamW{Eps: 1}
	positions, buffer := []int32{0, 3, 1}, make([]float32, 66)
	for _, isa := range Choices() {
		choose(t, isa)
		if n := testing.AllocsPerRun(10, func() {
			softmaxRow(x[0], 1)
			softmaxAgain(x[0], 1, 0, 1)
			softmaxBackward(x[0], x[1], 1)
			RMSNorm(x[0], s[:3], x[1], x[2][:33], 1e-5)
			RMSNormBackward(x[0], x[1], x[2], s[:3], x[3][:33], buffer)
			RMSNormGain(wide[:33], 0, x[0], x[1], s[:3], 33)
			rotation.Rotate(x[0][:66], positions, true)
			SwiGLU(x[0], x[1], x[2], x[3])
			SwiGLUBackward(x[0], x[1], x[2], x[3])
			a.Step(x[0], x[1], x[2], x[3])
			EmbedBackward(x[0], x[1], 33, positions[:1], 0, 33)
			CrossEntropy(wide[:3], x[0], positions, true, 1, 0.1)
			Transpose(x[0], 9, x[1], 11, 9, 11)
		}); n != 0 {
			t.Errorf("%s: %g allocations", isa, n)
		}
	}
}

// Gradients against central differences of the function in float64.
func TestBackwardAgainstFiniteDifferences(t *testing.T) {
	const n, rows = 21, 3
	r := rand.New(rand.NewPCG(17, 18))
	x, gain, dy := random(r, rows*n), random(r, n), random(r, rows*n)
	check := func(name string, got []float32, at []float32, f func(x []float64) float64) {
		t.Helper()
		v := make([]float64, len(at))
		for i := range at {
			v[i] = float64(at[i])
		}
		for i := range v {
			const h = 1e-4
			keep := v[i]
			v[i] = keep + h
			up := f(v)
			v[i] = keep - h
			want := (up - f(v)) / (2 * h)
			v[i] = keep
			if math.Abs(float64(got[i])-want) > 1e-5*(1+math.Abs(want)) {
				t.Errorf("%s: element %d is %g, differences give %g", name, i, got[i], want)
			}
		}
	}
	copied := func(x []float32) []float32 { return append([]float32(nil), x...) }
	wide := func(x []float32) []float64 {
		v := make([]float64, len(x))
		for i := range x {
			v[i] = float64(x[i])
		}
		return v
	}

	norm := func(x, gain []float64) (s float64) {
		for i := range rows {
			var squares float64
			for _, v := range x[i*n:][:n] {
				squares += v * v
			}
			for j, v := range x[i*n:][:n] {
				s += v / math.Sqrt(squares/n+1e-5) * gain[j] * float64(dy[i*n+j])
			}
		}
		return s
	}
	out, rstd, dx, sums := make([]float32, rows*n), make([]float32, rows), make([]float32, rows*n), make([]float64, n)
	RMSNorm(out, rstd, x, gain, 1e-5)
	RMSNormBackward(dx, dy, x, rstd, gain, make([]float32, 2*n))
	check("RMSNorm by x", dx, x, func(x []float64) float64 { return norm(x, wide(gain)) })
	RMSNormGain(sums, 0, dy, x, rstd, n)
	dgain := make([]float32, n)
	for i, v := range sums {
		dgain[i] = float32(v)
	}
	check("RMSNorm by gain", dgain, gain, func(gain []float64) float64 { return norm(wide(x), gain) })

	gate, up, sigmoid := copied(x), random(r, rows*n), make([]float32, rows*n)
	dgate, dup := copied(gate), copied(up)
	swiglu := func(gate, up []float64) (s float64) {
		for i, g := range gate {
			s += g / (1 + math.Exp(-g)) * up[i] * float64(dy[i])
		}
		return s
	}
	SwiGLU(out, sigmoid, gate, up)
	SwiGLUBackward(dgate, dup, sigmoid, dy)
	equalBits(t, "SwiGLU computed again", sigmoid, out)
	check("SwiGLU by gate", dgate, gate, func(gate []float64) float64 { return swiglu(gate, wide(up)) })
	check("SwiGLU by up", dup, up, func(up []float64) float64 { return swiglu(wide(gate), up) })

	p, d := copied(x), copied(dy)
	softmaxRow(p, 0.7)
	softmaxBackward(d, p, 0.7)
	check("softmax", d, x, func(x []float64) (s float64) {
		var sum float64
		for _, v := range x {
			sum += math.Exp(0.7 * v)
		}
		for i, v := range x {
			s += math.Exp(0.7*v) / sum * float64(dy[i])
		}
		return s
	})

	rotation, positions := NewRotation(9, 2, 100), []int32{0, 5, 8}
	turned := copied(dy[:rows*20])
	rotation.Rotate(turned, positions, true)
	check("Rotate", turned, x[:rows*20], func(x []float64) (s float64) {
		for i, p := range positions {
			sin, cos := math.Sincos(float64(p))
			for j := i * 20; j < (i+1)*20; j += 2 {
				s += (x[j]*cos-x[j+1]*sin)*float64(dy[j]) + (x[j+1]*cos+x[j]*sin)*float64(dy[j+1])
			}
		}
		return s
	})

	targets := []int32{4, -1, 0}
	for _, z := range []float32{0, 0.3} {
		t.Run(fmt.Sprint("z=", z), func(t *testing.T) {
			logits, loss := copied(x), make([]float64, rows)
			CrossEntropy(loss, logits, targets, true, 1.7, z)
			value := func(x []float64, z float64) (s float64) {
				for i, target := range targets {
					if target >= 0 {
						var sum float64
						for _, v := range x[i*n:][:n] {
							sum += math.Exp(v)
						}
						lse := math.Log(sum)
						s += lse - x[i*n+int(target)] + z*lse*lse
					}
				}
				return s
			}
			check("CrossEntropy", logits, x, func(x []float64) float64 { return 1.7 * value(x, float64(z)) })
			if got, want := loss[0]+loss[1]+loss[2], value(wide(x), 0); math.Abs(got-want) > 1e-5 {
				t.Errorf("losses of %g, want %g", got, want)
			}
		})
	}
}

// BenchmarkVectors times the functions on short and on long rows; ANNEAL_ISA=generic gives the times of the twins.
func BenchmarkVectors(b *testing.B) {
	for _, f := range rowFunctions {
		for _, n := range []int{40, 1000} {
			b.Run(fmt.Sprint(f.name, "/", n), func(b *testing.B) {
				o := newOperands(rand.New(rand.NewPCG(19, 20)), n, draws["ordinary"])
				o.s = [4]float32{1, 1, 1, 1}
				for b.Loop() {
					f.call(o)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
			})
		}
	}
}
