package store

import (
	"bytes"
	"crypto/sha256"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"testing/quick"
	"time"
)

// full is a result that says everything a result can say.
var full = &Result{
	Key: []Fact{{"kind", "pretrain", "1"}, {"config", "name", `a "quoted" line` + "\n and \xff"}, {"", " ", ""}},
	Outputs: map[string]Blob{
		"metrics": {Digest{1}, 7, "metrics", false},
		"weights": {Digest{2}, 1 << 40, "weights of two", true},
	},
	Made: Made{
		Inputs:     map[string]Digest{"tokens": {3}},
		Seconds:    0.1,
		Steps:      400,
		Log:        &Blob{Digest{4}, 3, "log", false},
		Tools:      map[string]string{"go": "go1.26 é"},
		Trajectory: Digest{6},
		Accepted:   &Accepted{Digest{5}, "only its log differs", time.Unix(1, 5).UTC()},
	},
}

// TestResultReadsBack: whatever a result says, it says after it was written and read.
func TestResultReadsBack(t *testing.T) {
	for _, r := range []*Result{full, {Key: []Fact{}, Outputs: map[string]Blob{}}} {
		got, err := decode(r.encode())
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v reads back as %+v, %v", r, got, err)
		}
	}
	property := func(facts []Fact, outputs map[string]Blob, seconds float64, tools map[string]string) bool {
		r := &Result{Key: facts, Outputs: outputs, Made: Made{Seconds: seconds, Tools: tools}}
		got, err := decode(r.encode())
		if len(tools) == 0 {
			r.Made.Tools = nil
		}
		if facts == nil {
			r.Key = []Fact{}
		}
		if outputs == nil {
			r.Outputs = map[string]Blob{}
		}
		return err == nil && reflect.DeepEqual(got, r)
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

// TestResultIsChecked: a result of which any byte was changed, or any part cut off, is refused.
func TestResultIsChecked(t *testing.T) {
	whole := full.encode()
	for i := range whole {
		if _, err := decode(whole[:i]); err == nil {
			t.Errorf("the first %d bytes of %d were read", i, len(whole))
		}
		changed := bytes.Clone(whole)
		changed[i] ^= 1
		if _, err := decode(changed); err == nil {
			t.Errorf("a change of byte %d was not seen", i)
		}
	}
}

// FuzzResult: no text behind a right checksum crashes the reader, and what it accepts it can write.
func FuzzResult(f *testing.F) {
	f.Add(string(full.encode()[len(resultMagic)+65:]))
	f.Add("fact a b\n")
	f.Add("output a \"b\" file -1 0\n\nseconds NaN")
	f.Fuzz(func(t *testing.T, body string) {
		sum := Digest(sha256.Sum256([]byte(body)))
		r, err := decode([]byte(resultMagic + sum.String() + "\n" + body))
		if err != nil {
			return
		}
		again, err := decode(r.encode())
		if r.Made.Seconds != r.Made.Seconds {
			r.Made.Seconds, again.Made.Seconds = 0, 0
		}
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%+v reads back as %+v, %v", r, again, err)
		}
	})
}

// FuzzManifest: no text crashes the reader of manifests, and what it accepts stays in its folder and can be written.
func FuzzManifest(f *testing.F) {
	f.Add(Digest{1}.String() + " 7 model.json\n" + Digest{2}.String() + " 0 a folder/with a file\n")
	f.Add(Digest{1}.String() + " 7 ../escape\n")
	f.Add(Digest{1}.String() + " 7")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := decodeManifest([]byte(text))
		if err != nil {
			return
		}
		for _, e := range entries {
			if !filepath.IsLocal(e.name) {
				t.Errorf("an entry leaves its folder: %q", e.name)
			}
		}
		again, err := decodeManifest(encodeManifest(entries))
		if err != nil || !slices.Equal(entries, again) {
			t.Errorf("%q reads back as %v, %v", text, again, err)
		}
	})
}
