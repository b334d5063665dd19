package statistics

import (
	"fmt"
	"testing"
)

// Equal units and seeds make equal draws. The numbers are those of amd64: gonum and Go's math round otherwise elsewhere.
func TestGolden(t *testing.T) {
	units := []Unit{
		{[][]Measurement{{{1, 0.1}, {2, 0.1}}, {{5, 0.2}}}},
		{[][]Measurement{{{3, 0.1}, {2, 0.1}}, {{7, 0.2}}}},
		{[][]Measurement{{{2, 0.1}, {4, 0.1}}, {{6, 0.2}}}},
	}
	for name, want := range map[string]string{
		T:         "[[2.51033195018842 6.53344915746757] [3.04127550158471 7.58613666721263]]",
		Bootstrap: "[[2.86206400099808 6.77632999582917] [2.17218786328871 6.52388304961352]]",
	} {
		m := Method{Name: name, Confidence: 0.95, Resamples: 2, Seed: 1, Levels: 3}
		if got := fmt.Sprintf("%.15g", m.Draws(units)); got != want {
			t.Errorf("%s draws %s, want %s", name, got, want)
		}
	}
}
