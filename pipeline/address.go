package pipeline

import (
	"fmt"
	"iter"
	"maps"
	"strconv"
	"strings"

	"anneal/artifacts/store"
)

// ParseAddr takes an address apart, as records of runs keep it, into its block and its point. Coordinates have the
// types that the sweep gave them.
func ParseAddr(addr string) (block string, point Point, err error) {
	p, err := parsePattern(addr)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", addr, err)
	}
	for _, c := range p.point {
		v, err := c.typed()
		if err != nil {
			return "", nil, fmt.Errorf("%s: %s is no value of a coordinate: %w", addr, c.text, err)
		}
		point = append(point, Coordinate{c.name, v})
	}
	return p.block, point, nil
}

// typed reads what Coordinate.Text prints.
func (c coordinateText) typed() (any, error) {
	switch {
	case strings.HasPrefix(c.text, `"`):
		return strconv.Unquote(c.text)
	case c.text == "true" || c.text == "false":
		return c.text == "true", nil
	case plain(c.text):
		return c.text, nil
	case c.name == "seed" || strings.HasSuffix(c.name, "_seed"):
		return strconv.ParseInt(c.text, 10, 64)
	}
	return strconv.ParseFloat(c.text, 64)
}

// KindOf returns the name of the kind in an address or a block.
func KindOf(addr string) string {
	block, _, _ := strings.Cut(addr, "[")
	parts := strings.Split(block, ".")
	return parts[max(0, len(parts)-2)]
}

// Reached iterates over the results that the pipeline had when the run ended, made by it or by an earlier one: keys by
// address, sorted.
func (r *Record) Reached() iter.Seq2[string, store.Digest] {
	return func(yield func(string, store.Digest) bool) {
		all := maps.Clone(r.Before)
		if all == nil {
			all = map[string]store.Digest{}
		}
		maps.Copy(all, r.Keys)
		for _, addr := range sortedKeys(all) {
			if !yield(addr, all[addr]) {
				return
			}
		}
	}
}
