package dataset

import (
	"errors"
	"fmt"

	"anneal/artifacts"
	"anneal/pipeline"
)

// minExamples is the least number of examples of which each split has one.
const minExamples = 4

// problem is one of a task's problems with its solution.
type problem struct {
	prompt, response, answer string
	label                    *int64 // the class, where the task has classes
}

// group is a set of problems of one kind, such as those of one length. No problem is in two groups.
type group struct {
	size    uint64
	problem func(index, random uint64) problem // of each index below size another problem; random may dress it
}

// counts returns the sizes of the splits, in the order of splits.
func counts(examples int) [3]int {
	return [3]int{examples - 2*(examples/4), examples / 4, examples / 4}
}

var splits = [3]string{artifacts.SplitTrain, artifacts.SplitValidation, artifacts.SplitTest}

// checkAvailable tells whether there are as many problems as asked for.
func checkAvailable(examples int, groups []group) error {
	var available uint64
	for _, g := range groups {
		available += g.size
	}
	if uint64(max(examples, 0)) > available {
		return pipeline.Errorf("examples", "must be at most %d, the number of different problems these settings have, is %d", available, examples)
	}
	return nil
}

// generate returns distinct problems, as evenly from the groups as their sizes allow, in random order.
func generate(groups []group, examples int, seed int64) []problem {
	var problems []problem
	for g, n := range shares(groups, examples) {
		order := permute(groups[g].size, seed, "problem", uint64(g))
		for i := range uint64(n) {
			index := order.at(i)
			problems = append(problems, groups[g].problem(index, draw(seed, "dress", uint64(g), index)))
		}
	}
	return shuffle(problems, seed, "order")
}

// shares divides n among the groups evenly, those at the front first in what is left over; a group too small for its
// share leaves the rest of it to the others.
func shares(groups []group, n int) []int {
	given := make([]int, len(groups))
	for n > 0 {
		open := 0
		for i, g := range groups {
			if uint64(given[i]) < g.size {
				open++
			}
		}
		share := max(1, n/max(1, open))
		for i, g := range groups {
			more := int(min(uint64(min(share, n)), g.size-uint64(given[i])))
			given[i] += more
			n -= more
		}
	}
	return given
}

// runTask divides problems among the splits and writes them.
func (d *Dataset) runTask(t *pipeline.Task, problems []problem) error {
	var parts [3][]problem
	for i, n := range counts(len(problems)) {
		parts[i], problems = problems[:n], problems[n:]
	}
	return d.writeExamples(t, parts)
}

// writeExamples applies the template to the problems of each split and writes them.
func (d *Dataset) writeExamples(t *pipeline.Task, parts [3][]problem) error {
	for i, split := range splits {
		examples := make([]artifacts.Example, len(parts[i]))
		longest := 0
		for j, p := range parts[i] {
			e, err := d.Template.fill(p)
			if err != nil {
				return err
			}
			examples[j] = e
			longest = max(longest, len(e.Prompt)+len(e.Response))
		}
		if err := artifacts.WriteExamples(t.Output(split), examples); err != nil {
			return err
		}
		fmt.Fprintf(t.Log, "%s: %d examples, the longest of %d bytes\n", split, len(examples), longest)
	}
	return nil
}

// checkRange tells whether a list is a range [lo, hi] within bounds.
func checkRange(name string, r []int, least, most int) error {
	if len(r) != 2 {
		return pipeline.Errorf(name, "must be a range [least, most], has %d elements", len(r))
	}
	var errs []error
	if r[0] < least || r[1] > most {
		errs = append(errs, pipeline.Errorf(name, "must lie within %d and %d, is [%d, %d]", least, most, r[0], r[1]))
	}
	if r[0] > r[1] {
		errs = append(errs, pipeline.Errorf(name, "must not start above its end, is [%d, %d]", r[0], r[1]))
	}
	return errors.Join(errs...)
}
