package kernel

func scoresFused(dim, panels int, q, keys, out *float32) {
	if isa == avx512 {
		scoresAVX512(dim, panels, q, keys, out)
		return
	}
	scoresAVX2(dim, panels, q, keys, out)
}

func mixFused(n, dim int, p, values, out *float32) {
	if isa == avx512 {
		mixAVX512(n, dim, p, values, out)
		return
	}
	mixAVX2(n, dim, p, values, out)
}
