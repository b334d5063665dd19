package kernel

// SwiGLU computes out = gate·σ(gate)·up (Shazeer 2020) and keeps sigmoid = σ(gate), +0 below 2^-100. All have one length.
func SwiGLU(out, sigmoid, gate, up []float32) {
	n := len(gate)
	if len(out) != n || len(sigmoid) != n || len(up) != n {
		panic("kernel: SwiGLU of unequal shapes")
	}
	if isa >= avx2 {
		swigluVector(out, sigmoid, gate, up)
		return
	}
	Exp(sigmoid, gate, -1, 0)
	sigmoid, out, up = sigmoid[:n], out[:n], up[:n]
	for i, e := range sigmoid[:len(gate)] {
		s := flush(1 / (1 + e))
		sigmoid[i] = s
		out[i] = float32(gate[i]*s) * up[i]
	}
}

// SwiGLUBackward replaces gate and up by their gradients, given dout, and sigmoid by the output of the forward pass computed again:
//
//	dgate = dout·up·σ·(1 + gate·(1-σ)), dup = dout·gate·σ
func SwiGLUBackward(gate, up, sigmoid, dout []float32) {
	n := len(gate)
	if len(dout) != n || len(sigmoid) != n || len(up) != n {
		panic("kernel: SwiGLUBackward of unequal shapes")
	}
	if isa >= avx2 {
		swigluBackwardVector(gate, up, sigmoid, dout)
		return
	}
	sigmoid, up, dout = sigmoid[:len(gate)], up[:len(gate)], dout[:len(gate)]
	for i, s := range sigmoid {
		g, u, d := gate[i], up[i], dout[i]
		silu := float32(g * s)
		sigmoid[i] = silu * u
		up[i] = d * silu
		gate[i] = float32(d*u) * float32(s*(float32(g*(1-s))+1))
	}
}
