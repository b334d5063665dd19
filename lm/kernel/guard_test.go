//go:build unix

package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guarded returns n elements that end where memory that may not be touched begins.
func guarded(t *testing.T, n int) []float32 {
	page := unix.Getpagesize()
	size := (n*elementSize + page - 1) / page * page
	memory, err := unix.Mmap(-1, 0, size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(memory); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Mprotect(memory[size:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&memory[size-n*elementSize])), n)
}

// Products read and write nothing behind the last element of an operand.
func TestProductStaysInside(t *testing.T) {
	sizes := [][3]int{{1, 1, 1}, {1, 16, 3}, {7, 17, 5}, {5, 15, 4}, {13, 33, 70}, {25, 63, 9}, {70, 31, 3}, {130, 9, 70}, {3, 8, 300}, {65, 24, 40}}
	for _, isa := range Choices() {
		t.Run(isa, func(t *testing.T) {
			choose(t, isa)
			var s Scratch
			r := rand.New(rand.NewPCG(7, 8))
			for _, size := range sizes {
				m, n, k := size[0], size[1], size[2]
				a, b, c := guarded(t, m*k), guarded(t, k*n), guarded(t, m*n)
				copy(a, random(r, m*k))
				copy(b, random(r, k*n))
				for _, op := range []Op{NN, NT, TN} {
					lda, ldb := k, n
					if op == TN {
						lda = m
					}
					if op == NT {
						ldb = k
					}
					want := make([]float32, m*n)
					chain(op, m, n, k, a, lda, b, ldb, want, n, false)
					s.Product(op, m, n, k, a, lda, b, ldb, c, n, false)
					equalBits(t, fmt.Sprint(op, size), c, want)
				}
				packed := guarded(t, (k-1)*crowded+m)
				copy(packed, random(r, len(packed)))
				want := make([]float32, m*n)
				chain(TN, m, n, k, packed, crowded, b, n, want, n, false)
				s.Product(TN, m, n, k, packed, crowded, b, n, c, n, false)
				equalBits(t, fmt.Sprint("crowded ", size), c, want)
			}
		})
	}
}

// Functions on vectors and attention by one query touch nothing behind the last element of what they are given.
func TestVectorsStayInside(t *testing.T) {
	const most = 150
	var x [4][]float32
	for i := range x {
		x[i] = guarded(t, most)
	}
	for _, isa := range Choices() {
		choose(t, isa)
		r := rand.New(rand.NewPCG(9, 10))
		for n := range most {
			for _, f := range rowFunctions {
				o := newOperands(r, n, draws["ordinary"])
				for i := range x {
					o.x[i] = x[i][most-n:]
					copy(o.x[i], random(r, n))
				}
				f.call(o)
			}
		}
		for _, dim := range []int{2, 6, 16, 24, 34, 64, 80, 112, 128} {
			a := Attention{Heads: 2, Groups: 1, Dim: dim, Scale: 1}
			for count := 1; count < 70; count += 3 {
				q, out, k, v := guarded(t, 2*dim), guarded(t, 2*dim), guarded(t, count*dim), guarded(t, count*dim)
				past := NewPast(dim, count, guarded(t, PastSize(dim, count)))
				past.Store(0, count, k, v, dim)
				a.Decode(new(Scratch), 0, count, q, &past, out)
			}
		}
	}
}
