package statistics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var student = Method{Name: T, Confidence: 0.95, Resamples: 2000, Seed: 1, Levels: 1}

// unitsOf makes units of one value for each quantity.
func unitsOf(rows ...[]float64) []Unit {
	var units []Unit
	for _, row := range rows {
		var u Unit
		for _, v := range row {
			u.Values = append(u.Values, []Measurement{{Value: v}})
		}
		units = append(units, u)
	}
	return units
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

// Units weigh alike, however many replicates they have.
func TestMeans(t *testing.T) {
	units := []Unit{
		{[][]Measurement{{{Value: 1}, {Value: 3}}, {{Value: 7}}}},
		{[][]Measurement{{{Value: 10}}, {{Value: 9}}}},
	}
	if got := Means(units); !slices.Equal(got, []float64{6, 8}) {
		t.Errorf("means %v", got)
	}
	if Means(nil) != nil {
		t.Error("nothing has a mean")
	}
}

// Student's interval against tables: t for 0.975 is 4.303 at 2 degrees of freedom, 2.776 at 4.
func TestLinearT(t *testing.T) {
	for _, c := range []struct {
		units   []Unit
		weights []float64
		want    Interval
	}{
		{unitsOf([]float64{1}, []float64{2}, []float64{3}), []float64{1}, Interval{2, 2 - 4.303/math.Sqrt(3), 2 + 4.303/math.Sqrt(3)}},
		{unitsOf([]float64{1}, []float64{2}, []float64{3}, []float64{4}, []float64{5}), []float64{1}, Interval{3, 3 - 2.776*math.Sqrt(0.5), 3 + 2.776*math.Sqrt(0.5)}},
		// Paired: units differ by 100, their differences by 1.
		{unitsOf([]float64{100, 101}, []float64{200, 202}, []float64{300, 303}), []float64{-1, 1}, Interval{2, 2 - 4.303/math.Sqrt(3), 2 + 4.303/math.Sqrt(3)}},
	} {
		got := student.Linear(c.units, c.weights)
		if !near(got.Estimate, c.want.Estimate, 1e-12) || !near(got.Low, c.want.Low, 1e-3) || !near(got.High, c.want.High, 1e-3) {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
}

// One unit has a mean and no interval, nothing has neither, by any method.
func TestTooFew(t *testing.T) {
	boot := student
	boot.Name = Bootstrap
	for _, m := range []Method{student, boot} {
		one := unitsOf([]float64{4, 6})
		if got := m.Linear(one, []float64{-1, 1}); got.Estimate != 2 || !math.IsNaN(got.Low) || !math.IsNaN(got.High) {
			t.Errorf("%s of one unit: %+v", m.Name, got)
		}
		if got := m.Linear(nil, []float64{1}); !math.IsNaN(got.Estimate) || !math.IsNaN(got.Low) {
			t.Errorf("%s of nothing: %+v", m.Name, got)
		}
		if m.Draws(one) != nil {
			t.Errorf("%s draws from one unit", m.Name)
		}
		if _, ok := m.More(one, func([][]float64) bool { return true }, 100); ok {
			t.Errorf("%s says how many more than one unit", m.Name)
		}
	}
}

// The draws' quantiles are Student's, of a quantity and of a paired difference.
func TestDrawsAreStudents(t *testing.T) {
	m := student
	m.Resamples = 40000
	units := unitsOf([]float64{1, 11.5}, []float64{2, 12}, []float64{4, 14.5}, []float64{4.5, 13})
	draws := m.Draws(units)
	for _, weights := range [][]float64{{1, 0}, {0, 1}, {-1, 1}} {
		var drawn []float64
		for _, d := range draws {
			drawn = append(drawn, weights[0]*d[0]+weights[1]*d[1])
		}
		want := m.Linear(units, weights)
		low, high := m.Percentiles(drawn)
		tolerance := 0.04 * (want.High - want.Low)
		if !near(low, want.Low, tolerance) || !near(high, want.High, tolerance) {
			t.Errorf("weights %v: drawn %g to %g, Student's %+v", weights, low, high, want)
		}
	}
}

// A draw is one study: quantities that are equal in every unit are equal in every draw.
func TestDrawsArePaired(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 0))
	var units []Unit
	for range 6 {
		replicates := []Measurement{{Value: random.NormFloat64()}, {Value: random.NormFloat64()}, {Value: random.NormFloat64()}}
		units = append(units, Unit{[][]Measurement{replicates, replicates}})
	}
	for _, name := range []string{T, Bootstrap} {
		m := Method{Name: name, Confidence: 0.95, Resamples: 200, Seed: 3, Levels: 2}
		moved := false
		for _, d := range m.Draws(units) {
			if !near(d[0], d[1], 1e-12) {
				t.Fatalf("%s draws %v", name, d)
			}
			moved = moved || !near(d[0], Means(units)[0], 1e-3)
		}
		if !moved {
			t.Errorf("%s draws do not vary", name)
		}
	}
}

// Each level of the bootstrap adds what varies there and nothing else.
func TestLevels(t *testing.T) {
	alike := func(values ...Measurement) []Unit {
		return slices.Repeat([]Unit{{[][]Measurement{values}}}, 6)
	}
	for _, c := range []struct {
		name   string
		units  []Unit
		spread [3]float64 // standard deviation of the draws at level 1, 2, 3
	}{
		{"replicates", alike(Measurement{1, 0}, Measurement{3, 0}), [3]float64{0, 1 / math.Sqrt(12), 1 / math.Sqrt(12)}},
		{"examples", alike(Measurement{1, 0.6}), [3]float64{0, 0, 0.6 / math.Sqrt(6)}},
		{"units", unitsOf([]float64{1}, []float64{3}), [3]float64{1 / math.Sqrt2, 1 / math.Sqrt2, 1 / math.Sqrt2}},
	} {
		for level, want := range c.spread {
			m := Method{Name: Bootstrap, Confidence: 0.95, Resamples: 20000, Seed: 1, Levels: level + 1}
			sum, squares := 0.0, 0.0
			for _, d := range m.Draws(c.units) {
				sum, squares = sum+d[0], squares+d[0]*d[0]
			}
			n := float64(m.Resamples)
			if got := math.Sqrt(max(0, squares/n-sum/n*sum/n)); !near(got, want, 0.02*want+1e-6) {
				t.Errorf("%s at level %d spread by %g, want %g", c.name, level+1, got, want)
			}
		}
	}
}

// How often does an interval that says 95 % hold the true mean? A percentile bootstrap over three seeds is why it is
// refused below five.
func TestCoverage(t *testing.T) {
	boot := Method{Name: Bootstrap, Confidence: 0.95, Resamples: 300, Seed: 1, Levels: 1}
	hierarchical := boot
	hierarchical.Levels = 3
	for _, c := range []struct {
		method      Method
		units       int
		low, high   float64
		experiments int
	}{
		{student, 3, 0.935, 0.965, 4000},
		{student, 8, 0.935, 0.965, 4000},
		{boot, 3, 0.50, 0.80, 1000},
		{boot, 8, 0.86, 0.93, 1000},
		{hierarchical, 8, 0.91, 0.97, 1000},
	} {
		random := rand.New(rand.NewPCG(11, uint64(c.units)))
		held := 0
		for range c.experiments {
			var units []Unit
			for range c.units {
				seed := random.NormFloat64()
				var replicates []Measurement
				for range 2 {
					replicates = append(replicates, Measurement{5 + seed + 0.5*random.NormFloat64() + 0.3*random.NormFloat64(), 0.3})
				}
				units = append(units, Unit{[][]Measurement{replicates}})
			}
			if i := c.method.Linear(units, []float64{1}); i.Low <= 5 && 5 <= i.High {
				held++
			}
		}
		share := float64(held) / float64(c.experiments)
		t.Logf("%s over %d units, levels %d, covers %.3f", c.method.Name, c.units, c.method.Levels, share)
		if share < c.low || share > c.high {
			t.Errorf("want %.2f to %.2f", c.low, c.high)
		}
	}
}

// More is as many as Student's interval takes to leave out zero, found without trying each.
func TestMore(t *testing.T) {
	units := unitsOf([]float64{-0.2}, []float64{1}, []float64{1.2}, []float64{0.4}, []float64{0.6})
	for _, m := range []Method{student, {Name: Bootstrap, Confidence: 0.95, Resamples: 4000, Seed: 1, Levels: 1}} {
		asked := 0
		decided := func(confidence float64) func(draws [][]float64) bool {
			return func(draws [][]float64) bool {
				asked++
				var drawn []float64
				for _, d := range draws {
					drawn = append(drawn, d[0])
				}
				strict := m
				strict.Confidence = confidence
				low, _ := strict.Percentiles(drawn)
				return low > 0
			}
		}
		none, ok := m.More(units, decided(0.5), 100)
		if none != 0 || !ok {
			t.Errorf("%s: decided already, yet %d more, %v", m.Name, none, ok)
		}
		more, ok := m.More(units, decided(0.999), 100)
		if !ok || more < 1 || more > 30 {
			t.Errorf("%s: %d more, %v", m.Name, more, ok)
		}
		if _, ok := m.More(units, decided(0.999), more); !ok {
			t.Errorf("%s: %d more suffice, yet not when most", m.Name, more)
		}
		if _, ok := m.More(units, decided(0.999), more/2); ok {
			t.Errorf("%s: half of %d more suffice", m.Name, more)
		}
		asked = 0
		if _, ok := m.More(units, func(d [][]float64) bool { asked++; return false }, 1000); ok || asked > 15 {
			t.Errorf("%s: what is never decided, asked %d times", m.Name, asked)
		}
	}
}

func TestTauB(t *testing.T) {
	for _, c := range []struct {
		x, y []float64
		tau  float64
	}{
		{[]float64{1, 2, 3}, []float64{1, 2, 3}, 1},
		{[]float64{1, 2, 3}, []float64{3, 2, 1}, -1},
		{[]float64{1, 2, 3, 4, 5}, []float64{1, 2, 3, 4, 5}, 1},
		{[]float64{1, 2, 3, 4, 5}, []float64{1, 2, 3, 5, 4}, 0.8},
		{[]float64{1, 2, 3, 4}, []float64{1, 3, 2, 4}, 4. / 6},
		{[]float64{1, 1, 2}, []float64{1, 2, 3}, 2 / math.Sqrt(2*3)}, // 2 pairs agree, one tied in x
		{[]float64{1, 1, 2, 2}, []float64{1, 1, 2, 2}, 1},
		{[]float64{1, 2, 3, 4}, []float64{1, 2, 1, 2}, 2 / math.Sqrt(6*4)},
		{[]float64{1, 2}, []float64{5, 5}, math.NaN()},
		{[]float64{1}, []float64{1}, math.NaN()},
		{nil, nil, math.NaN()},
	} {
		if tau := TauB(c.x, c.y); !near(tau, c.tau, 1e-12) && !(math.IsNaN(tau) && math.IsNaN(c.tau)) {
			t.Errorf("%v, %v: tau %g, want %g", c.x, c.y, tau, c.tau)
		}
	}
}
