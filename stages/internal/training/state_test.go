package training

import (
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"anneal/artifacts"
	"anneal/lm"
)

// randomState draws a state in which every number of lm.State is set, powers of betas among them, with values that are hard to write down.
func randomState(r *rand.Rand) *state {
	s := &state{}
	v := reflect.ValueOf(&s.State).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Int, reflect.Int64:
			f.SetInt(r.Int64N(1 << 52))
		case reflect.Float64:
			f.SetFloat(finite(r, math.Float64frombits))
		case reflect.Slice:
			var tensors []lm.Parameter
			for _, name := range []string{"embedding", "layers.0.q", "norm"}[:r.IntN(4)] {
				values := make([]float32, 6)
				for i := range values {
					values[i] = float32(finite(r, func(bits uint64) float64 { return float64(math.Float32frombits(uint32(bits))) }))
				}
				tensors = append(tensors, lm.NewParameter(name, []int{2, 3}, values))
			}
			f.Set(reflect.ValueOf(tensors))
		}
	}
	for range r.IntN(3) {
		loss := finite(r, math.Float64frombits)
		row := artifacts.TrainingRow{Step: r.Int64(), Epochs: finite(r, math.Float64frombits), TrainLoss: &loss}
		if r.IntN(2) == 0 {
			row.ValidationLoss, row.DivergedAt = &loss, new(r.Int64())
		}
		s.rows = append(s.rows, row)
	}
	return s
}

// finite draws bits until they are those of a number.
func finite(r *rand.Rand, from func(bits uint64) float64) float64 {
	for {
		if x := from(r.Uint64()); x-x == 0 {
			return x
		}
	}
}

// flat is all that a state holds, as bits.
func flat(s *state) (all []any) {
	v := reflect.ValueOf(s.State)
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Float64:
			all = append(all, math.Float64bits(f.Float()))
		case reflect.Slice:
			for _, p := range f.Interface().([]lm.Parameter) {
				all = append(all, p.Name, []int(p.Value.Shape()))
				for _, x := range p.Value.Data().([]float32) {
					all = append(all, math.Float32bits(x))
				}
			}
		default:
			all = append(all, f.Interface())
		}
	}
	return append(all, append([]artifacts.TrainingRow{}, s.rows...))
}

// What is written of a state comes back, bit for bit, whatever its numbers are.
func TestStatesComeBackBitForBit(t *testing.T) {
	for seed := range uint64(50) {
		s := randomState(rand.New(rand.NewPCG(seed, 1)))
		dir := t.TempDir()
		if err := s.write(dir); err != nil {
			t.Fatal(err)
		}
		got, err := read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if want, is := flat(s), flat(got); !reflect.DeepEqual(is, want) {
			t.Fatalf("seed %d: wrote %v\nread %v", seed, want, is)
		}
		if err := got.close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Numbers that are not finite are no state to go on from.
func TestStatesAreFinite(t *testing.T) {
	for _, spoil := range []func(s *state){
		func(s *state) { s.V[0].Value.Data().([]float32)[3] = float32(math.Inf(1)) },
		func(s *state) { s.Weights[0].Value.Data().([]float32)[0] = float32(math.NaN()) },
		func(s *state) { s.LossSum = math.NaN() },
		func(s *state) { s.rows = []artifacts.TrainingRow{{WeightNorm: math.Inf(1)}} },
	} {
		s := randomState(rand.New(rand.NewPCG(1, 1)))
		for _, to := range []*[]lm.Parameter{&s.Weights, &s.M, &s.V} {
			*to = []lm.Parameter{lm.NewParameter("norm", []int{4}, make([]float32, 4))}
		}
		spoil(s)
		if err := s.write(t.TempDir()); err == nil {
			t.Errorf("wrote %v", flat(s))
		}
	}
}

// Whatever became of a file, reading the state is an error or gives a state: never a crash.
func TestDamagedStates(t *testing.T) {
	dir := t.TempDir()
	if err := randomState(rand.New(rand.NewPCG(4, 1))).write(dir); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 1))
	for _, file := range []string{countersFile, weightsFile, mFile, vFile, rowsFile} {
		path := filepath.Join(dir, file)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			damaged := append([]byte{}, whole...)
			if i%2 == 0 {
				damaged = damaged[:r.IntN(len(whole))]
			} else {
				damaged[r.IntN(len(whole))] ^= byte(1 + r.IntN(255))
			}
			if err := os.WriteFile(path, damaged, 0o666); err != nil {
				t.Fatal(err)
			}
			if s, err := read(dir); err == nil {
				if i%2 == 0 {
					t.Fatalf("%s, cut to %d of %d bytes, was read", file, len(damaged), len(whole))
				}
				s.close()
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := read(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s: %v", file, err)
		}
		if err := os.WriteFile(path, whole, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
