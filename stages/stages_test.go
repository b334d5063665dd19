package stages

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestDefaults pins what holds where a file says nothing. Keys leave defaults out, so whoever changes one here raises the
// Version of the kind too, or stores keep answering with what the old one made. What is false, 0, empty or a list of
// nothing is left out.
func TestDefaults(t *testing.T) {
	want := map[string]string{
		"dataset": `format="auto" column="text" invalid_utf8="refuse" deduplicate.near=0.8 deduplicate.shingle=5 split.unit="auto" split.size=4096 split.validation=0.05 split.seed=1 addition.digits=[1 2] ` +
			`subtraction.digits=[1 2] multiplication.digits=[1 2] modular.modulus=[5 9] modular.terms=[2 4] sorting.letters=[5 5] ` +
			`reversing.letters=[3 4] copying.letters=[4 6] copying.gap=[2 8] assignments.hops=[2 4] brackets.length=[6 10] ` +
			`passages.bytes=56 cloze.bytes=56 cloze.choices=3 records.prompt="{prompt}" records.response="{response}" template.prompt="{prompt}\n" template.response="{response}\n\n" template.stop=["\n\n"] template.answer="last_line"`,
		"tokenize": `vocab_size=256`,
		"pretrain": `parameters="all" on_divergence="fail" snapshot_every="60s" model.family="llama" model.norm_eps=1e-05 model.rope_theta=10000 ` +
			`adamw.learning_rate=0.001 adamw.weight_decay=0.1 adamw.betas=[0.9 0.95] adamw.eps=1e-08 adamw.clip=1 adamw.decay="all" ` +
			`schedule.shape="cosine" schedule.final=0.1 schedule.decay=0.2 save.fractions=[1] evaluate.every=50 evaluate.tokens=16384`,
		"checkpoint": `select="last" step=-1 export.dtype="float32" export.shard=5000000000`,
		"finetune": `epochs=3 batch=32 on_divergence="fail" snapshot_every="60s" adamw.learning_rate=0.001 adamw.betas=[0.9 0.95] adamw.eps=1e-08 adamw.clip=1 adamw.decay="all" ` +
			`schedule.shape="cosine" schedule.warmup=0.1 schedule.decay=0.2`,
		"probe": `overfit.tokens=65536 overfit.seed=-1 separability.pool=["mean" "last"] separability.standardise=true ` +
			`spectrum.matrices=["QK" "OV"] spectrum.threshold=0.95 features.limit=256 features.threshold=0.025 noise.scales=[0.01 0.03 0.1] noise.draws=4 noise.limit=256 ` +
			`sample.shots=[0] sample.greedy=true sample.temperature=1 sample.top_p=1 sample.repetition_penalty=1 score.metrics=["accuracy" "response_loss"] contamination.ngram=13 contamination.characters=50`,
		"report": `title="Report" compare.better="by_name" compare.chosen_on="validation" ` +
			`interval.method="t" interval.levels=["seed"] interval.confidence=0.95 interval.resamples=2000 interval.seed=1 claim.contrast="ends" claim.unit="seed" ` +
			`claim.base.better="by_name" claim.after.better="by_name" claim.criterion.better="by_name" figure.kind="line" figure.scale="auto" samples.limit=2`,
	}
	for _, k := range Kinds() {
		got := strings.Join(defaults("", reflect.ValueOf(k.New())), " ")
		if got != want[k.Name] {
			t.Errorf("defaults of %s, version %d, are\n%s\nwant\n%s", k.Name, k.Version, got, want[k.Name])
		}
	}
	if len(want) != len(Kinds()) {
		t.Errorf("defaults of %v are pinned", slices.Sorted(maps.Keys(want)))
	}
}

// defaults lists name=value for the attributes of a struct, its blocks' and its repeated blocks' included.
func defaults(path string, v reflect.Value) (all []string) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	for i := range v.NumField() {
		tag, ok := v.Type().Field(i).Tag.Lookup("hcl")
		if !ok || v.Type().Field(i).Tag.Get("artifact") != "" {
			continue
		}
		name, role, _ := strings.Cut(tag, ",")
		f := v.Field(i)
		switch {
		case role == "block" && f.Kind() == reflect.Slice:
			e := reflect.New(f.Type().Elem()).Elem()
			if m := e.MethodByName("Default"); m.IsValid() {
				e = m.Call(nil)[0]
			}
			all = append(all, defaults(path+name+".", e)...)
		case role == "block":
			all = append(all, defaults(path+name+".", f)...)
		case !f.IsZero() && (f.Kind() == reflect.String || f.Type() == reflect.TypeFor[[]string]()):
			all = append(all, fmt.Sprintf("%s%s=%q", path, name, f))
		case !f.IsZero():
			all = append(all, fmt.Sprintf("%s%s=%v", path, name, f))
		}
	}
	return all
}
