package checkpoint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
	"anneal/stages/internal/trainingtest"
)

var kinds = []*pipeline.Kind{trainingtest.Kind, Kind}

// tiny chooses among the save points after steps 0, 5 and 10, whose validation losses are 3, 1 and 2.
func tiny(extra string) string {
	return "given \"g\" {}\ncheckpoint \"c\" {\n from = given.g.weights\n" + extra + "\n}"
}

func TestGolden(t *testing.T) {
	r := pipelinetest.Run(t, kinds, 1, tiny(""), nil)
	for output, want := range map[string]string{"weights": "11658beedafe15a5", "parameters": "b6c837b1e3aa5a72"} {
		if got := r.Blob("checkpoint.c", output).Digest.String()[:16]; got != want {
			t.Errorf("%s is %s, want %s", output, got, want)
		}
	}
}

func TestSelect(t *testing.T) {
	for _, c := range []struct {
		extra string
		step  int64
		file  string
	}{
		{"", 10, "step-00000010.arrow"},
		{`select = "last"`, 10, "step-00000010.arrow"},
		{`select = "first"`, 0, "step-00000000.arrow"},
		{`select = "lowest_validation_loss"`, 5, "step-00000005.arrow"},
		{"select = \"step\"\n step = 5", 5, "step-00000005.arrow"},
		{"select = \"step\"\n step = 0", 0, "step-00000000.arrow"},
	} {
		r := pipelinetest.Run(t, kinds, 1, tiny(c.extra), nil)
		from, to := r.Path("given.g", "weights"), r.Path("checkpoint.c", "weights")
		w, err := artifacts.OpenWeights(to)
		if err != nil {
			t.Fatal(err)
		}
		if len(w.Saves) != 1 || w.Saves[0].Step != c.step || w.Saves[0].ValidationLoss == nil {
			t.Errorf("%s: chose %+v", c.extra, w.Saves)
		}
		for _, file := range []string{c.file, "model.json", "vocabulary.parquet"} {
			want, err1 := os.ReadFile(filepath.Join(from, file))
			got, err2 := os.ReadFile(filepath.Join(to, file))
			if err1 != nil || err2 != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %s is not that of the source: %v %v", c.extra, file, err1, err2)
			}
		}
	}
}

func TestStatistics(t *testing.T) {
	got := describe(artifacts.Parameter{Name: "q", Shape: []int{2, 2}, Values: []float32{1, -7, 3, 3}})
	want := artifacts.ParameterRow{Name: "q", Shape: "2×2", Elements: 4, Mean: 0, Std: 4.123105625617661, RMS: 4.123105625617661, AbsoluteMaximum: 7, Norm: 8.246211251235321}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := describe(artifacts.Parameter{Name: "norm", Shape: []int{3}, Values: []float32{2, 2, 2}}); got.Mean != 2 || got.Std != 0 || got.RMS != 2 || got.Shape != "3" {
		t.Errorf("got %+v", got)
	}
	rows, err := artifacts.ReadRows[artifacts.ParameterRow](pipelinetest.Run(t, kinds, 1, tiny(""), nil).Path("checkpoint.c", "parameters"))
	if err != nil || len(rows) != len(trainingtest.Model.Shapes(258)) || rows[0].Name != "embedding" || rows[0].Shape != "258×8" {
		t.Errorf("the table is %+v, %v", rows, err)
	}
}

func TestNoSuchSave(t *testing.T) {
	for _, c := range []struct{ blocks, want string }{
		{tiny("select = \"step\"\n step = 7"), "step: 7 was not saved; saved were 0, 5, 10"},
		{strings.Replace(tiny(`select = "lowest_validation_loss"`), "g.weights", "g.unvalidated", 1),
			"select: is \"lowest_validation_loss\", but none of the 1 save points has a validation loss"},
	} {
		err := pipelinetest.Run(t, kinds, 1, c.blocks, nil).Err("checkpoint.c")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ extra, want string }{
		{`select = "best"`, `select must be "last", "first", "lowest_validation_loss" or "step", is "best"`},
		{`select = "step"`, `step must be given, at least 0, where select is "step"`},
		{`step = 5`, `step needs select = "step", which is "last"`},
		{"among = [given.g.weights]\n select = \"lowest_validation_loss\"", "or among must be given, and not both"},
	} {
		if _, err := pipelinetest.Load(t, kinds, tiny(c.extra), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.extra, err, c.want)
		}
	}
}
