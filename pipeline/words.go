package pipeline

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// words blames the field, whose value is v, if that is not one of the words that the field takes, or not made of them.
func (f field) words(v reflect.Value, at string) (errs []error) {
	switch {
	case f.values == nil:
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			if s := v.Index(i).String(); !slices.Contains(f.values, s) {
				errs = append(errs, Errorf(at, "takes %s, one is %q", choice(f.values, "and"), s))
			}
		}
	case !slices.Contains(f.values, v.String()):
		errs = append(errs, Errorf(at, "must be %s, is %q", choice(f.values, "or"), v.String()))
	}
	return errs
}

// also adds more errors to errs, save those that it has: a package with checks of its own may have found the same.
func also(errs, more []error) []error {
	for _, err := range more {
		if !slices.ContainsFunc(errs, func(e error) bool { return e.Error() == err.Error() }) {
			errs = append(errs, err)
		}
	}
	return errs
}

// choice prints words as "a", "b" or "c".
func choice(words []string, or string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " " + or + " " + quoted[last]
}
