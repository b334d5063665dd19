package pipeline_test

import (
	"fmt"
	"testing"

	"anneal/artifacts/store"
	"anneal/pipeline"
)

// TestRowsOfOnePoint: rows of two sweeps that were joined are compared each with its like, though their points are equal
// and facts stand in the order of their names, in which the tenth comes before the second.
func TestRowsOfOnePoint(t *testing.T) {
	result := func(changed int) *store.Result {
		r := &store.Result{Made: store.Made{Inputs: map[string]store.Digest{}}}
		for i := range 12 {
			name := fmt.Sprintf("from.%d", i)
			content := fmt.Sprintf("content of %d", i)
			if i == changed {
				content += ", changed"
			}
			r.Key = append(r.Key,
				store.Fact{Kind: "input", Name: name, Value: content},
				store.Fact{Kind: "point", Name: name + ".seed", Value: fmt.Sprint(i % 6)})
			r.Made.Inputs[name] = store.Digest{byte(i + 1)}
		}
		return r
	}
	st := store.Open(t.TempDir())
	for changed, want := range map[int]string{1: "from[seed=1]", 7: "from[seed=1] (2)", 4: "from[seed=4]", 10: "from[seed=4] (2)"} {
		d := pipeline.Compare(st, nil).Results(result(-1), result(changed))
		if len(d.Inputs) != 1 || d.Inputs[0].Field != want {
			t.Errorf("with row %d changed, %v differ, want %s", changed, d.Inputs, want)
		}
	}
}
