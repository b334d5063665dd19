package pipeline_test

import (
	"context"
	"strings"
	"testing"

	"anneal/pipeline"
)

// keys returns the key that a plan has for each address.
func (s *study) keys(blocks string) map[string]string {
	s.t.Helper()
	g, err := s.load(blocks)
	if err != nil {
		s.t.Fatal(err)
	}
	keys := map[string]string{}
	for _, step := range g.Plan(s.st) {
		keys[step.Node.Addr] = step.Key.String()
	}
	return keys
}

// TestWhatEntersAKey: two ways to write a block have one key exactly where they mean the same.
func TestWhatEntersAKey(t *testing.T) {
	for name, c := range map[string]struct {
		a, b string
		same bool
	}{
		"comment and format":        {"weight = 1", "# light\nweight   =   1.0 // one\n", true},
		"expression":                {"weight = 3", "weight = 1 + 2", true},
		"default written out":       {"", "text = \"a\"\nbetas = [0.9, 0.95]\nadam {\nrate = 0.1\n}", true},
		"empty block of defaults":   {"", "adam {}", true},
		"null is unset":             {"", "text = null", true},
		"minus zero":                {"weight = 0", "weight = -0", true},
		"outside the key":           {"", "fast = true", true},
		"another value":             {"weight = 1", "weight = 2", false},
		"a tenth":                   {"weight = 0.1", "weight = 0.1000001", false},
		"nested value":              {"", "adam {\nrate = 0.2\n}", false},
		"optional block is there":   {"", "twice {}", false},
		"its default written out":   {"twice {}", "twice {\ntimes = 2\n}", true},
		"its value":                 {"twice {}", "twice {\ntimes = 3\n}", false},
		"list in another order":     {"betas = [1, 0]", "betas = [0, 1]", false},
		"zero at the end of a list": {"betas = [1, 0]", "betas = [1]", false},
		"empty list":                {"betas = []", "", false},
		"empty text":                {"text = \"\"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStudy(t)
			block := func(body string) string { return s.keys("word \"w\" {\n" + body + "\n}")["word.w"] }
			if a, b := block(c.a), block(c.b); (a == b) != c.same {
				t.Errorf("%q and %q: one key is %v, want %v", c.a, c.b, a == b, c.same)
			}
		})
	}
}

// TestNamesStayOut: renaming a block, a local, an axis, or moving blocks about, keeps every key and reruns nothing.
func TestNamesStayOut(t *testing.T) {
	const before = `
locals { wd = [0, 1] }
word "w" {
  for_each = grid({ weight = local.wd })
  weight   = each.value.weight
}
upper "u" {
  for_each = word.w
  from     = each.value.out
}`
	const after = `
upper "big" {
  for_each = { for k, v in word.small : k => v }
  from     = each.value.out
}
word "small" { # moved, renamed, along another axis
  for_each = grid({ decay = local.decays })
  weight   = each.value.decay
}
locals { decays = [0, 1] }`
	s := newStudy(t)
	s.run(before)
	if got := s.run(after); strings.Contains(got, "done") || strings.Count(got, "cached") != 4 {
		t.Errorf("a renaming ran something:\n%s", got)
	}
}

// TestCoordinatesOnlyInRows: a report's key has the points of its rows, in every form of value.
func TestCoordinatesOnlyInRows(t *testing.T) {
	const blocks = `
word "w" {
  for_each = grid({ x = [VALUES] })
}
collect "c" {
  table "t" { from = [for w in word.w : w.out] }
}`
	s := newStudy(t)
	s.run(strings.Replace(blocks, "VALUES", "1, 2", 1))
	for values, again := range map[string]bool{"1, 2": false, "1, 3": true, `"1", "2"`: true, "1": true} {
		got := s.plan(strings.Replace(blocks, "VALUES", values, 1))
		if strings.Contains(got, "run collect.c") != again {
			t.Errorf("x = [%s]: the report is to run again: want %v:\n%s", values, again, got)
		}
		if strings.Contains(got, "run word.w") {
			t.Errorf("x = [%s]: a coordinate reached a key:\n%s", values, got)
		}
	}
}

// grown is a word that was given more options since.
type grown struct {
	Text   string    `hcl:"text,optional"`
	Betas  []float64 `hcl:"betas,optional"`
	Twice  *twice    `hcl:"twice,block"`
	Style  string    `hcl:"style,optional"`
	Scales []float64 `hcl:"scales,optional"`
	None   []string  `hcl:"none,optional"`
	More   twice     `hcl:"more,block"`
	Extra  *twice    `hcl:"extra,block"`
	Many   []twice   `hcl:"many,block"`
}

func (*grown) Outputs() []pipeline.Output                      { return new(word).Outputs() }
func (*grown) Run(ctx context.Context, t *pipeline.Task) error { return nil }

// TestNewOptionsDisturbNothing: options that a kind is given later stay out of keys while they are at their defaults.
func TestNewOptionsDisturbNothing(t *testing.T) {
	const blocks = "word \"w\" {\n  text = \"x\"\n  betas = [1, 0]\n  twice {}\n}\nword \"v\" {}"
	s := newStudy(t)
	s.run(blocks)
	next := *kinds[0]
	next.New = func() pipeline.Stage {
		return &grown{Text: "a", Betas: []float64{0.9, 0.95}, Twice: &twice{Times: 2}, Style: "plain", Scales: []float64{1, 2}, More: twice{Times: 4}, Extra: &twice{Times: 5}}
	}
	expect(t, s.plannedBy([]*pipeline.Kind{&next}, blocks), "cached word.w:\ncached word.v:\n")
	expect(t, s.plannedBy([]*pipeline.Kind{&next}, strings.Replace(blocks, "betas", "style = \"bold\"\nbetas", 1)), "run word.w: style: plain → bold\ncached word.v:\n")
}
