// Package coordinate says which columns the coordinates of a sweep become in tables.
package coordinate

import (
	"math"
	"strings"
)

// IsSeed tells whether a coordinate numbers repetitions of one experiment: seed, or a name that ends with _seed.
func IsSeed(name string) bool { return name == "seed" || strings.HasSuffix(name, "_seed") }

// Typed gives a coordinate's value the type of its column: int64 for seeds, float64 for other numbers, so that the columns of
// [0, 1] and [0, 0.1] are of one type. Strings and truth values stay as they are.
func Typed(name string, v any) any {
	switch x := v.(type) {
	case int64:
		if !IsSeed(name) {
			return float64(x)
		}
	case float64:
		if IsSeed(name) && x == math.Trunc(x) {
			return int64(x)
		}
	}
	return v
}
