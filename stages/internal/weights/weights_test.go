package weights

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/lm/bpe"
)

var (
	model  = lm.Model{Family: "llama", Layers: 2, Width: 8, Heads: 4, KVHeads: 2, FF: 12, Tied: true, NormEps: 1e-6, RopeTheta: 500}
	merges = []bpe.Merge{{Left: 'a', Right: 'b'}}
)

func write(t *testing.T, net *lm.Net) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weights")
	w, err := Create(path, net, bpe.Plain(merges))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Save(artifacts.Save{Step: 4}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNetComesBackBitForBit(t *testing.T) {
	net, err := lm.New(model, 257, 16, 1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Load(write(t, net))
	if err != nil {
		t.Fatal(err)
	}
	if got.Net.Model() != model || got.Net.Context() != 16 || got.Net.Vocab() != 257 || got.Save.Step != 4 {
		t.Errorf("read %+v of context %d at %+v", got.Net.Model(), got.Net.Context(), got.Save)
	}
	for i, p := range net.Parameters() {
		q := got.Net.Parameters()[i]
		for j, v := range p.Value.Data().([]float32) {
			if w := q.Value.Data().([]float32)[j]; p.Name != q.Name || math.Float32bits(v) != math.Float32bits(w) {
				t.Fatalf("%s[%d] = %g came back as %s[%d] = %g", p.Name, j, v, q.Name, j, w)
			}
		}
	}
	if ids := got.Encode("abc"); len(ids) != 2 || ids[0] != 256 || ids[1] != 'c' {
		t.Errorf("abc is %v", ids)
	}
}

func TestWeightsThatDoNotFitTheirModel(t *testing.T) {
	net, err := lm.New(model, 257, 16, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"layers": 2`, `"layers": 3`, "the model has 29 parameters, the weights have 20"},
		{`"ff": 12`, `"ff": 13`, "should be layers.0.gate [8 13], is layers.0.gate [8 12]"},
		{`"ff": 12`, `"ff": 0`, "ff: must be at least 1"},
		{`"tied": true`, `"tied": true, "classes": 2`, "tied: must be false where the output matrix is of classes"},
		{`"tied": true`, `"tied": false, "classes": 2`, "the model has 21 parameters, the weights have 20"},
		{`"ff": 12`, `"hidden": 12`, `unknown field "hidden"`},
	} {
		path := write(t, net)
		file := filepath.Join(path, "model.json")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), c.old, c.new, 1)), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: got %v, want %q", c.new, c.old, err, c.want)
		}
	}
}
