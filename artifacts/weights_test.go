package artifacts

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anneal/lm/bpe"
)

// someWeights are two parameters, -0 and a subnormal among their values.
func someWeights() []Parameter {
	return []Parameter{
		{"embedding", []int{2, 3}, []float32{1, -2, 0.5, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, math.MaxFloat32}},
		{"norm", []int{3}, []float32{1, 1, 1.25}},
	}
}

func writeSomeWeights(t *testing.T, dir string) *WeightsWriter {
	t.Helper()
	w, err := CreateWeights(dir, Model{Shape: json.RawMessage(`{"layers":2}`), VocabularySize: 257, Context: 8}, bpe.Plain([]bpe.Merge{{Left: 't', Right: 'h'}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Save(Save{Step: 0}, someWeights()); err != nil {
		t.Fatal(err)
	}
	loss := 1.5
	if err := w.Save(Save{Step: 10, Tokens: 640, TrainLoss: &loss, ValidationLoss: &loss}, someWeights()); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWeightsComeBackBitForBit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "weights")
	if err := writeSomeWeights(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	w, err := OpenWeights(dir)
	if err != nil {
		t.Fatal(err)
	}
	if w.VocabularySize != 257 || w.Vocabulary.Size() != 257 || w.Context != 8 || len(w.Saves) != 2 || w.Saves[0].TrainLoss != nil {
		t.Errorf("read %+v", w)
	}
	if s := w.Last(); s.Step != 10 || s.Tokens != 640 || *s.ValidationLoss != 1.5 {
		t.Errorf("last save is %+v", s)
	}
	for _, s := range w.Saves {
		p, err := w.Parameters(s)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range someWeights() {
			got := p.List[i]
			same := slices.EqualFunc(got.Values, want.Values, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
			if got.Name != want.Name || !slices.Equal(got.Shape, want.Shape) || !same {
				t.Errorf("step %d: read %v, wrote %v", s.Step, got, want)
			}
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The digests pin the bytes of every file: a change of them is a change of every key downstream.
func TestWeightsBytes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "weights")
	if err := writeSomeWeights(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"model.json":          "c553b5affc3e9ec6",
		"vocabulary.parquet":  "4c73c97a44dba3d1",
		"saves.parquet":       "7c62d6f26ec9f565",
		"step-00000000.arrow": "2ad0c7a6e4e2a8e6",
		"step-00000010.arrow": "2ad0c7a6e4e2a8e6",
	} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(b))[:16]; got != want {
			t.Errorf("%s is %s, want %s", file, got, want)
		}
	}
}

// A writer that goes on from the save points that another handed over leaves what that one would have left.
func TestSavePointsAreHandedOver(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	first := writeSomeWeights(t, at("first"))
	if err := first.Hand(at("handed")); err != nil {
		t.Fatal(err)
	}
	second, err := CreateWeights(at("second"), Model{Shape: json.RawMessage(`{"layers":2}`), VocabularySize: 257, Context: 8}, bpe.Plain([]bpe.Merge{{Left: 't', Right: 'h'}}))
	if err != nil {
		t.Fatal(err)
	}
	handed, err := Handed(at("handed"))
	if err != nil || len(handed) != 2 {
		t.Fatalf("%+v, %v", handed, err)
	}
	if err := second.Adopt(at("handed"), handed); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*WeightsWriter{first, second} {
		if err := errors.Join(w.Save(Save{Step: 20}, someWeights()), w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(at("first"))
	if err != nil || len(files) != 6 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		want, err1 := os.ReadFile(filepath.Join(at("first"), f.Name()))
		got, err2 := os.ReadFile(filepath.Join(at("second"), f.Name()))
		if err1 != nil || err2 != nil || !slices.Equal(got, want) {
			t.Errorf("%s differs: %v %v", f.Name(), err1, err2)
		}
	}
	if err := second.Adopt(at("handed"), handed); err == nil || !strings.Contains(err.Error(), "step 0 does not come after step 20") {
		t.Errorf("adopting too late: %v", err)
	}
}

func TestWeightsRefuse(t *testing.T) {
	nan, inf := math.NaN(), float32(math.Inf(1))
	for _, c := range []struct {
		save       Save
		parameters []Parameter
		want       string
	}{
		{Save{Step: 11}, []Parameter{{"q", []int{2}, []float32{1, inf}}}, "step-00000011.arrow: parameter q: element 1 is +Inf"},
		{Save{Step: 11}, []Parameter{{"q", []int{1}, []float32{float32(nan)}}}, "step-00000011.arrow: parameter q: element 0 is NaN"},
		{Save{Step: 11}, []Parameter{{"q", []int{2, 2}, []float32{1}}}, "parameter q: it has 1 values, its shape [2 2] asks for 4"},
		{Save{Step: 11, TrainLoss: &nan}, nil, "step-00000011.arrow: a loss is NaN"},
		{Save{Step: 10}, nil, "step 10 does not come after step 10"},
	} {
		w := writeSomeWeights(t, filepath.Join(t.TempDir(), "weights"))
		if err := w.Save(c.save, c.parameters); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Save(%+v): %v, want %q", c.save, err, c.want)
		}
	}
	if err := WriteTraining("metrics", []TrainingRow{{Step: 3, GradientNorm: nan}}); err == nil || err.Error() != "metrics: step 3: gradient_norm is NaN" {
		t.Errorf("WriteTraining: %v", err)
	}
}

// Whatever is wrong with a file, reading it is an error that names it: never a crash.
func TestDamagedWeights(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "weights")
	if err := writeSomeWeights(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "step-00000010.arrow")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := OpenWeights(dir)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(whole); cut += 7 {
		if err := os.WriteFile(path, whole[:cut], 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Parameters(w.Last()); err == nil || !strings.Contains(err.Error(), path) {
			t.Fatalf("cut to %d of %d bytes: %v", cut, len(whole), err)
		}
	}
	for i := range whole {
		damaged := slices.Clone(whole)
		damaged[i] ^= 0xff
		if err := os.WriteFile(path, damaged, 0o666); err != nil {
			t.Fatal(err)
		}
		if p, err := w.Parameters(w.Last()); err != nil && !strings.Contains(err.Error(), path) {
			t.Fatalf("byte %d: %v does not name the file", i, err)
		} else if err == nil {
			p.Close()
		}
	}
	for _, file := range []string{"saves.parquet", "vocabulary.parquet", "model.json"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte("{"), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenWeights(dir); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s damaged: %v", file, err)
		}
	}
}
