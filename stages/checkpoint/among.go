package checkpoint

import (
	"fmt"
	"slices"

	"anneal/artifacts"
	"anneal/pipeline"
)

// candidate is one of the weights to choose among, at its save point of the lowest validation loss.
type candidate struct {
	point   pipeline.Point
	weights *artifacts.Weights
	save    artifacts.Save
}

// candidates opens the weights to choose among. One without a validation loss or of another vocabulary is an error.
func (s *Checkpoint) candidates(t *pipeline.Task) ([]candidate, error) {
	var all []candidate
	for i, row := range s.Among {
		w, err := artifacts.OpenWeights(t.Input(row.Ref).Path)
		if err != nil {
			return nil, err
		}
		save, ok := lowest(w.Saves)
		if !ok {
			return nil, pipeline.Errorf("among", "has %s, of which no save point has a validation loss: train with validation; if it diverged, leave it out", name(i, row.Point))
		}
		if i > 0 && !w.Vocabulary.Equal(all[0].weights.Vocabulary) {
			return nil, pipeline.Errorf("among", "has %s of another vocabulary than %s: their losses a token do not compare", name(i, row.Point), name(0, all[0].point))
		}
		all = append(all, candidate{row.Point, w, save})
	}
	return all, nil
}

// name tells a candidate.
func name(i int, p pipeline.Point) string {
	if len(p) == 0 {
		return fmt.Sprintf("candidate %d", i)
	}
	return fmt.Sprintf("candidate [%s]", p)
}

// least returns the place of the candidate with the lowest validation loss, the first of equals.
func least(all []candidate) int {
	best := 0
	for i, c := range all {
		if *c.save.ValidationLoss < *all[best].save.ValidationLoss {
			best = i
		}
	}
	return best
}

// table lists candidates: the coordinates in which they differ, in the order of their names, the step of the save point and
// its validation loss (nats a token).
func table(all []candidate) (*artifacts.Table, error) {
	t := &artifacts.Table{}
	for _, n := range differing(all) {
		c := artifacts.Column{Name: n}
		for i := range all {
			v := pipeline.Typed(n, all[i].point.Get(n))
			switch kind := artifacts.TypeOf(v); {
			case v == nil:
				c.Optional = true
			case c.Type == "" || c.Type == kind:
				c.Type = kind
			default:
				return nil, pipeline.Errorf("among", "has candidates whose coordinate %s is %s here and %s there", n, c.Type, kind)
			}
			c.Values = append(c.Values, v)
		}
		t.Columns = append(t.Columns, c)
	}
	step, loss := artifacts.Column{Name: "step", Type: artifacts.Int64}, artifacts.Column{Name: "validation_loss", Type: artifacts.Float64}
	for _, c := range all {
		step.Values, loss.Values = append(step.Values, c.save.Step), append(loss.Values, *c.save.ValidationLoss)
	}
	for _, c := range []artifacts.Column{step, loss} {
		if t.Column(c.Name) != nil {
			return nil, pipeline.Errorf("among", "has candidates with a coordinate %s, which is a column too: give the axis another name", c.Name)
		}
		t.Columns = append(t.Columns, c)
	}
	return t, nil
}

// row returns one row of a table.
func row(t *artifacts.Table, i int) *artifacts.Table {
	one := &artifacts.Table{}
	for _, c := range t.Columns {
		c.Values = c.Values[i : i+1]
		one.Columns = append(one.Columns, c)
	}
	return one
}

// differing lists the coordinates in which candidates differ. What they share is where the checkpoint itself stands, if it is
// one of a sweep, and a report adds that to its tables.
func differing(all []candidate) []string {
	var names []string
	for _, c := range all {
		for _, x := range c.point {
			same := func(d candidate) bool { return d.point.Get(x.Name) == x.Value }
			if !slices.Contains(names, x.Name) && slices.ContainsFunc(all, func(d candidate) bool { return !same(d) }) {
				names = append(names, x.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}
