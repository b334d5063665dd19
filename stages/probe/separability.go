package probe

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"anneal/artifacts"
	"anneal/pipeline"
	"anneal/stages/internal/weights"
)

// How the hidden states of a passage's positions become one vector.
const (
	poolMean = "mean"
	poolLast = "last"
)

// Separability measures how well a linear classifier tells the classes of passages apart by a model's hidden states, at
// every layer: multinomial logistic regression on the states of the passage's positions, their mean or the last one.
// Features are standardised by the mean and deviation of the training split. The penalty is that of penalties with the
// least cross-entropy on the validation split; accuracy and margin are those of the test split.
//
// Beside it stand baselines that no model is needed for: chance, the most frequent class of the training split, and the
// same classifier on the passage's bytes, each one's share. That of an untrained model is the same probe of the training's
// save point at step 0.
type Separability struct {
	Examples    pipeline.Ref `hcl:"examples" artifact:"passages" doc:"with their classes"`
	Pool        []string     `hcl:"pool,optional" values:"mean,last" doc:"how the states of a passage's positions become one vector"`
	Standardise bool         `hcl:"standardise,optional" doc:"whether features are scaled by the mean and deviation of the training split"`
}

// penalties are tried from the strongest on, each fit starting where the one before ended. A decade apart, they span
// classifiers that hardly move to ones that hardly feel the penalty on standardised features.
var penalties = []float64{1, 0.1, 0.01, 0.001, 0.0001}

// Check demands pools, each once.
func (s *Separability) Check() error {
	if len(s.Pool) == 0 {
		return pipeline.Errorf("pool", "must name at least one")
	}
	for i, p := range s.Pool {
		if slices.Contains(s.Pool[:i], p) {
			return pipeline.Errorf("pool", "names %s twice", p)
		}
	}
	return nil
}

func (s *Separability) run(ctx context.Context, t *pipeline.Task, m *weights.Model, path string) error {
	passages, err := artifacts.ReadPassages(t.Input(s.Examples).Path)
	if err != nil {
		return err
	}
	c, err := classesOf(passages)
	if err != nil {
		return err
	}
	sequences, err := encode(m, passages)
	if err != nil {
		return err
	}
	layers := m.Net.Model().Layers + 1
	features := make([][][]float64, len(s.Pool)*layers) // by pool and layer, then by passage
	for i := range features {
		features[i] = make([][]float64, len(passages))
	}
	whole := true
	m.Net.Hidden(sequences, func(i, layer int, states []float32) {
		for p, pool := range s.Pool {
			v := pooled(pool, states, len(sequences[i]))
			features[p*layers+layer][i], whole = v, whole && finite(v...)
		}
	})
	if !whole {
		return unfinite("examples", "hidden states")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	rows := c.baselines()
	jobs := append(features, histograms(passages))
	results := make([]artifacts.SeparabilityRow, len(jobs))
	err = each(ctx, t.Cores(), len(jobs), func(i int) {
		results[i] = c.classify(jobs[i], s.Standardise)
	}, func(done int) { t.Progress(done, len(jobs), nil) })
	if err != nil {
		return err
	}
	for i := range features {
		r := &results[i]
		r.Features, r.Pool, r.Layer = "hidden", &s.Pool[i/layers], new(int64(i%layers))
		fmt.Fprintf(t.Log, "layer %d, %s: accuracy %.3f\n", *r.Layer, *r.Pool, r.Accuracy)
	}
	results[len(features)].Features = "bag_of_bytes"
	return artifacts.WriteRows(path, append(results, rows...))
}

// encode returns the tokens of each passage, which must fit the model's context.
func encode(m *weights.Model, passages []artifacts.Passage) ([][]int32, error) {
	sequences := make([][]int32, len(passages))
	for i, p := range passages {
		sequences[i] = m.Encode(p.Text)
		if n := len(sequences[i]); n == 0 || n > m.Net.Context() {
			return nil, pipeline.Errorf("examples", "passage %d has %d tokens; the context has room for 1 to %d", i, n, m.Net.Context())
		}
	}
	return sequences, nil
}

// pooled returns one vector (width) of the states (n, width) of a passage.
func pooled(pool string, states []float32, n int) []float64 {
	width := len(states) / n
	v := make([]float64, width)
	if pool == poolLast {
		for j, x := range states[(n-1)*width:] {
			v[j] = float64(x)
		}
		return v
	}
	for i := range n {
		for j, x := range states[i*width : (i+1)*width] {
			v[j] += float64(x)
		}
	}
	for j := range v {
		v[j] /= float64(n)
	}
	return v
}

// histograms returns the share of each byte in each passage.
func histograms(passages []artifacts.Passage) [][]float64 {
	all := make([][]float64, len(passages))
	for i, p := range passages {
		all[i] = make([]float64, 256)
		for _, b := range []byte(p.Text) {
			all[i][b] += 1 / float64(len(p.Text))
		}
	}
	return all
}

// classes are the labels of passages as indices, by split.
type classes struct {
	n                       int
	y                       []int
	train, validation, test []int // indices of passages
}

// classesOf reads the labels. Fewer than two classes, a split without passages and a class that the training split lacks
// are errors.
func classesOf(passages []artifacts.Passage) (*classes, error) {
	var labels []int64
	for _, p := range passages {
		labels = append(labels, p.Label)
	}
	slices.Sort(labels)
	labels = slices.Compact(labels)
	if len(labels) < 2 {
		return nil, pipeline.Errorf("examples", "has passages of %d class: a classifier needs at least 2", len(labels))
	}
	c := &classes{n: len(labels)}
	trained := make([]bool, c.n)
	for i, p := range passages {
		k, _ := slices.BinarySearch(labels, p.Label)
		c.y = append(c.y, k)
		switch p.Split {
		case artifacts.SplitTrain:
			c.train = append(c.train, i)
			trained[k] = true
		case artifacts.SplitValidation:
			c.validation = append(c.validation, i)
		case artifacts.SplitTest:
			c.test = append(c.test, i)
		default:
			return nil, pipeline.Errorf("examples", "passage %d is of split %q, not train, validation or test", i, p.Split)
		}
	}
	for _, s := range []struct {
		name string
		rows []int
	}{{"train", c.train}, {"validation", c.validation}, {"test", c.test}} {
		if len(s.rows) == 0 {
			return nil, pipeline.Errorf("examples", "has no passage of split %s", s.name)
		}
	}
	if k := slices.Index(trained, false); k >= 0 {
		return nil, pipeline.Errorf("examples", "has no passage of class %d in split train", labels[k])
	}
	return c, nil
}

// row starts a row with what all rows of the probe share.
func (c *classes) row(features string, accuracy float64) artifacts.SeparabilityRow {
	return artifacts.SeparabilityRow{Features: features, Accuracy: accuracy, AccuracySE: proportionError(accuracy, float64(len(c.test))),
		Classes: int64(c.n), Train: int64(len(c.train)), Test: int64(len(c.test))}
}

// baselines returns the rows of majority and chance.
func (c *classes) baselines() []artifacts.SeparabilityRow {
	counts := make([]int, c.n)
	for _, i := range c.train {
		counts[c.y[i]]++
	}
	most := slices.Index(counts, slices.Max(counts))
	right := 0.0
	for _, i := range c.test {
		if c.y[i] == most {
			right++
		}
	}
	return []artifacts.SeparabilityRow{c.row("majority", right/float64(len(c.test))), c.row("chance", 1/float64(c.n))}
}

// classify fits a classifier to features (one vector a passage) and measures it.
func (c *classes) classify(features [][]float64, standardise bool) artifacts.SeparabilityRow {
	shift, scale := make([]float64, len(features[0])), make([]float64, len(features[0]))
	for j := range scale {
		scale[j] = 1
	}
	if standardise {
		shift, scale = moments(features, c.train)
	}
	part := func(rows []int) labelled {
		var d labelled
		for _, i := range rows {
			x := make([]float64, len(shift)+1)
			for j, v := range features[i] {
				x[j] = (v - shift[j]) * scale[j]
			}
			x[len(shift)] = 1
			d.x, d.y = append(d.x, x), append(d.y, c.y[i])
		}
		return d
	}
	train, validation, test := part(c.train), part(c.validation), part(c.test)
	var best logistic
	var start []float64
	penalty, least := 0.0, math.Inf(1)
	for _, l2 := range penalties {
		m := fit(train, c.n, l2, start)
		if _, loss, _ := m.evaluate(validation); loss < least {
			best, penalty, least = m, l2, loss
		}
		start = slices.Clone(m.w)
	}
	accuracy, _, margins := best.evaluate(test)
	row := c.row("", accuracy)
	margin, se := meanAndError(margins)
	row.Margin, row.L2 = &margin, &penalty
	if len(margins) > 1 {
		row.MarginSE = &se
	}
	return row
}

// moments returns the mean of each feature over the rows given and the reciprocal of its deviation; 1 where a feature
// does not vary.
func moments(features [][]float64, rows []int) (shift, scale []float64) {
	shift, scale = make([]float64, len(features[0])), make([]float64, len(features[0]))
	n := float64(len(rows))
	for _, i := range rows {
		for j, v := range features[i] {
			shift[j] += v / n
		}
	}
	for _, i := range rows {
		for j, v := range features[i] {
			scale[j] += (v - shift[j]) * (v - shift[j]) / n
		}
	}
	for j, v := range scale {
		scale[j] = 1
		if v > 0 {
			scale[j] = 1 / math.Sqrt(v)
		}
	}
	return shift, scale
}

// each does n jobs on so many cores. Which core does a job changes nothing of what it makes.
func each(ctx context.Context, cores, n int, do func(i int), done func(n int)) error {
	next := make(chan int)
	var wait sync.WaitGroup
	var lock sync.Mutex
	finished := 0
	for range max(1, min(cores, n)) {
		wait.Go(func() {
			for i := range next {
				do(i)
				lock.Lock()
				finished++
				done(finished)
				lock.Unlock()
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	wait.Wait()
	return ctx.Err()
}

// proportionError returns the standard error √(a(1−a)/n) of a share a of n examples.
func proportionError(a, n float64) float64 { return math.Sqrt(a * (1 - a) / n) }
