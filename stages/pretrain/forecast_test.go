package pretrain

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"anneal/pipeline"
	"anneal/pipeline/pipelinetest"
	"anneal/stages/internal/trainingtest"
)

// folder is where all inputs lie.
type folder string

func (f folder) Path(_ pipeline.Ref, name string) (string, error) {
	return filepath.Join(string(f), name), nil
}

func TestForecast(t *testing.T) {
	tokens := folder(pipelinetest.Run(t, kinds, 1, "given \"g\" {}", nil).Path("given.g", "tokens"))
	forecast := func(change func(s *Pretrain)) pipeline.Forecast {
		s := standard()
		s.Model = trainingtest.Model
		s.Context, s.Batch, s.Steps = 16, 4, 60
		s.Schedule.Shape, s.Schedule.WarmupSteps = "wsd", 5
		s.Save.Fractions = []float64{0, 0.25, 0.5, 1}
		change(s)
		f, err := s.Forecast(tokens)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	base := forecast(func(s *Pretrain) {})
	if base.Steps != 60 || base.Shared != 48 || base.Alone != "" || !slices.Equal(base.Stops, []int{15, 30}) {
		t.Errorf("forecast %+v", base)
	}
	if want := trainingtest.Model.TrainingMemory(258, 4, 16); base.Memory != want {
		t.Errorf("takes %d bytes, want %d", base.Memory, want)
	}
	if less := forecast(func(s *Pretrain) { s.MicroBatch = 1 }); less.Memory >= base.Memory {
		t.Errorf("sequence by sequence it takes %d bytes, all at once %d", less.Memory, base.Memory)
	}
	for name, same := range map[string]func(s *Pretrain){
		"horizon":        func(s *Pretrain) { s.Steps, s.TokensPerParameter, s.Parameters = 0, 20, "non_embedding" },
		"train tokens":   func(s *Pretrain) { s.Steps, s.TrainTokens = 0, 10000 },
		"save points":    func(s *Pretrain) { s.Save.Fractions = []float64{0.5} },
		"end":            func(s *Pretrain) { s.Schedule.Final, s.Schedule.Decay = 0, 0.5 },
		"no end":         func(s *Pretrain) { s.Schedule.Shape = "constant" },
		"epochs":         func(s *Pretrain) { s.MaxEpochs = 3 },
		"divergence":     func(s *Pretrain) { s.OnDivergence = "record" },
		"what is no key": func(s *Pretrain) { s.MicroBatch, s.SnapshotEvery = 2, "0s" },
	} {
		if f := forecast(same); !reflect.DeepEqual(f.Past, base.Past) {
			t.Errorf("%s: past is %+v, was %+v", name, f.Past, base.Past)
		}
	}
	for name, other := range map[string]func(s *Pretrain){
		"seed":       func(s *Pretrain) { s.Seed = 1 },
		"batch":      func(s *Pretrain) { s.Batch = 5 },
		"warmup":     func(s *Pretrain) { s.Schedule.WarmupSteps = 6 },
		"z-loss":     func(s *Pretrain) { s.ZLoss = 1e-4 },
		"evaluation": func(s *Pretrain) { s.Evaluate.Every = 7 }, // rows are part of the state
		"cosine":     func(s *Pretrain) { s.Schedule.Shape = "cosine" },
	} {
		if f := forecast(other); reflect.DeepEqual(f.Past, base.Past) {
			t.Errorf("%s: the past is the same", name)
		}
	}
	if f := forecast(func(s *Pretrain) { s.Schedule.Shape = "cosine" }); f.Shared != 0 || !strings.Contains(f.Alone, "cosine") || len(f.Stops) > 0 {
		t.Errorf("of a cosine: %+v", f)
	}
}
