package report

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"anneal/artifacts"
	"anneal/pipeline"
)

// study makes up a small study: rows as the probes would leave them, from formulas that a test can read.
type study struct {
	decays []float64
	seeds  []int64
	tasks  []string
}

var small = study{decays: []float64{0, 0.1, 1}, seeds: []int64{1}, tasks: []string{"author", "sort"}}

func (s study) each(do func(wd float64, seed int64, point pipeline.Point)) {
	for _, seed := range s.seeds {
		for _, wd := range s.decays {
			do(wd, seed, pipeline.Point{{Name: "seed", Value: seed}, {Name: "weight_decay", Value: wd}})
		}
	}
}

func (s study) losses(t *testing.T) []part {
	var parts []part
	s.each(func(wd float64, seed int64, p pipeline.Point) {
		validation := 1.7 + 0.05*wd*wd - 0.1*wd*math.Exp(-5*wd) + 0.01*float64(seed-1)
		gap := 0.066 - 0.014*wd
		parts = append(parts, partOf(t, p, []artifacts.LossRow{{TrainLoss: validation - gap, ValidationLoss: validation, Gap: gap, Tokens: 65536, TrainLossSE: 0.004, ValidationLossSE: 0.005}}))
	})
	return parts
}

func (s study) spectra(t *testing.T) []part {
	var parts []part
	s.each(func(wd float64, seed int64, p pipeline.Point) {
		var rows []artifacts.SpectrumRow
		for layer := int64(1); layer <= 2; layer++ {
			for head := int64(0); head < 2; head++ {
				for _, matrix := range []string{"QK", "OV"} {
					for _, norm := range []bool{false, true} {
						rank := 26/(1+wd*3) - float64(layer)
						rows = append(rows, artifacts.SpectrumRow{Layer: layer, Head: head, Matrix: matrix, Norm: norm, PseudoRank: int64(rank),
							PseudoRankShare: math.Floor(rank) / 32, StableRank: rank / 2, EffectiveRank: rank / 1.3, NuclearNorm: 10 - wd, FrobeniusBound: 11 - wd, Balancedness: 3 - wd})
					}
				}
			}
		}
		parts = append(parts, partOf(t, p, rows))
	})
	return parts
}

func (s study) linear(t *testing.T) []part {
	var parts []part
	s.each(func(wd float64, seed int64, p pipeline.Point) {
		var rows []artifacts.SeparabilityRow
		row := artifacts.SeparabilityRow{AccuracySE: 0.015, Classes: 4, Train: 2000, Test: 800}
		for _, pool := range []string{"mean", "last"} {
			for layer := range int64(3) {
				row.Features, row.Pool, row.Layer, row.Accuracy = "hidden", new(pool), new(layer), 0.55+0.04*float64(layer)+0.05*wd
				if pool == "last" {
					row.Accuracy -= 0.2
				}
				row.Margin, row.L2 = new(0.7), new(0.01)
				rows = append(rows, row)
			}
		}
		for _, b := range []struct {
			name     string
			accuracy float64
		}{{"bag_of_bytes", 0.58}, {"majority", 0.26}, {"chance", 0.25}} {
			rows = append(rows, artifacts.SeparabilityRow{Features: b.name, Accuracy: b.accuracy, AccuracySE: 0.015, Classes: 4, Train: 2000, Test: 800})
		}
		parts = append(parts, partOf(t, p, rows))
	})
	return parts
}

// scores are those before fine-tuning, or after it at each learning rate.
func (s study) scores(t *testing.T, after bool) []part {
	var parts []part
	s.each(func(wd float64, seed int64, p pipeline.Point) {
		for k, task := range s.tasks {
			point := append(pipeline.Point{}, p...)
			accuracy, loss := 0.01+0.02*float64(k), 2.6+0.3*wd
			if !after {
				parts = append(parts, partOf(t, append(point, pipeline.Coordinate{Name: "task", Value: task}), scoreRows(accuracy, loss)))
				continue
			}
			for _, lr := range []float64{0.001, 0.003} {
				accuracy, loss := 0.7+0.02*wd, 0.8-0.05*wd+3*lr
				if task == "sort" {
					accuracy, loss = 0.80+0.19*wd/(0.1+wd)+lr-0.01*float64(seed), 0.3-0.1*wd+3*lr
				}
				at := append(pipeline.Point{{Name: "learning_rate", Value: lr}}, point...)
				parts = append(parts, partOf(t, append(at, pipeline.Coordinate{Name: "task", Value: task}), scoreRows(accuracy, loss)))
			}
		}
	})
	return parts
}

func scoreRows(accuracy, loss float64) []artifacts.ScoreRow {
	row := artifacts.ScoreRow{Split: "test", Examples: 400, Accuracy: &accuracy, AccuracySE: new(math.Sqrt(accuracy * (1 - accuracy) / 400)), ResponseLoss: &loss}
	validation := row
	validation.Split, validation.ResponseLoss = "validation", new(loss+0.01)
	return []artifacts.ScoreRow{validation, row}
}

func (s study) samples(t *testing.T, after bool) []part {
	var parts []part
	s.each(func(wd float64, seed int64, p pipeline.Point) {
		for _, task := range s.tasks {
			var rows []artifacts.SampleRow
			for i := range int64(5) {
				row := artifacts.SampleRow{Split: "test", Example: i, Prompt: fmt.Sprintf("%s: q%d c <b> a & d\n", task, i), Reference: "a c d q\n\n", Answer: "a c d q", LogProbability: -3.2, Tokens: 9, ReferenceLogProbability: -4, ReferenceTokens: 9}
				row.Response = "the the <script>alert(1)</script>"
				if after {
					row.Response, row.Extracted, row.Correct = "a c d q\n\n", "a c d q", wd > 0
				}
				rows = append(rows, row)
			}
			parts = append(parts, partOf(t, append(append(pipeline.Point{}, p...), pipeline.Coordinate{Name: "task", Value: task}), rows))
		}
	})
	return parts
}

// partOf writes rows and reads them as a report does.
func partOf[T any](t *testing.T, p pipeline.Point, rows []T) part {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.parquet")
	if err := artifacts.WriteRows(path, rows); err != nil {
		t.Fatal(err)
	}
	table, err := artifacts.ReadTable(path)
	if err != nil {
		t.Fatal(err)
	}
	return part{point: p, table: table}
}

// report is the configuration that the study is shown with, and its inputs.
func (s study) report(t *testing.T) (*Report, inputs) {
	row := []pipeline.Row{{}}
	r := &Report{
		Title:  "Weight decay and plasticity at 133k parameters",
		Tables: []Table{{"loss", row}, {"attention", row}, {"linear", row}, {"before", row}, {"after", row}},
		Compares: []Compare{{Name: "gain", After: "after", Before: "before", On: []string{"weight_decay", "seed", "task"}, Metric: "accuracy",
			Better: "by_name", BestOver: []string{"learning_rate"}, ChosenOn: "validation"}},
		Claims: []Claim{
			{Name: "C1", Says: "larger weight decay gives larger gains from fine-tuning", Along: "weight_decay", Compare: "gain", Expected: "increasing", Within: []string{"task"}, Unit: "seed"},
			{Name: "C2", Says: "worse base models can be better after fine-tuning", Along: "weight_decay", Within: []string{"task"}, Unit: "seed",
				Base: &Criterion{Table: "loss", Metric: "validation_loss", Better: "by_name"}, After: &Criterion{Table: "gain", Metric: "after", Better: "by_name"}},
			{Name: "C3", Says: "larger weight decay gives more linearly separable representations", Along: "weight_decay", Table: "linear", Metric: "accuracy", Expected: "increasing",
				Within: []string{"pool", "layer"}, Unit: "seed", Where: []Where{{"features", []string{"hidden"}}}},
			{Name: "C4", Says: "larger weight decay lowers the rank of attention", Along: "weight_decay", Table: "attention", Metric: "pseudo_rank", Expected: "decreasing",
				Within: []string{"matrix"}, Over: []string{"layer", "head"}, Unit: "seed", Where: []Where{{"norm", []string{"true"}}}},
			{Name: "C5", Says: "larger weight decay reduces overfitting", Along: "weight_decay", Table: "loss", Metric: "gap", Expected: "decreasing", Unit: "seed"},
			{Name: "C6", Says: "the weight decay best for cross-entropy is not the best for what follows", Along: "weight_decay", Within: []string{"task"}, Unit: "seed",
				Criteria: []Criterion{{Table: "loss", Metric: "validation_loss", Better: "by_name"}, {Table: "gain", Metric: "after", Better: "by_name"}, {Table: "gain", Metric: "gain", Better: "by_name"}}},
		},
		Figures: []Figure{
			{Kind: "line", Name: "loss", Title: "Loss after pretraining", Table: "loss", X: "weight_decay", Y: "validation_loss", With: []string{"train_loss"}, Error: "validation_loss_se", Scale: "auto"},
			{Kind: "line", Name: "gap", Title: "Train–validation gap", Table: "loss", X: "weight_decay", Y: "gap", Scale: "auto"},
			{Kind: "line", Name: "downstream", Title: "Accuracy before and after fine-tuning", Table: "gain", X: "weight_decay", Y: "after", With: []string{"before"}, Facet: "task", Scale: "auto"},
			{Kind: "line", Name: "separability", Title: "Linear separability by layer", Table: "linear", X: "layer", Y: "accuracy", Lines: "weight_decay", Facet: "pool", Error: "accuracy_se", Scale: "auto",
				Where:      []Where{{"features", []string{"hidden"}}},
				References: []Reference{{"bag of bytes", []Where{{"features", []string{"bag_of_bytes"}}}}, {"chance", []Where{{"features", []string{"chance"}}}}}},
			{Kind: "line", Name: "rank", Title: "Pseudo-rank of attention", Table: "attention", X: "weight_decay", Y: "pseudo_rank", Lines: "layer", Facet: "matrix", Over: []string{"head"}, Scale: "auto",
				Where: []Where{{"norm", []string{"true"}}}},
		},
		Samples: []Samples{{Name: "generations", Before: row, After: row, Limit: 2}},
	}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	in := inputs{
		tables:  [][]part{s.losses(t), s.spectra(t), s.linear(t), s.scores(t, false), s.scores(t, true)},
		before:  [][]part{s.samples(t, false)},
		after:   [][]part{s.samples(t, true)},
		origins: []origin{{"loss", "seed=1,weight_decay=0", "c0ffee"}},
	}
	return r, in
}
