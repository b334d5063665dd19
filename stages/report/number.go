package report

import (
	"math"
	"strconv"
	"strings"
)

// decimals is how many digits after the point show values to about four significant digits, equally many for all of
// them so that a column of them lines up. Integers need none.
func decimals(values []float64) int {
	top, whole := 0.0, true
	for _, v := range values {
		top = max(top, math.Abs(v))
		whole = whole && v == math.Trunc(v)
	}
	switch {
	case whole && top < 1e9 || top >= 1000:
		return 0
	case top >= 100:
		return 1
	case top >= 10:
		return 2
	case top >= 0.1:
		return 3
	}
	return min(9, 2-int(math.Floor(math.Log10(top))))
}

// fixed prints v with so many digits after the point, and a minus sign that is one. Only 0 prints as 0: what would round
// to it keeps two significant digits.
func fixed(v float64, digits int) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', digits, 64)
	if v != 0 && strings.Trim(s, "0.") == "" {
		s = strconv.FormatFloat(math.Abs(v), 'g', 2, 64)
	}
	if v < 0 {
		s = "−" + s
	}
	return s
}

func plural(noun string) string {
	switch {
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"):
		return noun + "es"
	case strings.HasSuffix(noun, "y") && !strings.ContainsAny(noun[max(0, len(noun)-2):len(noun)-1], "aeiou"):
		return noun[:len(noun)-1] + "ies"
	}
	return noun + "s"
}

// list joins parts as a sentence does: "a", "a and b", "a, b and c".
func list(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}
