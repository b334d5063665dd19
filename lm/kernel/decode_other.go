//go:build !amd64

package kernel

func scoresFused(dim, panels int, q, keys, out *float32) {
	panic("kernel: no fused scores on this architecture")
}

func mixFused(n, dim int, p, values, out *float32) {
	panic("kernel: no fused mix on this architecture")
}
