package checkpoint

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/lm/bpe"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
	"anneal/stages/internal/trainingtest"
	"anneal/stages/internal/weights"
)

// trained leaves weights of save points five steps apart with the losses given; a negative one stands for none.
type trained struct {
	Losses []float64 `hcl:"losses"`
	Bytes  bool      `hcl:"bytes,optional"` // a vocabulary without merges
}

func (*trained) Outputs() []pipeline.Output {
	return []pipeline.Output{{Name: "weights", Type: "weights"}}
}

func (s *trained) Run(_ context.Context, t *pipeline.Task) error {
	merges := trainingtest.Merges
	if s.Bytes {
		merges = nil
	}
	net, err := lm.New(trainingtest.Model, 256+len(merges), trainingtest.Context, 1)
	if err != nil {
		return err
	}
	w, err := weights.Create(t.Output("weights"), net, bpe.Plain(merges))
	if err != nil {
		return err
	}
	for i, loss := range s.Losses {
		net.Parameter("norm").Data().([]float32)[0] = float32(loss)
		save := artifacts.Save{Step: int64(5 * i)}
		if loss >= 0 {
			save.ValidationLoss = &loss
		}
		if err := w.Save(save); err != nil {
			return err
		}
	}
	return w.Close()
}

var several = []*pipeline.Kind{{Name: "trained", Version: 1, New: func() pipeline.Stage { return &trained{} }}, Kind}

// sweep has trainings whose losses are given by weight decay and seed, and chooses among them.
func sweep(losses string, extra string) string {
	return `
locals {
  losses = ` + losses + `
}
trained "base" {
  for_each = grid({
    weight_decay = [0, 0.5]
    seed         = [1, 2]
  })
  losses = local.losses["${each.value.weight_decay}/${each.value.seed}"]
}
checkpoint "best" {
  ` + extra + `
  select = "lowest_validation_loss"
}`
}

const among = "among = [for p in trained.base : p.weights]"

func TestAmong(t *testing.T) {
	for _, c := range []struct {
		name, losses, among string
		chosen              []any // weight_decay, seed, step, validation_loss
		file                string
	}{
		{"the lowest of all", `{ "0/1" = [4, 3], "0/2" = [4, 2.5], "0.5/1" = [4, 2], "0.5/2" = [4, 2.75] }`, among, []any{0.5, int64(1), int64(5), 2.0}, "step-00000005.arrow"},
		{"each stands with its own lowest", `{ "0/1" = [4, 1, 3], "0/2" = [4, 2.5], "0.5/1" = [4, 2], "0.5/2" = [4, 2.75] }`, among, []any{0.0, int64(1), int64(5), 1.0}, "step-00000005.arrow"},
		{"the first of equals", `{ "0/1" = [4, 3], "0/2" = [4, 2], "0.5/1" = [4, 2], "0.5/2" = [4, 2] }`, among, []any{0.5, int64(1), int64(5), 2.0}, "step-00000005.arrow"},
		{"the first of equals in the order given", `{ "0/1" = [2], "0/2" = [2], "0.5/1" = [2], "0.5/2" = [3] }`,
			"among = reverse([for p in trained.base : p.weights])", []any{0.0, int64(2), int64(0), 2.0}, "step-00000000.arrow"},
	} {
		r := pipelinetest.Run(t, several, 1, sweep(c.losses, c.among), nil)
		chosen, err := artifacts.ReadTable(r.Path("checkpoint.best", "chosen"))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]any{}
		for _, column := range chosen.Columns {
			got[column.Name] = column.Values[0]
		}
		want := map[string]any{"weight_decay": c.chosen[0], "seed": c.chosen[1], "step": c.chosen[2], "validation_loss": c.chosen[3]}
		if chosen.Rows() != 1 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: chosen %v, want %v", c.name, got, want)
		}
		candidates, err := artifacts.ReadTable(r.Path("checkpoint.best", "candidates"))
		if err != nil || candidates.Rows() != 4 {
			t.Errorf("%s: candidates %v, %v", c.name, candidates, err)
		}
		from := fmt.Sprintf("trained.base[seed=%v,weight_decay=%v]", c.chosen[1], c.chosen[0])
		given, err1 := os.ReadFile(filepath.Join(r.Path(from, "weights"), c.file))
		taken, err2 := os.ReadFile(filepath.Join(r.Path("checkpoint.best", "weights"), c.file))
		if err1 != nil || err2 != nil || !slices.Equal(given, taken) {
			t.Errorf("%s: the weights are not those chosen: %v %v", c.name, err1, err2)
		}
	}
}

// A best of each seed has columns for what its candidates differ in alone: a report adds the rest.
func TestAmongOfASweep(t *testing.T) {
	r := pipelinetest.Run(t, several, 1, sweep(`{ "0/1" = [3], "0/2" = [1], "0.5/1" = [2], "0.5/2" = [4] }`,
		"for_each = grid({ seed = [1, 2] })\n among = [for point, p in trained.base : p.weights if startswith(point, \"seed=${each.value.seed},\")]"), nil)
	for seed, want := range map[string]float64{"1": 0.5, "2": 0} {
		chosen, err := artifacts.ReadTable(r.Path("checkpoint.best[seed="+seed+"]", "chosen"))
		if err != nil {
			t.Fatal(err)
		}
		if len(chosen.Columns) != 3 || chosen.Columns[0].Name != "weight_decay" || chosen.Columns[0].Values[0] != want {
			t.Errorf("seed %s: chosen %+v, want weight decay %g", seed, chosen.Columns, want)
		}
	}
}

func TestAmongRefuses(t *testing.T) {
	const losses = `{ "0/1" = [4, 3], "0/2" = [4, 2.5], "0.5/1" = [-1, -1], "0.5/2" = [4, 2.75] }`
	err := pipelinetest.Run(t, several, 1, sweep(losses, among), nil).Err("checkpoint.best")
	if want := "among: has candidate [seed=1,weight_decay=0.5], of which no save point has a validation loss: train with validation; if it diverged, leave it out"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	err = pipelinetest.Run(t, several, 1, "trained \"a\" {\nlosses = [1]\n}\ntrained \"b\" {\nlosses = [2]\nbytes = true\n}\n"+
		"checkpoint \"best\" {\namong = [trained.a.weights, trained.b.weights]\nselect = \"lowest_validation_loss\"\n}", nil).Err("checkpoint.best")
	if want := "among: has candidate 1 of another vocabulary than candidate 0"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	for _, c := range []struct{ blocks, want string }{
		{sweep(losses, "among = []"), "or among must be given, and not both"},
		{strings.Replace(sweep(losses, among), "lowest_validation_loss", "last", 1), `select must be "lowest_validation_loss" where among is given, is "last"`},
	} {
		if _, err := pipelinetest.Load(t, several, c.blocks, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestTableRefuses(t *testing.T) {
	loss := 1.0
	of := func(name string, v any) candidate {
		return candidate{point: pipeline.Point{{Name: name, Value: v}}, save: artifacts.Save{ValidationLoss: &loss}}
	}
	for _, c := range []struct {
		all  []candidate
		want string
	}{
		{[]candidate{of("scale", "small"), of("scale", 1.5)}, "coordinate scale is string here and float64 there"},
		{[]candidate{of("step", 1.0), of("step", 2.0)}, "coordinate step, which is a column too"},
	} {
		if _, err := table(c.all); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if got, err := table([]candidate{of("a", 1.0), of("b", 2.0)}); err != nil || got.Columns[0].Values[1] != nil || !got.Columns[0].Optional {
		t.Errorf("a coordinate that a candidate lacks is %+v, %v, want null", got, err)
	}
}
