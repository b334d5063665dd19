package report

import (
	"slices"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Samples shows generations: for each value of the coordinates that are text (such as the task) the first examples of
// the test split, and under each what every point answered, before and after. They are the first, not picked. Of
// coordinates that are seeds only the smallest is shown.
type Samples struct {
	Name   string         `hcl:"name,label"`
	Title  string         `hcl:"title,optional" doc:"its heading"`
	Before []pipeline.Row `hcl:"before,optional" artifact:"samples" doc:"those of the models before"`
	After  []pipeline.Row `hcl:"after" artifact:"samples" doc:"those of the models after"`
	Limit  int            `hcl:"limit,optional" doc:"examples for each value of the text coordinates, at least 1"`
}

// Default shows two examples.
func (Samples) Default() Samples { return Samples{Limit: 2} }

// Check rules out showing nothing.
func (s Samples) Check() error {
	switch {
	case len(s.After) == 0:
		return pipeline.Errorf("after", "needs at least one artifact of samples")
	case s.Limit < 1:
		return pipeline.Errorf("limit", "must be at least 1, is %d", s.Limit)
	}
	return nil
}

// card is one example with its answers.
type card struct {
	Group             string
	Prompt, Reference string
	Answers           []reply
}

// reply is what one point answered to a card's prompt.
type reply struct {
	Point         string
	Before, After *generation
}

// generation is one response.
type generation struct {
	Text    string
	Correct bool
}

// generations reads the columns of samples that are shown.
type generations struct {
	prompt, reference, response, correct, split, shots []any
}

func openGenerations(t *artifacts.Table) (*generations, error) {
	var g generations
	for name, into := range map[string]*[]any{"prompt": &g.prompt, "reference": &g.reference, "response": &g.response,
		"correct": &g.correct, "split": &g.split, "shots": &g.shots} {
		c := t.Column(name)
		if c == nil {
			return nil, pipeline.Errorf("", "the samples have no column %s", name)
		}
		*into = c.Values
	}
	return &g, nil
}

// find returns the first response to a prompt, the one with fewest shots as samples are written.
func (g *generations) find(prompt, reference any) *generation {
	for i := range g.prompt {
		if g.prompt[i] == prompt && g.reference[i] == reference {
			text, _ := g.response[i].(string)
			correct, _ := g.correct[i].(bool)
			return &generation{strings.TrimRight(text, "\n"), correct}
		}
	}
	return nil
}

// cards arranges the samples.
func (s Samples) cards(before, after []part) ([]card, error) {
	before, after = firstSeeds(before), firstSeeds(after)
	var groups []string
	byGroup := map[string][]part{}
	for _, p := range after {
		g := words(p.point, true)
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
		byGroup[g] = append(byGroup[g], p)
	}
	slices.Sort(groups)
	var cards []card
	for _, g := range groups {
		parts := byGroup[g]
		first, err := openGenerations(parts[0].table)
		if err != nil {
			return nil, err
		}
		for _, i := range first.choose(s.Limit) {
			c := card{Group: g}
			c.Prompt, _ = first.prompt[i].(string)
			c.Reference, _ = first.reference[i].(string)
			c.Reference = strings.TrimRight(c.Reference, "\n")
			for _, p := range parts {
				r := reply{Point: words(p.point, false)}
				own, err := openGenerations(p.table)
				if err != nil {
					return nil, err
				}
				r.After = own.find(first.prompt[i], first.reference[i])
				if b := counterpart(before, p.point); b != nil {
					base, err := openGenerations(b.table)
					if err != nil {
						return nil, err
					}
					r.Before = base.find(first.prompt[i], first.reference[i])
				}
				c.Answers = append(c.Answers, r)
			}
			cards = append(cards, c)
		}
	}
	return cards, nil
}

// choose returns the first rows of the test split, or of all where there is none, each prompt once.
func (g *generations) choose(limit int) []int {
	test := slices.Contains(g.split, any("test"))
	seen := map[any]bool{}
	var rows []int
	for i := range g.prompt {
		if len(rows) < limit && (!test || g.split[i] == any("test")) && !seen[g.prompt[i]] {
			seen[g.prompt[i]] = true
			rows = append(rows, i)
		}
	}
	return rows
}

// words prints a point's text coordinates, or the others.
func words(p pipeline.Point, texts bool) string {
	var names []string
	var values []any
	for _, c := range p {
		if _, isText := c.Value.(string); isText == texts {
			names, values = append(names, c.Name), append(values, c.Value)
		}
	}
	return label(names, values)
}

// firstSeeds keeps the parts whose seeds are the smallest there are.
func firstSeeds(parts []part) []part {
	smallest := map[string]float64{}
	for _, p := range parts {
		for _, c := range p.point {
			if pipeline.IsSeed(c.Name) {
				if least, ok := smallest[c.Name]; !ok || toFloat(c.Value) < least {
					smallest[c.Name] = toFloat(c.Value)
				}
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(parts), func(p part) bool {
		return slices.ContainsFunc(p.point, func(c pipeline.Coordinate) bool {
			return pipeline.IsSeed(c.Name) && toFloat(c.Value) != smallest[c.Name]
		})
	})
}

// counterpart finds the part that agrees with the point in every coordinate that it has.
func counterpart(parts []part, point pipeline.Point) *part {
	for i, p := range parts {
		if !slices.ContainsFunc(p.point, func(c pipeline.Coordinate) bool { return compareValues(c.Value, point.Get(c.Name)) != 0 }) {
			return &parts[i]
		}
	}
	return nil
}
