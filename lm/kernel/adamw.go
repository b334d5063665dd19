package kernel

import "math"

// AdamW holds the constants of one step of decoupled AdamW (Loshchilov and Hutter 2019).
type AdamW struct {
	Rate         float32 // learning rate
	Decay        float32 // weight decay
	Beta1, Beta2 float32
	Rest1, Rest2 float32 // 1-β₁, 1-β₂
	Unbias1      float32 // 1/(1-β₁ᵗ)
	Unbias2      float32 // 1/(1-β₂ᵗ)
	Eps          float32
	Scale        float32 // the factor that clips the gradient
}

// Step updates weights w and moments m, v by the gradient g, all of one length:
//
//	m = β₁·m + (1-β₁)·g, v = β₂·v + (1-β₂)·g²
//	w -= rate·((m/(1-β₁ᵗ)) / (√(v/(1-β₂ᵗ)) + ε) + decay·w)
//
// m and w of magnitude below 2^-100 and v below 2^-100 are stored as +0.
func (a *AdamW) Step(w, m, v, g []float32) {
	n := len(w)
	if len(m) != n || len(v) != n || len(g) != n {
		panic("kernel: AdamW of unequal shapes")
	}
	c := *a
	if isa >= avx2 {
		adamwVector(w, m, v, g, &[10]float32{c.Rate, c.Decay, c.Beta1, c.Beta2, c.Rest1, c.Rest2, c.Unbias1, c.Unbias2, c.Eps, c.Scale})
		return
	}
	m, v, g = m[:len(w)], v[:len(w)], g[:len(w)]
	for i, x := range w {
		d := g[i] * c.Scale
		p := float32(c.Beta1*m[i]) + float32(c.Rest1*d)
		q := float32(c.Beta2*v[i]) + float32(c.Rest2*float32(d*d))
		p, q = flush(p), flush(q)
		m[i], v[i] = p, q
		u := float32(p*c.Unbias1) / (float32(math.Sqrt(float64(float32(q*c.Unbias2)))) + c.Eps)
		x -= float32(c.Rate * (u + float32(c.Decay*x)))
		w[i] = flush(x)
	}
}

// RowSquares stores in out the sums of squares of the rows of x (len(out), any), in float64 and index order.
func RowSquares(out []float64, x []float32) {
	if len(out) == 0 {
		return
	}
	width := len(x) / len(out)
	i := 0
	for ; i+4 <= len(out); i += 4 { // four independent chains keep the adder busy
		r0, r1, r2, r3 := x[i*width:][:width], x[(i+1)*width:][:width], x[(i+2)*width:][:width], x[(i+3)*width:][:width]
		var s0, s1, s2, s3 float64
		for j := range r0 {
			s0 += float64(float64(r0[j]) * float64(r0[j]))
			s1 += float64(float64(r1[j]) * float64(r1[j]))
			s2 += float64(float64(r2[j]) * float64(r2[j]))
			s3 += float64(float64(r3[j]) * float64(r3[j]))
		}
		out[i], out[i+1], out[i+2], out[i+3] = s0, s1, s2, s3
	}
	for ; i < len(out); i++ {
		var s float64
		for _, v := range x[i*width:][:width] {
			s += float64(float64(v) * float64(v))
		}
		out[i] = s
	}
}
