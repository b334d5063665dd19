package dataset

import (
	"slices"
	"testing"
)

func TestPermutationHasEachNumberOnce(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 4, 5, 16, 17, 100, 1000, 4097} {
		order := permute(n, 7, "test")
		seen := make([]bool, n)
		for i := range n {
			at := order.at(i)
			if at >= n || seen[at] {
				t.Fatalf("of %d numbers, place %d has %d, out of range or a second time", n, i, at)
			}
			seen[at] = true
		}
	}
}

func TestLargePermutation(t *testing.T) {
	const n uint64 = 1e18 + 1
	order := permute(n, 1, "test")
	var high int
	seen := map[uint64]bool{}
	for i := range uint64(2000) {
		at := order.at(i)
		if at >= n || seen[at] {
			t.Fatalf("place %d has %d, out of range or a second time", i, at)
		}
		seen[at] = true
		if at >= n/2 {
			high++
		}
	}
	if high < 900 || high > 1100 {
		t.Errorf("%d of 2000 numbers lie in the upper half", high)
	}
}

func TestDrawsDependOnEveryArgument(t *testing.T) {
	draws := []uint64{
		draw(1, "a"), draw(2, "a"), draw(-1, "a"), draw(1, "b"), draw(1, ""), draw(1, "a", 0), draw(1, "a", 1),
		draw(1, "a", 0, 1), draw(1, "a", 1, 0), draw(1, "a", 0, 0), draw(1, "ab"),
	}
	slices.Sort(draws)
	if n := len(slices.Compact(draws)); n != 11 {
		t.Errorf("%d different draws of 11", n)
	}
	if draw(1, "a", 2) != draw(1, "a", 2) {
		t.Error("equal arguments draw unequal numbers")
	}
}

func TestDrawsAreEven(t *testing.T) {
	const n, draws = 10, 20000
	var count [n]int
	for i := range uint64(draws) {
		count[below(n, draw(3, "even", i))]++
	}
	for i, c := range count {
		if c < 1850 || c > 2150 { // 2000 ± 3.5 standard deviations
			t.Errorf("%d is drawn %d times of %d", i, c, draws)
		}
	}
}
