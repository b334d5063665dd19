// Huggingface computes what compare.py compares with PyTorch: of each folder of weights the logits of a text, and of all ids of its
// vocabulary in an order of their own. It leaves ids.json, a list of sequences, and logits beside it: float32, little-endian, a row of as
// many as the vocabulary has for each id.
//
//	go run ./interop/huggingface TEXT WEIGHTS...
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"anneal/artifacts"
	"anneal/lm"
	"anneal/lm/bpe"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: go run ./interop/huggingface TEXT WEIGHTS...")
		os.Exit(3)
	}
	text, err := os.ReadFile(os.Args[1])
	for _, dir := range os.Args[2:] {
		if err == nil {
			err = run(text, dir)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// model is what model.json says of a model.
type model struct {
	Family    string  `json:"family"`
	Layers    int     `json:"layers"`
	Width     int     `json:"width"`
	Heads     int     `json:"heads"`
	KVHeads   int     `json:"kv_heads"`
	FF        int     `json:"ff"`
	Tied      bool    `json:"tied"`
	NormEps   float64 `json:"norm_eps"`
	RopeTheta float64 `json:"rope_theta"`
	Classes   int     `json:"classes"`
}

func run(text []byte, dir string) error {
	w, err := artifacts.OpenWeights(dir)
	if err != nil {
		return err
	}
	net, err := load(w)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	v, err := bpe.Build(w.Vocabulary)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	var sequences [][]int32
	for _, ids := range [][]int32{encode(v, text), all(w.VocabularySize)} {
		sequences = slices.AppendSeq(sequences, slices.Chunk(ids, w.Context))
	}
	var logits []byte
	for _, s := range sequences {
		// LastLogits has those of the last token, so that each position is asked for as the end of what comes before it.
		var beginnings [][]int32
		for i := range s {
			beginnings = append(beginnings, s[:i+1])
		}
		for _, row := range net.LastLogits(beginnings) {
			if logits, err = binary.Append(logits, binary.LittleEndian, row); err != nil {
				return err
			}
		}
	}
	ids, err := json.Marshal(sequences)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"ids.json": ids, "logits": logits} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			return err
		}
	}
	return nil
}

func load(w *artifacts.Weights) (*lm.Net, error) {
	var m model
	if err := json.Unmarshal(w.Shape, &m); err != nil {
		return nil, err
	}
	stored, err := w.Parameters(w.Last())
	if err != nil {
		return nil, err
	}
	defer stored.Close()
	var values []lm.Parameter
	for _, p := range stored.List {
		values = append(values, lm.NewParameter(p.Name, p.Shape, p.Values))
	}
	return lm.Load(lm.Model(m), w.VocabularySize, w.Context, values)
}

func encode(v *bpe.Vocabulary, text []byte) []int32 {
	var ids []int32
	for _, id := range v.Encode(nil, text) {
		ids = append(ids, int32(id))
	}
	return ids
}

// all returns the ids below n, shuffled, the same way each time.
func all(n int) []int32 {
	var ids []int32
	for _, id := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
		ids = append(ids, int32(id))
	}
	return ids
}
