package artifacts

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestSchemaVersions: whoever changes the columns of a table raises the version of its schema, and says so here.
func TestSchemaVersions(t *testing.T) {
	var have []string
	for _, s := range Schemas() {
		var columns []string
		for _, c := range s.Columns {
			null := ""
			if c.Null != "" {
				null = "?"
			}
			columns = append(columns, c.Name+" "+string(c.Type)+null)
		}
		name := fmt.Sprintf("%s %d", s.Name, s.Version)
		have = append(have, name)
		if got := strings.Join(columns, ", "); got != schemaVersions[name] {
			t.Errorf("%s has the columns\n\t%q,\nwant\n\t%q", name, got, schemaVersions[name])
		}
	}
	for name := range schemaVersions {
		if !slices.Contains(have, name) {
			t.Errorf("%s is gone", name)
		}
	}
	if !slices.IsSorted(have) || len(slices.Compact(have)) < len(Schemas()) {
		t.Errorf("schemas stand in the order %v, want that of their names", have)
	}
}

// TestTypes: what types of artifacts refer to is there.
func TestTypes(t *testing.T) {
	for _, kind := range Types() {
		for _, f := range kind.Files {
			if f.Schema != "" && SchemaNamed(f.Schema) == nil {
				t.Errorf("type %s, file %q: there is no schema %q", kind.Name, f.Name, f.Schema)
			}
		}
	}
}

var schemaVersions = map[string]string{
	"claims 1":           "name string, says string, verdict string, sentence string, cases int64, holds int64, fails int64, more_seeds int64?, unit string, seeds int64?",
	"contaminated 1":     "element int64, example int64, run string, overlap string",
	"contamination 1":    "element int64, examples int64, contaminated int64, share float64, share_se float64?",
	"duplicates 1":       "source int64, document int64, of_source int64, of_document int64, kind string, jaccard float64?",
	"examples 1":         "prompt string, response string, answer string, stop string, extract string, label int64?",
	"features 1":         "layer int64, centred bool, effective_rank float64, rank_99_squares int64, rank_99_sum int64, dormant float64?, positions int64",
	"losses 1":           "train_loss float64, validation_loss float64, gap float64, tokens int64, train_loss_se float64, validation_loss_se float64, gap_se float64",
	"noise 1":            "scale float64, loss float64, loss_se float64?, increase float64, increase_se float64?, draws int64, tokens int64",
	"norms 1":            "tensor string, elements int64, norm float64, rms float64, update_norm float64?, relative_update float64?, effective_learning_rate float64?",
	"parameters 1":       "name string, shape string, elements int64, mean float64, std float64, rms float64, absolute_maximum float64, norm float64",
	"passages 1":         "text string, label int64, split string",
	"samples 1":          "split string, example int64, shots int64, sample int64, greedy bool, prompt string, reference string, answer string, stop string, response string, stopped bool, extracted string, correct bool, log_probability float64, tokens int64, reference_log_probability float64, reference_tokens int64, reward float64?",
	"saves 1":            "step int64, tokens int64, train_loss float64?, validation_loss float64?, file string",
	"scores 1":           "split string, shots int64, k int64?, examples int64, samples int64, accuracy float64?, accuracy_se float64?, few_shot_accuracy float64?, few_shot_accuracy_se float64?, response_loss float64?, response_loss_se float64?, pass_at_k float64?, pass_at_k_se float64?, maj_at_k float64?, maj_at_k_se float64?, correct_ratio_at_k float64?, correct_ratio_at_k_se float64?, correct_ratio_at_k_solved float64?, correct_ratio_at_k_solved_se float64?, rm_at_k float64?, rm_at_k_se float64?, orm_score float64?, orm_score_se float64?",
	"separability 1":     "layer int64?, pool string?, features string, accuracy float64, accuracy_se float64, margin float64?, l2 float64?, classes int64, train int64, test int64, margin_se float64?",
	"spectrum 1":         "layer int64, head int64, matrix string, norm bool, pseudo_rank int64, pseudo_rank_share float64, stable_rank float64, effective_rank float64, nuclear_norm float64, frobenius_bound float64, balancedness float64",
	"text 1":             "source int64, document int64, offset int64, text string",
	"training 1":         "step int64, tokens int64, epochs float64, learning_rate float64, train_loss float64?, validation_loss float64?, gradient_norm float64, weight_norm float64, diverged_at int64?",
	"training_summary 1": "parameters int64, steps int64, tokens int64, repetition float64, timescale_peak float64?, timescale float64?, train_loss float64?, validation_loss float64?, diverged_at int64?",
	"vocabulary 1":       "id int64, bytes binary, left int64?, right int64?",
}
