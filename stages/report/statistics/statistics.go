// Package statistics tells how sure the mean of a few repeated experiments is.
//
// Experiments nest: a unit of replication, such as a pretraining seed, holds replicates, such as fine-tuning seeds, and each
// of those is scored on test examples. Several quantities, such as the scores at each weight decay, are measured in the
// same units, and all that is drawn here is drawn for all of them at once: so differences are paired by unit.
package statistics

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Unit is one unit of replication: Values[q] are the replicates of quantity q in it, at least one. Quantities that have
// equally many are taken to have them in one order, so that replicates are paired too.
type Unit struct {
	Values [][]Measurement
}

// Measurement is a value with its standard error over test examples, 0 where that is unknown.
type Measurement struct {
	Value, SE float64
}

// Interval holds the true value in a share Confidence of repeated studies. Low and High are NaN where there is none: a
// single unit does not tell how far another would be.
type Interval struct {
	Estimate, Low, High float64
}

// The methods by name.
const (
	T         = "t"
	Bootstrap = "hierarchical_bootstrap"
)

// Method says how means over units would vary if the study were repeated.
//
// T takes units' means as draws of a normal distribution: whatever varies within units shows in how they differ.
// Bootstrap draws with replacement as many units as there are; from Levels 2 on within each as many replicates; from
// Levels 3 on for each measurement Normal(value, SE).
type Method struct {
	Name       string
	Confidence float64 // of intervals, within (0, 1)
	Resamples  int
	Seed       int64
	Levels     int
}

// mean is the mean of a quantity's replicates.
func mean(replicates []Measurement) float64 {
	sum := 0.0
	for _, m := range replicates {
		sum += m.Value
	}
	return sum / float64(len(replicates))
}

// Means returns the grand mean of each quantity: over units of means over replicates, so that a unit with more of them
// weighs no more.
func Means(units []Unit) []float64 {
	if len(units) == 0 {
		return nil
	}
	means := make([]float64, len(units[0].Values))
	for _, u := range units {
		for q, replicates := range u.Values {
			means[q] += mean(replicates)
		}
	}
	for q := range means {
		means[q] /= float64(len(units))
	}
	return means
}

// Draws returns Resamples draws of the vector of grand means, none from fewer than two units.
//
// Those of T are mean + Σᵢ gᵢ(xᵢ − mean)/√(n(n−1)) / √(χ²/(n−1)) with gᵢ independent standard normals, one for unit i
// and all its quantities, and χ² with n−1 degrees of freedom: a multivariate t distribution with the covariance of the
// units' means, so that the quantiles of every linear contrast are those of Student's interval.
func (m Method) Draws(units []Unit) [][]float64 { return m.draws(units, len(units)) }

// draws returns what Draws would if there were n units with the spread of those given.
func (m Method) draws(units []Unit, n int) [][]float64 {
	if len(units) < 2 {
		return nil
	}
	center := Means(units)
	all := make([][]float64, m.Resamples)
	if m.Name == Bootstrap {
		shrink := math.Sqrt(float64(len(units)) / float64(n))
		random := rand.New(rand.NewPCG(uint64(m.Seed), 0))
		for r := range all {
			all[r] = m.resample(units, random)
			for q := range all[r] {
				all[r][q] = center[q] + shrink*(all[r][q]-center[q])
			}
		}
		return all
	}
	residuals := make([][]float64, len(units))
	for i, u := range units {
		residuals[i] = make([]float64, len(center))
		for q, replicates := range u.Values {
			residuals[i][q] = mean(replicates) - center[q]
		}
	}
	// Streams of their own, so that more units change the scale of each draw and not its direction.
	normal := rand.New(rand.NewPCG(uint64(m.Seed), 0))
	chi := distuv.ChiSquared{K: float64(n - 1), Src: rand.NewPCG(uint64(m.Seed), 1)}
	for r := range all {
		scale := 1 / math.Sqrt(float64(n)*float64(len(units)-1)*chi.Rand()/chi.K)
		all[r] = slices.Clone(center)
		for i := range residuals {
			g := scale * normal.NormFloat64()
			for q, x := range residuals[i] {
				all[r][q] += g * x
			}
		}
	}
	return all
}

// resample draws units, replicates within them and examples, and returns the grand means.
func (m Method) resample(units []Unit, random *rand.Rand) []float64 {
	means := make([]float64, len(units[0].Values))
	for range units {
		u := units[random.IntN(len(units))]
		picks := map[int][]int{} // by number of replicates: quantities that have equally many share them
		for q, replicates := range u.Values {
			n := len(replicates)
			if picks[n] == nil {
				picks[n] = make([]int, n)
				for k := range n {
					picks[n][k] = k
					if m.Levels > 1 {
						picks[n][k] = random.IntN(n)
					}
				}
			}
			sum := 0.0
			for _, k := range picks[n] {
				sum += replicates[k].Value
				if m.Levels > 2 {
					sum += replicates[k].SE * random.NormFloat64()
				}
			}
			means[q] += sum / float64(n)
		}
	}
	for q := range means {
		means[q] /= float64(len(units))
	}
	return means
}

// Linear returns the interval of Σ weights·means: Student's for T, percentiles of Draws for Bootstrap.
func (m Method) Linear(units []Unit, weights []float64) Interval {
	dot := func(values []float64) float64 {
		sum := 0.0
		for q, w := range weights {
			sum += w * values[q]
		}
		return sum
	}
	none := math.NaN()
	if len(units) < 2 {
		if len(units) == 0 {
			return Interval{none, none, none}
		}
		return Interval{dot(Means(units)), none, none}
	}
	if m.Name == Bootstrap {
		var values []float64
		for _, d := range m.Draws(units) {
			values = append(values, dot(d))
		}
		low, high := m.Percentiles(values)
		return Interval{dot(Means(units)), low, high}
	}
	values := make([]float64, len(units))
	for i, u := range units {
		values[i] = dot(Means([]Unit{u}))
	}
	estimate, sd := stat.MeanStdDev(values, nil)
	n := float64(len(units))
	half := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile((1+m.Confidence)/2) * sd / math.Sqrt(n)
	return Interval{estimate, estimate - half, estimate + half}
}

// Percentiles returns the ends of the middle share Confidence of what was drawn, NaN where nothing was.
func (m Method) Percentiles(drawn []float64) (low, high float64) {
	if len(drawn) == 0 {
		return math.NaN(), math.NaN()
	}
	sorted := slices.Sorted(slices.Values(drawn))
	tail := (1 - m.Confidence) / 2
	return stat.Quantile(tail, stat.LinInterp, sorted, nil), stat.Quantile(1-tail, stat.LinInterp, sorted, nil)
}

// More returns how many more units it takes until what is drawn decides, if they have the means and the spread of those
// there are. It is false where most do not suffice, and where there are fewer than two units, whose spread is unknown.
func (m Method) More(units []Unit, decided func(draws [][]float64) bool, most int) (more int, ok bool) {
	enough := func(more int) bool { return decided(m.draws(units, len(units)+more)) }
	if len(units) < 2 {
		return 0, false
	}
	if enough(0) {
		return 0, true
	}
	few, many := 0, 1 // few do not suffice, many may
	for many < most && !enough(many) {
		few, many = many, 2*many
	}
	if many >= most {
		if many = most; !enough(many) {
			return 0, false
		}
	}
	for many-few > 1 {
		if half := (few + many) / 2; enough(half) {
			many = half
		} else {
			few = half
		}
	}
	return many, true
}
