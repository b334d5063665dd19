package probe

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/lm/bpe"
	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
	"anneal/stages/internal/trainingtest"
	"anneal/stages/internal/weights"
)

// built leaves weights whose measures are known, and text for them. Tokens lie in four orthogonal directions, of which the
// stream "even" has equally many. The one layer writes nothing; of its four units one is always zero and one a millionth of
// what the others are. All tokens are equally likely. The weights of "huge" are finite, and what they make of text is not.
type built struct{}

const builtContext = 8

func (*built) Outputs() []pipeline.Output {
	return []pipeline.Output{
		{Name: "weights", Type: "weights"}, {Name: "halves", Type: "weights"}, {Name: "wider", Type: "weights"}, {Name: "merged", Type: "weights"}, {Name: "huge", Type: "weights"},
		{Name: "even", Type: "tokens"}, {Name: "short", Type: "tokens"}, {Name: "passages", Type: "passages"}, {Name: "none", Type: "passages"},
	}
}

func (*built) Run(_ context.Context, t *pipeline.Task) error {
	for _, m := range []struct {
		output string
		width  int
		times  float32
		merges []bpe.Merge
	}{{"weights", 8, 1, nil}, {"halves", 8, 0.5, nil}, {"wider", 16, 1, nil}, {"merged", 8, 1, []bpe.Merge{{Left: 't', Right: 'h'}}}, {"huge", 8, 1e25, nil}} {
		shape := lm.Model{Family: "llama", Layers: 1, Width: m.width, Heads: 2, FF: 4, NormEps: 1e-5, RopeTheta: 10000}
		net, err := lm.New(shape, 256+len(m.merges), builtContext, 1)
		if err != nil {
			return err
		}
		for _, name := range []string{"embedding", "layers.0.o", "layers.0.down", "output"} {
			net.Parameter(name).Zero()
		}
		embedding, up := net.Parameter("embedding").Data().([]float32), net.Parameter("layers.0.up").Data().([]float32)
		for id := range 256 {
			embedding[id*m.width+id%4] = 3
		}
		for row := range m.width {
			up[row*4], up[row*4+1] = 0, 1e-6*up[row*4+2]
		}
		for _, p := range net.Parameters() {
			for i := range p.Value.Data().([]float32) {
				p.Value.Data().([]float32)[i] *= m.times
			}
		}
		w, err := weights.Create(t.Output(m.output), net, bpe.Plain(m.merges))
		if err != nil {
			return err
		}
		if err := w.Save(artifacts.Save{Step: 1}); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	ids := make([]uint32, 40*(builtContext+1))
	for i := range ids {
		ids[i] = uint32(i % 4)
	}
	var passages []artifacts.Passage
	for i := range 10 {
		passages = append(passages, artifacts.Passage{Text: "abcd"[i%4:][:1] + "dcba"[:4-i%4], Split: artifacts.SplitTrain})
	}
	if err := artifacts.WriteTokens(t.Output("even"), ids, bpe.Plain(nil)); err != nil {
		return err
	}
	if err := artifacts.WriteTokens(t.Output("short"), ids[:builtContext], bpe.Plain(nil)); err != nil {
		return err
	}
	if err := artifacts.WritePassages(t.Output("passages"), passages); err != nil {
		return err
	}
	return artifacts.WritePassages(t.Output("none"), nil)
}

var measuring = append(slices.Clone(kinds), &pipeline.Kind{Name: "built", Version: 1, New: func() pipeline.Stage { return &built{} }})

// measured asks for all measures of the model with known ones, and for some of random weights.
const measured = `
built "b" {}
given "g" {}
probe "known" {
  from = built.b.weights
  features {
    tokens = built.b.even
    limit  = 30
  }
  norms {
    since         = built.b.halves
    learning_rate = 0.5
  }
  noise {
    tokens = built.b.even
    scales = [0.1, 2]
    draws  = 3
    limit  = 5
  }
}
probe "random" {
  from = given.g.weights
  overfit {
    train      = given.g.tokens
    validation = given.g.held_out
    seed       = 3
  }
  features {
    tokens = given.g.tokens
  }
  norms {}
  noise {
    tokens = given.g.held_out
    draws  = 2
    seed   = 5
  }
}`

// Tokens in four directions, equally many: four equal singular values, of which the mean takes one. Half of the units are
// dormant.
func TestFeatures(t *testing.T) {
	r := pipelinetest.Run(t, measuring, 2, measured, nil)
	rows := read[artifacts.FeatureRow](t, r, "probe.known", "features")
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows {
		rank := int64(4)
		if row.Centred {
			rank = 3
		}
		if row.Layer != int64(i/2) || row.Centred != (i%2 == 1) || math.Abs(row.EffectiveRank-float64(rank)) > 1e-6 || row.Rank99Squares != rank || row.Rank99Sum != rank || row.Positions != 30*builtContext {
			t.Errorf("%+v, want rank %d of %d positions", row, rank, 30*builtContext)
		}
		if row.Layer == 0 && row.Dormant != nil || row.Layer == 1 && (row.Dormant == nil || *row.Dormant != 0.5) {
			t.Errorf("%+v: half of the layer's units are dormant, and the embedding has none", row)
		}
	}
}

// Passages are read whole, at most limit of them, evenly spread: those of 5, 4, 3, 2 tokens in turn.
func TestFeaturesOfPassages(t *testing.T) {
	for limit, positions := range map[int]int64{1: 5, 2: 5 + 4, 5: 5 + 3 + 5 + 3 + 5, 10: 2*(5+4+3+2) + 5 + 4, 100: 2*(5+4+3+2) + 5 + 4} {
		r := pipelinetest.Run(t, measuring, 1, fmt.Sprintf("built \"b\" {}\nprobe \"p\" {\nfrom = built.b.weights\nfeatures {\nexamples = built.b.passages\nlimit = %d\n}\n}", limit), nil)
		if rows := read[artifacts.FeatureRow](t, r, "probe.p", "features"); rows[0].Positions != positions {
			t.Errorf("limit %d: %d positions, want %d", limit, rows[0].Positions, positions)
		}
	}
}

// Matrices whose singular values are known.
func TestLayerFeatures(t *testing.T) {
	u, v := orthonormal(50, 3, 1), orthonormal(6, 3, 2)
	matrix := func(sigma ...float64) []float32 {
		var x mat.Dense
		x.Mul(scaled(u, sigma...), v.T())
		var all []float32
		for _, y := range x.RawMatrix().Data {
			all = append(all, float32(y))
		}
		return all
	}
	same := slices.Repeat([]float32{1, -2, 3, 0.1, 0.7, 1e-3}, 50)
	for _, c := range []struct {
		name         string
		states       []float32
		centred      bool
		effective    float64
		squares, sum int64
	}{
		{"equal values: all ranks are full", matrix(2, 2, 2), false, 3, 3, 3},
		{"one direction", matrix(5, 0, 0), false, 1, 1, 1},
		{"99 % of the squares are fewer than 99 % of the values", matrix(10, 1, 0.1), false, entropyRank(10, 1, 0.1), 1, 2},
		{"one row over and over is one direction", same, false, 1, 1, 1},
		{"and none once it is centred", same, true, 0, 0, 0},
		{"nothing: no rank", make([]float32, 300), false, 0, 0, 0},
	} {
		l := layerFeatures{products: mat.NewSymDense(6, nil), sums: make([]float64, 6), activity: make([]float64, 1)}
		l.add(c.states[:120], nil) // in parts
		l.add(c.states[120:], nil)
		got := l.describe(c.centred)
		if math.Abs(got.EffectiveRank-c.effective) > 1e-5 || got.Rank99Squares != c.squares || got.Rank99Sum != c.sum || got.Positions != 50 {
			t.Errorf("%s: %+v, want effective rank %g, %d and %d", c.name, got, c.effective, c.squares, c.sum)
		}
	}
}

func TestDormant(t *testing.T) {
	for _, c := range []struct {
		activity  []float64
		threshold float64
		want      float64
	}{
		{[]float64{1, 1, 1, 1}, 0.025, 0},
		{[]float64{0, 0.09, 0.11, 3.8}, 0.1, 0.5}, // their mean is 1
		{[]float64{0, 0.09, 0.11, 3.8}, 0, 0.25},
		{[]float64{0, 0, 0, 0}, 0.025, 1},
	} {
		if got := dormant(c.activity, c.threshold); got != c.want {
			t.Errorf("of %v at most %g of the mean: %g, want %g", c.activity, c.threshold, got, c.want)
		}
	}
}

// The model is twice the one before it: the update is as long as what was there, half of what is.
func TestNorms(t *testing.T) {
	r := pipelinetest.Run(t, measuring, 1, measured, nil)
	model, err := weights.Load(r.Path("built.b", "weights"))
	if err != nil {
		t.Fatal(err)
	}
	rows := read[artifacts.NormRow](t, r, "probe.known", "norms")
	parameters := model.Net.Parameters()
	if len(rows) != len(parameters)+1 {
		t.Fatalf("%d rows for %d tensors", len(rows), len(parameters))
	}
	all, elements := 0.0, 0
	for i, p := range parameters {
		squares := 0.0
		for _, v := range p.Value.Data().([]float32) {
			squares += float64(v) * float64(v)
			elements++
		}
		all += squares
		norm, row := math.Sqrt(squares), rows[i]
		if row.Tensor != p.Name || !near(row.Norm, norm) || !near(row.RMS, norm/math.Sqrt(float64(row.Elements))) || !near(*row.UpdateNorm, norm/2) {
			t.Errorf("%+v, want norm %g and update %g", row, norm, norm/2)
		}
		if norm == 0 {
			if row.RelativeUpdate != nil || row.EffectiveLearningRate != nil {
				t.Errorf("%+v divides by zero", row)
			}
		} else if !near(*row.RelativeUpdate, 1) || !near(*row.EffectiveLearningRate, 0.5/norm) {
			t.Errorf("%+v: relative update %g, effective learning rate %g", row, *row.RelativeUpdate, *row.EffectiveLearningRate)
		}
	}
	if last := rows[len(rows)-1]; last.Tensor != "all" || last.Elements != int64(elements) || !near(last.Norm, math.Sqrt(all)) || !near(*last.RelativeUpdate, 1) {
		t.Errorf("all: %+v, want norm %g of %d", last, math.Sqrt(all), elements)
	}
	if row := read[artifacts.NormRow](t, r, "probe.random", "norms")[0]; row.UpdateNorm != nil || row.RelativeUpdate != nil || row.EffectiveLearningRate != nil {
		t.Errorf("%+v has what was not asked for", row)
	}
}

// A model of equally likely tokens, whose output matrix is zero and so stays it, has the loss ln 256 under any noise. The
// losses of another are those of its perturbed copies.
func TestNoise(t *testing.T) {
	r := pipelinetest.Run(t, measuring, 2, measured, nil)
	for i, row := range read[artifacts.NoiseRow](t, r, "probe.known", "noise") {
		if row.Scale != []float64{0, 0.1, 2}[i] || math.Abs(row.Loss-math.Log(256)) > 1e-6 || math.Abs(row.Increase) > 1e-9 || row.Tokens != 5*builtContext || row.Draws != []int64{0, 3, 3}[i] {
			t.Errorf("%+v, want the loss %g", row, math.Log(256))
		}
		if i == 0 != (row.LossSE == nil) || i > 0 && *row.LossSE > 1e-9 {
			t.Errorf("standard error of %+v", row)
		}
	}

	rows := read[artifacts.NoiseRow](t, r, "probe.random", "noise")
	tokens, err := artifacts.OpenTokens(r.Path("given.g", "held_out"))
	if err != nil {
		t.Fatal(err)
	}
	defer tokens.Close()
	batches, err := lm.EvaluationBlocks(lm.Stream[uint16](tokens.Uint16()), trainingtest.Context, 8, 256)
	if err != nil {
		t.Fatal(err)
	}
	loss := func(scale float64, draw int) float64 {
		model, err := weights.Load(r.Path("given.g", "weights"))
		if err != nil {
			t.Fatal(err)
		}
		if scale > 0 {
			model.Net.Perturb(scale, 5, draw)
		}
		return model.Net.MeanLoss(batches)
	}
	clean := loss(0, 0)
	if len(rows) != 4 || !near(rows[0].Loss, clean) {
		t.Fatalf("%+v, want a loss of %g without noise", rows, clean)
	}
	for _, row := range rows[1:] {
		mean, se := meanAndError([]float64{loss(row.Scale, 0), loss(row.Scale, 1)})
		if !near(row.Loss, mean) || !near(row.Increase, mean-clean) || !near(*row.LossSE, se) || !near(*row.IncreaseSE, se) {
			t.Errorf("%+v, want %g ± %g", row, mean, se)
		}
	}
}

// A training that diverged may leave finite weights that make infinite numbers of text: that is told of the field, whatever the measure,
// and weights alone are measured all the same.
func TestModelsThatDiverged(t *testing.T) {
	probe := func(block string) *pipelinetest.Result {
		return pipelinetest.Run(t, measuring, 1, "made \"m\" {}\nbuilt \"b\" {}\nprobe \"p\" {\nfrom = built.b.huge\n"+block+"\n}", nil)
	}
	for _, c := range []struct{ block, want string }{
		{"overfit {\ntrain = built.b.even\nvalidation = built.b.even\n}", "overfit.train: the model makes losses"},
		{"separability {\nexamples = made.m.two\n}", "separability.examples: the model makes hidden states"},
		{"features {\ntokens = built.b.even\n}", "features.tokens: the model makes hidden states"},
		{"features {\nexamples = made.m.two\n}", "features.examples: the model makes hidden states"},
		{"noise {\ntokens = built.b.even\n}", "noise.tokens: the model makes losses"},
	} {
		if err := probe(c.block).Err("probe.p"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.block, err, c.want)
		}
	}
	if err := probe("norms {}\nspectrum {}").Err("probe.p"); err != nil {
		t.Error(err)
	}
}

// Blocks that follow noise measure the model as it was.
func TestNoiseLeavesTheModel(t *testing.T) {
	const sample = "sample {\ntest = given.g.examples\nlimit = 3\n}\n"
	probe := func(blocks string) *pipelinetest.Result {
		return pipelinetest.Run(t, measuring, 1, "given \"g\" {}\nprobe \"p\" {\nfrom = given.g.weights\n"+blocks+"}", nil)
	}
	with, without := probe("noise {\ntokens = given.g.held_out\n}\n"+sample), probe(sample)
	if with.Blob("probe.p", "samples") != without.Blob("probe.p", "samples") {
		t.Error("samples differ after noise")
	}
}

// The given weights had seen 200 tokens of 16 a window: 12 windows, those at the start of the order of their seed.
func TestOverfitOfWhatWasRead(t *testing.T) {
	r := pipelinetest.Run(t, measuring, 2, measured, nil)
	model, err := weights.Load(r.Path("given.g", "weights"))
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := artifacts.OpenTokens(r.Path("given.g", "tokens"))
	if err != nil {
		t.Fatal(err)
	}
	defer tokens.Close()
	blocks, err := lm.NewBlocks(lm.Stream[uint16](tokens.Uint16()), trainingtest.Context, 12, 3)
	if err != nil {
		t.Fatal(err)
	}
	var read12 lm.Batch
	blocks.Batch(0, &read12)
	row := read[artifacts.LossRow](t, r, "probe.random", "losses")[0]
	if want := model.Net.MeanLoss([]lm.Batch{read12}); !near(row.TrainLoss, want) || row.Tokens != 12*16 || !near(row.GapSE, math.Hypot(row.TrainLossSE, row.ValidationLossSE)) {
		t.Errorf("%+v, want a loss of %g on 192 tokens", row, want)
	}
}

func TestMeasuresOnOneCoreAndTwo(t *testing.T) {
	one, two := pipelinetest.Run(t, measuring, 1, measured, nil), pipelinetest.Run(t, measuring, 2, measured, nil)
	for _, output := range []string{"losses", "features", "norms", "noise"} {
		if one.Blob("probe.random", output) != two.Blob("probe.random", output) {
			t.Errorf("%s differs", output)
		}
	}
}

func TestMeasuresRefuse(t *testing.T) {
	for _, c := range []struct{ block, want string }{
		{"overfit {\ntrain = given.g.tokens\nvalidation = given.g.held_out\nseed = -2\n}", "must be that of a training"},
		{"features {}", "or examples must be given, and not both"},
		{"features {\ntokens = built.b.even\nexamples = built.b.passages\n}", "or examples must be given, and not both"},
		{"features {\ntokens = built.b.even\nlimit = 0\n}", "must be at least 1, is 0"},
		{"features {\ntokens = built.b.even\nthreshold = 1\n}", "must be at least 0 and below 1, is 1"},
		{"norms {\nlearning_rate = -1\n}", "must be at least 0, is -1"},
		{"noise {\ntokens = built.b.even\nscales = []\n}", "must name at least one"},
		{"noise {\ntokens = built.b.even\nscales = [0, 0.1]\n}", "must be above 0, one is 0"},
		{"noise {\ntokens = built.b.even\nscales = [0.1, 0.1]\n}", "names 0.1 twice"},
		{"noise {\ntokens = built.b.even\ndraws = 0\n}", "must be at least 1, is 0"},
		{"noise {\ntokens = built.b.even\nlimit = 0\n}", "must be at least 1, is 0"},
	} {
		_, err := pipelinetest.Load(t, measuring, "given \"g\" {}\nbuilt \"b\" {}\nprobe \"p\" {\nfrom = built.b.weights\n"+c.block+"\n}", nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.block, err, c.want)
		}
	}
	for _, c := range []struct{ block, want string }{
		{"overfit {\ntrain = built.b.even\nvalidation = built.b.even\nseed = 1\n}", "overfit.seed: is given, but by step 1 the model had read 0 windows"},
		{"features {\ntokens = built.b.short\n}", "features.tokens: are too few"},
		{"features {\ntokens = given.g.tokens\n}", "features.tokens: has another vocabulary"},
		{"features {\nexamples = built.b.none\n}", "features.examples: holds no passages"},
		{"features {\nexamples = made.m.long\n}", "features.examples: passage 5 has 17 tokens"},
		{"norms {\nsince = built.b.wider\n}", "norms.since: has another shape"},
		{"norms {\nsince = built.b.merged\n}", "norms.since: has another vocabulary"},
		{"noise {\ntokens = built.b.short\n}", "noise.tokens: are too few"},
		{"noise {\ntokens = given.g.tokens\n}", "noise.tokens: has another vocabulary"},
	} {
		r := pipelinetest.Run(t, measuring, 1, "given \"g\" {}\nmade \"m\" {}\nbuilt \"b\" {}\nprobe \"p\" {\nfrom = built.b.weights\n"+c.block+"\n}", nil)
		if err := r.Err("probe.p"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.block, err, c.want)
		}
	}
	r := pipelinetest.Run(t, measuring, 1, "given \"g\" {}\nprobe \"p\" {\nfrom = given.g.weights\nnoise {\ntokens = given.g.held_out\nscales = [1e36]\n}\n}", nil)
	if err := r.Err("probe.p"); err == nil || !strings.Contains(err.Error(), "noise.scales: has 1e+36, at which the loss is not finite") {
		t.Errorf("noise beyond measure: %v", err)
	}
}
