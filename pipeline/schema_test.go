package pipeline

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

// described is a stage with a field of every sort.
type described struct {
	From   Ref             `hcl:"from" artifact:"text,table" doc:"a"`
	More   []Row           `hcl:"more,optional" artifact:"text" doc:"b"`
	Source []File          `hcl:"source,optional" doc:"c"`
	Rate   float64         `hcl:"rate,optional" doc:"d"`
	Count  int             `hcl:"count" doc:"e"`
	Words  []string        `hcl:"words,optional" values:"x,y" doc:"f"`
	Text   string          `hcl:"text,optional" key:"-" doc:"g"`
	Always switchBlock     `hcl:"always,block" doc:"h"`
	Maybe  *switchBlock    `hcl:"maybe,block" doc:"i"`
	Many   []labelledBlock `hcl:"many,block" doc:"j"`
}

type switchBlock struct {
	On bool `hcl:"on,optional" doc:"k"`
}

type labelledBlock struct {
	Name string `hcl:"name,label"`
	Must string `hcl:"must" doc:"l"`
	Size int64  `hcl:"size,optional" doc:"m"`
}

func (labelledBlock) Default() labelledBlock { return labelledBlock{Size: 7} }

func (d *described) Outputs() []Output {
	all := []Output{{Name: "out", Type: "text", Doc: "n"}}
	if len(d.More) > 0 {
		all = append(all, Output{Name: "more", Type: "table", Doc: "o"})
	}
	if d.Maybe != nil {
		all = append(all, Output{Name: "maybe", Type: "table", Doc: "p"})
	}
	return all
}

func (*described) Run(context.Context, *Task) error { return nil }

// TestDescribe: the schema says what the struct's tags, its defaults and its outputs say, whatever those depend on.
func TestDescribe(t *testing.T) {
	kind := &Kind{Name: "described", Version: 3, Doc: "Describes. And more.", New: func() Stage {
		return &described{Rate: 1e-8, Words: []string{"x"}, Text: "${a}\n\"", Maybe: &switchBlock{On: true}}
	}}
	starter := []byte("pipeline \"long\" {\n  described \"no\" {\n    count = 1\n    rate = 2\n  }\n}\npipeline \"short\" {\n  described \"yes\" {\n    count = 1\n  }\n}\n")
	got := Describe([]*Kind{kind}, nil, starter).Kinds[0]
	want := KindDoc{
		Name: "described", Version: 3, Description: "Describes. And more.",
		BodyDoc: BodyDoc{
			Attributes: []AttributeDoc{
				{Name: "from", Type: "artifact", Description: "a", Required: true, Artifacts: []string{"text", "table"}},
				{Name: "more", Type: "list(artifact)", Description: "b", Artifacts: []string{"text"}, Points: true},
				{Name: "source", Type: "list(source)", Description: "c"},
				{Name: "rate", Type: "number", Description: "d", Default: "1e-8"},
				{Name: "count", Type: "integer", Description: "e", Required: true},
				{Name: "words", Type: "list(string)", Description: "f", Default: `["x"]`, Values: []string{"x", "y"}},
				{Name: "text", Type: "string", Description: "g", Default: `"$${a}\n\""`, Unkeyed: true},
			},
			Blocks: []BlockDoc{
				{Name: "always", Occurs: Defaults, Description: "h", BodyDoc: BodyDoc{Attributes: []AttributeDoc{{Name: "on", Type: "bool", Description: "k", Default: "false"}}}},
				{Name: "maybe", Occurs: Optional, Description: "i", BodyDoc: BodyDoc{Attributes: []AttributeDoc{{Name: "on", Type: "bool", Description: "k", Default: "true"}}}},
				{Name: "many", Label: "name", Occurs: Repeated, Description: "j", BodyDoc: BodyDoc{Attributes: []AttributeDoc{
					{Name: "must", Type: "string", Description: "l", Required: true},
					{Name: "size", Type: "integer", Description: "m", Default: "7"},
				}}},
			},
		},
		Outputs:  []Output{{Name: "out", Type: "text", Doc: "n"}, {Name: "more", Type: "table", Doc: "o"}, {Name: "maybe", Type: "table", Doc: "p"}},
		Examples: []string{"described \"yes\" {\n  count = 1\n}"},
	}
	if !reflect.DeepEqual(got, want) {
		g, _ := json.MarshalIndent(got, "", " ")
		w, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// TestTopics: whatever the schema lists is found under its name, and no two things share one.
func TestTopics(t *testing.T) {
	kind := &Kind{Name: "described", New: func() Stage { return &described{} }}
	local := &ExecutorKind{Name: "local", New: func() Executor { return NewLocal(1) }}
	s := Describe([]*Kind{kind}, []*ExecutorKind{local}, nil)
	var names []string
	for _, k := range s.Kinds {
		names = append(names, k.Name)
	}
	for _, b := range slices.Concat(s.Blocks, s.Executors, []BlockDoc{s.Stage}) {
		names = append(names, b.Name)
	}
	for _, f := range s.Functions {
		names = append(names, f.Name)
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			t.Errorf("%s names two things", name)
		}
		topic, err := s.Topic(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := reflect.ValueOf(topic).Elem().FieldByName("Name").String(); got != name {
			t.Errorf("%s is found under %s", got, name)
		}
	}
}
