package kernel

// Rotation is a table of rotary position embeddings (Su et al. 2021): cosine and sine (positions,dim/2) of position·theta^(-2i/dim).
type Rotation struct {
	half     int
	cos, sin []float32
}

// NewRotation computes the table in float64 for heads of dim elements.
func NewRotation(positions, dim int, theta float64) *Rotation {
	half := dim / 2
	r := &Rotation{half: half, cos: make([]float32, positions*half), sin: make([]float32, positions*half)}
	slope := Log(theta) / float64(dim)
	for i := range half {
		frequency := Expm(-float64(float64(2*i) * slope))
		for p := range positions {
			sin, cos := SinCos(float64(p) * frequency)
			r.cos[p*half+i], r.sin[p*half+i] = float32(cos), float32(sin)
		}
	}
	return r
}

// Rotate turns every head of every row of x (len(positions), a multiple of dim) by the row's position, in place. Element i of a head is paired
// with element i+dim/2, the "half" convention of Llama's published weights:
//
//	(a, b) -> (a·cos - b·sin, b·cos + a·sin)
//
// inverse turns back, which is also the gradient.
func (r *Rotation) Rotate(x []float32, positions []int32, inverse bool) {
	half := r.half
	width := 0
	if len(positions) > 0 {
		width = len(x) / len(positions)
	}
	if width*len(positions) != len(x) || width%(2*half) != 0 {
		panic("kernel: Rotate of unequal shapes")
	}
	direction := float32(1)
	if inverse {
		direction = -1
	}
	for i, p := range positions {
		cos, sin := r.cos[int(p)*half:][:half], r.sin[int(p)*half:][:half]
		if isa >= avx2 && width > 0 {
			rotateVector(x[i*width:][:width], cos, sin, direction)
			continue
		}
		for row := x[i*width:][:width]; len(row) > 0; row = row[2*half:] {
			first, second := row[:half], row[half:][:half]
			for j, c := range cos {
				a, b, s := first[j], second[j], direction*sin[j]
				first[j] = float32(a*c) - float32(b*s)
				second[j] = float32(b*c) + float32(a*s)
			}
		}
	}
}
