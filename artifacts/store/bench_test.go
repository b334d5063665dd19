package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// benchFacts is as much as a training's result says.
func benchFacts(i int) []Fact {
	facts := []Fact{{"config", "seed", fmt.Sprint(i)}, {"kind", "pretrain", "1"}, {"numbers", "lm", "1"}}
	for j := range 16 {
		facts = append(facts, Fact{"config", fmt.Sprintf("model.attribute_%d", j), "0.125"})
	}
	for j := range 2 {
		facts = append(facts, Fact{"input", fmt.Sprintf("from.%d", j), Digest{byte(i), byte(j)}.String()})
	}
	return facts
}

var benchMade = Made{Inputs: map[string]Digest{"from.0": {}}, Seconds: 0.125, Tools: map[string]string{"go": "go1.26", "arch": "amd64"}}

// BenchmarkResults reads a store of 10,000 results and looks at what they name, as a plan does.
func BenchmarkResults(b *testing.B) {
	const many = 10_000
	s := Open(filepath.Join(b.TempDir(), "store"))
	for i := range many {
		data := []byte(fmt.Sprint(i))
		out := Blob{Digest: sha256.Sum256(data), Size: int64(len(data)), Type: "text"}
		r := &Result{Key: benchFacts(i), Outputs: map[string]Blob{"out": out}, Made: benchMade}
		for path, content := range map[string][]byte{s.object(out.Digest): data, s.resultPath(Key(r.Key)): r.encode()} {
			err := os.MkdirAll(filepath.Dir(path), 0o777)
			if err := errors.Join(err, os.WriteFile(path, content, 0o666), os.Chtimes(path, intact, intact)); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ResetTimer()
	for range b.N {
		n := 0
		for _, r := range s.Results() {
			if err := s.Complete(r); err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != many {
			b.Fatalf("%d results", n)
		}
	}
}

// BenchmarkCommit makes one result of one output, durably, from its lock to its end.
func BenchmarkCommit(b *testing.B) {
	s := Open(filepath.Join(b.TempDir(), "store"))
	for i := range b.N {
		facts := benchFacts(i)
		key := Key(facts)
		unlock, err := s.Lock(b.Context(), key, nil)
		if err != nil {
			b.Fatal(err)
		}
		a, err := s.Attempt(key)
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(a.Out("out"), []byte(strings.Repeat(fmt.Sprint(i), 100)), 0o666); err != nil {
			b.Fatal(err)
		}
		if _, err := a.Commit(facts, map[string]string{"out": "text"}, benchMade); err != nil {
			b.Fatal(err)
		}
		unlock()
	}
}
